//go:build !wasip1

package guest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// rounds is how often needs are answered.
const rounds = 20

// Serve runs a renderer as a program: `ROOT PATH [SETTINGS [CONTEXT]]` renders the folder PATH of the repository ROOT and prints the
// documents as the tools themselves do. Needs of paths are answered from ROOT. Chance and time are the machine's, so what depends on
// them is not the same twice.
func Serve(renderer Renderer) {
	arguments := append(os.Args[1:], "", "", "", "")
	if arguments[1] == "" && len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: ROOT PATH [SETTINGS [CONTEXT]]")
		os.Exit(2)
	}
	root := arguments[0]
	input := Input{Path: arguments[1], Settings: arguments[2], Context: arguments[3], Files: filesBelow(root, arguments[1])}
	for range rounds {
		outcome := answer(renderer, input)
		if outcome.Rendering != nil {
			fmt.Print(Print(outcome.Rendering.Documents))
			return
		}
		for _, problem := range outcome.Problems {
			fmt.Fprintf(os.Stderr, "%s: %s:%d: %s\n", problem.Code, problem.File, problem.Line, problem.Message)
		}
		if len(outcome.Needs) == 0 {
			os.Exit(1)
		}
		for _, need := range outcome.Needs {
			if need.Kind != NeedPath {
				fmt.Fprintf(os.Stderr, "cannot be handed over here: %s\n", need.Text)
				os.Exit(1)
			}
			input.Supplied = append(input.Supplied, Supply{Need: need, Path: need.Text, Files: filesBelow(root, need.Text)})
		}
	}
	fmt.Fprintln(os.Stderr, "there are always more needs")
	os.Exit(1)
}

// Print joins documents as the tools print them.
func Print(documents []Document) string {
	var all strings.Builder
	for _, document := range documents {
		fmt.Fprintf(&all, "---\n# Source: %s\n%s\n", document.Source, document.Text)
	}
	return all.String()
}

func filesBelow(root, name string) []File {
	var files []File
	start := filepath.Join(root, name)
	err := filepath.WalkDir(start, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		files = append(files, File{Path: filepath.ToSlash(relative), Content: bytes.Clone(content)})
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return files
}

// seed does nothing: a program has the machine's chance and clock.
func seed(Context) {}
