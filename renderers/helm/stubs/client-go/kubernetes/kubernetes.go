// Package kubernetes is there because Helm names it.
package kubernetes
