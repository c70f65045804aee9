//! What a sync of an Application would do, found out without the controller: for one of the cluster, or one in a file.

use std::sync::Arc;

use sluice_apply::Event;
use sluice_model::Application;
use sluice_model::manifest::Manifest;
use sluice_model::plan::ApplicationKey;
use sluice_pipeline::{
    Capabilities, Claimed, Defaults, Intent, Job, Live, Pipeline, Prepared, Randomness, RenderedSource,
    Variable,
};

use crate::applications::Operations;
use crate::error::OperationError;

/// How far an answer is.
#[derive(Debug)]
pub enum Progress {
    /// The repository of this URL is fetched. It may have a password in it.
    Fetching(String),
    /// This commit is rendered.
    Rendering(String),
    /// What Git has is compared with the cluster.
    Comparing,
    /// A plan is carried out.
    Applying(Event),
}

/// One Application, with the stages to find out about it.
pub struct Preview {
    /// The Applications of its cluster.
    pub operations: Operations,
    /// The stages.
    pub pipeline: Pipeline,
    /// What of it the stages need.
    pub job: Job,
}

impl Preview {
    /// Returns the preview of an Application. `namespace` is where it is meant to be if it does not say.
    ///
    /// # Errors
    /// [`sluice_pipeline::PipelineError::Spec`] with every mistake of its spec.
    pub fn of(
        operations: Operations,
        pipeline: Pipeline,
        application: &Application,
        namespace: &str,
    ) -> Result<Self, OperationError> {
        let defaults = Defaults {
            namespace: namespace.to_owned(),
            ..Defaults::default()
        };
        let job = Job::resolve(application, &defaults).map_err(sluice_pipeline::PipelineError::from)?;
        Ok(Self {
            operations,
            pipeline,
            job,
        })
    }

    /// Verifies and renders a revision, the wanted one if none is named. Returns its commit and its manifests.
    ///
    /// # Errors
    /// Those of [`Pipeline::trusted`] and [`Pipeline::manifests`].
    pub async fn manifests(
        &self,
        revision: Option<&str>,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(String, Vec<Manifest>), OperationError> {
        for source in &self.job.sources {
            tell(Progress::Fetching(source.spec.repo_url.clone()));
        }
        // Both are long, and commands wait for several things.
        let trusted = Box::pin(self.pipeline.trusted(&self.job, revision)).await?;
        let commit = trusted.id();
        tell(Progress::Rendering(commit.clone()));
        let manifests = Box::pin(self.pipeline.manifests(&self.job, &trusted)).await?;
        Ok((commit, manifests))
    }

    /// Verifies and renders a revision, the wanted one if none is named, as it is without a cluster: to be looked at, never to be applied.
    /// What a chart makes up is not what the controller makes up. `kube_version` is what charts are told of the cluster.
    ///
    /// # Errors
    /// Those of [`Pipeline::trusted`] and [`Pipeline::render`].
    pub async fn rendered(
        &self,
        revision: Option<&str>,
        kube_version: Option<String>,
    ) -> Result<Vec<RenderedSource>, OperationError> {
        let trusted = self.pipeline.trusted(&self.job, revision).await?;
        let mut pipeline = self.pipeline.clone();
        pipeline.randomness = Randomness::Public;
        pipeline.offline = true;
        let capabilities = Capabilities {
            kube_version,
            ..Capabilities::unknown()
        };
        let expanded = pipeline.expanded(&self.job, &trusted).await?;
        Ok(pipeline
            .render(&expanded.job, &expanded.trusted, &capabilities)
            .await?)
    }

    /// Returns what expressions in the settings stand for at a revision, the wanted one if none is named: every variable, where it is from,
    /// and what it was put into.
    ///
    /// # Errors
    /// Those of [`Pipeline::trusted`] and [`Pipeline::expanded`].
    pub async fn variables(&self, revision: Option<&str>) -> Result<Vec<Variable>, OperationError> {
        let trusted = self.pipeline.trusted(&self.job, revision).await?;
        Ok(self.pipeline.expanded(&self.job, &trusted).await?.variables)
    }

    /// Returns the plan of a revision, the wanted one if none is named, with the differences that it follows from. A policy that did not
    /// answer is in [`Prepared::problems`], and its cautious default in the plan.
    ///
    /// # Errors
    /// Those of [`Preview::manifests`], [`Pipeline::ask_live`] and [`Pipeline::prepare`].
    pub async fn prepare(
        &self,
        revision: Option<&str>,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Arc<Prepared>, OperationError> {
        let (commit, manifests) = self.manifests(revision, tell).await?;
        tell(Progress::Comparing);
        let mut live = self.pipeline.ask_live(&self.job, &manifests).await?;
        live.claims = self.claims(&live).await;
        let (intent, now) = (Intent::whole(&commit), jiff::Timestamp::now());
        let prepared = self
            .pipeline
            .prepare(&self.job, intent, &manifests, &live, now)
            .await?;
        Ok(prepared)
    }

    /// What other Applications say that they want. A user who may not list them plans without that; the controller does not.
    async fn claims(&self, live: &Live) -> Claimed {
        let Ok(others) = self.operations.list(None).await else {
            return Claimed::default();
        };
        let others = others.iter().filter_map(|other| {
            let key = Job::key_of(other, "");
            (key != self.job.key).then_some((key, other.status.as_ref()?))
        });
        Claimed::said(live, others)
    }
}

impl Operations {
    /// Gives an Application of a file what the cluster knows of it, if it is there already: what was trusted, and what it owns.
    /// `namespace` is where it is meant to be if it does not say.
    ///
    /// # Errors
    /// Those of [`Operations::find`].
    pub async fn recall(&self, application: &mut Application, namespace: &str) -> Result<(), OperationError> {
        let key: ApplicationKey = Job::key_of(application, namespace);
        if let Some(known) = self.find(&key).await? {
            application.status = known.status;
            application.metadata.annotations = known.metadata.annotations;
        }
        Ok(())
    }
}
