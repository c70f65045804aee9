//! Reading what is behind the names in refusals. Asked only where something was refused; what cannot be read is not there.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use sluice_cluster::Target;
use sluice_model::object::{GroupKind, Object};
use sluice_model::{ObjectRef, layer};

use crate::grounds::Ground;
use crate::rests::{Gates, LiveWebhook, Parameter, services};
use crate::retry;
use crate::step::Ready;

const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const WEBHOOKS: &[&str] = &["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];

/// Adds what is not known yet. What the cluster had first stays known: it tells what a step changes.
pub(crate) async fn learn(
    cluster: &Target,
    steps: &[Ready<'_>],
    refused: &[(&ObjectRef, &[Ground])],
    gates: &mut Gates,
) {
    let grounds = || refused.iter().flat_map(|(_, grounds)| grounds.iter());
    if gates.webhooks.is_empty() && grounds().any(|ground| matches!(ground, Ground::Webhook { .. })) {
        for kind in WEBHOOKS {
            let configurations = list(cluster, ADMISSION, kind).await;
            gates
                .webhooks
                .extend(configurations.iter().flat_map(|found| entries(kind, found)));
        }
    }
    for (object, grounds) in refused {
        if grounds.contains(&Ground::Api) && !layer::is_builtin(&object.group) {
            let version = (object.group.clone(), object.version.clone());
            let name = format!("{}.{}", object.version, object.group);
            if !gates.apis.contains_key(&version)
                && let Some(api) = get(cluster, "apiregistration.k8s.io", "APIService", None, &name).await
                && let Some(service) = services(api.value()).pop()
            {
                gates.apis.insert(version, service);
            }
        }
    }
    for ground in grounds() {
        if let Ground::Policy { policy, binding } = ground {
            let key = (policy.clone(), binding.clone());
            if let Entry::Vacant(place) = gates.parameters.entry(key) {
                place.insert(parameters(cluster, steps, policy, binding).await);
            }
        }
    }
    let services = named_services(refused, gates);
    if !services.is_empty() && gates.bindings.is_empty() && changes_roles(steps) {
        for kind in ["ClusterRoleBinding", "RoleBinding"] {
            gates.bindings.extend(list(cluster, RBAC, kind).await);
        }
    }
    for service in services {
        let (namespace, name) = &service;
        if !gates.selectors.contains_key(&service)
            && let Some(live) = get(cluster, "", "Service", Some(namespace), name).await
            && let Some(selector) = live.value().pointer("/spec/selector")
        {
            gates.selectors.insert(service, selector.clone());
        }
    }
}

/// Who has a role is asked only where the plan has one.
fn changes_roles(steps: &[Ready<'_>]) -> bool {
    steps
        .iter()
        .any(|ready| ready.step.object.group == RBAC && ready.step.object.kind.ends_with("Role"))
}

fn entries(kind: &str, configuration: &Object) -> Vec<LiveWebhook> {
    let entries = configuration
        .value()
        .get("webhooks")
        .and_then(serde_json::Value::as_array);
    let entry = |entry: &serde_json::Value| LiveWebhook {
        configuration: (kind.to_owned(), configuration.name().to_owned()),
        entry: entry.clone(),
    };
    entries.into_iter().flatten().map(entry).collect()
}

fn named_services(refused: &[(&ObjectRef, &[Ground])], gates: &Gates) -> BTreeSet<(String, String)> {
    let mut named = BTreeSet::new();
    for (object, grounds) in refused {
        for ground in *grounds {
            match ground {
                Ground::Webhook { name, service, .. } => {
                    named.extend(service.clone());
                    let webhooks = gates.webhooks.iter();
                    let entries = webhooks
                        .filter(|webhook| webhook.entry.get("name").and_then(|n| n.as_str()) == Some(name));
                    named.extend(entries.filter_map(LiveWebhook::service));
                }
                Ground::Conversion(service) => named.extend(service.clone()),
                Ground::Api => {
                    let version = (object.group.clone(), object.version.clone());
                    named.extend(gates.apis.get(&version).cloned());
                }
                _ => {}
            }
        }
    }
    named
}

/// The parameters of a policy as bound: as the cluster has them, and as the plan will have them.
async fn parameters(cluster: &Target, steps: &[Ready<'_>], policy: &str, binding: &str) -> Vec<Parameter> {
    let mut found = Vec::new();
    for kind in ["ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"] {
        let (of_policy, of_binding) = (kind.to_owned(), format!("{kind}Binding"));
        let mut policies = Vec::from_iter(get(cluster, ADMISSION, &of_policy, None, policy).await);
        policies.extend(planned(steps, &of_policy, policy));
        if policies.is_empty() {
            continue;
        }
        let mut bindings = Vec::from_iter(get(cluster, ADMISSION, &of_binding, None, binding).await);
        bindings.extend(planned(steps, &of_binding, binding));
        for policy in &policies {
            found.extend(bindings.iter().filter_map(|binding| parameter(policy, binding)));
        }
    }
    found.dedup();
    found
}

fn planned(steps: &[Ready<'_>], kind: &str, name: &str) -> Option<Object> {
    let mut objects = steps.iter().filter_map(|ready| ready.object.as_ref());
    objects
        .find(|object| object.group() == ADMISSION && object.kind() == kind && object.name() == name)
        .cloned()
}

fn parameter(policy: &Object, binding: &Object) -> Option<Parameter> {
    let kind = policy.value().pointer("/spec/paramKind")?;
    let api_version = kind.get("apiVersion")?.as_str()?;
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let reference = binding.value().pointer("/spec/paramRef")?;
    let text = |key: &str| {
        reference
            .get(key)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    Some(Parameter {
        kind: GroupKind::new(group, kind.get("kind")?.as_str()?),
        name: text("name"),
        namespace: text("namespace"),
    })
}

async fn get(
    cluster: &Target,
    group: &str,
    kind: &str,
    namespace: Option<&str>,
    name: &str,
) -> Option<Object> {
    let kinds = cluster.kinds().await.ok()?;
    let kind = kinds.preferred(&GroupKind::new(group, kind))?;
    let reference = ObjectRef {
        group: kind.group.clone(),
        version: kind.version.clone(),
        kind: kind.kind.clone(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    let found = retry::safely(cluster, || cluster.get(kind, &reference)).await;
    found.unwrap_or_else(|error| {
        tracing::debug!(object = %reference, %error, "what a refusal names cannot be read");
        None
    })
}

async fn list(cluster: &Target, group: &str, kind: &str) -> Vec<Object> {
    let Ok(kinds) = cluster.kinds().await else {
        return Vec::new();
    };
    let Some(kind) = kinds.preferred(&GroupKind::new(group, kind)) else {
        return Vec::new();
    };
    let found = retry::safely(cluster, || cluster.list(kind, None, "")).await;
    found.unwrap_or_else(|error| {
        tracing::debug!(kind = kind.kind, %error, "what a refusal may rest on cannot be read");
        Vec::new()
    })
}
