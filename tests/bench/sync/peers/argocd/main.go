// Command argocd syncs ConfigMaps with the engine that Argo CD is built upon, and says how long that took.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/engine"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
)

// mark is the annotation by which the engine knows its objects again.
const mark = "bench.sluice.dev/managed"

type info struct{ marked bool }

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the cluster")
	namespace := flag.String("namespace", "", "where the ConfigMaps go")
	count := flag.Int("count", 1000, "how many ConfigMaps")
	size := flag.Int("size", 1024, "bytes in each")
	flag.Parse()
	if err := run(*kubeconfig, *namespace, *count, *size); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(kubeconfig, namespace string, count, size int) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	// The engine, not its client's throttling, is measured.
	config.QPS, config.Burst = -1, -1
	clusterCache := cache.NewClusterCache(config,
		cache.SetNamespaces([]string{namespace}),
		cache.SetLogr(logr.Discard()),
		cache.SetPopulateResourceInfoHandler(func(un *unstructured.Unstructured, _ bool) (any, bool) {
			marked := un.GetAnnotations()[mark] != ""
			return &info{marked}, marked
		}),
	)
	gitops := engine.NewEngine(config, clusterCache, engine.WithLogr(logr.Discard()))
	stop, err := gitops.Run()
	if err != nil {
		return err
	}
	defer stop()
	isManaged := func(resource *cache.Resource) bool {
		return resource.Info != nil && resource.Info.(*info).marked
	}
	times := map[string]float64{}
	for _, round := range []string{"first", "unchanged"} {
		objects := configMaps(namespace, count, size)
		start := time.Now()
		_, err := gitops.Sync(context.Background(), objects, isManaged, "revision", namespace,
			sync.WithPrune(true), sync.WithServerSideApply(true), sync.WithServerSideApplyManager("bench-argocd"),
			sync.WithLogr(logr.Discard()))
		if err != nil {
			return err
		}
		times[round] = time.Since(start).Seconds()
	}
	return json.NewEncoder(os.Stdout).Encode(times)
}

func configMaps(namespace string, count, size int) []*unstructured.Unstructured {
	objects := make([]*unstructured.Unstructured, count)
	for index := range objects {
		objects[index] = &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1",
			"kind":       "ConfigMap",
			"metadata": map[string]any{
				"name":        fmt.Sprintf("map-%05d", index),
				"namespace":   namespace,
				"annotations": map[string]any{mark: "yes"},
			},
			"data": map[string]any{"value": strings.Repeat("x", size)},
		}}
	}
	return objects
}
