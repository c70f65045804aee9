package guest

import (
	"slices"
	"testing"
)

func input(path string, names ...string) Input {
	input := Input{Path: path}
	for _, name := range names {
		input.Files = append(input.Files, File{Path: name, Content: []byte(name)})
	}
	return input
}

func TestResolve(t *testing.T) {
	cases := []struct{ folder, name, want string }{
		{"a/b", "../c", "a/c"},
		{"a", "/c/./d", "c/d"},
		{"a", ".", "a"},
		{"", "", ""},
		{"a", "..", ""},
	}
	for _, c := range cases {
		if got, err := Resolve(c.folder, c.name); err != nil || got != c.want {
			t.Errorf("%q in %q: %q, %v", c.name, c.folder, got, err)
		}
	}
	for _, name := range []string{"../..", "../../a", "b/../../../c", "a\x00b"} {
		if got, err := Resolve("a", name); err == nil {
			t.Errorf("%q is %q", name, got)
		}
	}
}

func TestWhatWasNotHandedOverIsAskedFor(t *testing.T) {
	tree, problem := newTree(input("a", "a/x", "a/y/z"))
	if problem != nil {
		t.Fatal(problem)
	}
	if !tree.IsFile("a/x") || tree.IsFile("a/no") || !tree.IsFolder("a/y") || tree.Needy() {
		t.Fatalf("%v", tree.Needs())
	}
	if tree.IsFile("b/c/d") || tree.IsFolder("b/c") || tree.IsFolder("ab") {
		t.Fatal("nothing was handed over there")
	}
	// What is in a folder comes with it.
	if needs := tree.Needs(); !slices.Equal(needs, []Need{{NeedPath, "b/c"}, {NeedPath, "ab"}}) {
		t.Fatalf("%v", needs)
	}
	if looked := tree.Looked(); !slices.Equal(looked, []string{"a/no", "a/x", "a/y", "ab", "b/c", "b/c/d"}) {
		t.Fatalf("%v", looked)
	}
	tree.Below("a")
	if looked := tree.Looked(); !slices.Equal(looked, []string{"a/", "ab", "b/c", "b/c/d"}) {
		t.Fatalf("%v", looked)
	}
}

func TestWhatIsNotThereIsAnswered(t *testing.T) {
	asked := input("a")
	asked.Supplied = []Supply{{Need: Need{NeedPath, "b"}, Path: "b"}}
	tree, problem := newTree(asked)
	if problem != nil {
		t.Fatal(problem)
	}
	if tree.IsFile("b/c") || tree.IsFolder("b") || tree.Needy() {
		t.Fatalf("%v", tree.Needs())
	}
}

func TestOtherPlacesAreAskedForFromTheRootToo(t *testing.T) {
	asked := input("", "x")
	asked.Supplied = []Supply{{Need: Need{NeedRemote, "https://example.org/r//a"}, Path: ".supplied/r/a"}}
	tree, problem := newTree(asked)
	if problem != nil {
		t.Fatal(problem)
	}
	for _, name := range []string{"no", ".supplied/r/a/no", "$values/a.yaml", ".supplied/r/b", ".supplied"} {
		if tree.IsFile(name) {
			t.Errorf("%s was not handed over", name)
		}
	}
	if needs := tree.Needs(); !slices.Equal(needs, []Need{{NeedPath, "$values/a.yaml"}, {NeedPath, ".supplied/r/b"}}) {
		t.Fatalf("%v", needs)
	}
}

func TestPathsThatAreNone(t *testing.T) {
	for _, name := range []string{"", "/a", "./a", "a/", "a//b", "../a"} {
		if _, problem := newTree(input("", name)); problem == nil || problem.Code != "path" {
			t.Errorf("%q: %v", name, problem)
		}
	}
}

func TestVariables(t *testing.T) {
	context := Context{Environment: map[string]string{"A": "x"}}
	if got := context.Substitute("$A-${A}-$$A-$B"); got != "x-x-$A-" {
		t.Error(got)
	}
}
