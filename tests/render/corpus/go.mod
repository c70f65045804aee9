module sluice.dev/tests/render/corpus

go 1.26.6

// Nothing is built of these: their charts and overlays are what is wanted. ../README.md says which.
require (
	github.com/argoproj/argo-workflows/v4 v4.0.5
	github.com/fluxcd/flux2/v2 v2.9.5
	github.com/kubeflow/katib v0.19.0
	github.com/kubeflow/trainer/v2 v2.2.0
	github.com/kyverno/kyverno v1.19.1
	helm.sh/helm/v4 v4.3.1
	istio.io/istio v0.0.0-20260827124520-eed52ebb66ad
	knative.dev/operator v0.42.2
	sigs.k8s.io/cluster-api v1.14.2
	sigs.k8s.io/cluster-api-provider-aws/v2 v2.13.0
	sigs.k8s.io/gateway-api v1.6.0
	sigs.k8s.io/kueue v0.17.0
	sigs.k8s.io/kustomize/api v0.21.2
	sigs.k8s.io/kwok v0.8.0
	sigs.k8s.io/metrics-server v0.9.0
)
