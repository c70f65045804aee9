package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	// `dateInZone` knows the zones without a disk.
	_ "time/tzdata"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sluice.dev/renderers/guest"
)

const library = "helm.sh/helm/v4"

type renderer struct{}

// Describe says which Helm this is.
func (renderer) Describe() string {
	return guest.Describe("helm", []string{"helm"}, []string{library}, codes)
}

// Render does what `helm template` does.
func (renderer) Render(tree *guest.Tree, settings []byte, context guest.Context) guest.Outcome {
	rendering, err := renderChart(tree, settings, context)
	if err != nil {
		return guest.Refuse(problems(err, tree.Path)...)
	}
	return guest.Outcome{Rendering: rendering}
}

func renderChart(tree *guest.Tree, settings []byte, context guest.Context) (*guest.Rendering, error) {
	source, err := parseSource(settings, context)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ValidateReleaseName(source.ReleaseName); err != nil {
		return nil, &guest.Problem{Code: "settings", Message: fmt.Sprintf("release name %q: %v", source.ReleaseName, err)}
	}
	loaded, err := loadChart(tree, tree.Path)
	if err != nil {
		return nil, err
	}
	values, err := source.valuesFor(tree, context)
	if err != nil {
		return nil, err
	}
	// The rest costs most, and there will be another round.
	if tree.Needy() {
		return nil, errors.New("more is needed")
	}
	if kind := loaded.Metadata.Type; kind != "" && kind != "application" {
		return nil, &guest.Problem{
			Code:    "chart",
			Message: kind + " charts are not installable",
			File:    path.Join(tree.Path, "Chart.yaml"),
			Hint:    "a library is for the `dependencies` of other charts",
		}
	}
	if err := chartutil.ProcessDependencies(loaded, values); err != nil {
		return nil, fmt.Errorf("chart dependencies processing failed: %w", err)
	}
	capabilities, err := source.capabilities()
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: source.ReleaseName, Namespace: source.Namespace, Revision: 1, IsInstall: true}
	toRender, err := commonutil.ToRenderValuesWithSchemaValidation(loaded, values, options, capabilities, source.SkipSchemaValidation)
	if err != nil {
		return nil, err
	}
	if wanted := loaded.Metadata.KubeVersion; wanted != "" && !chartutil.IsCompatibleRange(wanted, capabilities.KubeVersion.String()) {
		return nil, &guest.Problem{
			Code: "kube-version",
			Message: fmt.Sprintf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s",
				wanted, capabilities.KubeVersion.Version),
			File: path.Join(tree.Path, "Chart.yaml"),
		}
	}
	drawn := newChance()
	files, err := engine.Engine{CustomTemplateFuncs: drawn.functions()}.Render(loaded, toRender)
	if err != nil {
		return nil, err
	}
	rendering, err := collect(loaded, files, source)
	if err != nil {
		return nil, err
	}
	rendering.Random = drawn.names()
	if loaded.Metadata.Deprecated {
		rendering.Warnings = append(rendering.Warnings, guest.Problem{
			Code: "deprecated", Message: "this chart is deprecated", File: path.Join(tree.Path, "Chart.yaml"),
		})
	}
	return rendering, nil
}

// collect sorts what the templates gave, as Helm does before it installs or prints.
func collect(loaded *chart.Chart, files map[string]string, source *source) (*guest.Rendering, error) {
	const notes = "NOTES.txt"
	rendering := &guest.Rendering{Notes: files[path.Join(loaded.Name(), "templates", notes)]}
	for name := range files {
		if strings.HasSuffix(name, notes) {
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	if !source.SkipCrds {
		for _, crd := range loaded.CRDObjects() {
			rendering.Documents = append(rendering.Documents, guest.Document{
				Text: string(crd.File.Data), Source: crd.Filename, Part: guest.CRD,
			})
		}
	}
	for _, manifest := range manifests {
		rendering.Documents = append(rendering.Documents, guest.Document{Text: manifest.Content, Source: manifest.Name})
	}
	if source.SkipHooks {
		return rendering, nil
	}
	for _, hook := range hooks {
		part := guest.Hook
		if slices.Contains(hook.Events, release.HookTest) {
			part = guest.Test
		}
		if part == guest.Test && source.SkipTests {
			continue
		}
		rendering.Documents = append(rendering.Documents, guest.Document{Text: hook.Manifest, Source: hook.Path, Part: part})
	}
	return rendering, nil
}

// Warm renders a chart that uses what most charts use.
func (renderer) Warm() {
	// An instance renders once: collecting has little to win as long as there is memory.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(collectFrom)
	settings, err := json.Marshal(map[string]any{"values": "a: 1\n"})
	if err != nil {
		panic(err)
	}
	outcome := guest.Try(renderer{}, guest.Input{
		Files:    warmFiles,
		Settings: string(settings),
		Context:  `{"release":"warm","namespace":"warm"}`,
	})
	if outcome.Rendering == nil {
		panic(fmt.Sprintf("%+v", outcome))
	}
}

// collectFrom leaves some of an instance's 512 MiB for what is not Go's.
const collectFrom = 300 << 20

var warmFiles = []guest.File{
	{Path: "Chart.yaml", Content: []byte("apiVersion: v2\nname: warm\nversion: 0.1.0\n")},
	{Path: "values.yaml", Content: []byte("a: 2\nb: {c: [1, 2]}\n")},
	{Path: "values.schema.json", Content: []byte(`{"type": "object", "properties": {"a": {"type": "integer"}}}`)},
	{Path: "templates/_helpers.tpl", Content: []byte(
		`{{- define "warm.name" -}}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{- end -}}`)},
	{Path: "templates/map.yaml", Content: []byte(
		"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include \"warm.name\" . | quote }}\ndata:\n  v: |\n{{ toYaml .Values | indent 4 }}\n")},
}
