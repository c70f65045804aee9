// Command flux judges objects by Flux's evaluator of health checks, from objects that are decoded and from their JSON. It prints a JSON line a
// figure.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func main() {
	checks := flag.String("expressions", "", "a file with a list of healthCheckExprs")
	rounds := flag.Int("rounds", 30, "how often each is measured")
	flag.Parse()
	text, err := os.ReadFile(*checks)
	check(err)
	var expressions []kustomize.CustomHealthCheck
	check(json.Unmarshal(text, &expressions))
	for _, file := range flag.Args() {
		text, err := os.ReadFile(file)
		check(err)
		object := &unstructured.Unstructured{}
		check(object.UnmarshalJSON(text))
		for _, expression := range expressions {
			if expression.Kind != object.GetKind() {
				continue
			}
			evaluator, err := cel.NewStatusEvaluator(&expression.HealthCheckExpressions)
			check(err)
			evaluate := func(object *unstructured.Unstructured) string {
				result, err := evaluator.Evaluate(context.Background(), object)
				check(err)
				return string(result.Status)
			}
			report("Flux's evaluator", object, *rounds, func() string { return evaluate(object) })
			report("Flux's evaluator, with decoding", object, *rounds, func() string {
				decoded := &unstructured.Unstructured{}
				check(decoded.UnmarshalJSON(text))
				return evaluate(decoded)
			})
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func report(what string, object *unstructured.Unstructured, rounds int, judge func() string) {
	status := judge()
	figures := make([]float64, rounds)
	for round := range figures {
		const times = 100
		start := time.Now()
		for range times {
			judge()
		}
		figures[round] = float64(time.Since(start).Nanoseconds()) / 1000 / times
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"what": what, "kind": object.GetKind(), "status": status, "figures": figures}))
}
