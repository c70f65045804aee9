//! The checks of `source`, `sources` and `pin`.

use std::collections::{BTreeMap, BTreeSet};

use sluice_charts::Place;
use sluice_model::Application;
use sluice_model::application::{ApplicationStatus, Source, VerificationState};
use sluice_model::revisions;

use super::resolve::Wrong;
use crate::JobSource;
use crate::sources::field_of;
use crate::variables::{SETTINGS, has_expression};

/// So many sources an Application has at most.
const SOURCES: usize = 20;

/// The sources of an Application, in the order of its spec.
pub(super) fn read(application: &Application, wrong: &mut Wrong) -> Vec<JobSource> {
    let (spec, status) = (&application.spec, application.status.as_ref());
    match (&spec.source, spec.sources.len()) {
        (None, 0) => wrong.add(
            "spec.source",
            "an Application has `source`, or a list of `sources`",
        ),
        (Some(_), 1..) => wrong.add(
            "spec.sources",
            "an Application has either `source` or `sources`, not both",
        ),
        (_, count) if count > SOURCES => {
            wrong.add(
                "spec.sources",
                format!("there are {count}; {SOURCES} are the most"),
            );
        }
        (Some(_), 0) | (None, 1..) => {}
    }
    let mut start = wrong.start(
        "spec.verification.startOfTrust",
        spec.verification
            .as_ref()
            .and_then(|verification| verification.start_of_trust.as_ref()),
    );
    if start.is_some() && !spec.sources.is_empty() {
        wrong.add(
            "spec.verification.startOfTrust",
            "of several sources each has its own: write it as `spec.sources[…].startOfTrust`",
        );
        start = None;
    }
    if let Some(source) = &spec.source {
        let alone = [
            ("name", source.name.is_empty()),
            ("ref", source.reference.is_empty()),
            ("startOfTrust", source.start_of_trust.is_none()),
        ];
        for (field, _) in alone.into_iter().filter(|(_, is_missing)| !is_missing) {
            wrong.add(
                format!("spec.source.{field}"),
                "it is for one of several `sources`; for a single one it means nothing",
            );
        }
    }
    let pins = pins(application, wrong);
    let mut sources = Vec::new();
    for (index, (name, source)) in spec.named_sources().enumerate() {
        // `source` comes first, where both are given.
        let before = usize::from(spec.source.is_some() && !name.is_empty());
        let place = field_of(&name, index - before);
        one(source, &place, wrong);
        let own = wrong.start(&format!("{place}.startOfTrust"), source.start_of_trust.as_ref());
        sources.push(JobSource {
            pinned: pins.get(name.as_str()).cloned(),
            start_of_trust: own.or_else(|| start.take()),
            verified: status
                .and_then(|status| status.verification_of(&name).cloned())
                .unwrap_or_default(),
            spec: source.clone(),
            name,
        });
    }
    names(&sources, wrong);
    referring(&sources, wrong);
    sources
}

/// What was verified of sources that are gone, or have another name now.
pub(super) fn orphans(status: &ApplicationStatus, sources: &[JobSource]) -> Vec<VerificationState> {
    let is_current = |name: &str| sources.iter().any(|source| source.name == name);
    let orphans = status.verifications().filter(|(name, _)| !is_current(name));
    orphans.map(|(_, state)| state.clone()).collect()
}

fn one(source: &Source, place: &str, wrong: &mut Wrong) {
    for (field, text) in [
        ("repoURL", &source.repo_url),
        ("targetRevision", &source.target_revision),
        ("chart", source.chart.as_ref().unwrap_or(&source.repo_url)),
    ] {
        if has_expression(text) {
            wrong.add(
                format!("{place}.{field}"),
                format!("expressions are replaced in `{}` only", SETTINGS.join("`, `")),
            );
            return;
        }
    }
    origin(source, place, wrong);
    wrong.revision_of(
        source,
        &format!("{place}.targetRevision"),
        &source.target_revision,
    );
    if let Some(plugin) = &source.plugin {
        wrong.plugin(&format!("{place}.plugin.name"), &plugin.name);
    }
    for (field, name) in [
        ("credentials", &source.credentials),
        ("knownHosts", &source.known_hosts),
        ("tlsCertificates", &source.tls_certificates),
    ] {
        wrong.name(&format!("{place}.{field}"), name.as_ref());
    }
}

/// The values files that begin with the `ref` of another source, or what should be one.
fn referring(sources: &[JobSource], wrong: &mut Wrong) {
    let references: BTreeSet<&str> = sources.iter().map(|source| &*source.spec.reference).collect();
    for (index, source) in sources.iter().enumerate() {
        let Some(helm) = &source.spec.helm else { continue };
        let files = helm.value_files.iter();
        let parameters = helm.file_parameters.iter().map(|parameter| &parameter.path);
        for written in files.chain(parameters) {
            let Some(named) = written.strip_prefix('$') else {
                continue;
            };
            let name = named.split('/').next().unwrap_or_default();
            // Left alone, `ignoreMissingValueFiles` would pass over values that the author counts on.
            if !name.is_empty() && references.contains(name)
                || name.starts_with("ARGOCD_")
                || name.starts_with('{')
            {
                continue;
            }
            let place = source.field(index);
            let detail = format!(
                "`{written}` is a file of the source with `ref: {name}`, and none of `spec.sources` has that"
            );
            wrong.add(format!("{place}.helm"), detail);
        }
    }
}

/// What a chart or an artifact cannot have.
fn origin(source: &Source, place: &str, wrong: &mut Wrong) {
    if source.is_git() {
        return;
    }
    if let Err(error) = Place::read(&source.repo_url, source.chart.as_deref()) {
        let field = match source.chart {
            Some(_) if error.to_string().contains("`chart`") => "chart",
            _ => "repoURL",
        };
        wrong.add(format!("{place}.{field}"), error.to_string());
    }
    if source.chart.is_some() && !matches!(source.path.trim_matches('/'), "" | ".") {
        wrong.add(
            format!("{place}.path"),
            "a chart of a chart repository has no folders to choose from: leave it out",
        );
    }
}

/// What tells sources from each other has to.
fn names(sources: &[JobSource], wrong: &mut Wrong) {
    let (mut names, mut references) = (BTreeSet::new(), BTreeSet::new());
    for (index, source) in sources.iter().enumerate() {
        let (name, reference) = (&source.name, &source.spec.reference);
        if name.is_empty() {
            continue;
        }
        if !revisions::is_name(name) {
            let detail = format!(
                "`{name}` is no name of a source: it is at most 63 letters, digits, `-`, `_` and `.`; give it a `name`"
            );
            wrong.add(format!("spec.sources[{index}].name"), detail);
        } else if !names.insert(name) {
            let detail = format!("two sources are called `{name}`; give each a `name` of its own");
            wrong.add(format!("spec.sources[{index}].name"), detail);
        }
        let is_reference = reference
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_reference {
            let detail = format!("`{reference}` is none: it has letters, digits, `-` and `_`");
            wrong.add(format!("spec.sources[{index}].ref"), detail);
        } else if !reference.is_empty() && !references.insert(reference) {
            let detail = format!("two sources are meant by `${reference}`");
            wrong.add(format!("spec.sources[{index}].ref"), detail);
        }
    }
}

/// At what each source is kept, by its name.
fn pins(application: &Application, wrong: &mut Wrong) -> BTreeMap<String, String> {
    let (spec, field) = (&application.spec, "spec.pin.revision");
    let Some(pin) = &spec.pin else {
        return BTreeMap::new();
    };
    if spec.sources.is_empty() {
        match &spec.source {
            Some(source) => wrong.revision_of(source, field, &pin.revision),
            None => wrong.revision(field, &pin.revision),
        }
        return BTreeMap::from([(String::new(), pin.revision.clone())]);
    }
    let names: Vec<String> = spec.named_sources().map(|(name, _)| name).collect();
    match by_name(&pin.revision, &names) {
        Ok(pins) => {
            for (name, source) in spec.named_sources() {
                if let Some(revision) = pins.get(&name) {
                    wrong.revision_of(source, field, revision);
                }
            }
            pins
        }
        Err(detail) => {
            wrong.add(field, detail);
            BTreeMap::new()
        }
    }
}

/// Reads `NAME=REVISION,NAME=REVISION`.
pub(super) fn by_name(text: &str, names: &[String]) -> Result<BTreeMap<String, String>, String> {
    let all = names.join("`, `");
    let Some(named) = revisions::named(text) else {
        return Err(format!(
            "`{text}` does not say of which source; write `NAME=REVISION`, several with commas between them. The sources are `{all}`"
        ));
    };
    if let Some(name) = named
        .keys()
        .find(|name| !names.iter().any(|known| known == *name))
    {
        return Err(format!("there is no source `{name}`; the sources are `{all}`"));
    }
    let owned = |(name, revision): (&str, &str)| (name.to_owned(), revision.to_owned());
    Ok(named.into_iter().map(owned).collect())
}
