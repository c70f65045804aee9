//! One fetch of a repository for everybody who asks at the same time.
//!
//! An Application that needs a repository says since when a fetch is fresh enough; a fetch that began later, or is about to, serves all
//! of them, its failure included. A repository is shared only between those who show the same credentials.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sluice_model::tree::Revision;
use sluice_source::{Access, Fetched, Repositories, SourceError};
use tokio::time::Instant;

use crate::error::PipelineError;
use crate::pipeline::blocking;

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

type Slot = Arc<tokio::sync::Mutex<Option<Attempt>>>;

struct Attempt {
    began: Instant,
    result: Result<Mirror, Arc<SourceError>>,
}

/// Called with the URL of a repository that has something new, and when the fetch began that found it. Must not block.
type OnNews = Arc<dyn Fn(&str, Instant) + Send + Sync>;

/// The mirrors, shared by all applications. Cheap to clone.
#[derive(Clone)]
pub struct Mirrors {
    repositories: Repositories,
    slots: Arc<Mutex<BTreeMap<(String, String), Slot>>>,
    /// By URL, whatever the credentials.
    versions: Arc<Mutex<BTreeMap<String, u64>>>,
    on_news: OnNews,
}

impl Mirrors {
    /// Mirrors in a folder.
    pub fn new(repositories: Repositories) -> Self {
        Self {
            repositories,
            slots: Arc::default(),
            versions: Arc::default(),
            on_news: Arc::new(|_, _| {}),
        }
    }

    /// As [`Mirrors::new`], telling whose repository has something new.
    pub fn telling(repositories: Repositories, on_news: OnNews) -> Self {
        Self {
            on_news,
            ..Self::new(repositories)
        }
    }

    /// The mirror of `url` as of `since` or later.
    pub async fn fetch(&self, url: &str, reach: &Reach, since: Instant) -> Result<Mirror, PipelineError> {
        self.fetch_as(url, reach, Some(since), None).await
    }

    /// The mirror of `url` as it is now, with a reference or a commit that neither branches nor tags lead to.
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
        let version = self.version(url, news);
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

    /// How often anything new was found in a repository so far; `news` counts it up.
    pub(crate) fn version(&self, url: &str, news: bool) -> u64 {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let version = versions.entry(url.to_owned()).or_default();
        *version += u64::from(news);
        *version
    }

    /// Forgets repositories that are not among `wanted`. Their folders stay.
    pub fn retain(&self, wanted: impl Fn(&str) -> bool) {
        self.slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(url, _), _| wanted(url));
    }

    fn slot(&self, url: &str, reach: &Reach) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((url.to_owned(), reach.identity.clone())).or_default())
    }
}
