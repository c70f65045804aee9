// math/rand is seeded from the context; by default that does nothing since Go 1.24.
//
//go:debug randseednop=0

// The renderer of Helm charts: Helm's own library, without its client of Kubernetes.
//
// What `helm template` does between reading a chart and printing it is in chart.go (what a chart is made of), values.go (what is put into
// it) and render.go (what comes out); problems.go takes Helm's errors apart, chance.go names the functions that are no function of the
// input.
package main

import "sluice.dev/renderers/guest"

func init() { guest.Serve(renderer{}) }

func main() {}
