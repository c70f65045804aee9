// What cel-go answers to our probes, in the environment of Flux's health checks: `[expression, answer]` a line.
//
//	go run . < ../probes.txt > ../answers.jsonl
//
// Every line of the input is one expression, but for those that are empty or start with `#`; a line that starts with a quotation mark
// and ends with one is JSON, for expressions with line ends. They are evaluated over `../object.json`.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
)

func main() {
	environment, err := cel.NewEnv(
		cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders())
	check(err)
	text, err := os.ReadFile("../object.json")
	check(err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	check(decoder.Decode(&object))
	whole(object)
	answers := json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var expression string
		if len(line) < 2 || line[0] != '"' || json.Unmarshal([]byte(line), &expression) != nil {
			expression = line
		}
		check(answers.Encode([2]string{expression, answer(environment, expression, object)}))
	}
	check(lines.Err())
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// As Kubernetes decodes: what fits an int64 is one.
func whole(value any) any {
	switch value := value.(type) {
	case json.Number:
		if integer, err := value.Int64(); err == nil {
			return integer
		}
		float, err := value.Float64()
		check(err)
		return float
	case map[string]any:
		for key, entry := range value {
			value[key] = whole(entry)
		}
	case []any:
		for index, entry := range value {
			value[index] = whole(entry)
		}
	}
	return value
}

func answer(environment *cel.Env, expression string, object map[string]any) string {
	parsed, issues := environment.Parse(expression)
	if issues != nil && issues.Err() != nil {
		return "refused: " + firstLine(issues.Err())
	}
	program, err := environment.Program(parsed, cel.EvalOptions(cel.OptOptimize), cel.InterruptCheckFrequency(100))
	if err != nil {
		return "refused: " + firstLine(err)
	}
	value, _, err := program.Eval(object)
	if err != nil {
		return "error: " + firstLine(err)
	}
	return show(value)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// The value, so that values of different types look different.
func show(value ref.Val) string {
	switch value := value.(type) {
	case types.Null:
		return "null"
	case types.Bool:
		return strconv.FormatBool(bool(value))
	case types.Int:
		return strconv.FormatInt(int64(value), 10)
	case types.Uint:
		return strconv.FormatUint(uint64(value), 10) + "u"
	case types.Double:
		return "double " + strconv.FormatFloat(float64(value), 'e', -1, 64)
	case types.String:
		return quoted(string(value))
	case types.Bytes:
		return fmt.Sprintf("bytes %x", []byte(value))
	case types.Timestamp:
		return "timestamp " + value.Time.UTC().Format(time.RFC3339Nano)
	case types.Duration:
		return "duration " + strconv.FormatInt(int64(value.Duration), 10)
	case *types.Optional:
		if !value.HasValue() {
			return "none"
		}
		return "some " + show(value.GetValue())
	case traits.Lister:
		var entries []string
		for entry := value.Iterator(); entry.HasNext() == types.True; {
			entries = append(entries, show(entry.Next()))
		}
		return "[" + strings.Join(entries, ", ") + "]"
	case traits.Mapper:
		var entries []string
		for keys := value.Iterator(); keys.HasNext() == types.True; {
			key := keys.Next()
			entries = append(entries, show(key)+": "+show(value.Get(key)))
		}
		sort.Strings(entries)
		return "{" + strings.Join(entries, ", ") + "}"
	case ref.Type:
		return "type " + value.TypeName()
	}
	return fmt.Sprintf("%T", value)
}

func quoted(text string) string {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(text))
	return strings.TrimSuffix(buffer.String(), "\n")
}
