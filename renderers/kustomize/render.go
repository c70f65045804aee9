package main

import (
	"errors"
	"fmt"
	"path"
	"runtime/debug"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sluice.dev/renderers/guest"
)

const library = "sigs.k8s.io/kustomize/api"

type renderer struct{}

// Describe says which Kustomize this is.
func (renderer) Describe() string {
	return guest.Describe("kustomize", []string{"kustomize"}, []string{library, "sigs.k8s.io/kustomize/kyaml"}, codes)
}

// Render does what `kustomize build` does, after the edits that the settings ask for.
func (renderer) Render(tree *guest.Tree, settings []byte, context guest.Context) guest.Outcome {
	rendering, err := build(tree, settings, context)
	if err != nil {
		return guest.Refuse(problems(err, tree.Path)...)
	}
	return guest.Outcome{Rendering: rendering}
}

var errMoreNeeded = errors.New("more is needed")

func build(tree *guest.Tree, settings []byte, context guest.Context) (*guest.Rendering, error) {
	var source source
	if err := guest.ParseSettings(settings, &source); err != nil {
		return nil, err
	}
	view := newFiles(tree)
	if err := source.edit(view, context); err != nil {
		return nil, err
	}
	if tree.Needy() {
		return nil, errMoreNeeded
	}
	warnings, err := prepare(view, source.charts(context))
	if err != nil {
		return nil, err
	}
	// The rest costs most, and there will be another round.
	if tree.Needy() {
		return nil, errMoreNeeded
	}
	sources := ownOrigins
	if source.Origins {
		if sources, err = trackOrigins(view); err != nil {
			return nil, err
		}
	}
	options := krusty.MakeDefaultOptions()
	// As `kustomize build` has it: by kind, unless the kustomization says otherwise.
	options.Reorder = krusty.ReorderOptionUnspecified
	options.PluginConfig = types.DisabledPluginConfig()
	options.LoadRestrictions = types.LoadRestrictionsRootOnly
	built, err := krusty.MakeKustomizer(options).Run(view, "/"+tree.Path)
	if err != nil {
		return nil, err
	}
	rendering, err := documents(built, tree.Path, sources)
	if err != nil {
		return nil, err
	}
	rendering.Warnings = warnings
	return rendering, nil
}

func documents(built resmap.ResMap, folder string, origins origins) (*guest.Rendering, error) {
	rendering := &guest.Rendering{Documents: make([]guest.Document, 0, built.Size())}
	for _, resource := range built.Resources() {
		source, err := origins.of(resource, folder)
		if err != nil {
			return nil, err
		}
		text, err := resource.AsYAML()
		if err != nil {
			return nil, err
		}
		rendering.Documents = append(rendering.Documents, guest.Document{Text: string(text), Source: source})
	}
	return rendering, nil
}

// Warm builds an overlay that uses what most overlays use.
func (renderer) Warm() {
	// An instance renders once: collecting has little to win as long as there is memory.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(collectFrom)
	outcome := guest.Try(renderer{}, guest.Input{
		Path:     "overlay",
		Files:    warmFiles,
		Settings: `{"namePrefix": "a-", "images": ["i=j:k"]}`,
		Supplied: []guest.Supply{{Need: guest.Need{Kind: guest.NeedPath, Text: "base"}, Path: "base"}},
	})
	if outcome.Rendering == nil {
		panic(fmt.Sprintf("%+v", outcome))
	}
}

// collectFrom leaves some of an instance's 512 MiB for what is not Go's.
const collectFrom = 300 << 20

var warmFiles = []guest.File{
	{Path: "base/kustomization.yaml", Content: []byte("resources: [d.yaml]\nconfigMapGenerator: [{name: m, literals: [a=b]}]\n")},
	{Path: "base/d.yaml", Content: []byte(strings.Join([]string{
		"apiVersion: apps/v1", "kind: Deployment", "metadata: {name: a}",
		"spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}",
	}, "\n"))},
	{Path: "overlay/kustomization.yaml", Content: []byte(strings.Join([]string{
		"resources: [../base]", "namePrefix: p-", "namespace: warm", "patches:",
		`- patch: '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 2}}'`,
	}, "\n"))},
}

// relative returns the path from one folder to another.
func relative(folder, target string) string {
	up := 0
	for folder != "" && target != folder && !strings.HasPrefix(target, folder+"/") {
		if folder = path.Dir(folder); folder == "." {
			folder = ""
		}
		up++
	}
	inside := strings.TrimPrefix(strings.TrimPrefix(target, folder), "/")
	return path.Clean(strings.Repeat("../", up) + inside)
}
