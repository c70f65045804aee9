// Command argocd judges objects as Argo CD does: by its own library, which compiles a script each time, and with compiled scripts kept,
// as its newest version does. It prints a JSON line a figure.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	argolua "github.com/argoproj/argo-cd/v3/util/lua"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

func main() {
	script := flag.String("deployment-script", "", "the script for Deployments")
	rounds := flag.Int("rounds", 30, "how often each is measured")
	flag.Parse()
	text, err := os.ReadFile(*script)
	check(err)
	overrides := map[string]appv1.ResourceOverride{"apps/Deployment": {HealthLua: string(text), UseOpenLibs: true}}
	for _, file := range flag.Args() {
		text, err := os.ReadFile(file)
		check(err)
		object := &unstructured.Unstructured{}
		check(object.UnmarshalJSON(text))
		report("Argo CD's util/lua", object, *rounds, func() string {
			verdict, err := argolua.ResourceHealthOverrides(overrides).GetResourceHealth(object)
			check(err)
			return string(verdict.Status)
		})
		source, _, err := argolua.VM{ResourceOverrides: overrides}.GetHealthScript(object)
		check(err)
		state := lua.NewState()
		compiled, err := state.LoadString(source)
		check(err)
		report("Argo CD's calls, compiled scripts kept", object, *rounds, func() string {
			return judge(compiled.Proto, object)
		})
		state.Close()
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func report(what string, object *unstructured.Unstructured, rounds int, judge func() string) {
	status := judge()
	figures := make([]float64, rounds)
	for round := range figures {
		const times = 100
		start := time.Now()
		for range times {
			judge()
		}
		figures[round] = float64(time.Since(start).Nanoseconds()) / 1000 / times
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"what": what, "kind": object.GetKind(), "status": status, "figures": figures}))
}

// A state, its libraries, the object, the call, and the answer by way of JSON: what Argo CD does, but for the lookup of the script.
func judge(script *lua.FunctionProto, object *unstructured.Unstructured) string {
	state := lua.NewState()
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
		lua.OsLibName:   argolua.OpenSafeOs,
	} {
		check(state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)))
	}
	state.PreloadModule(lua.OsLibName, argolua.SafeOsLoader)
	within, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	state.SetContext(within)
	state.SetGlobal("actionParams", state.NewTable())
	state.SetGlobal("obj", value(state, object.Object))
	state.Push(state.NewFunctionFromProto(script))
	check(state.PCall(0, lua.MultRet, nil))
	text, err := luajson.Encode(state.Get(-1))
	check(err)
	var verdict struct{ Status, Message string }
	check(json.Unmarshal(text, &verdict))
	return verdict.Status
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case int64:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		list := state.CreateTable(len(from), 0)
		for _, entry := range from {
			list.Append(value(state, entry))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(from))
		for key, entry := range from {
			table.RawSetH(lua.LString(key), value(state, entry))
		}
		return table
	}
	return lua.LNil
}
