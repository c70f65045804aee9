//! One renderer, a fresh instance for each rendering.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use sluice_plugin_aot::{Allocation, RuntimeClass, engine};
use wasmtime::{
    Engine, Store, StoreLimits, StoreLimitsBuilder,
    component::{Component, Linker},
};

use crate::{
    Repository,
    bindings::RenderFilesPre,
    wit::{Document, Input, Need, Outcome, Problem, Rendering, Supply},
};

/// How often needs are answered.
const ROUNDS: usize = 10;
/// How long an epoch is.
const TICK: Duration = Duration::from_millis(10);

/// A renderer that is loaded.
pub struct Renderer {
    engine: Engine,
    prepared: RenderFilesPre<StoreLimits>,
}

/// How much one rendering may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Its memory.
    pub memory: usize,
    /// Its time.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = RuntimeClass::Renderer.limits();
        Self {
            memory: limits.memory_bytes,
            time: limits.call,
        }
    }
}

/// What a rendering came to.
#[derive(Debug)]
pub enum Answer {
    /// It rendered.
    Rendered(Rendering),
    /// Problems that the user can mend.
    Refused(Vec<Problem>),
    /// It hit a limit, or trapped.
    Stopped(String),
}

impl Renderer {
    /// Loads a standard renderer.
    pub fn load(name: &str) -> Result<Self> {
        let engine =
            engine(RuntimeClass::Renderer, Allocation::OnDemand).map_err(|error| anyhow!("{error:?}"))?;
        let file = folder().join(name).with_extension("cwasm");
        let image = fs_err::read(&file).context("`cargo xtask plugins` builds the renderers")?;
        let digest: [u8; 32] = *blake3::hash(&image).as_bytes();
        let component: Component = sluice_plugin_aot::load_file(&engine, &file, Box::leak(Box::new(digest)))?;
        let prepared = Linker::new(&engine)
            .instantiate_pre(&component)
            .and_then(RenderFilesPre::new)
            .map_err(|error| anyhow!("{error:?}"))?;
        let ticking = engine.clone();
        thread::spawn(move || {
            loop {
                thread::sleep(TICK);
                ticking.increment_epoch();
            }
        });
        Ok(Self { engine, prepared })
    }

    /// What the renderer says of itself.
    pub fn describe(&self) -> Result<serde_json::Value> {
        let mut store = self.store(Limits::default());
        let instance = self
            .prepared
            .instantiate(&mut store)
            .map_err(|error| anyhow!("{error:?}"))?;
        let text = instance
            .sluice_render_renderer()
            .call_describe(&mut store)
            .map_err(|error| anyhow!("{error:?}"))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Renders a folder of a repository with settings and a context, both JSON.
    pub fn render(&self, repository: &Repository, path: &str, settings: &str, context: &str) -> Answer {
        self.render_within(repository, path, settings, context, Limits::default())
    }

    /// As [`Renderer::render`], with other limits.
    pub fn render_within(
        &self,
        repository: &Repository,
        path: &str,
        settings: &str,
        context: &str,
        limits: Limits,
    ) -> Answer {
        self.render_supplied(repository, path, settings, context, limits, |need| {
            repository.supply(need)
        })
    }

    /// As [`Renderer::render_within`], with needs answered otherwise.
    pub fn render_supplied(
        &self,
        repository: &Repository,
        path: &str,
        settings: &str,
        context: &str,
        limits: Limits,
        mut supply: impl FnMut(Need) -> Supply,
    ) -> Answer {
        let mut input = Input {
            path: path.to_owned(),
            files: repository.below(path),
            settings: settings.to_owned(),
            context: context.to_owned(),
            supplied: Vec::new(),
        };
        for _ in 0..ROUNDS {
            match self.round(&input, limits) {
                Ok(Outcome::Rendered(rendering)) => return Answer::Rendered(rendering),
                Ok(Outcome::Refused(problems)) => return Answer::Refused(problems),
                Ok(Outcome::Needs(needs)) => {
                    input.supplied.extend(needs.into_iter().map(&mut supply));
                }
                Err(error) => return Answer::Stopped(format!("{}: {error:?}", error.root_cause())),
            }
        }
        Answer::Stopped("there are always more needs".to_owned())
    }

    /// Asks once.
    pub fn round(&self, input: &Input, limits: Limits) -> wasmtime::Result<Outcome> {
        let mut store = self.store(limits);
        let instance = self.prepared.instantiate(&mut store)?;
        instance.sluice_render_renderer().call_render(&mut store, input)
    }

    fn store(&self, limits: Limits) -> Store<StoreLimits> {
        let limiter = StoreLimitsBuilder::new().memory_size(limits.memory).build();
        let mut store = Store::new(&self.engine, limiter);
        store.limiter(|limiter| limiter);
        store.set_epoch_deadline(
            u64::try_from(limits.time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX),
        );
        store.epoch_deadline_trap();
        store
    }
}

impl Answer {
    /// The documents, one after the other as `helm template` prints them.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn printed(&self) -> String {
        let print = |document: &Document| format!("---\n# Source: {}\n{}\n", document.source, document.text);
        self.rendering().documents.iter().map(print).collect()
    }

    /// The rendering.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[expect(clippy::panic, reason = "this is how a test fails")]
    pub fn rendering(&self) -> &Rendering {
        match self {
            Self::Rendered(rendering) => rendering,
            other => panic!("not rendered: {other:?}"),
        }
    }

    /// The first problem.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[expect(clippy::panic, reason = "this is how a test fails")]
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Refused(problems) if !problems.is_empty() => {
                problems.first().unwrap_or_else(|| unreachable!())
            }
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// Where the renderers are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/renderers")
}
