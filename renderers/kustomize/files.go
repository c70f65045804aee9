package main

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sluice.dev/renderers/guest"
)

// files is the repository as Kustomize sees it: its root is `/`, and nothing is written. What it looks for in vain outside of what was
// handed over is a need.
type files struct {
	tree *guest.Tree
	// What is there besides, or instead of what the repository has.
	overlay map[string][]byte
}

var errReadOnly = errors.New("nothing is written here")

func newFiles(tree *guest.Tree) *files {
	return &files{tree: tree, overlay: map[string][]byte{}}
}

// clean returns the path as the tree has it. Paths above the root mean the root, as everywhere.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func (f *files) read(name string) ([]byte, bool) {
	name = clean(name)
	if content, there := f.overlay[name]; there {
		// Whether there is another one, it counts as read.
		f.tree.Read(name)
		return content, true
	}
	return f.tree.Read(name)
}

// ReadFile implements [filesys.FileSystem].
func (f *files) ReadFile(name string) ([]byte, error) {
	if content, there := f.read(name); there {
		return content, nil
	}
	if f.IsDir(name) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	return nil, absent("open", name)
}

// IsDir implements [filesys.FileSystem].
func (f *files) IsDir(name string) bool {
	name = clean(name)
	for overlaid := range f.overlay {
		if strings.HasPrefix(overlaid, name+"/") {
			return true
		}
	}
	return f.tree.IsFolder(name)
}

// Exists implements [filesys.FileSystem].
func (f *files) Exists(name string) bool {
	_, isFile := f.read(name)
	return isFile || f.IsDir(name)
}

// CleanedAbs implements [filesys.FileSystem].
func (f *files) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	cleaned := "/" + clean(name)
	if _, isFile := f.read(cleaned); isFile {
		return filesys.ConfirmedDir(path.Dir(cleaned)), path.Base(cleaned), nil
	}
	if f.IsDir(cleaned) {
		return filesys.ConfirmedDir(cleaned), "", nil
	}
	return "", "", absent("lstat", cleaned)
}

// ReadDir implements [filesys.FileSystem].
func (f *files) ReadDir(name string) ([]string, error) {
	if !f.IsDir(name) {
		return nil, absent("open", name)
	}
	folder := clean(name)
	seen := map[string]bool{}
	var names []string
	for _, below := range f.tree.Below(folder) {
		first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(below, folder), "/"), "/")
		if !seen[first] {
			seen[first] = true
			names = append(names, first)
		}
	}
	return names, nil
}

// Glob implements [filesys.FileSystem].
func (f *files) Glob(pattern string) ([]string, error) {
	folder := path.Dir("/" + clean(pattern))
	for strings.ContainsAny(folder, `*?[\`) {
		folder = path.Dir(folder)
	}
	var matches []string
	if !strings.ContainsAny(pattern, `*?[\`) {
		if f.Exists(pattern) {
			matches = append(matches, pattern)
		}
		return matches, nil
	}
	found := map[string]bool{}
	for _, below := range f.tree.Below(clean(folder)) {
		// Folders match as well.
		for name := "/" + below; name != "/" && !found[name]; name = path.Dir(name) {
			is, err := filepath.Match("/"+clean(pattern), name)
			if err != nil {
				return nil, err
			}
			if is {
				found[name] = true
				matches = append(matches, name)
			}
		}
	}
	sort.Strings(matches)
	return matches, nil
}

// Walk implements [filesys.FileSystem]. Building never walks.
func (f *files) Walk(string, filepath.WalkFunc) error { return errReadOnly }

// Open implements [filesys.FileSystem]. Building never opens: it reads files whole.
func (f *files) Open(string) (filesys.File, error) { return nil, errReadOnly }

// Create implements [filesys.FileSystem].
func (f *files) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir implements [filesys.FileSystem].
func (f *files) Mkdir(string) error { return errReadOnly }

// MkdirAll implements [filesys.FileSystem].
func (f *files) MkdirAll(string) error { return errReadOnly }

// RemoveAll implements [filesys.FileSystem].
func (f *files) RemoveAll(string) error { return errReadOnly }

// WriteFile implements [filesys.FileSystem].
func (f *files) WriteFile(string, []byte) error { return errReadOnly }

func absent(operation, name string) error {
	return &fs.PathError{Op: operation, Path: name, Err: fs.ErrNotExist}
}
