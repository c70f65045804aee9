package main

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sluice.dev/renderers/guest"
)

// chartsFolder has the charts of a kustomization, rendered, as a component of it.
const chartsFolder = ".sluice-charts"

// remotesFolder has the single files that a kustomization takes from elsewhere, beside it.
const remotesFolder = ".sluice-remotes"

// prepare walks through a kustomization and all that it is based on, asks for what is not there yet, and puts what has come from elsewhere
// where Kustomize finds it without fetching. What is wrong with a kustomization is for the build to say.
// What is outdated in them comes back as warnings.
func prepare(view *files, charts chartSettings) ([]guest.Problem, error) {
	walk := &walk{view: view, charts: charts, seen: map[string]bool{}}
	err := walk.folder(view.tree.Path, "")
	return walk.warnings, err
}

type walk struct {
	view   *files
	charts chartSettings
	seen   map[string]bool

	warnings []guest.Problem
}

// lists are those that name folders. All of them may name files as well, and `generators` and so on may hold YAML instead.
var lists = []string{"resources", "bases", "components", "generators", "transformers", "validators"}

// folder prepares one kustomization. `namespace` is the one that those based on it set, for its charts.
func (w *walk) folder(folder, namespace string) error {
	if w.seen[folder] {
		return nil
	}
	w.seen[folder] = true
	name, content, err := kustomizationIn(w.view, folder)
	if err != nil || content == nil {
		return err
	}
	document, fields, err := parse(content)
	if err != nil {
		return nil
	}
	var kustomization types.Kustomization
	// Fields that it does not know are the build's to refuse.
	if err := kustomization.Unmarshal(content); err != nil {
		return nil
	}
	w.warn(kustomization, path.Join(folder, name))
	kustomization.FixKustomization()
	if kustomization.Namespace != "" {
		namespace = kustomization.Namespace
	}

	changed := false
	for _, list := range lists {
		named := find(fields, list)
		if named == nil || named.Kind != yaml.SequenceNode {
			continue
		}
		for _, item := range named.Content {
			if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, "\n") {
				continue
			}
			replaced, err := w.item(folder, item.Value, namespace)
			if err != nil {
				return err
			}
			if replaced != item.Value {
				item.Value, changed = replaced, true
			}
		}
	}
	if len(kustomization.HelmCharts) > 0 {
		inflated, err := w.inflate(folder, kustomization, namespace)
		if err != nil {
			return err
		}
		if inflated {
			remove(fields, "helmCharts", "helmChartInflationGenerator", "helmGlobals")
			components := entry(fields, "components")
			first := &yaml.Node{Kind: yaml.ScalarNode, Value: chartsFolder}
			if components.Kind != yaml.SequenceNode {
				*components = yaml.Node{Kind: yaml.SequenceNode}
			}
			// Charts come after the generators and before all components, where components come.
			components.Content = append([]*yaml.Node{first}, components.Content...)
			changed = true
		}
	}
	if changed {
		edited, err := yaml.Marshal(document)
		if err != nil {
			return err
		}
		w.view.overlay[path.Join(folder, name)] = edited
	}
	return nil
}

// warn repeats what Kustomize says of fields that will go.
func (w *walk) warn(kustomization types.Kustomization, file string) {
	said := kustomization.CheckDeprecatedFields()
	if said == nil {
		return
	}
	for _, warning := range *said {
		message := strings.TrimPrefix(strings.TrimPrefix(warning, "# "), "Warning: ")
		w.warnings = append(w.warnings, guest.Problem{Code: "deprecated", Message: message, File: file})
	}
}

// item prepares one entry of a list, and returns what is to stand there instead.
func (w *walk) item(folder, written, namespace string) (string, error) {
	if isRemote(written) {
		need := guest.Need{Kind: guest.NeedRemote, Text: written}
		supply, supplied := w.view.tree.Supplied(need)
		if !supplied {
			return written, nil
		}
		if len(supply.Files) == 0 {
			return written, &guest.Problem{
				Code: "remote", Message: fmt.Sprintf("`%s`: the repository has nothing there", written), File: folder,
			}
		}
		if w.view.tree.IsFolder(supply.Path) {
			if err := w.folder(supply.Path, namespace); err != nil {
				return written, err
			}
		}
		if content, isFile := w.view.read(supply.Path); isFile {
			// Kustomize reads files below its root alone, and what it would have fetched.
			local := path.Join(remotesFolder, strings.TrimPrefix(supply.Path, guest.SuppliedFolder+"/"))
			w.view.overlay[path.Join(folder, local)] = content
			return local, nil
		}
		return relative(folder, supply.Path), nil
	}
	target, err := guest.Resolve(folder, written)
	if err != nil || strings.HasPrefix(written, "/") {
		if err == nil {
			// Kustomize takes no absolute path, and says so.
			return written, nil
		}
		return written, &guest.Problem{Code: "path", Message: err.Error(), File: folder}
	}
	if home := guest.HomeOf(folder); home != "" && !strings.HasPrefix(target+"/", home+"/") {
		return written, &guest.Problem{
			Code: "path", Message: fmt.Sprintf("`%s` leaves the repository that it was fetched from", written), File: folder,
		}
	}
	if _, isFile := w.view.read(target); !isFile && w.view.IsDir(target) {
		return written, w.folder(target, namespace)
	}
	return written, nil
}

// remote is how addresses begin that Kustomize would fetch.
var remote = regexp.MustCompile(`^(?i:git::)?([a-z][a-z0-9+.-]*://|[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+[:/]|(?i:github\.com)[:/]|gh:)`)

func isRemote(written string) bool { return remote.MatchString(written) }

// chartSettings are those of the source that reach its charts.
type chartSettings struct {
	kubeVersion string
	apiVersions []string
}

func (s *source) charts(context guest.Context) chartSettings {
	settings := chartSettings{s.KubeVersion, s.APIVersions}
	if settings.kubeVersion == "" {
		settings.kubeVersion = context.KubeVersion
	}
	if len(settings.apiVersions) == 0 {
		settings.apiVersions = context.APIVersions
	}
	return settings
}

// inflation is what the renderer of charts is to be asked.
type inflation struct {
	Path       string      `json:"path"`
	Name       string      `json:"name"`
	Repository string      `json:"repository,omitempty"`
	Version    string      `json:"version,omitempty"`
	Helm       helmRequest `json:"helm"`
}

type helmRequest struct {
	ReleaseName  string         `json:"releaseName,omitempty"`
	Namespace    string         `json:"namespace,omitempty"`
	ValuesObject map[string]any `json:"valuesObject,omitempty"`
	SkipCrds     bool           `json:"skipCrds"`
	SkipTests    bool           `json:"skipTests"`
	SkipHooks    bool           `json:"skipHooks"`
	KubeVersion  string         `json:"kubeVersion,omitempty"`
	APIVersions  []string       `json:"apiVersions,omitempty"`
}

// inflate asks for the charts of a kustomization, and makes a component of them once they are there.
func (w *walk) inflate(folder string, kustomization types.Kustomization, namespace string) (bool, error) {
	home := types.HelmDefaultHome
	if kustomization.HelmGlobals != nil && kustomization.HelmGlobals.ChartHome != "" {
		home = kustomization.HelmGlobals.ChartHome
	}
	var rendered strings.Builder
	complete := true
	for _, chart := range kustomization.HelmCharts {
		request, err := w.request(folder, home, chart, namespace)
		if err != nil {
			return false, err
		}
		text, err := json.Marshal(request)
		if err != nil {
			return false, err
		}
		supply, supplied := w.view.tree.Supplied(guest.Need{Kind: guest.NeedInflation, Text: string(text)})
		if !supplied {
			complete = false
			continue
		}
		if len(supply.Files) == 0 {
			return false, &guest.Problem{Code: "chart", Message: fmt.Sprintf("chart `%s` could not be rendered", chart.Name), File: folder}
		}
		marked, err := mark(string(supply.Files[0].Content))
		if err != nil {
			return false, &guest.Problem{Code: "chart", Message: fmt.Sprintf("chart `%s`: %v", chart.Name, err), File: folder}
		}
		rendered.WriteString(marked)
	}
	if !complete {
		return false, nil
	}
	place := path.Join(folder, chartsFolder)
	component := "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	if rendered.Len() > 0 {
		component += "resources: [charts.yaml]\n"
	}
	w.view.overlay[path.Join(place, konfig.DefaultKustomizationFileName())] = []byte(component)
	w.view.overlay[path.Join(place, "charts.yaml")] = []byte(rendered.String())
	return true, nil
}

func (w *walk) request(folder, home string, chart types.HelmChart, namespace string) (inflation, error) {
	inside := path.Join(home, chart.Name)
	if chart.Version != "" && chart.Repo != "" {
		inside = path.Join(home, chart.Name+"-"+chart.Version, chart.Name)
	}
	place, err := guest.Resolve(folder, inside)
	if err != nil {
		return inflation{}, &guest.Problem{Code: "path", Message: err.Error(), File: folder}
	}
	values, err := w.values(folder, chart)
	if err != nil {
		return inflation{}, err
	}
	if chart.Namespace != "" {
		namespace = chart.Namespace
	}
	request := inflation{
		Path: place, Name: chart.Name, Repository: chart.Repo, Version: chart.Version,
		Helm: helmRequest{
			ReleaseName: chart.ReleaseName, Namespace: namespace, ValuesObject: values,
			SkipCrds: !chart.IncludeCRDs, SkipTests: chart.SkipTests, SkipHooks: chart.SkipHooks,
			KubeVersion: w.charts.kubeVersion, APIVersions: w.charts.apiVersions,
		},
	}
	if chart.KubeVersion != "" {
		request.Helm.KubeVersion = chart.KubeVersion
	}
	if len(chart.ApiVersions) > 0 {
		request.Helm.APIVersions = chart.ApiVersions
	}
	if request.Helm.ReleaseName == "" {
		// Helm would make one of the time.
		request.Helm.ReleaseName = "release-name"
	}
	return request, nil
}

// values merges what a chart is given, as Kustomize's generator does.
func (w *walk) values(folder string, chart types.HelmChart) (map[string]any, error) {
	values := map[string]any{}
	if chart.ValuesFile != "" {
		read, err := w.valuesFile(folder, chart.ValuesFile)
		if err != nil {
			return nil, err
		}
		values = read
	}
	switch chart.ValuesMerge {
	case "", "override":
		values = merged(values, chart.ValuesInline)
	case "merge":
		if chart.ValuesFile == "" && len(chart.ValuesInline) > 0 {
			return nil, &guest.Problem{
				Code: "unsupported", File: folder,
				Message: fmt.Sprintf("chart `%s`: `valuesMerge: merge` without `valuesFile` is not supported", chart.Name),
			}
		}
		values = merged(chart.ValuesInline, values)
	case "replace":
		if len(chart.ValuesInline) > 0 {
			values = chart.ValuesInline
		}
	default:
		return nil, &guest.Problem{Code: "kustomization", File: folder, Message: "valuesMerge must be one of [merge override replace]"}
	}
	for _, file := range chart.AdditionalValuesFiles {
		read, err := w.valuesFile(folder, file)
		if err != nil {
			return nil, err
		}
		values = merged(values, read)
	}
	return values, nil
}

func (w *walk) valuesFile(folder, written string) (map[string]any, error) {
	name, err := guest.Resolve(folder, written)
	if err != nil {
		return nil, &guest.Problem{Code: "path", Message: err.Error(), File: folder}
	}
	content, there := w.view.read(name)
	if !there {
		if w.view.tree.Needy() {
			return map[string]any{}, nil
		}
		return nil, &guest.Problem{Code: "missing", Message: fmt.Sprintf("values file `%s` is not there", written), File: name}
	}
	values := map[string]any{}
	if err := kyaml.Unmarshal(content, &values); err != nil {
		return nil, &guest.Problem{Code: "values", Message: err.Error(), File: name, Line: guest.LineOf(err.Error())}
	}
	return values, nil
}

// merged returns both maps as one; where they differ, the second one wins.
func merged(first, second map[string]any) map[string]any {
	all := make(map[string]any, len(first)+len(second))
	for key, value := range first {
		all[key] = value
	}
	for key, value := range second {
		inner, isMap := value.(map[string]any)
		own, wasMap := all[key].(map[string]any)
		if isMap && wasMap {
			all[key] = merged(own, inner)
		} else {
			all[key] = value
		}
	}
	return all
}

// mark notes on each object that a chart has made it, for the transformer of namespaces.
func mark(text string) (string, error) {
	reader := kio.ByteReader{Reader: strings.NewReader(text), OmitReaderAnnotations: true}
	nodes, err := reader.Read()
	if err != nil {
		return "", err
	}
	var marked strings.Builder
	for _, node := range nodes {
		if err := node.PipeE(kyaml.SetAnnotation(konfig.HelmGeneratedAnnotation, "true")); err != nil {
			return "", err
		}
		one, err := node.String()
		if err != nil {
			return "", err
		}
		marked.WriteString("---\n" + one)
	}
	return marked.String(), nil
}

func find(fields *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(fields.Content); i += 2 {
		if fields.Content[i].Value == key {
			return fields.Content[i+1]
		}
	}
	return nil
}

func remove(fields *yaml.Node, keys ...string) {
	var kept []*yaml.Node
	for i := 0; i+1 < len(fields.Content); i += 2 {
		drop := false
		for _, key := range keys {
			drop = drop || fields.Content[i].Value == key
		}
		if !drop {
			kept = append(kept, fields.Content[i], fields.Content[i+1])
		}
	}
	fields.Content = kept
}
