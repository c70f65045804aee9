//go:build wasip1

package guest

import (
	"encoding/binary"
	"math/rand"
	"unsafe"
)

// The exports of the world `render-files`, lowered by hand as the canonical ABI of the component model has it: there are two functions,
// and generated code for them would be longer and need runtime support of its own. Offsets are counted in words of four bytes.

var served Renderer

// Serve makes a renderer the one of this component. Called when the program starts.
func Serve(renderer Renderer) { served = renderer }

// inbound has what the host has written, so that it is not collected before the call that reads it.
var inbound = map[uint32][]uint64{}

// outbound has what the host is about to read, until it says that it has.
var outbound []any

//go:wasmimport wasi_snapshot_preview1 sluice_seed
func shimSeed(key unsafe.Pointer, now uint64)

// seed makes chance and time functions of the context, whatever was drawn before the instance was frozen.
func seed(context Context) {
	shimSeed(unsafe.Pointer(&context.key[0]), uint64(context.now.UnixNano()))
	// The generator of math/rand is the runtime's unless it was seeded, and that one was frozen with the rest.
	rand.Seed(int64(binary.LittleEndian.Uint64(context.key[8:]) >> 1)) //nolint:staticcheck
}

//go:wasmexport cabi_export_realloc
func reallocate(old, oldSize, align, size uint32) uint32 {
	if size == 0 {
		return align
	}
	// In words, because that aligns them.
	block := make([]uint64, (uint64(size)+7)/8)
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(block))))
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(block))), size), bytesAt(old, oldSize))
		delete(inbound, old)
	}
	inbound[address] = block
	return address
}

//go:wasmexport warm
func warm() { served.Warm() }

//go:wasmexport sluice:render/renderer@0.1.0#describe
func describe() uint32 {
	words := allocate(2)
	putString(words, served.Describe())
	return address(words)
}

//go:wasmexport cabi_post_sluice:render/renderer@0.1.0#describe
func described(uint32) { outbound = nil }

//go:wasmexport sluice:render/renderer@0.1.0#render
func render(path, pathLength, files, filesLength, settings, settingsLength, context, contextLength, supplied, suppliedLength uint32) uint32 {
	outcome := answer(served, Input{
		Path:     stringAt(path, pathLength),
		Files:    filesAt(files, filesLength),
		Settings: stringAt(settings, settingsLength),
		Context:  stringAt(context, contextLength),
		Supplied: suppliesAt(supplied, suppliedLength),
	})
	words := allocate(12)
	putOutcome(words, outcome)
	return address(words)
}

//go:wasmexport cabi_post_sluice:render/renderer@0.1.0#render
func rendered(uint32) { outbound = nil }

// Lifting: what the host has written.

func bytesAt(address, length uint32) []byte {
	if length == 0 {
		return nil
	}
	// The block is in `inbound`.
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(address))), length)
}

func wordsAt(address, length uint32) []uint32 {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*uint32)(unsafe.Pointer(uintptr(address))), length)
}

func stringAt(address, length uint32) string {
	content := bytesAt(address, length)
	return unsafe.String(unsafe.SliceData(content), len(content))
}

func filesAt(address, length uint32) []File {
	const size = 4
	words := wordsAt(address, length*size)
	files := make([]File, 0, length)
	for ; len(words) > 0; words = words[size:] {
		files = append(files, File{Path: stringAt(words[0], words[1]), Content: bytesAt(words[2], words[3])})
	}
	return files
}

func suppliesAt(address, length uint32) []Supply {
	const size = 7
	words := wordsAt(address, length*size)
	supplies := make([]Supply, 0, length)
	for ; len(words) > 0; words = words[size:] {
		supplies = append(supplies, Supply{
			// The tag is a byte; what pads it is not defined.
			Need:  Need{Kind: NeedKind(words[0] & 0xff), Text: stringAt(words[1], words[2])},
			Path:  stringAt(words[3], words[4]),
			Files: filesAt(words[5], words[6]),
		})
	}
	return supplies
}

// Lowering: what the host is to read.

func allocate(words int) []uint32 {
	block := make([]uint32, words)
	outbound = append(outbound, block)
	return block
}

func address(words []uint32) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(words))))
}

func putString(words []uint32, text string) {
	outbound = append(outbound, text)
	words[0] = uint32(uintptr(unsafe.Pointer(unsafe.StringData(text))))
	words[1] = uint32(len(text))
}

// putOption writes an `option<string>`; the empty one is none.
func putOption(words []uint32, text string) {
	if text != "" {
		words[0] = 1
		putString(words[1:], text)
	}
}

// putList writes a list of items of so many words.
func putList[T any](words []uint32, items []T, size int, put func([]uint32, T)) {
	block := allocate(len(items) * size)
	for i, item := range items {
		put(block[i*size:(i+1)*size], item)
	}
	if len(items) > 0 {
		words[0] = address(block)
	}
	words[1] = uint32(len(items))
}

func putStrings(words []uint32, texts []string) { putList(words, texts, 2, putString) }

func putOutcome(words []uint32, outcome Outcome) {
	switch {
	case outcome.Rendering != nil:
		putRendering(words[1:], *outcome.Rendering)
	case len(outcome.Needs) > 0:
		words[0] = 1
		putList(words[1:], outcome.Needs, 3, func(words []uint32, need Need) {
			words[0] = uint32(need.Kind)
			putString(words[1:], need.Text)
		})
	default:
		words[0] = 2
		putList(words[1:], outcome.Problems, problemWords, putProblem)
	}
}

func putRendering(words []uint32, rendering Rendering) {
	putList(words, rendering.Documents, 5, func(words []uint32, document Document) {
		putString(words, document.Text)
		putString(words[2:], document.Source)
		words[4] = uint32(document.Part)
	})
	putOption(words[2:], rendering.Notes)
	putStrings(words[5:], rendering.Read)
	putStrings(words[7:], rendering.Random)
	putList(words[9:], rendering.Warnings, problemWords, putProblem)
}

const problemWords = 14

func putProblem(words []uint32, problem Problem) {
	putString(words, problem.Code)
	putString(words[2:], problem.Message)
	putOption(words[4:], problem.File)
	if problem.Line > 0 {
		words[7] = 1
		words[8] = uint32(problem.Line)
	}
	putOption(words[9:], problem.Hint)
	putStrings(words[12:], problem.Trace)
}
