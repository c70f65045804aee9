package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodeheartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

// arguments returns the flags of one program.
func (p *plane) arguments(name string) ([]string, error) {
	pki := func(file string) string { return filepath.Join(p.data, "pki", file) }
	switch name {
	case "etcd":
		return []string{
			"--data-dir=" + filepath.Join(p.data, "etcd"),
			"--listen-client-urls=" + p.etcd.server,
			"--advertise-client-urls=" + p.etcd.server,
			"--listen-peer-urls=" + p.etcdPeer.server,
			"--initial-advertise-peer-urls=" + p.etcdPeer.server,
			"--initial-cluster=default=" + p.etcdPeer.server,
			"--cert-file=" + pki("etcd.crt"), "--key-file=" + pki("etcd.key"),
			"--peer-cert-file=" + pki("etcd.crt"), "--peer-key-file=" + pki("etcd.key"),
			"--trusted-ca-file=" + pki("etcd-ca.crt"), "--client-cert-auth=true",
			"--peer-trusted-ca-file=" + pki("etcd-ca.crt"), "--peer-client-cert-auth=true",
			"--socket-reuse-port=true", // see reserve
			"--unsafe-no-fsync=true",   // thrown away anyway
			"--log-level=warn",
		}, nil
	case "kube-apiserver":
		return []string{
			"--etcd-servers=" + p.etcd.server,
			"--etcd-cafile=" + pki("etcd-ca.crt"),
			"--etcd-certfile=" + pki("etcd-client.crt"), "--etcd-keyfile=" + pki("etcd-client.key"),
			"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
			fmt.Sprintf("--secure-port=%d", p.api.port),
			"--permit-port-sharing=true",      // see reserve
			"--endpoint-reconciler-type=none", // a Service cannot point at a loopback address
			"--service-cluster-ip-range=10.0.0.0/16",
			"--cert-dir=" + filepath.Join(p.data, "pki"),
			"--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
			"--client-ca-file=" + pki("ca.crt"),
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + pki("service-account.pub"),
			"--service-account-signing-key-file=" + pki("service-account.key"),
			"--authorization-mode=RBAC",
			"--allow-privileged=true",
			"--profiling=false",
		}, nil
	case "kube-controller-manager":
		return []string{
			"--kubeconfig=" + p.kubeconfig("kube-controller-manager"),
			"--secure-port=0",
			"--leader-elect=false",
			"--use-service-account-credentials=true",
			"--service-account-private-key-file=" + pki("service-account.key"),
			"--root-ca-file=" + pki("ca.crt"),
			"--cluster-signing-cert-file=" + pki("ca.crt"), "--cluster-signing-key-file=" + pki("ca.key"),
			// Default limits are made for clusters that serve others: here they would only be waited for.
			"--kube-api-qps=500", "--kube-api-burst=1000",
			"--profiling=false",
		}, nil
	case "kube-scheduler":
		return []string{
			"--kubeconfig=" + p.kubeconfig("kube-scheduler"),
			"--secure-port=0",
			"--leader-elect=false",
			"--profiling=false",
		}, nil
	case "kwok":
		return []string{
			"--kubeconfig=" + p.kubeconfig("kwok"),
			"--config=" + p.stages(),
			"--manage-all-nodes=true",
			"--node-ip=127.0.0.1",
			"--node-port=0", // any other would be listened on, on all addresses
			"--cidr=10.244.0.1/16",
			"--node-lease-duration-seconds=40",
		}, nil
	default:
		return nil, fmt.Errorf("no program is named %q", name)
	}
}

func (p *plane) stages() string { return filepath.Join(p.data, "kwok.yaml") }

// writeStages tells kwok how nodes and pods live: its own standard stages, ready at once.
func (p *plane) writeStages() error {
	stages := []string{
		nodefast.DefaultNodeInit,
		nodeheartbeat.DefaultNodeHeartbeatWithLease,
		podfast.DefaultPodReady,
		podfast.DefaultPodComplete,
		podfast.DefaultPodDelete,
	}
	return os.WriteFile(p.stages(), []byte(strings.Join(stages, "\n---\n")), 0o600)
}
