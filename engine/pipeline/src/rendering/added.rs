//! Renderers of the plugin directory: which version of one is asked, what its failures are, and waiting until it is compiled.

use std::time::Duration;

use sluice_model::error::Coded as _;
use sluice_model::rendering::{Input, Outcome, Renderer};
use sluice_plugin_host::{AddedRenderer, PluginError, codes};
use sluice_render::Problem;
use tokio::time::Instant;

use super::{Capabilities, Places};
use crate::error::PipelineError;
use crate::{Job, Pipeline, RenderedSource, Trusted, TrustedSource};

/// How often a look is taken whether a renderer is compiled.
const LOOK: Duration = Duration::from_millis(20);

impl Pipeline {
    /// Returns the digests of the renderers of the plugin directory that the sources of a job name; empty for one that is not there.
    pub(crate) fn renderer_digests(&self, job: &Job) -> Vec<String> {
        let plugins = job
            .sources
            .iter()
            .filter_map(|source| source.spec.plugin.as_ref());
        let found = plugins.map(|plugin| self.plugins.renderer(&plugin.name));
        found
            .map(|found| found.map_or_else(|_| String::new(), |added| added.digest().to_owned()))
            .collect()
    }

    /// Renders one source. If its renderer has to be compiled first, that is waited for as long as [`Pipeline::patience`] says, and without
    /// taking the turn of another rendering.
    pub(super) async fn render_once_compiled(
        &self,
        job: &Job,
        source: &TrustedSource,
        trusted: &Trusted,
        capabilities: &Capabilities,
    ) -> Result<RenderedSource, PipelineError> {
        let until = Instant::now() + self.patience;
        loop {
            let places = Places::of(source, trusted);
            // It is long, and waits for several things.
            let rendered = Box::pin(self.render_source(job, places, capabilities)).await;
            if !is_too_early(&rendered) || !self.is_compiled(source, until).await {
                return rendered;
            }
        }
    }

    /// Waits for the renderer of a source; false if it is still being compiled by then.
    async fn is_compiled(&self, source: &TrustedSource, until: Instant) -> bool {
        while Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            if !self.is_compiling(source) {
                return true;
            }
        }
        false
    }

    fn is_compiling(&self, source: &TrustedSource) -> bool {
        let plugin = source.source.spec.plugin.as_ref();
        let added = plugin.and_then(|plugin| self.plugins.renderer(&plugin.name).ok());
        added.is_some_and(|added| added.is_compiling())
    }
}

/// True if a rendering failed only because its renderer is not compiled yet.
fn is_too_early(rendered: &Result<RenderedSource, PipelineError>) -> bool {
    let Err(PipelineError::Render(errors)) = rendered else {
        return false;
    };
    errors.iter().any(|error| error.code() == &codes::P16)
}

/// Asks the renderer that a source names.
pub(super) fn asked(
    added: Option<&Result<AddedRenderer, PluginError>>,
    name: &str,
    input: &Input,
) -> Result<Outcome, Problem> {
    let failed = |error: &PluginError| Problem::Plugin {
        renderer: Renderer::Added(name).name().to_owned(),
        code: error.code(),
        reason: error.message(),
    };
    match added {
        Some(Ok(added)) => added.render(input).map_err(|error| failed(&error)),
        Some(Err(error)) => Err(failed(error)),
        // The one that is asked is the one that the source names.
        None => Err(failed(&PluginError::NotFound { kind: "render-files" })),
    }
}
