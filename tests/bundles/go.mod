module sluice.dev/bundles

go 1.26.0

// Nothing is built of these: their manifests are what is wanted. README.md says which.
require (
	github.com/prometheus-operator/prometheus-operator v0.85.0
	k8s.io/kubernetes v1.36.3
	knative.dev/operator v0.42.2
	knative.dev/serving v0.51.0
	sigs.k8s.io/gateway-api v1.4.1
)
