//! Kinds that do not run Pods.

use serde_json::Value as Json;
use sluice_plugin::{HealthContext, Object, Verdict};

use crate::settings::{Wait, Waits};
use crate::{DELETION, causes, deleting, healthy};

/// The label by which an EndpointSlice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

pub(crate) fn service(
    object: &Object<'_>,
    waits: &Waits,
    context: &HealthContext,
) -> Result<Verdict, String> {
    let [deletion, kind] = object.fields([DELETION, "/spec/type"]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    let kind = kind.text()?;
    if kind.as_deref() == Some("LoadBalancer") {
        let verdict = balanced(object, waits.load_balancers);
        if !matches!(verdict, Verdict::Healthy(_)) {
            return Ok(causes::told(verdict, object, context));
        }
    }
    let has_endpoints = kind.as_deref() != Some("ExternalName") && object.length("/spec/selector") > Some(0);
    match waits.endpoints {
        Wait::For if has_endpoints => Ok(served(object, context)),
        Wait::For | Wait::Pass => Ok(healthy()),
    }
}

/// Whether an endpoint of a Service is ready. If its EndpointSlices are not known, the Service is as good as it looks.
fn served(object: &Object<'_>, context: &HealthContext) -> Verdict {
    let name = object.reference().name;
    let slices = context.labelled("discovery.k8s.io", "EndpointSlice", &[(SERVICE_NAME, &name)]);
    let Some(slices) = slices else { return healthy() };
    let endpoints = slices.iter().filter_map(|slice| slice.tree("/endpoints"));
    let endpoints: Vec<Json> = endpoints
        .filter_map(|list| list.as_array().cloned())
        .flatten()
        .collect();
    // Not known counts as ready, as for Kubernetes' own proxies.
    let is_ready = |endpoint: &&Json| endpoint.pointer("/conditions/ready") != Some(&Json::Bool(false));
    match (endpoints.iter().filter(is_ready).count(), endpoints.len()) {
        (0, 0) => Verdict::Progressing("no Pod is behind it".to_owned()),
        (0, all) => Verdict::Progressing(format!("none of its {all} endpoints is ready")),
        (ready, all) => Verdict::Healthy(format!("{ready} of {all} endpoints are ready")),
    }
}

pub(crate) fn ingress(object: &Object<'_>, waits: &Waits) -> Result<Verdict, String> {
    let [deletion] = object.fields([DELETION]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    Ok(balanced(object, waits.load_balancers))
}

/// Whether a load balancer has given an address.
fn balanced(object: &Object<'_>, wait: Wait) -> Verdict {
    match object.length("/status/loadBalancer/ingress") {
        Some(1..) => healthy(),
        Some(0) | None => wait.verdict("no load balancer has given it an address yet"),
    }
}

/// With these annotations Kubernetes asks a provisioner for the volume of a claim; of a class that binds for the first consumer it does so
/// once there is one.
const PROVISIONERS: [&str; 2] = [
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
];

pub(crate) fn persistent_volume_claim(
    object: &Object<'_>,
    waits: &Waits,
    context: &HealthContext,
) -> Result<Verdict, String> {
    let [deletion, phase, class, volume] = object.fields([
        DELETION,
        "/status/phase",
        "/spec/storageClassName",
        "/spec/volumeName",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    let has_class = class.text()?.is_some_and(|class| !class.is_empty());
    let has_volume = volume.text()?.is_some_and(|volume| !volume.is_empty());
    let is_asked_for = || PROVISIONERS.iter().any(|name| object.annotation(name).is_some());
    Ok(match phase.text()?.as_deref() {
        Some("Bound") => healthy(),
        Some("Pending") if has_class && !has_volume && !is_asked_for() => waits
            .first_consumers
            .verdict("it waits for the first Pod that uses it"),
        Some("Pending") => causes::told(Verdict::Progressing(String::new()), object, context),
        Some("Lost") => Verdict::Degraded("its volume is gone".to_owned()),
        _ => Verdict::Unknown(String::new()),
    })
}

pub(crate) fn autoscaler(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, api_version, conditions, annotation] = object.fields([
        DELETION,
        "/apiVersion",
        "/status/conditions",
        "/metadata/annotations/autoscaling.alpha.kubernetes.io~1conditions",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    match api_version.text()?.as_deref() {
        // Without conditions of its own: they are in an annotation, as JSON.
        Some("autoscaling/v1") => match annotation.text()?.map(|text| serde_json::from_str(&text)) {
            Some(Ok(conditions)) => autoscaler_conditions(&conditions),
            Some(Err(error)) => Err(format!("the annotation with the conditions is no JSON: {error}")),
            None => Ok(Verdict::Progressing("Waiting to Autoscale".to_owned())),
        },
        Some("autoscaling/v2" | "autoscaling/v2beta1" | "autoscaling/v2beta2") => {
            autoscaler_conditions(&conditions.tree()?)
        }
        other => Err(format!(
            "`{}` is a version that nobody knows",
            other.unwrap_or_default()
        )),
    }
}

fn autoscaler_conditions(conditions: &Json) -> Result<Verdict, String> {
    let conditions = match conditions {
        Json::Null => &Vec::new(),
        Json::Array(conditions) => conditions,
        _ => return Err("the conditions are no list".to_owned()),
    };
    let text = |condition: &Json, key: &str| {
        condition
            .get(key)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let failing = |condition: &&Json| match text(condition, "type").as_str() {
        "AbleToScale" => {
            ["FailedGetScale", "FailedUpdateScale"].contains(&text(condition, "reason").as_str())
        }
        "ScalingActive" => [
            "FailedGetResourceMetric",
            "FailedGetObjectMetric",
            "FailedGetPodsMetric",
            "FailedGetExternalMetric",
            "FailedComputeMetricsReplicas",
            "InvalidSelector",
        ]
        .contains(&text(condition, "reason").as_str()),
        _ => false,
    };
    let working = |condition: &&Json| {
        ["AbleToScale", "ScalingLimited"].contains(&text(condition, "type").as_str())
            && text(condition, "status") == "True"
    };
    if let Some(condition) = conditions.iter().find(failing) {
        return Ok(Verdict::Degraded(text(condition, "message")));
    }
    Ok(match conditions.iter().find(working) {
        Some(condition) => Verdict::Healthy(text(condition, "message")),
        None => Verdict::Progressing("Waiting to Autoscale".to_owned()),
    })
}

/// A budget is good once it was taken in. That it allows no disruption now is what it is for.
pub(crate) fn disruption_budget(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, generation, observed, reason, message] = object.fields([
        DELETION,
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/conditions/[type=DisruptionAllowed]/reason",
        "/status/conditions/[type=DisruptionAllowed]/message",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    if reason.text()?.as_deref() == Some("SyncFailed") {
        return Ok(Verdict::Degraded(message.text()?.unwrap_or_default()));
    }
    Ok(match generation.count()? > observed.count()? {
        true => Verdict::Progressing("the new spec was not observed yet".to_owned()),
        false => healthy(),
    })
}

pub(crate) fn api_service(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, available, reason, message] = object.fields([
        DELETION,
        "/status/conditions/[type=Available]/status",
        "/status/conditions/[type=Available]/reason",
        "/status/conditions/[type=Available]/message",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    let text = format!(
        "{}: {}",
        reason.text()?.unwrap_or_default(),
        message.text()?.unwrap_or_default()
    );
    Ok(match available.text()?.as_deref() {
        Some("True") => Verdict::Healthy(text),
        Some(_) => Verdict::Progressing(text),
        None => Verdict::Progressing("Waiting to be processed".to_owned()),
    })
}

pub(crate) fn custom_resource_definition(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, established, names, reason, structural, flaw] = object.fields([
        DELETION,
        "/status/conditions/[type=Established]/status",
        "/status/conditions/[type=NamesAccepted]/status",
        "/status/conditions/[type=NamesAccepted]/message",
        "/status/conditions/[type=NonStructuralSchema]/status",
        "/status/conditions/[type=NonStructuralSchema]/message",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    if names.text()?.as_deref() == Some("False") {
        return Ok(Verdict::Degraded(reason.text()?.unwrap_or_default()));
    }
    if structural.text()?.as_deref() == Some("True") {
        return Ok(Verdict::Degraded(flaw.text()?.unwrap_or_default()));
    }
    Ok(match established.text()?.as_deref() {
        Some("True") => healthy(),
        _ => Verdict::Progressing("the API server does not serve it yet".to_owned()),
    })
}

/// An Argo Workflow: it runs once and has a phase.
pub(crate) fn workflow(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, phase, message] = object.fields([DELETION, "/status/phase", "/status/message"]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    let message = message.text()?.unwrap_or_default();
    Ok(match phase.text()?.as_deref() {
        None | Some("" | "Pending" | "Running") => Verdict::Progressing(message),
        Some("Succeeded") => Verdict::Healthy(message),
        Some("Failed" | "Error") => Verdict::Degraded(message),
        Some(_) => Verdict::Unknown(message),
    })
}
