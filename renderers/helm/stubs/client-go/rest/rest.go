// Package rest has the one type that Helm's engine names for a connection. There is none.
package rest

// Config would say how to reach a cluster.
type Config struct{}
