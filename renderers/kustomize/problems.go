package main

import (
	"errors"
	"regexp"
	"strings"

	"sluice.dev/renderers/guest"
)

// codes are the words of problems and what they mean.
var codes = map[string]string{
	"chart":         "a chart of `helmCharts` could not be rendered",
	"cycle":         "a kustomization is based on itself",
	"deprecated":    "a field of a kustomization that Kustomize will no more know",
	"function":      "a generator, transformer or validator would run a program",
	"kustomization": "a kustomization or what it names is not as it should be",
	"missing":       "a file or folder that is named is not there",
	"remote":        "what a kustomization names elsewhere could not be fetched",
	"unsupported":   "something that Kustomize knows and this renderer does not",
	"values":        "a values file of a chart cannot be read",
}

var (
	// Which kustomization was being built, from the outermost to the innermost.
	entered = regexp.MustCompile(`recursed accumulation of path '([^']+)': `)
	// A resource that was neither a file nor a folder: what is wrong with the file comes first, what with the folder after it.
	neither = regexp.MustCompile(`accumulation err='accumulating resources from '([^']+)': (.*?)': (?:must build at directory|new root|unable to)[^\n]*$`)
	// A file with its fault.
	inFile = regexp.MustCompile(`accumulating resources from '([^']+)': (.*)$`)
	// A program that would be run.
	program = regexp.MustCompile(`external plugins disabled; unable to load external plugin '([^']*)'`)
	// A file or folder that is not there.
	absentFile = regexp.MustCompile(`(?:open|lstat|read) (/[^:']*): file does not exist`)
	// What Kustomize writes before the fault itself.
	wrapping = regexp.MustCompile(`^(accumulating (resources|components): |accumulation err='.*?': |accumulateDirectory: |loader\.New )`)
)

// problems takes an error of Kustomize apart.
func problems(err error, folder string) []guest.Problem {
	var problem *guest.Problem
	if errors.As(err, &problem) {
		return []guest.Problem{*problem}
	}
	text := err.Error()
	found := guest.Problem{Code: "kustomization", File: folder, Trace: trace(text)}
	if len(found.Trace) > 0 {
		found.File = found.Trace[0]
	}
	// The innermost fault is after the last kustomization that was entered.
	innermost := text
	if places := entered.FindAllStringIndex(text, -1); len(places) > 0 {
		innermost = text[places[len(places)-1][1]:]
	}
	found.Message = unwrap(innermost)
	found.Line = guest.LineOf(found.Message)

	if plugin := program.FindStringSubmatch(innermost); plugin != nil {
		found.Code = "function"
		found.Message = "`" + plugin[1] + "` is no generator or transformer of Kustomize's own, and nothing else is run here"
		found.Hint = "what functions and plugins make can be committed instead"
		return []guest.Problem{found}
	}
	if strings.Contains(innermost, "cycle detected") {
		found.Code = "cycle"
		found.Message = innermost[strings.Index(innermost, "cycle detected"):]
		found.Hint = "a base cannot be the kustomization itself or a folder above it"
		return []guest.Problem{found}
	}
	if both := neither.FindStringSubmatch(innermost); both != nil {
		found.Message = both[2]
		found.File = join(found.File, both[1])
		if strings.Contains(both[2], "does not exist") {
			found.Code = "missing"
			found.Message = "`" + both[1] + "` is not there"
		}
		return []guest.Problem{found}
	}
	if file := inFile.FindStringSubmatch(innermost); file != nil {
		found.File = join(found.File, file[1])
		found.Message = file[2]
	}
	if file := absentFile.FindStringSubmatch(innermost); file != nil {
		found.Code = "missing"
		found.File = strings.TrimPrefix(file[1], "/")
		found.Message = "`" + found.File + "` is not there"
	}
	return []guest.Problem{found}
}

// trace returns the kustomizations that were being built, innermost first.
func trace(text string) []string {
	var folders []string
	for _, found := range entered.FindAllStringSubmatch(text, -1) {
		folders = append([]string{strings.TrimPrefix(found[1], "/")}, folders...)
	}
	return folders
}

func unwrap(text string) string {
	for {
		place := wrapping.FindStringIndex(text)
		if place == nil {
			return strings.TrimSpace(text)
		}
		text = text[place[1]:]
	}
}

func join(folder, name string) string {
	joined, err := guest.Resolve(folder, name)
	if err != nil {
		return folder
	}
	return joined
}
