module sluice.dev/bundles

go 1.26.0

// Nothing is built of these: their manifests are what is wanted. README.md says which.
require (
	github.com/prometheus-operator/prometheus-operator v0.85.0
	knative.dev/serving v0.51.0
)
