//! Health of the Kubernetes kinds, and of any other object by its conditions.
//!
//! The built-in kinds are judged as Argo CD's engine judges them, so that nobody's dashboards change colour by moving; where a
//! kind has no rule there, the conventions of Kubernetes hold (`conditions`). An object that is being deleted is progressing,
//! whatever its kind. A field of the wrong type makes the verdict unknown, never healthy.
//!
//! | setting | default | |
//! |---|---|---|
//! | `loadBalancers` | `wait` | `pass`: an Ingress or a Service of type LoadBalancer without an address is suspended, which holds up no sync; for clusters that give none |
//! | `firstConsumers` | `pass` | a claim that waits for the first Pod that uses it is suspended; `wait`: it is progressing, as with Argo CD, and a wave with it waits for a Pod that may come after it |
//!
//! | `endpoints` | `pass` | `wait`: a Service with a selector and no endpoint that is ready is progressing |
//!
//! Of what runs Pods and does not do its work it is told which Pod fails and why (`causes`), if the engine may look at the Pods.
//!
//! `RULES` names the rule for each kind; `workloads`, `pod`, `cluster`, `gateway`, `others` and `conditions` hold them.

mod application;
mod causes;
mod cluster;
mod conditions;
mod gateway;
mod others;
mod pod;
mod settings;
mod workloads;

use sluice_plugin::{Claim, Descriptor, HealthCheck, HealthContext, Object, Problem, Settings, Verdict};

use settings::Waits;

/// The plugin.
pub struct HealthKubernetes(Waits);

impl HealthCheck for HealthKubernetes {
    fn describe() -> Descriptor {
        let claims = RULES.map(|(group, kind, _)| Claim::new(group, kind));
        Descriptor::new(
            "Deployments, Pods, Jobs and the other Kubernetes kinds as everybody knows them; anything else by its conditions",
            claims,
        )
        .with_settings(settings::SCHEMA)
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        Waits::read(settings).map(Self)
    }

    fn assess(&self, object: &Object<'_>, context: &HealthContext) -> Result<Verdict, String> {
        let rule = RULES
            .get(context.claim() as usize)
            .map_or(By(conditions::conditions), |(_, _, rule)| *rule);
        match rule {
            By(rule) => rule(object),
            BySettings(rule) => rule(object, &self.0),
            ByPods(rule) => Ok(causes::told(rule(object)?, object, context)),
            ByRelatives(rule) => rule(object, &self.0, context),
        }
    }
}

sluice_plugin::health_check!(HealthKubernetes);

/// How objects of one kind are judged.
#[derive(Clone, Copy)]
enum Rule {
    By(fn(&Object<'_>) -> Result<Verdict, String>),
    BySettings(fn(&Object<'_>, &Waits) -> Result<Verdict, String>),
    /// With the cause that its Pods have, if it is not healthy.
    ByPods(fn(&Object<'_>) -> Result<Verdict, String>),
    ByRelatives(fn(&Object<'_>, &Waits, &HealthContext) -> Result<Verdict, String>),
}

use Rule::{By, ByPods, ByRelatives, BySettings};

/// The claims, each with its rule.
const RULES: [(&str, &str, Rule); 33] = [
    ("apps", "Deployment", ByPods(workloads::deployment)),
    ("apps", "StatefulSet", ByPods(workloads::stateful_set)),
    ("apps", "DaemonSet", ByPods(workloads::daemon_set)),
    ("apps", "ReplicaSet", ByPods(workloads::replica_set)),
    ("batch", "Job", ByPods(workloads::job)),
    ("batch", "CronJob", By(workloads::cron_job)),
    (
        "",
        "ReplicationController",
        ByPods(workloads::replication_controller),
    ),
    ("", "Pod", ByPods(pod::pod)),
    ("", "Service", ByRelatives(others::service)),
    (
        "",
        "PersistentVolumeClaim",
        ByRelatives(others::persistent_volume_claim),
    ),
    ("networking.k8s.io", "Ingress", BySettings(others::ingress)),
    ("extensions", "Ingress", BySettings(others::ingress)),
    ("autoscaling", "HorizontalPodAutoscaler", By(others::autoscaler)),
    ("policy", "PodDisruptionBudget", By(others::disruption_budget)),
    ("apiregistration.k8s.io", "APIService", By(others::api_service)),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        By(others::custom_resource_definition),
    ),
    ("", "Namespace", By(cluster::namespace)),
    ("", "PersistentVolume", By(cluster::persistent_volume)),
    ("", "ResourceQuota", By(cluster::resource_quota)),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        By(cluster::admission_policy),
    ),
    ("gateway.networking.k8s.io", "GatewayClass", By(gateway::class)),
    ("gateway.networking.k8s.io", "Gateway", By(gateway::gateway)),
    ("gateway.networking.k8s.io", "HTTPRoute", By(gateway::route)),
    ("gateway.networking.k8s.io", "GRPCRoute", By(gateway::route)),
    ("gateway.networking.k8s.io", "TLSRoute", By(gateway::route)),
    ("gateway.networking.k8s.io", "TCPRoute", By(gateway::route)),
    ("gateway.networking.k8s.io", "UDPRoute", By(gateway::route)),
    (
        "gateway.networking.k8s.io",
        "BackendTLSPolicy",
        By(gateway::policy),
    ),
    (
        "gateway.networking.k8s.io",
        "BackendLBPolicy",
        By(gateway::policy),
    ),
    ("gateway.networking.k8s.io", "ListenerSet", By(gateway::gateway)),
    ("argoproj.io", "Workflow", By(others::workflow)),
    ("sluice.dev", "Application", By(application::application)),
    ("*", "*", By(conditions::conditions)),
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
    let is_going = timestamp.is_set() && !object.is_held_hook();
    is_going.then(|| Verdict::Progressing("Pending deletion".to_owned()))
}

fn healthy() -> Verdict {
    Verdict::Healthy(String::new())
}
