package guest

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
)

// Tree is the files of an input. It remembers what was looked for, and what has to be asked of the host because it may be there without
// having been handed over.
//
// Paths are from the repository's root, cleaned, without a leading `/`; "" is the root.
type Tree struct {
	// Path is the folder to render.
	Path string

	files    map[string][]byte
	folders  map[string]bool
	names    []string
	covered  []string
	supplied map[Need]Supply
	looked   map[string]bool
	needs    []Need
}

func newTree(input Input) (*Tree, *Problem) {
	tree := &Tree{
		files:    make(map[string][]byte, len(input.Files)),
		folders:  map[string]bool{"": true},
		supplied: make(map[Need]Supply, len(input.Supplied)),
		looked:   map[string]bool{},
	}
	folder, err := Clean(input.Path)
	if err != nil {
		return nil, &Problem{Code: "path", Message: err.Error(), File: input.Path}
	}
	tree.Path = folder
	tree.covered = append(tree.covered, folder)
	if problem := tree.add(input.Files); problem != nil {
		return nil, problem
	}
	for _, supply := range input.Supplied {
		place, err := Clean(supply.Path)
		if err != nil {
			return nil, &Problem{Code: "path", Message: err.Error(), File: supply.Path}
		}
		supply.Path = place
		tree.supplied[supply.Need] = supply
		if supply.Need.Kind == NeedPath {
			tree.covered = append(tree.covered, supply.Need.Text)
		}
		tree.covered = append(tree.covered, place)
		if problem := tree.add(supply.Files); problem != nil {
			return nil, problem
		}
	}
	tree.names = make([]string, 0, len(tree.files))
	for name := range tree.files {
		tree.names = append(tree.names, name)
	}
	sort.Strings(tree.names)
	return tree, nil
}

func (t *Tree) add(files []File) *Problem {
	for _, file := range files {
		name, err := Clean(file.Path)
		if err != nil || name == "" || name != file.Path {
			return &Problem{Code: "path", Message: fmt.Sprintf("%q is no path of a file from the repository's root", file.Path)}
		}
		t.files[name] = file.Content
		for folder := path.Dir(name); folder != "." && !t.folders[folder]; folder = path.Dir(folder) {
			t.folders[folder] = true
		}
	}
	return nil
}

// Clean returns a path from the root as a tree names it. A path that leaves the root is an error.
func Clean(name string) (string, error) { return Resolve("", name) }

// Resolve returns the path that `name` means in a folder; one with a leading `/` is from the root. What leaves the root is an error, and
// is never asked for.
func Resolve(folder, name string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%q is no path", name)
	}
	joined := path.Clean(name)
	if !strings.HasPrefix(name, "/") {
		joined = path.Join(folder, name)
	} else {
		joined = strings.TrimLeft(joined, "/")
	}
	if joined == ".." || strings.HasPrefix(joined, "../") {
		return "", fmt.Errorf("`%s` leaves the repository", name)
	}
	if joined == "." {
		return "", nil
	}
	return joined, nil
}

// Read returns a file. That there is none, or that it was not handed over yet, is false.
func (t *Tree) Read(name string) ([]byte, bool) {
	t.look(name)
	content, found := t.files[name]
	if !found && !t.folders[name] {
		t.want(name)
	}
	return content, found
}

// IsFile says whether a file is there.
func (t *Tree) IsFile(name string) bool {
	_, found := t.Read(name)
	return found
}

// IsFolder says whether a folder with something in it is there.
func (t *Tree) IsFolder(name string) bool {
	t.look(name)
	if t.folders[name] {
		return true
	}
	if _, isFile := t.files[name]; !isFile {
		t.want(name)
	}
	return false
}

// Below returns the names of all files below a folder, sorted, and counts all of them as looked for.
func (t *Tree) Below(folder string) []string {
	t.look(folder + "/")
	t.want(folder)
	return t.below(folder)
}

func (t *Tree) below(folder string) []string {
	prefix := folder + "/"
	if folder == "" {
		prefix = ""
	}
	from := sort.SearchStrings(t.names, prefix)
	to := from
	for to < len(t.names) && strings.HasPrefix(t.names[to], prefix) {
		to++
	}
	return t.names[from:to]
}

// Content returns a file that [Tree.Below] has named.
func (t *Tree) Content(name string) []byte { return t.files[name] }

// Supplied returns what the host has handed over for a need; if it has not yet, it is asked for.
func (t *Tree) Supplied(need Need) (Supply, bool) {
	supply, found := t.supplied[need]
	if !found {
		t.Ask(need)
	}
	return supply, found
}

// Ask remembers a need.
func (t *Tree) Ask(need Need) {
	if _, answered := t.supplied[need]; !answered && !slices.Contains(t.needs, need) {
		t.needs = append(t.needs, need)
	}
}

// Needy says whether something has to be handed over first.
func (t *Tree) Needy() bool { return len(t.needs) > 0 }

// Needs returns what has to be handed over first. A path below another one is asked for with it.
func (t *Tree) Needs() []Need {
	var needs []Need
	for _, need := range t.needs {
		within := func(other Need) bool {
			return other != need && other.Kind == NeedPath && isWithin(need.Text, other.Text)
		}
		if need.Kind != NeedPath || !slices.ContainsFunc(t.needs, within) {
			needs = append(needs, need)
		}
	}
	return needs
}

// Looked returns what was looked for, sorted. A name that ends in `/` stands for all below it.
func (t *Tree) Looked() []string {
	var names []string
	for name := range t.looked {
		if !t.within(name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// within says whether a looked-for folder has the name in it.
func (t *Tree) within(name string) bool {
	for folder := path.Dir(strings.TrimSuffix(name, "/")); ; folder = path.Dir(folder) {
		if folder == "." {
			return name != "/" && t.looked["/"]
		}
		if t.looked[folder+"/"] {
			return true
		}
	}
}

func (t *Tree) look(name string) { t.looked[name] = true }

// want asks for a path unless it was handed over, as far as it is there.
func (t *Tree) want(name string) {
	for _, place := range t.covered {
		if isWithin(name, place) && HomeOf(name) == HomeOf(place) {
			return
		}
	}
	t.Ask(Need{NeedPath, name})
}

// SuppliedFolder has what the host has fetched: each place that something comes from below a name.
const SuppliedFolder = ".supplied"

// HomeOf returns the root of the place that a path is of: `$NAME` of another source, `.supplied/NAME` of what was fetched, and nothing for
// the repository itself.
func HomeOf(name string) string {
	first, rest, _ := strings.Cut(name, "/")
	switch {
	case strings.HasPrefix(first, "$"):
		return first
	case first == SuppliedFolder && rest != "":
		second, _, _ := strings.Cut(rest, "/")
		return path.Join(first, second)
	}
	return ""
}

func isWithin(name, folder string) bool {
	return folder == "" || name == folder || strings.HasPrefix(name, folder+"/")
}
