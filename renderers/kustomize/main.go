// math/rand is seeded from the context; by default that does nothing since Go 1.24.
//
//go:debug randseednop=0

// The renderer of kustomizations: Kustomize's own library and its own `edit` commands.
//
// render.go builds; files.go is the file system that Kustomize sees, and asks the host for what is not in it; prepare.go finds what a
// kustomization needs from elsewhere (bases of other repositories, charts) before it is built; edit.go does what Argo CD's settings ask
// for; problems.go takes Kustomize's errors apart.
package main

import "sluice.dev/renderers/guest"

func init() { guest.Serve(renderer{}) }

func main() {}
