package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/kustomize/v5/commands/edit"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sluice.dev/renderers/guest"
)

// source is Argo CD's `source.kustomize`.
type source struct {
	NamePrefix                string            `json:"namePrefix"`
	NameSuffix                string            `json:"nameSuffix"`
	Images                    []string          `json:"images"`
	Replicas                  []replica         `json:"replicas"`
	CommonLabels              map[string]string `json:"commonLabels"`
	ForceCommonLabels         bool              `json:"forceCommonLabels"`
	LabelWithoutSelector      bool              `json:"labelWithoutSelector"`
	LabelIncludeTemplates     bool              `json:"labelIncludeTemplates"`
	CommonAnnotations         map[string]string `json:"commonAnnotations"`
	ForceCommonAnnotations    bool              `json:"forceCommonAnnotations"`
	CommonAnnotationsEnvsubst bool              `json:"commonAnnotationsEnvsubst"`
	Namespace                 string            `json:"namespace"`
	Patches                   []any             `json:"patches"`
	Components                []string          `json:"components"`
	IgnoreMissingComponents   bool              `json:"ignoreMissingComponents"`
	KubeVersion               string            `json:"kubeVersion"`
	APIVersions               []string          `json:"apiVersions"`

	// Which Kustomize is used is not for the renderer to choose.
	Version string `json:"version"`

	// Say of each object which file it comes from; it costs a fifth of the time. The host asks for it, not the user.
	Origins bool `json:"origins"`
}

type replica struct {
	Name string `json:"name"`
	// A number, or a text with one in it.
	Count json.RawMessage `json:"count"`
}

// edit changes the kustomization as the settings ask for, by the very commands that Argo CD runs, in its order.
func (s *source) edit(view *files, context guest.Context) error {
	commands := s.commands(context)
	components, err := s.components(view)
	if err != nil || len(commands)+len(s.Patches)+len(components) == 0 {
		return err
	}
	folder := view.tree.Path
	name, content, err := kustomizationIn(view, folder)
	if err != nil || content == nil {
		// Without a kustomization there is nothing to edit, and building says so.
		return err
	}
	desk := filesys.MakeFsInMemory()
	if err := desk.WriteFile(name, content); err != nil {
		return err
	}
	for _, command := range commands {
		if err := run(desk, command); err != nil {
			return &guest.Problem{Code: "settings", Message: fmt.Sprintf("`kustomize edit %s %s`: %v", command[0], command[1], err)}
		}
	}
	edited, err := desk.ReadFile(name)
	if err != nil {
		return err
	}
	for _, list := range []addition{{"patches", s.Patches}, {"components", components}} {
		if edited, err = list.to(edited); err != nil {
			return &guest.Problem{Code: "settings", Message: list.key + ": " + err.Error()}
		}
	}
	view.overlay[path.Join(folder, name)] = edited
	return nil
}

// commands are the arguments of `kustomize edit`, call by call.
func (s *source) commands(context guest.Context) [][]string {
	var commands [][]string
	add := func(command ...string) { commands = append(commands, command) }
	if s.NamePrefix != "" {
		add("set", "nameprefix", "--", s.NamePrefix)
	}
	if s.NameSuffix != "" {
		add("set", "namesuffix", "--", s.NameSuffix)
	}
	if len(s.Images) > 0 {
		images := make([]string, 0, len(s.Images))
		for _, image := range s.Images {
			images = append(images, context.Substitute(image))
		}
		add(append([]string{"set", "image"}, images...)...)
	}
	if len(s.Replicas) > 0 {
		command := []string{"set", "replicas"}
		for _, replica := range s.Replicas {
			command = append(command, replica.Name+"="+strings.Trim(string(replica.Count), `"`))
		}
		add(command...)
	}
	if len(s.CommonLabels) > 0 {
		command := []string{"add", "label"}
		command = appendIf(command, s.ForceCommonLabels, "--force")
		command = appendIf(command, s.LabelWithoutSelector, "--without-selector")
		command = appendIf(command, s.LabelIncludeTemplates, "--include-templates")
		add(append(command, pairs(s.CommonLabels)...)...)
	}
	if len(s.CommonAnnotations) > 0 {
		annotations := map[string]string{}
		for key, value := range s.CommonAnnotations {
			if s.CommonAnnotationsEnvsubst {
				value = context.Substitute(value)
			}
			annotations[key] = value
		}
		command := appendIf([]string{"add", "annotation"}, s.ForceCommonAnnotations, "--force")
		add(append(command, pairs(annotations)...)...)
	}
	if s.Namespace != "" {
		add("set", "namespace", "--", s.Namespace)
	}
	return commands
}

// components are those of the settings that are there.
func (s *source) components(view *files) ([]any, error) {
	var there []any
	for _, component := range s.Components {
		folder, err := guest.Resolve(view.tree.Path, component)
		if err != nil {
			return nil, &guest.Problem{Code: "path", Message: err.Error()}
		}
		if view.IsDir(folder) {
			there = append(there, component)
		} else if !s.IgnoreMissingComponents && !view.tree.Needy() {
			return nil, &guest.Problem{
				Code: "missing", Message: fmt.Sprintf("component `%s` is not there", component), File: folder,
				Hint: "`ignoreMissingComponents` renders without it",
			}
		}
	}
	return there, nil
}

func appendIf(command []string, is bool, flag string) []string {
	if is {
		return append(command, flag)
	}
	return command
}

func pairs(values map[string]string) []string {
	var pairs []string
	for key, value := range values {
		pairs = append(pairs, key+":"+value)
	}
	sort.Strings(pairs)
	return pairs
}

// run runs one of Kustomize's own commands.
func run(desk filesys.FileSystem, arguments []string) error {
	dependencies := provider.NewDefaultDepProvider()
	command := edit.NewCmdEdit(desk, dependencies.GetFieldValidator(), dependencies.GetResourceFactory(), io.Discard)
	command.SetArgs(arguments)
	command.SetOut(io.Discard)
	command.SetErr(io.Discard)
	command.SilenceUsage = true
	command.SilenceErrors = true
	return command.Execute()
}

// kustomizationIn returns the kustomization of a folder; nothing if there is none. (That there are several is for the build to say.)
func kustomizationIn(view *files, folder string) (string, []byte, error) {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if content, there := view.read(path.Join(folder, name)); there {
			return name, content, nil
		}
	}
	return "", nil, nil
}

// addition is what is appended to a list of the kustomization: in the file, because no command does it without a disk to look at.
type addition struct {
	key   string
	items []any
}

func (a addition) to(content []byte) ([]byte, error) {
	if len(a.items) == 0 {
		return content, nil
	}
	document, fields, err := parse(content)
	if err != nil {
		return nil, err
	}
	var more yaml.Node
	if err := more.Encode(a.items); err != nil {
		return nil, err
	}
	own := entry(fields, a.key)
	if own.Kind != yaml.SequenceNode {
		*own = more
	} else {
		own.Content = append(own.Content, more.Content...)
	}
	return yaml.Marshal(document)
}

// parse reads a kustomization as it is written.
func parse(content []byte) (document, fields *yaml.Node, err error) {
	document = &yaml.Node{}
	if err := yaml.Unmarshal(content, document); err != nil {
		return nil, nil, err
	}
	if len(document.Content) == 0 {
		document.Kind = yaml.DocumentNode
		document.Content = []*yaml.Node{{Kind: yaml.MappingNode}}
	}
	if document.Content[0].Kind != yaml.MappingNode {
		return nil, nil, errors.New("the kustomization is no map")
	}
	return document, document.Content[0], nil
}

// entry returns the value of a key in a map; it is added if it is not there.
func entry(fields *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(fields.Content); i += 2 {
		if fields.Content[i].Value == key {
			return fields.Content[i+1]
		}
	}
	value := &yaml.Node{}
	fields.Content = append(fields.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	return value
}
