// Package discovery has what Helm's `lookup` would ask a cluster with. Every question is an error.
package discovery

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Client would ask a cluster which kinds it has.
type Client struct{}

var errNoCluster = errors.New("there is no cluster")

// NewDiscoveryClientForConfig returns an error.
func NewDiscoveryClientForConfig(*rest.Config) (*Client, error) { return nil, errNoCluster }

// ServerResourcesForGroupVersion returns an error.
func (*Client) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	return nil, errNoCluster
}
