// Package v1 is registered by name only: the scheme of our client-go has its version already.
package v1

// AddToScheme does nothing.
func AddToScheme(any) error { return nil }
