//! Health of the Kubernetes kinds, and of any other object by its conditions.
//!
//! The built-in kinds are judged as Argo CD's engine judges them, so that nobody's dashboards change colour by moving; where a
//! kind has no rule there, the conventions of Kubernetes hold (`conditions`). An object that is being deleted is progressing,
//! whatever its kind. A field of the wrong type makes the verdict unknown, never healthy.
//!
//! `RULES` names the rule for each kind; `workloads`, `pod`, `others` and `conditions` hold them.

mod conditions;
mod others;
mod pod;
mod workloads;

use sluice_plugin::{Claim, Descriptor, HealthCheck, HealthContext, Object, Problem, Settings, Verdict};

/// The plugin.
pub struct HealthKubernetes;

/// Argo CD holds a finished hook with this until the sync is over: its verdict still counts.
const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";

impl HealthCheck for HealthKubernetes {
    fn describe() -> Descriptor {
        let claims = RULES.map(|(group, kind, _)| Claim::new(group, kind));
        Descriptor::new(
            "Deployments, Pods, Jobs and the other Kubernetes kinds as everybody knows them; anything else by its conditions",
            claims,
        )
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        settings.none().map(|()| Self)
    }

    fn assess(&self, object: &Object<'_>, context: &HealthContext) -> Result<Verdict, String> {
        let rule = RULES
            .get(context.claim() as usize)
            .map_or(conditions::conditions as Rule, |(_, _, rule)| *rule);
        rule(object)
    }
}

sluice_plugin::health_check!(HealthKubernetes);

/// How objects of one kind are judged.
type Rule = fn(&Object<'_>) -> Result<Verdict, String>;

/// The claims, each with its rule.
const RULES: [(&str, &str, Rule); 15] = [
    ("apps", "Deployment", workloads::deployment),
    ("apps", "StatefulSet", workloads::stateful_set),
    ("apps", "DaemonSet", workloads::daemon_set),
    ("apps", "ReplicaSet", workloads::replica_set),
    ("batch", "Job", workloads::job),
    ("", "Pod", pod::pod),
    ("", "Service", others::service),
    ("", "PersistentVolumeClaim", others::persistent_volume_claim),
    ("networking.k8s.io", "Ingress", others::ingress),
    ("extensions", "Ingress", others::ingress),
    ("autoscaling", "HorizontalPodAutoscaler", others::autoscaler),
    ("apiregistration.k8s.io", "APIService", others::api_service),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        others::custom_resource_definition,
    ),
    ("argoproj.io", "Workflow", others::workflow),
    ("*", "*", conditions::conditions),
];

/// The version of an object whose older versions meant other things by their fields: `v1`, and no other is judged.
fn only_v1(api_version: sluice_plugin::Field, group: &str) -> Result<(), String> {
    let api_version = api_version.text()?.unwrap_or_default();
    match api_version.strip_prefix(group) == Some("/v1") {
        true => Ok(()),
        false => Err(format!("`{api_version}` is a version that is served no more")),
    }
}

/// The pointer that every rule reads first; [`deleting`] says what it means.
const DELETION: &str = "/metadata/deletionTimestamp";

/// An object that is on its way out is judged by that alone.
fn deleting(timestamp: &sluice_plugin::Field, object: &Object<'_>) -> Option<Verdict> {
    if !timestamp.is_set() {
        return None;
    }
    let finalizers = object.tree("/metadata/finalizers");
    let is_hook = finalizers
        .as_ref()
        .and_then(|list| list.as_array())
        .is_some_and(|list| list.iter().any(|name| name == HOOK_FINALIZER));
    (!is_hook).then(|| Verdict::Progressing("Pending deletion".to_owned()))
}

fn healthy() -> Verdict {
    Verdict::Healthy(String::new())
}
