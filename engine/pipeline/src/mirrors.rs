//! One fetch of a repository for all Applications that ask at the same time.
//!
//! An Application that needs a repository says since when a fetch is fresh enough; a fetch that began later, or is about to, serves all
//! of them, its failure included. A repository is shared only between those who show the same credentials.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_model::tree::Revision;
use sluice_source::{Access, Fetched, Repositories, SourceError};
use tokio::time::Instant;

use crate::blocking::blocking;
use crate::charts::FetchedCharts;
use crate::error::PipelineError;

/// How a repository is reached, with something that tells these credentials from others.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Credentials, hosts, limits.
    pub access: Access,
    /// Equal for equal credentials, and gives nothing away.
    pub identity: String,
}

/// A repository as it was found.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The repository.
    pub repository: Arc<Fetched>,
    /// How often anything new was found in it until then. Who saw a lower number may have seen less.
    pub version: u64,
}

impl Mirror {
    /// What a name means in it.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Result<Revision, SourceError>, PipelineError> {
        let (reader, name) = (Arc::clone(&self.repository), name.to_owned());
        blocking(move || reader.resolve(&name)).await
    }
}

/// What was not fetched for so long is forgotten; its folder stays.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(6 * 60 * 60);

type Slot = Arc<tokio::sync::Mutex<Option<Attempt>>>;

struct Attempt {
    began: Instant,
    result: Result<Mirror, Arc<SourceError>>,
}

/// Returns false if the slot was last fetched long ago. One that is being fetched now is in use.
fn is_used(slot: &Slot) -> bool {
    let Ok(attempt) = slot.try_lock() else {
        return true;
    };
    attempt
        .as_ref()
        .is_none_or(|attempt| attempt.began.elapsed() < FORGOTTEN_AFTER)
}

/// Called with the URL of a repository that has something new, and when the fetch began that found it. Must not block.
type OnNews = Arc<dyn Fn(&str, Instant) + Send + Sync>;

/// The mirrors, shared by all applications. Cheap to clone.
#[derive(Clone)]
pub struct Mirrors {
    pub(crate) charts: FetchedCharts,
    repositories: Repositories,
    slots: Arc<Mutex<BTreeMap<(String, String), Slot>>>,
    /// By URL, whatever the credentials.
    versions: Arc<Mutex<BTreeMap<String, u64>>>,
    on_news: OnNews,
}

impl Mirrors {
    /// Returns the mirrors in a folder.
    pub fn new(repositories: Repositories) -> Self {
        Self {
            // No mirror is called so: theirs are digests.
            charts: FetchedCharts::new(repositories.path().join("charts")),
            repositories,
            slots: Arc::default(),
            versions: Arc::default(),
            on_news: Arc::new(|_, _| {}),
        }
    }

    /// As [`Mirrors::new`], calling `on_news` when a fetch found something new.
    pub fn telling(repositories: Repositories, on_news: OnNews) -> Self {
        Self {
            on_news,
            ..Self::new(repositories)
        }
    }

    /// Returns the mirror of `url` as of `since` or later.
    ///
    /// # Errors
    /// [`PipelineError::Source`], the same one for every caller that waited for this fetch.
    pub async fn fetch(&self, url: &str, reach: &Reach, since: Instant) -> Result<Mirror, PipelineError> {
        self.fetch_as(url, reach, Some(since), None).await
    }

    /// Returns the mirror of `url` as it is now, with a reference or a commit that neither branches nor tags lead to.
    ///
    /// # Errors
    /// [`PipelineError::Source`].
    pub async fn fetch_also(&self, url: &str, reach: &Reach, name: &str) -> Result<Mirror, PipelineError> {
        self.fetch_as(url, reach, None, Some(name.to_owned())).await
    }

    async fn fetch_as(
        &self,
        url: &str,
        reach: &Reach,
        since: Option<Instant>,
        also: Option<String>,
    ) -> Result<Mirror, PipelineError> {
        let slot = self.slot(url, reach);
        let mut attempt = slot.lock().await;
        if let Some(attempt) = attempt
            .as_ref()
            .filter(|attempt| since.is_some_and(|since| attempt.began >= since))
        {
            return attempt.result.clone().map_err(PipelineError::Source);
        }
        let is_of_all = also.is_none();
        let began = Instant::now();
        let (repositories, owned, access) = (self.repositories.clone(), url.to_owned(), reach.access.clone());
        let fetched = tokio::task::spawn_blocking(move || match also {
            Some(name) => repositories.fetch_also(&owned, &access, &name),
            None => repositories.fetch(&owned, &access),
        })
        .await;
        let fetched = fetched.map_err(PipelineError::internal)?;
        let news = matches!(&fetched, Ok(fetched) if fetched.changed);
        let version = self.count(url, news);
        let result = fetched
            .map(|fetched| Mirror {
                repository: Arc::new(fetched),
                version,
            })
            .map_err(Arc::new);
        // That one name cannot be had says nothing about the others.
        if is_of_all || result.is_ok() {
            *attempt = Some(Attempt {
                began,
                result: result.clone(),
            });
        }
        drop(attempt);
        if news {
            (self.on_news)(url, began);
        }
        result.map_err(PipelineError::Source)
    }

    /// Returns how often anything new was found in a repository so far.
    pub fn version(&self, url: &str) -> u64 {
        self.count(url, false)
    }

    /// As [`Mirrors::version`], counted up before if there are `news`.
    fn count(&self, url: &str, news: bool) -> u64 {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let version = versions.entry(url.to_owned()).or_default();
        *version += u64::from(news);
        *version
    }

    fn slot(&self, url: &str, reach: &Reach) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (url.to_owned(), reach.identity.clone());
        if !slots.contains_key(&key) {
            // Credentials that were rotated and repositories that are not followed any more are not asked for again.
            slots.retain(|_, slot| is_used(slot));
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_fetched_for_long_is_forgotten() {
        let attempt = |began: Option<Instant>| -> Slot {
            Arc::new(tokio::sync::Mutex::new(began.map(|began| Attempt {
                began,
                result: Err(Arc::new(SourceError::Url {
                    url: "https://git.example.com/r".to_owned(),
                    reason: "it is none".to_owned(),
                })),
            })))
        };
        let now = Instant::now();
        assert!(is_used(&attempt(Some(now))) && is_used(&attempt(None)));
        if let Some(long_ago) = now.checked_sub(2 * FORGOTTEN_AFTER) {
            assert!(!is_used(&attempt(Some(long_ago))));
        }
        let busy = attempt(None);
        let _held = busy.try_lock().unwrap();
        assert!(is_used(&busy));
    }
}
