package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// writeCredentials makes all keys and certificates anew, for this control plane alone, and a kubeconfig for each user.
func (p *plane) writeCredentials() error {
	authority, err := newAuthority("sluice-test")
	if err != nil {
		return err
	}
	etcdAuthority, err := newAuthority("sluice-test-etcd")
	if err != nil {
		return err
	}
	tokens, err := newKey()
	if err != nil {
		return err
	}
	server, err := authority.issue(pkix.Name{CommonName: "kube-apiserver"})
	if err != nil {
		return err
	}
	etcd, err := etcdAuthority.issue(pkix.Name{CommonName: "etcd"})
	if err != nil {
		return err
	}
	etcdClient, err := etcdAuthority.issue(pkix.Name{CommonName: "kube-apiserver"})
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"ca.crt": authority.certificate, "ca.key": authority.key,
		"etcd-ca.crt":   etcdAuthority.certificate,
		"apiserver.crt": server.certificate, "apiserver.key": server.key,
		"etcd.crt": etcd.certificate, "etcd.key": etcd.key,
		"etcd-client.crt": etcdClient.certificate, "etcd-client.key": etcdClient.key,
		"service-account.key": tokens.private, "service-account.pub": tokens.public,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(p.data, "pki", name), content, 0o600); err != nil {
			return err
		}
	}
	users := []struct{ file, name, group string }{
		{"admin", "admin", "system:masters"},
		{"kube-controller-manager", "system:kube-controller-manager", ""},
		{"kube-scheduler", "system:kube-scheduler", ""},
		{"kwok", "kwok", "system:masters"},
	}
	for _, user := range users {
		subject := pkix.Name{CommonName: user.name}
		if user.group != "" {
			subject.Organization = []string{user.group}
		}
		identity, err := authority.issue(subject)
		if err != nil {
			return err
		}
		if err := os.WriteFile(p.kubeconfig(user.file), p.renderKubeconfig(authority, identity), 0o600); err != nil {
			return err
		}
		if user.file == "admin" {
			if p.client, err = newClient(p.api.server, authority.certificate, identity); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *plane) renderKubeconfig(authority *authority, user identity) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: sandbox
clusters:
- name: sandbox
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: user
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: sandbox
  context:
    cluster: sandbox
    user: user
`, p.api.server, encode(authority.certificate), encode(user.certificate), encode(user.key))
}

// identity is a certificate with its key, both PEM.
type identity struct{ certificate, key []byte }

// authority signs certificates.
type authority struct {
	identity
	signer *ecdsa.PrivateKey
	parsed *x509.Certificate
}

type keyPair struct {
	signer          *ecdsa.PrivateKey
	private, public []byte
}

func newKey() (keyPair, error) {
	// Elliptic curves because an RSA key takes up to a second to make.
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	private, err := x509.MarshalECPrivateKey(signer)
	if err != nil {
		return keyPair{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&signer.PublicKey)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{signer, armour("EC PRIVATE KEY", private), armour("PUBLIC KEY", public)}, nil
}

func armour(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}

func newAuthority(name string) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(pkix.Name{CommonName: name})
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.signer.Public(), key.signer)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	return &authority{identity{armour("CERTIFICATE", raw), key.private}, key.signer, parsed}, nil
}

// issue makes a certificate that serves on loopback and identifies a client.
func (a *authority) issue(subject pkix.Name) (identity, error) {
	key, err := newKey()
	if err != nil {
		return identity{}, err
	}
	template, err := newTemplate(subject)
	if err != nil {
		return identity{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.parsed, key.signer.Public(), a.signer)
	if err != nil {
		return identity{}, err
	}
	return identity{armour("CERTIFICATE", raw), key.private}, nil
}

func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		// An hour back: the clock of a machine may be set while it runs.
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(30 * 24 * time.Hour),
		BasicConstraintsValid: true,
	}, nil
}
