//! Which revisions of its sources an Application may be compared with.
//!
//! Each source is judged by itself ([`SourceTrust`]). All of them are synced together: as long as one cannot be fetched or is refused,
//! the others stay at what they were with it, however new and trusted they are by themselves.

mod source;
mod together;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sluice_model::application::Verification;
use sluice_model::plan::ApplicationKey;
use sluice_model::revisions;
use sluice_pipeline::{Found, Job, JobSource, PipelineError, Trusted, TrustedSource};
use tokio::time::Instant;

use super::assess::Draft;
use super::log;
use crate::fleet::Shared;
use source::{SourceTrust, Standing};

/// Finds the trusted revisions of one Application, and remembers what was judged.
pub(crate) struct Trust {
    shared: Arc<Shared>,
    key: ApplicationKey,
    uid: String,
    sources: BTreeMap<String, SourceTrust>,
    /// The last state in which each source was at its newest, and what was asked of them.
    whole: Option<(Asked, Trusted)>,
}

/// What is asked of the sources; another question has another answer.
#[derive(PartialEq)]
struct Asked {
    sources: Vec<JobSource>,
    verification: Option<Verification>,
}

impl Asked {
    fn of(job: &Job, sources: &[JobSource]) -> Self {
        // What was verified of them is an answer, and no question.
        let sources = sources.iter().map(|source| JobSource {
            verified: Default::default(),
            ..source.clone()
        });
        Self {
            sources: sources.collect(),
            verification: job.spec.verification.clone(),
        }
    }
}

impl Trust {
    pub(crate) fn new(shared: Arc<Shared>, key: ApplicationKey) -> Self {
        Self {
            shared,
            key,
            uid: String::new(),
            sources: BTreeMap::new(),
            whole: None,
        }
    }

    /// This is another Application than before, though of the same name.
    pub(crate) fn meet(&mut self, uid: String) {
        (self.sources, self.whole) = (BTreeMap::new(), None);
        self.uid = uid;
    }

    /// Forgets what was judged.
    pub(crate) fn forget(&mut self) {
        self.sources.values_mut().for_each(SourceTrust::forget);
        self.whole = None;
    }

    /// Returns how new each repository was at the last look, by URL.
    pub(crate) fn versions(&self, job: &Job) -> BTreeMap<String, u64> {
        let mut versions = BTreeMap::new();
        for source in &job.sources {
            let version = self.sources.get(&source.name).map_or(0, |trust| trust.version);
            // Two sources of one repository have seen as much of it as the one that has seen less.
            let known = versions.entry(source.spec.repo_url.clone()).or_insert(version);
            *known = version.min(*known);
        }
        versions
    }

    /// Returns what the revisions meant at the last look; none if that could not be found out.
    pub(crate) fn meaning(&self) -> Option<String> {
        let meanings: Option<Vec<_>> = self
            .sources
            .iter()
            .map(|(name, trust)| Some((name.as_str(), trust.meaning.as_deref()?)))
            .collect();
        meanings
            .filter(|meanings| !meanings.is_empty())
            .map(revisions::joined)
    }

    /// Returns the revisions to compare with; none if they are not known. Findings go into the draft.
    pub(crate) async fn revision(
        &mut self,
        job: &mut Job,
        draft: &mut Draft,
        since: Instant,
    ) -> Option<Trusted> {
        let names: Vec<&str> = job.sources.iter().map(|source| source.name.as_str()).collect();
        self.sources.retain(|name, _| names.contains(&name.as_str()));
        let mut sources = std::mem::take(&mut job.sources);
        let trusted = match sources.as_mut_slice() {
            [alone] if alone.name.is_empty() => {
                let trust = self.of(&alone.name);
                let standing = Box::pin(trust.revision(job, alone, draft, since)).await;
                if matches!(standing, Standing::Newest(_)) {
                    draft.status.sources.clear();
                }
                standing.trusted().map(|trusted| Trusted {
                    sources: vec![trusted],
                })
            }
            sources => self.each(job, sources, draft, since).await,
        };
        job.sources = sources;
        trusted
    }

    /// Each of several sources, with a draft of its own; what these say is put together.
    async fn each(
        &mut self,
        job: &Job,
        sources: &mut [JobSource],
        draft: &mut Draft,
        since: Instant,
    ) -> Option<Trusted> {
        let (mut standings, mut parts) = (Vec::new(), Vec::new());
        for source in &mut *sources {
            let mut part = draft.of_source(&source.name);
            let trust = self.of(&source.name);
            standings.push(Box::pin(trust.revision(job, source, &mut part, since)).await);
            parts.push((source.name.clone(), part));
        }
        let all_newest = standings
            .iter()
            .all(|standing| matches!(standing, Standing::Newest(_)));
        together::put(draft, parts, all_newest);
        Box::pin(self.synced_together(job, sources, draft, standings)).await
    }

    /// All sources at their newest; if one is not, all as they were together last.
    async fn synced_together(
        &mut self,
        job: &Job,
        sources: &[JobSource],
        draft: &Draft,
        standings: Vec<Standing>,
    ) -> Option<Trusted> {
        let asked = Asked::of(job, sources);
        let all_newest = standings
            .iter()
            .all(|standing| matches!(standing, Standing::Newest(_)));
        let is_shaken = standings
            .iter()
            .any(|standing| matches!(standing, Standing::Shaken(_)));
        let known: Vec<Option<TrustedSource>> = standings.into_iter().map(Standing::trusted).collect();
        if all_newest {
            let sources = known.into_iter().flatten().collect();
            let trusted = Trusted { sources };
            self.whole = Some((asked, trusted.clone()));
            return Some(trusted);
        }
        if let Some((of, trusted)) = &self.whole
            && *of == asked
            && !is_shaken
        {
            return Some(trusted.clone());
        }
        let mut trusted = Vec::new();
        for (source, known) in sources.iter().zip(known) {
            let synced = job.synced_of(&source.name)?;
            match known.filter(|known| known.origin.id() == synced) {
                Some(known) => trusted.push(known),
                None => trusted.push(self.again(job, source, draft, synced).await?),
            }
        }
        Some(Trusted { sources: trusted })
    }

    /// The revision of a source that the cluster is at, judged again.
    async fn again(
        &mut self,
        job: &Job,
        source: &JobSource,
        draft: &Draft,
        synced: &str,
    ) -> Option<TrustedSource> {
        let mut part = draft.of_source(&source.name);
        let shared = Arc::clone(&self.shared);
        let again = async {
            let found = shared
                .pipeline
                .find(job, source, Some(synced), a_moment_ago())
                .await?;
            Box::pin(self.of(&source.name).by_name(job, &mut part, &found)).await
        };
        match again.await {
            Ok(trusted) => Some(trusted),
            Err(error) => {
                log(&self.key, &error);
                None
            }
        }
    }

    /// Revisions that a person asks for by name, or nothing.
    pub(crate) async fn by_name(
        &mut self,
        job: &Job,
        draft: &Draft,
        found: &[Found],
    ) -> Result<Trusted, PipelineError> {
        let mut sources = Vec::new();
        for one in found {
            let mut part = draft.of_source(&one.source.name);
            let trust = self.of(&one.source.name);
            sources.push(Box::pin(trust.by_name(job, &mut part, one)).await?);
        }
        Ok(Trusted { sources })
    }

    fn of(&mut self, name: &str) -> &mut SourceTrust {
        let (shared, key, uid) = (&self.shared, &self.key, &self.uid);
        self.sources.entry(name.to_owned()).or_insert_with(|| {
            let mut trust = SourceTrust::new(Arc::clone(shared), key.clone(), name);
            trust.meet(uid.clone());
            trust
        })
    }
}

/// What was fetched since then will do, where a repository was fetched for the same assessment.
pub(super) fn a_moment_ago() -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(600)).unwrap_or(now)
}
