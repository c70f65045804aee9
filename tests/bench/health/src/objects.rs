//! What is judged: as a cluster has it, with the fields that servers add.

use serde_json::{Value, json};
use sluice_model::Object;

/// A Deployment of this many bytes, most of them in `managedFields`.
const DEPLOYMENT_BYTES: usize = 20_000;

pub(crate) fn object(value: Value) -> Object {
    Object::new(value).unwrap_or_else(|error| unreachable!("{error}"))
}

pub(crate) fn certificate() -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": "web", "namespace": "shop", "generation": 1, "uid": "1", "resourceVersion": "123",
                     "managedFields": [fields("sluice", 4)]},
        "spec": {"secretName": "web-tls", "dnsNames": ["shop.example.com"], "issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}},
        "status": {"notAfter": "2026-04-01T00:00:00Z", "notBefore": "2026-01-01T00:00:00Z", "renewalTime": "2026-03-01T00:00:00Z", "revision": 1,
                   "conditions": [condition("Ready", "True", "Ready", "Certificate is up to date and has not expired")]},
    })
}

pub(crate) fn rollout() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "generation": 4, "uid": "2", "resourceVersion": "123",
                     "annotations": {"rollout.argoproj.io/revision": "4"}, "managedFields": [fields("sluice", 8)]},
        "spec": {"replicas": 3, "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 100}]}},
                 "selector": {"matchLabels": {"app": "web"}},
                 "template": {"metadata": {"labels": {"app": "web"}},
                              "spec": {"containers": [{"name": "web", "image": "registry.example.com/shop/web:1.2.3"}]}}},
        "status": {"observedGeneration": "4", "phase": "Healthy", "replicas": 3, "HPAReplicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
                   "availableReplicas": 3, "currentPodHash": "6b8cf6f7db", "stableRS": "6b8cf6f7db", "currentStepIndex": 3,
                   "conditions": [condition("Available", "True", "AvailableReason", "Rollout has minimum availability"),
                                  condition("Progressing", "True", "NewReplicaSetAvailable", "ReplicaSet has successfully progressed."),
                                  condition("Healthy", "True", "RolloutHealthy", "Rollout is healthy")]},
    })
}

pub(crate) fn deployment() -> Value {
    let container = json!({
        "name": "web", "image": "registry.example.com/shop/web:1.2.3", "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    });
    let mut value = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "generation": 4, "uid": "3", "resourceVersion": "123456",
                     "labels": {"app.kubernetes.io/name": "web"}, "annotations": {"deployment.kubernetes.io/revision": "4"},
                     "managedFields": []},
        "spec": {"replicas": 3, "progressDeadlineSeconds": 600, "selector": {"matchLabels": {"app.kubernetes.io/name": "web"}},
                 "template": {"metadata": {"labels": {"app.kubernetes.io/name": "web"}},
                              "spec": {"containers": [container], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}}},
        "status": {"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
                   "conditions": [condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
                                  condition("Progressing", "True", "NewReplicaSetAvailable", "ReplicaSet has successfully progressed.")]},
    });
    for manager in 0.. {
        if value.to_string().len() >= DEPLOYMENT_BYTES {
            break;
        }
        if let Some(Value::Array(list)) = value.pointer_mut("/metadata/managedFields") {
            list.push(fields(&format!("manager-{manager}"), 30));
        }
    }
    value
}

/// So many objects of fifty kinds: custom ones of the catalogue and some of Kubernetes' own, each as its controller leaves it.
pub(crate) fn of_fifty_kinds(count: usize) -> Vec<Object> {
    (0..count)
        .map(|number| {
            let mut value = match KINDS.get(number % 50) {
                Some(("argoproj.io/v1alpha1", "Rollout")) => rollout(),
                Some(("apps/v1", "Deployment")) => deployment_without_fields(),
                Some(("cert-manager.io/v1", "Certificate")) => certificate(),
                Some((version, kind)) => with_conditions(version, kind),
                None => unreachable!("there are fifty"),
            };
            if let Some(metadata) = value.pointer_mut("/metadata").and_then(Value::as_object_mut) {
                metadata.insert("name".to_owned(), format!("object-{number}").into());
                metadata.insert("uid".to_owned(), number.to_string().into());
            }
            object(value)
        })
        .collect()
}

fn deployment_without_fields() -> Value {
    let mut value = deployment();
    if let Some(Value::Array(list)) = value.pointer_mut("/metadata/managedFields") {
        list.truncate(1);
    }
    value
}

fn with_conditions(version: &str, kind: &str) -> Value {
    json!({
        "apiVersion": version, "kind": kind,
        "metadata": {"name": "x", "namespace": "shop", "generation": 2, "managedFields": [fields("sluice", 6)]},
        "spec": {"replicas": 1, "name": "x"},
        "status": {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "phase": "Running", "conditions": [
            condition("Ready", "True", "Ready", "it does its work"), condition("Synced", "True", "ReconcileSuccess", "")]},
    })
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

fn fields(manager: &str, count: usize) -> Value {
    let names = (0..count).map(|number| (format!("f:field{number}"), json!({"f:a": {}, "f:b": {}})));
    let names: serde_json::Map<String, Value> = names.collect();
    json!({"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "time": "2026-01-01T00:00:00Z",
           "fieldsV1": {"f:spec": names}})
}

const KINDS: [(&str, &str); 50] = [
    ("apps/v1", "Deployment"),
    ("cert-manager.io/v1", "Certificate"),
    ("argoproj.io/v1alpha1", "Rollout"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "Pod"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
    ("argoproj.io/v1", "Application"),
    ("spot.io/v1", "SpotDeployment"),
    ("karpenter.sh/v1", "NodePool"),
    ("keda.sh/v1", "ScaledJob"),
    ("services.k8s.aws/v1", "AdoptedResource"),
    ("kueue.x-k8s.io/v1", "ClusterQueue"),
    ("jobset.x-k8s.io/v1", "JobSet"),
    ("certmanager.k8s.io/v1", "Issuer"),
    ("addons.cluster.x-k8s.io/v1", "ClusterResourceSet"),
    ("cluster.x-k8s.io/v1", "Cluster"),
    ("apiextensions.crossplane.io/v1", "Composition"),
    ("stacks.crossplane.io/v1", "ClusterStackInstall"),
    ("k8s.mariadb.com/v1", "Backup"),
    ("mariadb.mmontes.io/v1", "MariaDB"),
    ("elasticsearch.k8s.elastic.co/v1", "Elasticsearch"),
    ("beat.k8s.elastic.co/v1", "Beat"),
    ("helm.toolkit.fluxcd.io/v1", "HelmRelease"),
    ("source.toolkit.fluxcd.io/v1", "HelmRepository"),
    ("promoter.argoproj.io/v1", "CommitStatus"),
    ("gateway.solo.io/v1", "Gateway"),
    ("core.humio.com/v1", "HumioAction"),
    ("kafka.strimzi.io/v1", "Kafka"),
    ("core.strimzi.io/v1", "StrimziPodSet"),
    ("work.karmada.io/v1", "ResourceBinding"),
    ("cluster.karmada.io/v1", "Cluster"),
    ("lifecycle.keptn.sh/v1", "KeptnAppVersion"),
    ("metrics.keptn.sh/v1", "Analysis"),
    ("operator.knative.dev/v1", "KnativeEventing"),
    ("serving.knative.dev/v1", "Service"),
    ("apps.kruise.io/v1", "AdvancedCronJob"),
    ("game.kruise.io/v1", "GameServer"),
    ("cdi.kubevirt.io/v1", "DataVolume"),
    ("kubevirt.io/v1", "VirtualMachine"),
    ("astra.netapp.io/v1", "Backup"),
    ("protect.trident.netapp.io/v1", "AppVault"),
    ("install.istio.io/v1", "IstioOperator"),
    ("sailoperator.io/v1", "Istio"),
    ("numaflow.numaproj.io/v1", "InterStepBufferService"),
    ("numaplane.numaproj.io/v1", "ISBServiceRollout"),
    ("monitoring.coreos.com/v1", "Prometheus"),
    ("grafana.integreatly.org/v1", "Grafana"),
    ("apps.openshift.io/v1", "DeploymentConfig"),
];
