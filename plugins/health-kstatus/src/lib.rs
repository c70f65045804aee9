//! Health by the kstatus model, which Flux, kpt and Config Sync judge by. It is asked only if `spec.policies.health` names it: its
//! answers differ from those of `health-kubernetes`, and an object gets one model's answer, not a mixture.
//!
//! | kstatus says | the verdict is | |
//! |---|---|---|
//! | Current | healthy | the cluster has done what the spec asks for; a Job that runs and one that is suspended are Current too |
//! | InProgress | progressing | |
//! | Failed | degraded | |
//! | Terminating | progressing | |
//! | NotFound | | the engine says it itself (missing): a plugin is handed objects that there are |
//! | Unknown, or an error | unknown | |
//!
//! The order is the model's. Of every object: its deletion, a generation that was not observed, the conditions `Reconciling` and
//! `Stalled` (`generic`). Then the rule of its kind (`workloads`, `pod`, `others`). Of other kinds the condition `Ready`. What says
//! nothing at all is Current, so a custom resource whose controller has not looked at it yet is healthy here; `health-kubernetes` has no
//! opinion on that one. The plugin never leaves an object to another plugin.
//!
//! A message starts with the reason that the model gives (`LessReady: …`). In one thing the plugin is stricter than the Go library: a
//! number, text or flag of the wrong type makes the verdict unknown, where the library takes the field's default.

mod conditions;
mod generic;
mod others;
mod pod;
mod verdicts;
mod workloads;

use sluice_plugin::{Claim, Descriptor, HealthCheck, HealthContext, Object, Problem, Settings, Verdict};

use conditions::Conditions;

/// The plugin.
pub struct HealthKstatus;

impl HealthCheck for HealthKstatus {
    fn describe() -> Descriptor {
        let kinds = RULES.iter().map(|(group, kind, _)| Claim::new(group, kind));
        Descriptor::new(
            "health by the kstatus model, as Flux judges; of every object",
            kinds.chain([Claim::all()]),
        )
        .with_time()
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        settings.none().map(|()| Self)
    }

    fn assess(&self, object: &Object<'_>, context: &HealthContext) -> Result<Verdict, String> {
        let conditions = match generic::judge(object)? {
            Ok(verdict) => return Ok(verdict),
            Err(conditions) => conditions,
        };
        let subject = Subject {
            object,
            conditions: &conditions,
            context,
        };
        match RULES.get(context.claim() as usize) {
            Some((_, _, rule)) => rule(&subject),
            None => Ok(generic::ready(&conditions)),
        }
    }
}

sluice_plugin::health_check!(HealthKstatus);

/// An object that its generic properties do not decide.
struct Subject<'a> {
    object: &'a Object<'a>,
    conditions: &'a Conditions,
    context: &'a HealthContext,
}

/// How a kind is judged.
type Rule = fn(&Subject<'_>) -> Result<Verdict, String>;

/// The claims, each with its rule; the last claim, of every object, has none. Versions are not looked at.
const RULES: [(&str, &str, Rule); 16] = [
    ("apps", "Deployment", workloads::deployment),
    ("extensions", "Deployment", workloads::deployment),
    ("apps", "StatefulSet", workloads::stateful_set),
    ("apps", "DaemonSet", workloads::daemon_set),
    ("extensions", "DaemonSet", workloads::daemon_set),
    ("apps", "ReplicaSet", workloads::replica_set),
    ("extensions", "ReplicaSet", workloads::replica_set),
    ("batch", "Job", others::job),
    ("batch", "CronJob", others::always),
    ("", "Pod", pod::pod),
    ("", "Service", others::service),
    ("", "PersistentVolumeClaim", others::claim),
    ("", "ConfigMap", others::always),
    ("", "Secret", others::always),
    ("policy", "PodDisruptionBudget", others::disruption_budget),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        others::definition,
    ),
];
