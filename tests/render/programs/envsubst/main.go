// Expands variables as Flux does, and reads `--set` as Helm does, to be compared with: standard input has a question in JSON on every
// line, standard output gets an answer for each.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"

	"github.com/fluxcd/pkg/envsubst"
	"helm.sh/helm/v4/pkg/strvals"
	"sigs.k8s.io/yaml"
)

type question struct {
	Text      *string           `json:"text"`
	Object    map[string]any    `json:"object"`
	Set       *string           `json:"set"`
	AsText    bool              `json:"asText"`
	Variables map[string]string `json:"variables"`
	Strict    bool              `json:"strict"`
}

type answer struct {
	Text   string `json:"text"`
	Object any    `json:"object,omitempty"`
	Error  string `json:"error,omitempty"`
}

func main() {
	log.SetFlags(0)
	input := bufio.NewReader(os.Stdin)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			log.Fatal(err)
		}
		if err := encoder.Encode(respond(asked)); err != nil {
			log.Fatal(err)
		}
	}
}

func respond(asked question) (said answer) {
	// The originals panic on some input.
	defer func() {
		if recover() != nil {
			said = answer{Error: "panic"}
		}
	}()
	if asked.Set != nil {
		values := asked.Object
		if values == nil {
			values = map[string]any{}
		}
		parse := strvals.ParseInto
		if asked.AsText {
			parse = strvals.ParseIntoString
		}
		if err := parse(*asked.Set, values); err != nil {
			return answer{Error: err.Error()}
		}
		return answer{Object: values}
	}
	variable := func(name string) (string, bool) {
		value, exists := asked.Variables[name]
		return value, exists || !asked.Strict
	}
	if asked.Text != nil {
		text, err := envsubst.Eval(*asked.Text, variable)
		if err != nil {
			return answer{Error: err.Error()}
		}
		return answer{Text: text}
	}
	written, err := yaml.Marshal(asked.Object)
	if err != nil {
		return answer{Error: err.Error()}
	}
	text, err := envsubst.Eval(string(written), variable)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var object any
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Object: object, Text: text}
}
