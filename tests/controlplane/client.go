package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client asks the API server the few questions that tell whether it can be used.
type client struct {
	server string
	http   *http.Client
}

func newClient(server string, authority []byte, user identity) (*client, error) {
	certificate, err := tls.X509KeyPair(user.certificate, user.key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}},
		// No proxy: this is loopback.
		Proxy: nil,
	}
	return &client{server, &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

func (c *client) request(method, path string, body any, answer any) (int, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequest(method, c.server+path, bytes.NewReader(content))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	content, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if response.StatusCode >= 400 {
		return response.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, content)
	}
	if answer == nil {
		return response.StatusCode, nil
	}
	return response.StatusCode, json.Unmarshal(content, answer)
}

// serverReady asks the API server itself; its hooks, the standing RBAC roles among them, have run then.
func (c *client) serverReady() error {
	_, err := c.request(http.MethodGet, "/readyz", nil, nil)
	return err
}

// Two, as a cluster of one cannot roll out a pod that holds a port of its node.
var nodeNames = []string{"sandbox-node", "sandbox-node-2"}

// nodesReady creates the nodes, storage and all, and tells whether they can take pods.
func (c *client) nodesReady() error {
	for _, name := range nodeNames {
		if err := c.nodeReady(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (c *client) nodeReady(name string) error {
	var node struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	status, err := c.request(http.MethodGet, "/api/v1/nodes/"+name, nil, &node)
	if status == http.StatusNotFound {
		if err := c.createNodes(); err != nil {
			return err
		}
		return errors.New("it was just created")
	}
	if err != nil {
		return err
	}
	for _, taint := range node.Spec.Taints {
		return fmt.Errorf("it has the taint %s", taint.Key)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
	}
	return errors.New("it is not Ready")
}

// namespaceReady tells whether pods can be created in the default namespace: each needs its service account.
func (c *client) namespaceReady() error {
	_, err := c.request(http.MethodGet, "/api/v1/namespaces/default/serviceaccounts/default", nil, nil)
	return err
}

type object = map[string]any

// createNodes makes what a cluster comes with: nodes, a default storage class, and volumes that claims can be bound to.
func (c *client) createNodes() error {
	class := object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
		"metadata": object{
			"name":        "standard",
			"annotations": object{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		// Nobody makes volumes on demand; the ones below are handed out at once.
		"provisioner":       "kubernetes.io/no-provisioner",
		"reclaimPolicy":     "Retain",
		"volumeBindingMode": "Immediate",
	}
	if err := c.create("/apis/storage.k8s.io/v1/storageclasses", class); err != nil {
		return err
	}
	for number := range 16 {
		volume := object{
			"apiVersion": "v1", "kind": "PersistentVolume",
			"metadata": object{"name": fmt.Sprintf("volume-%02d", number)},
			"spec": object{
				"storageClassName":              "standard",
				"capacity":                      object{"storage": "10Gi"},
				"accessModes":                   []string{"ReadWriteOnce", "ReadWriteMany"},
				"persistentVolumeReclaimPolicy": "Retain",
				"hostPath":                      object{"path": fmt.Sprintf("/nowhere/volume-%02d", number)},
			},
		}
		if err := c.create("/api/v1/persistentvolumes", volume); err != nil {
			return err
		}
	}
	for _, name := range nodeNames {
		node := object{
			"apiVersion": "v1", "kind": "Node",
			"metadata": object{
				"name": name,
				"labels": object{
					"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
				},
			},
		}
		if err := c.create("/api/v1/nodes", node); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) create(path string, body object) error {
	status, err := c.request(http.MethodPost, path, body, nil)
	if status == http.StatusConflict {
		return nil // an earlier try got as far as this
	}
	return err
}
