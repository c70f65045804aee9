//! Health of the Kubernetes kinds, and of any other object by its conditions.
//!
//! The built-in kinds are judged as Argo CD's engine judges them, so that nobody's dashboards change colour by moving; where a
//! kind has no rule there, the conventions of Kubernetes hold (`conditions`). An object that is being deleted is progressing,
//! whatever its kind. A field of the wrong type makes the verdict unknown, never healthy.
//!
//! `kind` finds the rule for an object; `workloads`, `pod` and `others` hold the rules.

mod conditions;
mod others;
mod pod;
mod workloads;

use sluice_plugin::{
    Claim, Descriptor, HealthCheck, HealthContext, Object, ObjectRef, Problem, Settings, Verdict,
};

/// The plugin.
pub struct HealthKubernetes;

/// Argo CD holds a finished hook with this until the sync is over: its verdict still counts.
const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";

impl HealthCheck for HealthKubernetes {
    fn describe() -> Descriptor {
        let exact = [
            ("apps", "Deployment"),
            ("apps", "StatefulSet"),
            ("apps", "DaemonSet"),
            ("apps", "ReplicaSet"),
            ("", "Pod"),
            ("", "Service"),
            ("", "PersistentVolumeClaim"),
            ("batch", "Job"),
            ("networking.k8s.io", "Ingress"),
            ("extensions", "Ingress"),
            ("autoscaling", "HorizontalPodAutoscaler"),
            ("apiregistration.k8s.io", "APIService"),
            ("apiextensions.k8s.io", "CustomResourceDefinition"),
            ("argoproj.io", "Workflow"),
        ];
        let exact = exact.into_iter().map(|(group, kind)| Claim::new(group, kind));
        Descriptor::new(
            "Deployments, Pods, Jobs and the other Kubernetes kinds as everybody knows them; anything else by its conditions",
            exact.chain([Claim::all()]),
        )
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let problems = settings.unknown(&[]);
        if problems.is_empty() {
            Ok(Self)
        } else {
            Err(problems)
        }
    }

    fn assess(&self, object: &Object<'_>, _: &HealthContext) -> Result<Verdict, String> {
        let reference = object.reference();
        match kind(&reference) {
            Rule::Deployment => workloads::deployment(object),
            Rule::StatefulSet => workloads::stateful_set(object),
            Rule::DaemonSet => workloads::daemon_set(object),
            Rule::ReplicaSet => workloads::replica_set(object),
            Rule::Pod => pod::pod(object),
            Rule::Job => workloads::job(object),
            Rule::Service => others::service(object),
            Rule::Ingress => others::ingress(object),
            Rule::PersistentVolumeClaim => others::persistent_volume_claim(object),
            Rule::AutoscalerByAnnotation => others::autoscaler_by_annotation(object),
            Rule::Autoscaler => others::autoscaler(object),
            Rule::ApiService => others::api_service(object),
            Rule::CustomResourceDefinition => others::custom_resource_definition(object),
            Rule::Workflow => others::workflow(object),
            Rule::OldVersion => Err(format!(
                "{}/{} {} is a version that is served no more",
                reference.group, reference.version, reference.kind
            )),
            Rule::Conditions => conditions::conditions(object),
        }
    }
}

sluice_plugin::health_check!(HealthKubernetes);

/// Which rule an object is judged by.
enum Rule {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Pod,
    Job,
    Service,
    Ingress,
    PersistentVolumeClaim,
    AutoscalerByAnnotation,
    Autoscaler,
    ApiService,
    CustomResourceDefinition,
    Workflow,
    /// A version of a kind whose fields meant other things.
    OldVersion,
    Conditions,
}

fn kind(reference: &ObjectRef) -> Rule {
    match (
        reference.group.as_str(),
        reference.version.as_str(),
        reference.kind.as_str(),
    ) {
        ("apps", "v1", "Deployment") => Rule::Deployment,
        ("apps", "v1", "StatefulSet") => Rule::StatefulSet,
        ("apps", "v1", "DaemonSet") => Rule::DaemonSet,
        ("apps", "v1", "ReplicaSet") => Rule::ReplicaSet,
        ("apps", _, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => Rule::OldVersion,
        ("", "v1", "Pod") => Rule::Pod,
        ("", "v1", "Service") => Rule::Service,
        ("", "v1", "PersistentVolumeClaim") => Rule::PersistentVolumeClaim,
        ("batch", "v1", "Job") => Rule::Job,
        ("batch", _, "Job") => Rule::OldVersion,
        ("networking.k8s.io" | "extensions", _, "Ingress") => Rule::Ingress,
        ("autoscaling", "v1", "HorizontalPodAutoscaler") => Rule::AutoscalerByAnnotation,
        ("autoscaling", "v2" | "v2beta1" | "v2beta2", "HorizontalPodAutoscaler") => Rule::Autoscaler,
        ("autoscaling", _, "HorizontalPodAutoscaler") => Rule::OldVersion,
        ("apiregistration.k8s.io", "v1" | "v1beta1", "APIService") => Rule::ApiService,
        ("apiregistration.k8s.io", _, "APIService") => Rule::OldVersion,
        ("apiextensions.k8s.io", _, "CustomResourceDefinition") => Rule::CustomResourceDefinition,
        ("argoproj.io", _, "Workflow") => Rule::Workflow,
        _ => Rule::Conditions,
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
