//! Charts and artifacts, as sources and as dependencies: one question to a repository for all Applications that ask the same at the same
//! time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_charts::{ChartError, Charts, Fetched, Place};
use sluice_model::application::{Source, VerificationMode};
use sluice_render::{FetchedChart, Problem, WantedChart};
use sluice_source::is_below;
use sluice_verify::{ChartArchive, Verifier};
use tokio::time::Instant;

use crate::blocking::blocking;
use crate::error::PipelineError;
use crate::mirrors::Reach;
use crate::{ChartOrigin, Found, Grounds, Job, JobSource, Origin, Pipeline};

/// What was not asked for in so long is forgotten; the archive stays on disk.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(6 * 60 * 60);

type Slot = Arc<tokio::sync::Mutex<Option<Attempt>>>;

struct Attempt {
    began: Instant,
    result: Result<Arc<Fetched>, Arc<ChartError>>,
}

/// What is asked of a repository, by whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    place: Place,
    wanted: String,
    identity: String,
    wants_provenance: bool,
}

/// Charts that were fetched, shared by all Applications. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FetchedCharts {
    charts: Charts,
    slots: Arc<Mutex<BTreeMap<Question, Slot>>>,
}

impl FetchedCharts {
    /// `folder` is where archives are kept.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            charts: Charts::new(folder),
            slots: Arc::default(),
        }
    }

    /// What `wanted` means as of `since` or later.
    async fn fetch(
        &self,
        place: &Place,
        wanted: &str,
        reach: &Reach,
        wants_provenance: bool,
        since: Instant,
    ) -> Result<Arc<Fetched>, PipelineError> {
        let question = Question {
            place: place.clone(),
            wanted: wanted.to_owned(),
            identity: reach.identity.clone(),
            wants_provenance,
        };
        let slot = self.slot(&question);
        let mut attempt = slot.lock().await;
        if let Some(attempt) = attempt.as_ref().filter(|attempt| attempt.began >= since) {
            return attempt.result.clone().map_err(PipelineError::Chart);
        }
        let began = Instant::now();
        let (charts, access) = (self.charts.clone(), reach.access.clone());
        // Waits for the network: that takes no turn of those that compute.
        let fetched = tokio::task::spawn_blocking(move || {
            let Question {
                place,
                wanted,
                identity,
                wants_provenance,
            } = question;
            charts.fetch(&place, &wanted, &access, &identity, wants_provenance)
        })
        .await
        .map_err(PipelineError::internal)?;
        let result = fetched.map(Arc::new).map_err(Arc::new);
        *attempt = Some(Attempt {
            began,
            result: result.clone(),
        });
        result.map_err(PipelineError::Chart)
    }

    fn slot(&self, question: &Question) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if !slots.contains_key(question) {
            slots.retain(|_, slot| {
                let attempt = slot.try_lock();
                // One that is asked for now is in use.
                attempt.map_or(true, |attempt| {
                    attempt
                        .as_ref()
                        .is_none_or(|attempt| attempt.began.elapsed() < FORGOTTEN_AFTER)
                })
            });
        }
        Arc::clone(slots.entry(question.clone()).or_default())
    }
}

impl Pipeline {
    /// As [`Pipeline::find`], for a chart or an artifact.
    pub(crate) async fn find_chart(
        &self,
        job: &Job,
        source: &JobSource,
        revision: Option<&str>,
        since: Instant,
    ) -> Result<Found, PipelineError> {
        let reach = self.reach(job, &source.spec).await?;
        let place = place(&source.spec, &reach)?;
        let wanted = revision.unwrap_or_else(|| source.wanted());
        let wants_provenance = job.mode() != VerificationMode::None;
        let fetched = self
            .mirrors
            .charts
            .fetch(&place, wanted, &reach, wants_provenance, since)
            .await?;
        Ok(Found {
            source: source.clone(),
            origin: Origin::Chart(ChartOrigin { fetched, place }),
            version: self.mirrors.version(&source.spec.repo_url),
        })
    }

    /// Gets a chart that another one depends on, or that a kustomization renders, and judges it by the same keys and rules.
    ///
    /// `Chart.lock` does not stand for a provenance file, though it is part of what was verified: its digest is one of the list of
    /// dependencies, names and versions, and says nothing of the archives. Who wants to pin the bytes commits them to `charts/`.
    pub(crate) async fn dependency(
        &self,
        job: &Job,
        source: &Source,
        grounds: Option<&Grounds>,
        wanted: &WantedChart,
        since: Instant,
    ) -> Result<Result<FetchedChart, Problem>, PipelineError> {
        let unmet = |reason: String| Problem::Unmet {
            what: wanted.to_string(),
            reason,
        };
        let bare = Source {
            repo_url: wanted.repository.clone(),
            chart: Some(wanted.name.clone()),
            credentials: None,
            known_hosts: None,
            tls_certificates: None,
            ..source.clone()
        };
        // What the source is reached with is for what lies below it too, and for nothing else.
        let asked = match is_below(&http(&wanted.repository), &http(&source.repo_url)) {
            true => Source {
                credentials: source.credentials.clone(),
                tls_certificates: source.tls_certificates.clone(),
                ..bare
            },
            false => bare,
        };
        let reach = self.reach(job, &asked).await?;
        let place = match place(&asked, &reach) {
            Ok(place) => place,
            Err(error) => return Ok(Err(unmet(sluice_model::error::one_line(&error)))),
        };
        let fetched = self
            .mirrors
            .charts
            .fetch(&place, &wanted.version, &reach, grounds.is_some(), since)
            .await?;
        let grounds = grounds.cloned();
        let judged = blocking(move || {
            let tree = fetched.tree("")?;
            let bytes = Arc::clone(fetched.archive.bytes());
            let Some(metadata) = &fetched.metadata else {
                return Ok(Err("it is no chart".to_owned()));
            };
            let tree = match grounds {
                None => Verifier::not_required(tree),
                Some(Grounds { keyring, policy }) => {
                    let archive = ChartArchive {
                        bytes: &bytes,
                        chart: Some((&metadata.name, &metadata.version)),
                        provenance: fetched.archive.provenance().map(|file| &**file),
                    };
                    let judged =
                        Verifier::new(&keyring, &policy, jiff::Timestamp::now()).chart(tree, &archive);
                    match judged {
                        Ok((tree, _)) => tree,
                        Err(error) => {
                            return Err(PipelineError::Verify {
                                commit: fetched.revision.commit.clone(),
                                error: Arc::new(error),
                            });
                        }
                    }
                }
            };
            Ok::<_, PipelineError>(Ok(FetchedChart {
                tree,
                archive: bytes,
                version: metadata.version.clone(),
            }))
        })
        .await??;
        Ok(judged.map_err(unmet))
    }
}

/// Where a source is, with TLS on loopback too if something was given to judge it by.
fn place(source: &Source, reach: &Reach) -> Result<Place, ChartError> {
    let place = Place::read(&source.repo_url, source.chart.as_deref())?;
    let access = &reach.access;
    Ok(
        match access.certificate_authorities.is_some() || access.client_identity.is_some() {
            true => place.with_tls(),
            false => place,
        },
    )
}

/// What a URL is compared by with others: `oci://` is HTTPS too.
pub(crate) fn http(url: &str) -> String {
    url.strip_prefix("oci://")
        .map_or_else(|| url.to_owned(), |rest| format!("https://{rest}"))
}
