// Command flux applies ConfigMaps with the library that Flux's controllers apply with, and says how long that took.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fluxcd/pkg/ssa"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the cluster")
	namespace := flag.String("namespace", "", "where the ConfigMaps go")
	count := flag.Int("count", 1000, "how many ConfigMaps")
	size := flag.Int("size", 1024, "bytes in each")
	concurrency := flag.Int("concurrency", 4, "as kustomize-controller's --concurrent-ssa")
	flag.Parse()
	if err := run(*kubeconfig, *namespace, *count, *size, *concurrency); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(kubeconfig, namespace string, count, size, concurrency int) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	// The library, not its client's throttling, is measured.
	config.QPS, config.Burst = -1, -1
	manager, err := resourceManager(config, concurrency)
	if err != nil {
		return err
	}
	times := map[string]float64{}
	for _, round := range []string{"first", "unchanged"} {
		objects := configMaps(namespace, count, size)
		start := time.Now()
		if _, err := manager.ApplyAllStaged(context.Background(), objects, ssa.DefaultApplyOptions()); err != nil {
			return err
		}
		times[round] = time.Since(start).Seconds()
	}
	return json.NewEncoder(os.Stdout).Encode(times)
}

func resourceManager(config *rest.Config, concurrency int) (*ssa.ResourceManager, error) {
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, http)
	if err != nil {
		return nil, err
	}
	kube, err := client.New(config, client.Options{HTTPClient: http, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	manager := ssa.NewResourceManager(kube, nil, ssa.Owner{Field: "bench-flux", Group: "bench.sluice.dev"})
	manager.SetConcurrency(concurrency)
	return manager, nil
}

func configMaps(namespace string, count, size int) []*unstructured.Unstructured {
	objects := make([]*unstructured.Unstructured, count)
	for index := range objects {
		objects[index] = &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1",
			"kind":       "ConfigMap",
			"metadata":   map[string]any{"name": fmt.Sprintf("map-%05d", index), "namespace": namespace},
			"data":       map[string]any{"value": strings.Repeat("x", size)},
		}}
	}
	return objects
}
