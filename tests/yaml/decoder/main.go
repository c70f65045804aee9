// Decodes files of manifests as kubectl's resource builder does, to be compared with: standard input has files, each behind its
// length in four bytes; standard output gets a line of JSON for each, with the objects of the file or why it is refused.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

type answer struct {
	Objects []any  `json:"objects"`
	Error   string `json:"error,omitempty"`
	// A file with a list is left out: what becomes of its entries is not the decoder's business.
	List bool `json:"list,omitempty"`
}

func main() {
	log.SetFlags(0)
	input := bufio.NewReader(os.Stdin)
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	encoder.SetEscapeHTML(false)
	for {
		var length uint32
		if err := binary.Read(input, binary.BigEndian, &length); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		file := make([]byte, length)
		if _, err := io.ReadFull(input, file); err != nil {
			log.Fatal(err)
		}
		if err := encoder.Encode(decode(file)); err != nil {
			log.Fatal(err)
		}
		if err := output.Flush(); err != nil {
			log.Fatal(err)
		}
	}
}

func decode(file []byte) (found answer) {
	// The original panics on some inputs; kubectl ends there.
	defer func() {
		if recover() != nil {
			found = answer{Error: "panic"}
		}
	}()
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(file), 4096)
	for {
		document := runtime.RawExtension{}
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			return answer{Error: err.Error()}
		}
		raw := bytes.TrimSpace(document.Raw)
		if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
			continue
		}
		object, _, err := unstructured.UnstructuredJSONScheme.Decode(raw, nil, nil)
		if err != nil {
			return answer{Error: err.Error()}
		}
		single, ok := object.(*unstructured.Unstructured)
		if !ok {
			return answer{List: true}
		}
		if single.GetAPIVersion() == "" {
			return answer{Error: "no apiVersion"}
		}
		found.Objects = append(found.Objects, single.Object)
	}
}
