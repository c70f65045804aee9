package main

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
)

// origins says what becomes of Kustomize's notes on where objects come from.
type origins int

const (
	// ownOrigins: there are notes only if the kustomization asks for them, and they are a part of the result.
	ownOrigins origins = iota
	// addedOrigins: they were asked for here, and are taken out again.
	addedOrigins
)

// trackOrigins has Kustomize note where each object comes from.
func trackOrigins(view *files) (origins, error) {
	folder := view.tree.Path
	name, content, err := kustomizationIn(view, folder)
	if err != nil || content == nil {
		// Without a kustomization there is nothing to track, and building says so.
		return ownOrigins, err
	}
	document, fields, err := parse(content)
	if err != nil {
		// For the build to say.
		return ownOrigins, nil
	}
	metadata := entry(fields, "buildMetadata")
	var options []string
	if err := metadata.Decode(&options); metadata.Kind != 0 && err != nil {
		return ownOrigins, nil
	}
	if slices.Contains(options, types.OriginAnnotations) {
		return ownOrigins, nil
	}
	if metadata.Kind != yaml.SequenceNode {
		*metadata = yaml.Node{Kind: yaml.SequenceNode}
	}
	metadata.Content = append(metadata.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: types.OriginAnnotations})
	edited, err := yaml.Marshal(document)
	if err != nil {
		return ownOrigins, err
	}
	view.overlay[path.Join(folder, name)] = edited
	return addedOrigins, nil
}

// of returns the file that an object comes from, or the one with its generator; nothing if that was not noted.
func (o origins) of(object *resource.Resource, folder string) (string, error) {
	noted, err := object.GetOrigin()
	if err != nil || noted == nil {
		return "", err
	}
	if o == addedOrigins {
		if err := object.SetOrigin(nil); err != nil {
			return "", err
		}
	}
	file := noted.Path
	if file == "" {
		file = noted.ConfiguredIn
	}
	if file == "" || strings.HasPrefix(file, "/") {
		return "", nil
	}
	return path.Join(folder, file), nil
}
