package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"
	"sluice.dev/renderers/guest"
)

// source is Argo CD's `source.helm`.
type source struct {
	ReleaseName             string          `json:"releaseName"`
	ValueFiles              []string        `json:"valueFiles"`
	IgnoreMissingValueFiles bool            `json:"ignoreMissingValueFiles"`
	Values                  string          `json:"values"`
	ValuesObject            json.RawMessage `json:"valuesObject"`
	Parameters              []parameter     `json:"parameters"`
	FileParameters          []fileParameter `json:"fileParameters"`
	SkipCrds                bool            `json:"skipCrds"`
	SkipTests               bool            `json:"skipTests"`
	SkipSchemaValidation    bool            `json:"skipSchemaValidation"`
	KubeVersion             string          `json:"kubeVersion"`
	APIVersions             []string        `json:"apiVersions"`
	Namespace               string          `json:"namespace"`

	// SkipHooks is not Argo CD's: `helmCharts` of a kustomization have it.
	SkipHooks bool `json:"skipHooks"`

	// What the host looks at when it fetches; nothing to do with rendering.
	Version         string `json:"version"`
	PassCredentials bool   `json:"passCredentials"`
}

type parameter struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	ForceString bool   `json:"forceString"`
}

type fileParameter struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

func parseSource(settings []byte, context guest.Context) (*source, error) {
	parsed := &source{}
	if err := guest.ParseSettings(settings, parsed); err != nil {
		return nil, err
	}
	if parsed.ReleaseName == "" {
		parsed.ReleaseName = context.Release
	}
	if parsed.Namespace == "" {
		parsed.Namespace = context.Namespace
	}
	if parsed.Namespace == "" {
		parsed.Namespace = "default"
	}
	if parsed.KubeVersion == "" {
		parsed.KubeVersion = context.KubeVersion
	}
	if len(parsed.APIVersions) == 0 {
		parsed.APIVersions = context.APIVersions
	}
	return parsed, nil
}

// capabilities are those that `helm template` has without a cluster, and what is known of the cluster.
func (s *source) capabilities() (*common.Capabilities, error) {
	capabilities := common.DefaultCapabilities.Copy()
	if s.KubeVersion != "" {
		version, err := common.ParseKubeVersion(s.KubeVersion)
		if err != nil {
			return nil, &guest.Problem{Code: "settings", Message: fmt.Sprintf("invalid kube version '%s': %v", s.KubeVersion, err)}
		}
		capabilities.KubeVersion = *version
	}
	capabilities.APIVersions = append(append(common.VersionSet{}, capabilities.APIVersions...), s.APIVersions...)
	return capabilities, nil
}

// valuesFor merges all values that the settings name, in Argo CD's order: files, inline values, parameters, files as parameters.
func (s *source) valuesFor(tree *guest.Tree, context guest.Context) (map[string]any, error) {
	values := map[string]any{}
	for _, written := range s.ValueFiles {
		written = substituted(written, context)
		names, err := s.expand(tree, written)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			content, found := tree.Read(name)
			if !found {
				if s.IgnoreMissingValueFiles || tree.Needy() {
					continue
				}
				return nil, missing("values file", written, name)
			}
			if values, err = merge(values, content, name); err != nil {
				return nil, err
			}
		}
	}
	inline := []byte(s.Values)
	if len(s.ValuesObject) > 0 && string(s.ValuesObject) != "null" {
		inline = s.ValuesObject
	}
	values, err := merge(values, inline, "")
	if err != nil {
		return nil, err
	}
	for _, forceString := range []bool{false, true} {
		for _, parameter := range s.Parameters {
			if parameter.ForceString != forceString {
				continue
			}
			set := strvals.ParseInto
			if forceString {
				set = strvals.ParseIntoString
			}
			if err := set(parameter.Name+"="+escapeCommas(context.Substitute(parameter.Value)), values); err != nil {
				return nil, &guest.Problem{Code: "settings", Message: fmt.Sprintf("parameter `%s`: %v", parameter.Name, err)}
			}
		}
	}
	for _, parameter := range s.FileParameters {
		parameter.Path = substituted(parameter.Path, context)
		if err := setFile(tree, parameter, values); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func merge(values map[string]any, content []byte, name string) (map[string]any, error) {
	more, err := loader.LoadValues(bytes.NewReader(content))
	if err != nil {
		problem := &guest.Problem{Code: "values", Message: err.Error(), File: name, Line: guest.LineOf(err.Error())}
		if name == "" {
			problem.Code = "settings"
			problem.Message = "inline values: " + problem.Message
		}
		return nil, problem
	}
	return loader.MergeMaps(values, more), nil
}

// expand returns the files that an entry of `valueFiles` means: itself, or all that match it, sorted.
func (s *source) expand(tree *guest.Tree, written string) ([]string, error) {
	if strings.Contains(written, "://") {
		supply, found := tree.Supplied(guest.Need{Kind: guest.NeedRemote, Text: written})
		if !found {
			return nil, nil
		}
		if len(supply.Files) == 0 && !s.IgnoreMissingValueFiles {
			return nil, missing("values file", written, supply.Path)
		}
		return []string{supply.Path}, nil
	}
	name, err := resolve(tree, written)
	if err != nil {
		return nil, err
	}
	// A file of that very name wins over what its name might match.
	if !strings.ContainsAny(name, "*?[{") || tree.IsFile(name) {
		return []string{name}, nil
	}
	if !doublestar.ValidatePattern(name) {
		return nil, &guest.Problem{Code: "settings", Message: fmt.Sprintf("values file `%s`: the pattern is malformed", written)}
	}
	folder, _ := doublestar.SplitPattern(name)
	if folder == "." {
		folder = ""
	}
	var matches []string
	for _, candidate := range tree.Below(folder) {
		if doublestar.MatchUnvalidated(name, candidate) {
			matches = append(matches, candidate)
		}
	}
	sort.Strings(matches)
	if len(matches) == 0 && !s.IgnoreMissingValueFiles && !tree.Needy() {
		return nil, missing("values file", written, name)
	}
	return matches, nil
}

// substituted puts variables into a path as Argo CD does. What it begins with, up to the first `/`, is the name of another source unless it is
// a variable.
func substituted(written string, context guest.Context) string {
	first, rest, _ := strings.Cut(written, "/")
	name, isName := strings.CutPrefix(first, "$")
	if _, isVariable := context.Environment[name]; isName && !isVariable && !strings.HasPrefix(name, "{") {
		return first + "/" + context.Substitute(rest)
	}
	return context.Substitute(written)
}

// resolve returns the path that the settings mean: from the chart, from the root with a leading `/`, or of another source with a `$`.
func resolve(tree *guest.Tree, written string) (string, error) {
	folder := tree.Path
	if strings.HasPrefix(written, "$") {
		folder = ""
		// It stays within that source.
		reference, inside, _ := strings.Cut(written, "/")
		name, err := guest.Resolve("", inside)
		if err == nil {
			return path.Join(reference, name), nil
		}
		return "", &guest.Problem{Code: "path", Message: err.Error()}
	}
	name, err := guest.Resolve(folder, written)
	if err != nil {
		return "", &guest.Problem{Code: "path", Message: err.Error()}
	}
	return name, nil
}

func setFile(tree *guest.Tree, parameter fileParameter, values map[string]any) error {
	name, err := resolve(tree, parameter.Path)
	if err != nil {
		return err
	}
	content, found := tree.Read(name)
	if !found {
		if tree.Needy() {
			return nil
		}
		return missing("file of parameter `"+parameter.Name+"`", parameter.Path, name)
	}
	read := func([]rune) (any, error) { return string(content), nil }
	if err := strvals.ParseIntoFile(parameter.Name+"=file", values, read); err != nil {
		return &guest.Problem{Code: "settings", Message: fmt.Sprintf("parameter `%s`: %v", parameter.Name, err)}
	}
	return nil
}

func missing(kind, written, name string) error {
	return &guest.Problem{
		Code:    "missing",
		Message: fmt.Sprintf("%s `%s` is not there", kind, written),
		File:    name,
		Hint:    "paths are from the chart's folder, with a leading `/` from the repository's root",
	}
}

// escapeCommas keeps a value with commas one value, as Argo CD does; a list in braces stays one.
func escapeCommas(value string) string {
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		return value
	}
	var escaped strings.Builder
	previous := rune(0)
	for _, letter := range value {
		if letter == ',' && previous != '\\' {
			escaped.WriteByte('\\')
		}
		escaped.WriteRune(letter)
		previous = letter
	}
	return escaped.String()
}
