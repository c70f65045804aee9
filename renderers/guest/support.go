package guest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"runtime/debug"
	"strconv"
)

// Version is the version of all standard renderers.
const Version = "0.1.0"

// codes are the words that every renderer may use.
var codes = map[string]string{
	"context":  "the context cannot be read, or lacks the seed or the time that this rendering needs",
	"internal": "a fault of the renderer",
	"path":     "a path leaves the repository, or is none",
	"settings": "the settings of the source are not as they should be",
}

// Describe makes the answer to `describe`: the libraries with the versions that were built in, and the codes with those of every renderer.
func Describe(name string, kinds, libraries []string, own map[string]string) string {
	description := struct {
		Name    string            `json:"name"`
		Version string            `json:"version"`
		Library map[string]string `json:"library"`
		Kinds   []string          `json:"kinds"`
		Codes   map[string]string `json:"codes"`
	}{name, Version, map[string]string{}, kinds, map[string]string{}}
	if info, known := debug.ReadBuildInfo(); known {
		for _, module := range info.Deps {
			for _, library := range libraries {
				if module.Path == library {
					description.Library[library] = module.Version
				}
			}
		}
	}
	for _, words := range []map[string]string{codes, own} {
		for code, meaning := range words {
			description.Codes[code] = meaning
		}
	}
	text, err := json.Marshal(description)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// ParseSettings reads settings into a struct. A name that it does not know is a problem: a setting that does nothing misleads.
func ParseSettings(settings []byte, into any) error {
	if len(bytes.TrimSpace(settings)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(settings))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return &Problem{Code: "settings", Message: err.Error()}
	}
	return nil
}

var line = regexp.MustCompile(`\bline (\d+)\b`)

// LineOf returns the line that a message of a YAML library names; 0 for none.
func LineOf(message string) int {
	found := line.FindStringSubmatch(message)
	if found == nil {
		return 0
	}
	number, err := strconv.Atoi(found[1])
	if err != nil {
		return 0
	}
	return number
}

// Try renders an input as the component does, for [Renderer.Warm] and tests.
func Try(renderer Renderer, input Input) Outcome { return answer(renderer, input) }
