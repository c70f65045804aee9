// What gopher-lua answers to our probes: `[probe, answer]` a line. Its version is the one that Argo CD 3.5 and 3.6 have.
//
//	go run . < ../probes.txt > ../answers.jsonl
//
// Every line of the input is one probe, but for those that are empty or start with `--`; a line that starts with a quotation mark
// is JSON, for scripts with line ends. After them come those of generate.go. A probe is a script, of whose first value the answer is
// made, or `= EXPRESSIONS`, of which all values are shown (`../show.lua`).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Differs from run to run.
var address = regexp.MustCompile(`: 0x[0-9a-f]{8,}`)

func main() {
	show, err := os.ReadFile("../show.lua")
	check(err)
	answers := json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	known := map[string]bool{}
	put := func(probe string) {
		if known[probe] {
			return
		}
		known[probe] = true
		script := probe
		if expressions, isOne := strings.CutPrefix(probe, "= "); isOne {
			script = strings.TrimSpace(string(show)) + " return show(" + expressions + ")"
		}
		// A script that never ends has no answer.
		if answer := address.ReplaceAllString(answer(script), ""); !strings.HasSuffix(answer, context.DeadlineExceeded.Error()) {
			check(answers.Encode([2]string{probe, answer}))
		}
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "--") {
			continue
		}
		var probe string
		if line[0] != '"' {
			probe = line
		} else {
			check(json.Unmarshal([]byte(line), &probe))
		}
		put(probe)
	}
	check(lines.Err())
	generate(put)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func answer(script string) string {
	state := lua.NewState()
	defer state.Close()
	enough, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	state.SetContext(enough)
	// What it printed would stand among the answers.
	state.SetGlobal("print", state.NewFunction(func(*lua.LState) int { return 0 }))
	function, err := state.LoadString(script)
	if err != nil {
		return "SYNTAX " + err.Error()
	}
	state.Push(function)
	if err := state.PCall(0, 1, nil); err != nil {
		if failure, ok := err.(*lua.ApiError); ok {
			failure.StackTrace = ""
		}
		return "ERROR " + err.Error()
	}
	switch value := state.Get(-1).(type) {
	case *lua.LNilType:
		return ""
	case lua.LString, lua.LNumber, lua.LBool:
		return value.String()
	default:
		return value.Type().String()
	}
}
