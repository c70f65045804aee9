//! The checks: every text of a spec that means something is read here, and every one that means nothing is named.

use std::path::PathBuf;
use std::time::Duration;

use sluice_cluster::ServiceAccount;
use sluice_compare::Rules;
use sluice_model::application::{
    ApplicationSpec, KeyringRef, LocalName, PolicyRef, Source, StartOfTrust, Verification,
};
use sluice_model::retry::Retry;
use sluice_model::{Application, Coded, ErrorCode};

use super::{Defaults, Job, KeyringPlace, TrustStart, accepted, owned_before, recorded, sources};
use crate::codes;
use crate::variables::has_expression;

/// A mistake in the spec of an Application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is wrong: {detail}")]
pub struct Problem {
    /// Its path: `spec.ignoreDifferences[0].jsonPointers[1]`.
    pub field: String,
    /// What is wrong, and how it is written right.
    pub detail: String,
    code: &'static ErrorCode,
}

impl Problem {
    pub(crate) fn of(code: &'static ErrorCode, field: String, detail: String) -> Self {
        Self { field, detail, code }
    }

    /// True for the account that an Application acts as.
    pub(super) fn is_of_account(&self) -> bool {
        [ACCOUNT, DEFAULT_ACCOUNT].contains(&self.field.as_str())
    }

    /// The field as `kubectl explain` takes it: without the places in lists.
    fn documented(&self) -> String {
        let mut parts = self.field.split('[');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            text + part.split_once(']').map_or("", |(_, rest)| rest)
        })
    }
}

impl Coded for Problem {
    fn code(&self) -> &'static ErrorCode {
        self.code
    }

    fn hint(&self) -> String {
        match self.field.starts_with("spec.") && self.code == &codes::SPEC {
            true => format!(
                "correct it; `kubectl explain application.{}` documents the field",
                self.documented()
            ),
            false => self.code.hint.to_owned(),
        }
    }
}

/// The one cluster that there is so far.
const IN_CLUSTER: &str = "in-cluster";
const ACCOUNT: &str = "spec.destination.serviceAccount";
const DEFAULT_ACCOUNT: &str = "--default-service-account";
/// The option that makes the destination namespace the application's business.
const CREATE_NAMESPACE: &str = "CreateNamespace";

/// An Application, with something harmless in the place of what is wrong, and everything that is.
pub(super) fn read(application: &Application, defaults: &Defaults) -> (Job, Vec<Problem>) {
    let key = Job::key_of(application, &defaults.namespace);
    let (spec, status) = (&application.spec, application.status.as_ref());
    let mut wrong = Wrong::default();
    let sources = sources::read(application, &mut wrong);
    let keyrings = wrong.keyrings(spec.verification.as_ref());
    wrong.destination(spec);
    let account = wrong.account(&key.namespace, spec, defaults);
    let retry = Retry {
        limit: spec.sync_policy.retry.limit,
        first: wrong.duration(
            "spec.syncPolicy.retry.backoff.duration",
            &spec.sync_policy.retry.backoff.duration,
        ),
        factor: spec.sync_policy.retry.backoff.factor.max(1),
        longest: wrong.duration(
            "spec.syncPolicy.retry.backoff.maxDuration",
            &spec.sync_policy.retry.backoff.max_duration,
        ),
    };
    let creates_namespace = wrong.creates_namespace(&spec.sync_policy.sync_options);
    let health_timeout = wrong.duration("spec.syncPolicy.healthTimeout", &spec.sync_policy.health_timeout);
    for (world, policies) in [
        ("health", &spec.policies.health),
        ("prune", &spec.policies.prune),
        ("sync", &spec.policies.sync),
    ] {
        wrong.policies(world, policies);
    }
    let rules = wrong.rules(spec);
    let job = Job {
        account,
        rules,
        health_timeout,
        retry,
        creates_namespace,
        keyrings,
        orphans: status
            .map(|status| sources::orphans(status, &sources))
            .unwrap_or_default(),
        sources,
        accepted: accepted(application),
        synced: status
            .map(|status| status.sync.revision.clone())
            .filter(|revision| !revision.is_empty()),
        completed: status.map(|status| status.completed.clone()).unwrap_or_default(),
        owned_before: status.and_then(owned_before),
        recorded: recorded(application),
        spec: spec.clone(),
        key,
    };
    (job, wrong.0)
}

/// What was found to be wrong so far.
#[derive(Default)]
pub(super) struct Wrong(Vec<Problem>);

impl Wrong {
    pub(super) fn add(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Problem {
            field: field.into(),
            detail: detail.into(),
            code: &codes::SPEC,
        });
    }

    /// A revision, as the kind of the source has it.
    pub(super) fn revision_of(&mut self, source: &Source, field: &str, name: &str) {
        if source.is_git() {
            return self.revision(field, name);
        }
        let is_of_registry =
            !source.repo_url.starts_with("https://") && !source.repo_url.starts_with("http://");
        if let Err(reason) = sluice_charts::readable(name, is_of_registry) {
            self.add(
                field,
                format!("`{name}` is no version and no range of versions: {reason}"),
            );
        }
    }

    pub(super) fn revision(&mut self, field: &str, name: &str) {
        if !sluice_source::can_be_revision(name) {
            self.add(
                field,
                format!("`{name}` is no name of a branch, a tag or a commit"),
            );
        }
    }

    /// The name of a ConfigMap or Secret.
    pub(super) fn name(&mut self, field: &str, reference: Option<&LocalName>) {
        if let Some(LocalName { name }) = reference.filter(|reference| !is_name(&reference.name, 253, b".")) {
            let detail = format!(
                "`{name}` is no name: it is at most 253 of a-z, 0-9, `-` and `.`, and begins and ends with a letter or digit"
            );
            self.add(format!("{field}.name"), detail);
        }
    }

    fn keyrings(&mut self, verification: Option<&Verification>) -> Vec<KeyringPlace> {
        let mut places = Vec::new();
        let Some(verification) = verification else {
            return places;
        };
        for (index, reference) in verification.keyrings.iter().enumerate() {
            let field = format!("spec.verification.keyrings[{index}]");
            self.name(&format!("{field}.configMap"), reference.config_map.as_ref());
            self.name(&format!("{field}.secret"), reference.secret.as_ref());
            let KeyringRef {
                config_map,
                secret,
                file,
            } = reference;
            match (config_map, secret, file) {
                (Some(map), None, None) => places.push(KeyringPlace::ConfigMap(map.name.clone())),
                (None, Some(secret), None) => places.push(KeyringPlace::Secret(secret.name.clone())),
                (None, None, Some(file)) if !file.is_empty() => {
                    places.push(KeyringPlace::File(PathBuf::from(file)));
                }
                (None, None, Some(_)) => self.add(format!("{field}.file"), "it names no file"),
                _ => self.add(field, "it has one of `configMap`, `secret` and `file`"),
            }
        }
        for (index, rules) in verification.rules_from.iter().enumerate() {
            let field = format!("spec.verification.rulesFrom[{index}]");
            self.name(&format!("{field}.configMap"), Some(&rules.config_map));
            let is_key = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if rules.key.is_empty() || !rules.key.bytes().all(is_key) {
                let detail = format!("`{}` is no key of a ConfigMap", rules.key);
                self.add(format!("{field}.key"), detail);
            }
        }
        places
    }

    pub(super) fn start(&mut self, field: &str, start: Option<&StartOfTrust>) -> Option<TrustStart> {
        let StartOfTrust { commit, tag } = start?;
        match (commit, tag) {
            (Some(commit), None) if is_id(commit) => Some(TrustStart::Commit(commit.clone())),
            (Some(_), None) => {
                let detail = "it is a whole object id: 40 or 64 hexadecimal digits";
                self.add(format!("{field}.commit"), detail);
                None
            }
            (None, Some(tag)) => {
                self.revision(&format!("{field}.tag"), tag);
                Some(TrustStart::Tag(tag.clone()))
            }
            (Some(_), Some(_)) | (None, None) => {
                self.add(field, "it has either `commit` or `tag`");
                None
            }
        }
    }

    fn destination(&mut self, spec: &ApplicationSpec) {
        let destination = &spec.destination;
        if destination.name != IN_CLUSTER {
            self.0.push(Problem {
                field: "spec.destination.name".to_owned(),
                detail: format!("there is no cluster named `{}`", destination.name),
                code: &codes::DESTINATION,
            });
        }
        if let Some(name) = destination
            .namespace
            .as_ref()
            .filter(|name| !is_name(name, 63, b""))
        {
            let detail = format!(
                "`{name}` is no name of a namespace: it is at most 63 of a-z, 0-9 and `-`, and begins and ends with a letter or digit"
            );
            self.add("spec.destination.namespace", detail);
        }
    }

    fn account(
        &mut self,
        namespace: &str,
        spec: &ApplicationSpec,
        defaults: &Defaults,
    ) -> Option<ServiceAccount> {
        let (field, name) = match (&spec.destination.service_account, &defaults.account) {
            (Some(name), _) => (ACCOUNT, name),
            (None, Some(name)) => (DEFAULT_ACCOUNT, name),
            (None, None) => return None,
        };
        let account = ServiceAccount::named(namespace, name);
        if account.is_none() {
            self.add(
                field,
                format!("`{name}` of `{namespace}` is no name of a ServiceAccount"),
            );
        }
        account
    }

    /// `5s`, `3m`, `1h30m`.
    fn duration(&mut self, field: &str, text: &str) -> Duration {
        let span: Result<jiff::SignedDuration, _> = text.parse();
        match span.map(Duration::try_from) {
            Ok(Ok(duration)) => return duration,
            Ok(Err(_)) => self.add(field, format!("`{text}` is negative")),
            Err(error) => {
                self.add(
                    field,
                    format!("`{text}` is no duration such as `5s` or `3m`: {error}"),
                );
            }
        }
        Duration::ZERO
    }

    fn creates_namespace(&mut self, options: &[String]) -> bool {
        let mut creates = false;
        for (index, option) in options.iter().enumerate() {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !name.trim().eq_ignore_ascii_case(CREATE_NAMESPACE) {
                continue;
            }
            match (name, value) {
                (CREATE_NAMESPACE, "true") => creates = true,
                (CREATE_NAMESPACE, "false") => {}
                _ => {
                    let detail =
                        format!("`{option}` is neither `CreateNamespace=true` nor `CreateNamespace=false`");
                    self.add(format!("spec.syncPolicy.syncOptions[{index}]"), detail);
                }
            }
        }
        creates
    }

    fn policies(&mut self, world: &str, policies: &[PolicyRef]) {
        for (index, policy) in policies.iter().enumerate() {
            self.plugin(&format!("spec.policies.{world}[{index}].plugin"), &policy.plugin);
        }
    }

    /// `name` or `name@sha256:…`.
    pub(super) fn plugin(&mut self, place: &str, written: &str) {
        let (name, pinned) = match written.split_once('@') {
            Some((name, pinned)) => (name, Some(pinned)),
            None => (written, None),
        };
        let is_digest = |text: &str| {
            text.strip_prefix("sha256:")
                .is_some_and(|digits| digits.len() == 64 && is_hexadecimal(digits))
        };
        let is_name = !name.is_empty()
            && !name.contains(['/', '\\'])
            && !name.chars().any(char::is_control)
            && !has_expression(name);
        if !is_name || !pinned.is_none_or(is_digest) {
            let detail = format!(
                "`{written}` is neither the name of a plugin nor `name@sha256:` and 64 hexadecimal digits"
            );
            self.add(place, detail);
        }
    }

    fn rules(&mut self, spec: &ApplicationSpec) -> Rules {
        Rules::read(&spec.ignore_differences).unwrap_or_else(|mistakes| {
            for mistake in mistakes {
                self.add(
                    format!("spec.ignoreDifferences{}", mistake.place),
                    mistake.to_string(),
                );
            }
            Rules::default()
        })
    }
}

/// Names as Kubernetes has them (RFC 1123): lower-case letters, digits, `-` and what else is allowed within.
fn is_name(text: &str, longest: usize, within: &[u8]) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    text.len() <= longest
        && bytes.first().is_some_and(is_end)
        && bytes.last().is_some_and(is_end)
        && bytes
            .iter()
            .all(|byte| is_end(byte) || *byte == b'-' || within.contains(byte))
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && is_hexadecimal(text)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
