// Package dynamic has what Helm's `lookup` would read objects with. There is no way to make a client.
package dynamic

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// Object is what a cluster would return.
type Object struct{ content map[string]interface{} }

// UnstructuredContent returns the fields.
func (o *Object) UnstructuredContent() map[string]interface{} { return o.content }

// ResourceInterface reads objects of one kind.
type ResourceInterface interface {
	Get(ctx context.Context, name string, options metav1.GetOptions, subresources ...string) (*Object, error)
	List(ctx context.Context, options metav1.ListOptions) (*Object, error)
}

// NamespaceableResourceInterface reads them in one namespace or in all.
type NamespaceableResourceInterface interface {
	Namespace(string) ResourceInterface
	ResourceInterface
}

// Interface reads objects.
type Interface interface {
	Resource(schema.GroupVersionResource) NamespaceableResourceInterface
}

// NewForConfig returns an error.
func NewForConfig(*rest.Config) (Interface, error) { return nil, errors.New("there is no cluster") }
