// Package guest is what renderers written in Go have in common: the words of `wit/render` as Go types, the files of an input as a tree
// that knows what was looked for, and how a renderer is served: as a component ([Serve] in WebAssembly) or as a program of its own
// (everywhere else), with which the tests compare.
//
// Start at [Renderer].
package guest

import "fmt"

// Renderer turns files into documents.
type Renderer interface {
	// Describe returns the JSON that `describe` of the interface returns.
	Describe() string
	// Render answers for one input. It is called once in the life of an instance.
	Render(tree *Tree, settings []byte, context Context) Outcome
	// Warm does what every rendering does first, before the instance is frozen: what it leaves in memory is there in each rendering.
	Warm()
}

// File is one file of the repository, or of another place that the host has put beside it.
type File struct {
	Path    string
	Content []byte
}

// NeedKind says what kind of thing is needed.
type NeedKind uint32

// The kinds, in the order of the interface's variant.
const (
	NeedPath NeedKind = iota
	NeedRemote
	NeedChart
	NeedInflation
)

// Need is something that has to be handed over before there can be an answer.
type Need struct {
	Kind NeedKind
	Text string
}

// Supply is the answer to a need.
type Supply struct {
	Need  Need
	Path  string
	Files []File
}

// Input is all that a rendering is made of.
type Input struct {
	Path     string
	Files    []File
	Settings string
	Context  string
	Supplied []Supply
}

// Part says what a document is to its chart.
type Part uint32

// The parts, in the order of the interface's enum.
const (
	Manifest Part = iota
	CRD
	Hook
	Test
)

// Document is one manifest.
type Document struct {
	Text   string
	Source string
	Part   Part
}

// Problem is something for the user to mend, or to know. An empty File or Hint and a Line of 0 are none.
type Problem struct {
	Code    string
	Message string
	File    string
	Line    int
	Hint    string
	Trace   []string
}

// Error makes a problem usable where Go wants an error.
func (p *Problem) Error() string { return p.Message }

// Rendering is what became of an input.
type Rendering struct {
	Documents []Document
	Notes     string
	Read      []string
	Random    []string
	Warnings  []Problem
}

// Outcome is the answer: a rendering, or else needs, or else problems.
type Outcome struct {
	Rendering *Rendering
	Needs     []Need
	Problems  []Problem
}

// Refuse makes an outcome of problems.
func Refuse(problems ...Problem) Outcome { return Outcome{Problems: problems} }

// answer renders one input.
func answer(renderer Renderer, input Input) (outcome Outcome) {
	defer func() {
		if fault := recover(); fault != nil {
			outcome = Refuse(Problem{
				Code:    "internal",
				Message: "the renderer failed: " + fmt.Sprint(fault),
				Hint:    "this is a fault of the renderer or of the library in it, whatever the input",
			})
		}
	}()
	context, problem := parseContext(input.Context)
	if problem != nil {
		return Refuse(*problem)
	}
	seed(context)
	tree, problem := newTree(input)
	if problem != nil {
		return Refuse(*problem)
	}
	outcome = renderer.Render(tree, []byte(input.Settings), context)
	// What was answered without something that should have been looked at is no answer.
	if tree.Needy() {
		return Outcome{Needs: tree.Needs()}
	}
	if outcome.Rendering != nil {
		if problem := context.bearsChance(outcome.Rendering.Random); problem != nil {
			return Refuse(*problem)
		}
		outcome.Rendering.Read = tree.Looked()
	}
	return outcome
}
