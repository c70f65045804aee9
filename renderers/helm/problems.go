package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"sluice.dev/renderers/guest"
)

// codes are the words of problems and what they mean.
var codes = map[string]string{
	"chart":        "the folder has no chart that can be read",
	"dependency":   "a chart that is depended on is not there, or has another version",
	"deprecated":   "the chart says that it is deprecated",
	"kube-version": "the chart is not for this version of Kubernetes",
	"missing":      "a file that the settings name is not there",
	"output":       "a template gave what is no YAML",
	"required":     "the chart itself refuses its values, by `fail` or `required`",
	"schema":       "the values are not as the chart's schema has them",
	"template":     "a template cannot be read or failed",
	"too-large":    "the chart is larger than Helm takes",
	"values":       "a values file cannot be read",
}

var (
	// What `fail` and `required` say, and what the parser says.
	stopped = regexp.MustCompile(`(?s)^(execution|parse) error at \(([^()]+?)(?::(\d+))?(?::(\d+))?\): (.*)$`)
	// The place of one call.
	place = regexp.MustCompile(`^(\S.*?):(\d+):(\d+)$`)
	// What reads the result.
	unreadable = regexp.MustCompile(`(?s)^YAML parse error on (\S+): (.*)$`)
	// What checks values.
	unfit = "values don't meet the specifications of the schema(s) in the following chart(s):\n"
)

// problems takes an error of Helm apart.
func problems(err error, folder string) []guest.Problem {
	var problem *guest.Problem
	if errors.As(err, &problem) {
		return []guest.Problem{*problem}
	}
	text := err.Error()
	if found := stopped.FindStringSubmatch(text); found != nil {
		line, _ := strconv.Atoi(found[3])
		code := "template"
		if found[1] == "execution" {
			code = "required"
		}
		return []guest.Problem{{Code: code, Message: found[5], File: found[2], Line: line}}
	}
	if found := unreadable.FindStringSubmatch(text); found != nil {
		return []guest.Problem{{
			Code:    "output",
			Message: found[2],
			File:    found[1],
			Hint:    "lines are those of what the template gave, not of the template",
		}}
	}
	if rest, is := strings.CutPrefix(text, unfit); is {
		return schemaProblems(rest)
	}
	if frames, message := calls(text); len(frames) > 0 {
		innermost := frames[0]
		return []guest.Problem{{
			Code: "template", Message: message, File: innermost.file, Line: innermost.line, Trace: traceOf(frames),
		}}
	}
	return []guest.Problem{{Code: "template", Message: text, File: folder}}
}

type frame struct {
	file  string
	line  int
	place string
	what  string
}

// calls reads the stack that Helm prints, innermost call last, and returns it innermost first.
func calls(text string) ([]frame, string) {
	var frames []frame
	var message []string
	for _, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if found := place.FindStringSubmatch(line); found != nil {
			number, _ := strconv.Atoi(found[2])
			frames = append([]frame{{file: found[1], line: number, place: line}}, frames...)
			message = nil
		} else if strings.HasPrefix(trimmed, "executing ") && strings.HasSuffix(trimmed, ":") && len(frames) > 0 && message == nil {
			frames[0].what = strings.TrimSuffix(trimmed, ":")
		} else if trimmed != "" {
			message = append(message, trimmed)
		}
	}
	return frames, strings.Join(message, "\n")
}

func traceOf(frames []frame) []string {
	var trace []string
	for _, frame := range frames {
		entry := frame.place
		if frame.what != "" {
			entry += ": " + frame.what
		}
		trace = append(trace, entry)
	}
	return trace
}

// schemaProblems makes a problem of each line: `CHART:` and what is wrong with its values.
func schemaProblems(text string) []guest.Problem {
	var found []guest.Problem
	chart := ""
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		wrong, is := strings.CutPrefix(strings.TrimSpace(line), "- ")
		if !is && strings.HasSuffix(line, ":") {
			chart = strings.TrimSuffix(line, ":")
			continue
		}
		if !is {
			wrong = line
		}
		found = append(found, guest.Problem{
			Code: "schema", Message: wrong, File: chart + "/values.schema.json", Hint: "`skipSchemaValidation` renders all the same",
		})
	}
	return found
}
