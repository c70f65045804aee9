//! Objects and what was said of them: as rows of a table, and as the contract of `-o json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sluice_model::application::PolicyRef;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::{Object, ObjectRef};
use sluice_operations::Part;
use sluice_plugin_host::{Examined, PluginHost};

use super::why::Why;
use crate::commands::get::health_cell;
use crate::output::{Cell, FAINT, Table};

/// An object, what was said of it, and why, if that is asked for.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) object: ObjectRef,
    pub(super) created: Option<Timestamp>,
    pub(super) verdict: HealthVerdict,
    pub(super) why: Option<Why>,
}

/// The contract of `-o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    api_version: String,
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
    #[serde(flatten)]
    verdict: &'a HealthVerdict,
    #[serde(flatten)]
    why: Option<&'a Why>,
}

impl Judged {
    /// Objects with what was said of each, in their order.
    pub(super) fn all(parts: &[Part], examined: Vec<Examined>) -> Vec<Self> {
        let both = parts.iter().zip(examined);
        both.map(|(part, examined)| Self {
            object: part.reference.clone(),
            created: created(part),
            verdict: examined.verdict,
            why: None,
        })
        .collect()
    }

    /// As [`Judged::all`], with the reasons. The policies are those that were asked.
    pub(super) fn with_reasons(
        parts: &[Part],
        examined: Vec<Examined>,
        plugins: &PluginHost,
        policies: &[PolicyRef],
    ) -> Vec<Self> {
        let live: Vec<Object> = parts.iter().filter_map(|part| part.live.clone()).collect();
        let mut claims = plugins.health_claims(policies, &live).into_iter();
        let names = names(&live);
        let reasons: Vec<Why> = parts
            .iter()
            .zip(&examined)
            .map(|(part, examined)| {
                let claims = part.live.as_ref().and_then(|_| claims.next());
                let uid = part.live.as_ref().and_then(|live| live.metadata("uid"));
                Why::new(examined, &claims.unwrap_or_default(), uid, &names)
            })
            .collect();
        let judged = Self::all(parts, examined).into_iter().zip(reasons);
        judged
            .map(|(judged, why)| Self {
                why: Some(why),
                ..judged
            })
            .collect()
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.verdict.status == HealthStatus::Healthy
    }

    /// True if nobody said anything of it.
    pub(super) fn is_without_opinion(&self) -> bool {
        self.is_healthy() && self.verdict.plugin.is_none()
    }

    pub(super) fn row(&self) -> Row<'_> {
        Row {
            api_version: self.object.api_version(),
            kind: &self.object.kind,
            namespace: self.object.namespace.as_deref(),
            name: &self.object.name,
            verdict: &self.verdict,
            why: self.why.as_ref(),
        }
    }
}

fn created(part: &Part) -> Option<Timestamp> {
    part.live.as_ref()?.metadata("creationTimestamp")?.parse().ok()
}

/// What objects are called, by their uids.
fn names(objects: &[Object]) -> BTreeMap<String, String> {
    let name = |object: &Object| {
        let uid = object.metadata("uid")?.to_owned();
        Some((uid, format!("{}/{}", object.kind(), object.name())))
    };
    objects.iter().filter_map(name).collect()
}

/// A line an object, each with its reasons below it.
pub(super) fn table(judged: &[Judged]) -> Table {
    let mut table = Table::new();
    for judged in judged {
        let claim = judged.why.as_ref().and_then(|why| why.claim.as_deref());
        let by = match (&judged.verdict.plugin, claim) {
            (None, _) => "no opinion".to_owned(),
            (Some(plugin), None) => plugin.clone(),
            (Some(plugin), Some(claim)) => format!("{plugin} ({claim})"),
        };
        table.row(vec![
            health_cell(judged.verdict.status),
            judged.object.to_string().into(),
            Cell::new(by, FAINT),
            (&judged.verdict.message).into(),
        ]);
        for line in judged.why.iter().flat_map(Why::lines) {
            table.row(vec![Cell::new(format!("  {line}"), FAINT)]);
        }
    }
    table
}
