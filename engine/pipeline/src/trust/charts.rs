//! Charts and artifacts: judged by their provenance files, not by a history.
//!
//! A chart repository has no history that could show what came after what. So an old index that is given out again looks like the newest
//! one, and every version in it is well signed. What is known is the version that was trusted last: if the range that the Application
//! follows still allows it and leads to an older one now, that is refused, and the cluster stays, until a person says that it is right:
//! by naming the version (a target revision that is a version, `pin`, `--revision`), or by accepting the archive by its digest. Where
//! no verification is asked for, the index is believed, as Argo CD and Flux believe it.

use std::cmp::Ordering;
use std::sync::Arc;

use sluice_charts::Constraint;
use sluice_charts::version::Version;
use sluice_model::application::{Source, VerificationMode};
use sluice_model::tree::Tree;
use sluice_model::trust::{Evidence, SignatureReport, Verified};
use sluice_verify::{ChartArchive, Verifier, VerifyError};

use super::{Starts, refused};
use crate::error::PipelineError;
use crate::variables::is_path_open;
use crate::{ChartOrigin, Grounds, Job, JobSource, Origin, TrustedSource};

/// Judges an archive, and reads the files of the source.
pub(super) fn judge(
    job: &Job,
    source: &JobSource,
    chart: &ChartOrigin,
    grounds: &Grounds,
    now: jiff::Timestamp,
) -> Result<TrustedSource, PipelineError> {
    let fetched = &chart.fetched;
    let tree = fetched.tree(folder(&source.spec))?;
    if job.mode() == VerificationMode::None {
        return Ok(trusted(source, chart, Verifier::not_required(tree), Vec::new()));
    }
    let id = &fetched.revision.commit;
    let metadata = fetched.metadata.as_ref();
    let archive = ChartArchive {
        bytes: fetched.archive.bytes(),
        chart: metadata.map(|metadata| (metadata.name.as_str(), metadata.version.as_str())),
        provenance: fetched.archive.provenance().map(|file| &**file),
    };
    let judged = Verifier::new(&grounds.keyring, &grounds.policy, now).chart(tree, &archive);
    let is_last = source.verified.trusted_revision.as_ref() == Some(id);
    let (tree, report) = judged.map_err(|error| match is_last {
        true => PipelineError::NoLongerTrusted {
            commit: id.clone(),
            error: Arc::new(error),
        },
        false => refused(id, error),
    })?;
    let is_accepted = job.accepted.as_ref() == Some(id);
    if let Some(error) = older(source, chart).filter(|_| !is_accepted) {
        return Err(refused(id, error));
    }
    Ok(trusted(source, chart, tree, vec![report]))
}

/// The archive that was trusted last: what the cluster is at, it may stay at.
pub(super) fn stay(source: &JobSource, chart: &ChartOrigin) -> Result<TrustedSource, PipelineError> {
    let fetched = &chart.fetched;
    let tree = fetched.tree(folder(&source.spec))?;
    let last = source.verified.trusted_revision.as_deref().unwrap_or_default();
    let tree = Verifier::chart_as_before(tree, fetched.archive.bytes(), last)
        .map_err(|error| refused(&fetched.revision.commit, error))?;
    Ok(trusted(source, chart, tree, Vec::new()))
}

/// The folder that is read; of one whose name is not known yet, the whole.
fn folder(source: &Source) -> &str {
    match is_path_open(source) {
        true => "",
        false => &source.path,
    }
}

/// Why a range that leads back is refused.
fn older(source: &JobSource, chart: &ChartOrigin) -> Option<VerifyError> {
    let (range, fetched) = (source.wanted(), &chart.fetched);
    let last = source.verified.trusted_version.as_deref()?;
    leads_back(range, last, &fetched.version).then(|| VerifyError::Older {
        chart: chart.place.name().to_owned(),
        range: range.to_owned(),
        last: last.to_owned(),
        new: fetched.version.clone(),
        digest: fetched.revision.commit.clone(),
    })
}

/// Whether a range that still allows the last version leads to an older one. What names one version or tag is no range.
fn leads_back(range: &str, last: &str, new: &str) -> bool {
    let constraint = match range {
        "HEAD" => Some(Constraint::default()),
        range => Constraint::read(range).ok().filter(|range| !range.is_exact()),
    };
    let versions = Version::read(last).zip(Version::read(new));
    constraint
        .zip(versions)
        .is_some_and(|(range, (last, new))| range.allows(&last) && new.compare(&last) == Ordering::Less)
}

fn trusted(
    source: &JobSource,
    chart: &ChartOrigin,
    tree: Verified<Tree>,
    reports: Vec<SignatureReport>,
) -> TrustedSource {
    let signer = match tree.evidence() {
        Evidence::Provenance { signer } => Some(signer.clone()),
        Evidence::NotRequired
        | Evidence::AlreadyTrusted
        | Evidence::Signed { .. }
        | Evidence::Tagged { .. } => None,
    };
    TrustedSource {
        source: source.clone(),
        origin: Origin::Chart(chart.clone()),
        tree: Arc::new(tree),
        signer,
        reports,
        starts: Starts::default(),
        held_back: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::Coded as _;

    #[test]
    fn ranges_lead_back_and_versions_do_not() {
        for (range, last, new, expected) in [
            ("^1", "1.2.0", "1.1.9", true),
            ("HEAD", "1.2.0", "1.1.9", true),
            ("*", "1.2.0", "0.1.0", true),
            (">=1.0.0-0", "1.2.0", "1.2.0-rc.1", true),
            // Newer, or the same.
            ("^1", "1.2.0", "1.2.1", false),
            ("^1", "1.2.0", "1.2.0", false),
            // A person wrote another range, or one version.
            ("~1.1", "1.2.0", "1.1.9", false),
            ("1.1.9", "1.2.0", "1.1.9", false),
            ("=1.1.9", "1.2.0", "1.1.9", false),
            ("latest", "1.2.0", "1.1.9", false),
            ("^1", "latest", "1.1.9", false),
        ] {
            assert_eq!(leads_back(range, last, new), expected, "{range}: {last} to {new}");
        }
    }

    #[test]
    fn it_says_how_to_go_back() {
        let error = VerifyError::Older {
            chart: "shop".to_owned(),
            range: "^1".to_owned(),
            last: "1.2.0".to_owned(),
            new: "1.1.0".to_owned(),
            digest: "ab".repeat(32),
        };
        assert_eq!(error.code().id, "V15");
        assert!(error.hint().contains(&format!("--history {}", "ab".repeat(32))));
    }
}
