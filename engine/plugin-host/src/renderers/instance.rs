//! Asking a renderer: an engine for some of them, a fresh instance for each question, and the types of the interface in our own.

use std::sync::Arc;
use std::time::Duration;

use sluice_model::rendering::{Complaint, Document, File, Input, Need, Outcome, Part, Rendering, Supply};
use sluice_plugin_aot::{Allocation, Limits, RuntimeClass, engine};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use self::wit::exports::sluice::render::renderer as guest;
use crate::codes::PluginError;
use crate::run::{Slots, TICK, meaning};
use crate::state::{MemoryLimit, one_line};

mod wit {
    wasmtime::component::bindgen!({
        path: "../../wit/render/0.1.0",
        world: "render-files",
    });
}

pub(super) const LIMITS: Limits = RuntimeClass::Renderer.limits();
/// How long a rendering waits for its turn: others may take as long as they may.
const TURN: Duration = Duration::from_secs(300);

/// What instances of a renderer are made of.
pub(super) type Pre = wit::RenderFilesPre<MemoryLimit>;

/// An engine, and the turns of the renderers that run in it: as many at once as there are processors.
pub(super) struct Runtime {
    pub(super) engine: Engine,
    slots: Arc<Slots>,
}

impl Runtime {
    pub(super) fn new() -> Result<Self, PluginError> {
        let failed = |error: wasmtime::Error| PluginError::Instantiate {
            reason: format!("{error:#}"),
        };
        let engine = engine(RuntimeClass::Renderer, Allocation::OnDemand).map_err(failed)?;
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let slots = Slots::of(&engine, u32::try_from(processors).unwrap_or(2), TURN);
        Ok(Self { engine, slots })
    }

    /// Checks that a component is of the world of renderers. Nothing of it runs.
    pub(super) fn prepare(&self, component: &Component) -> Result<Pre, PluginError> {
        let mismatch = |error: wasmtime::Error| PluginError::WorldMismatch {
            reason: one_line(&format!("{error:#}")),
        };
        let pre = Linker::new(&self.engine)
            .instantiate_pre(component)
            .map_err(mismatch)?;
        Pre::new(pre).map_err(mismatch)
    }

    /// What a renderer says of itself.
    pub(super) fn describe(&self, pre: &Pre) -> Result<String, PluginError> {
        self.ask(pre, "describe", |renderer, store| renderer.call_describe(store))
    }

    /// What a renderer makes of an input.
    pub(super) fn render(&self, pre: &Pre, input: &Input) -> Result<Outcome, PluginError> {
        let given = given(input);
        self.ask(pre, "render", |renderer, store| {
            renderer.call_render(store, &given)
        })
        .map(taken)
    }

    /// Asks once, in an instance of its own and in its turn.
    fn ask<T>(
        &self,
        pre: &Pre,
        export: &'static str,
        question: impl FnOnce(&guest::Guest, &mut Store<MemoryLimit>) -> wasmtime::Result<T>,
    ) -> Result<T, PluginError> {
        let _slot = self.slots.take()?;
        let mut store = Store::new(&self.engine, MemoryLimit::new(&LIMITS));
        store.limiter(|limit| limit);
        store.set_max_component_handles(LIMITS.handles);
        store.set_hostcall_fuel(LIMITS.output_bytes);
        let ticks = LIMITS.call.as_millis() / TICK.as_millis() + 1;
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2));
        let answer = pre
            .instantiate(&mut store)
            .and_then(|instance| question(instance.sluice_render_renderer(), &mut store));
        answer.map_err(|error| meaning(store.data().exceeded, &LIMITS, export, LIMITS.call, &error))
    }
}

fn given(input: &Input) -> guest::Input {
    let file = |file: &File| guest::File {
        path: file.path.clone(),
        content: file.content.to_vec(),
    };
    let supply = |supply: &Supply| guest::Supply {
        need: match &supply.need {
            Need::Path(path) => guest::Need::Path(path.clone()),
            Need::Remote(address) => guest::Need::Remote(address.clone()),
            Need::Chart(chart) => guest::Need::Chart(chart.clone()),
            Need::Inflation(inflation) => guest::Need::Inflation(inflation.clone()),
        },
        path: supply.path.clone(),
        files: supply.files.iter().map(file).collect(),
    };
    guest::Input {
        path: input.path.clone(),
        files: input.files.iter().map(file).collect(),
        settings: input.settings.clone(),
        context: input.context.clone(),
        supplied: input.supplied.iter().map(supply).collect(),
    }
}

fn taken(outcome: guest::Outcome) -> Outcome {
    let complaint = |problem: guest::Problem| Complaint {
        code: one_line(&problem.code),
        message: problem.message,
        file: problem.file,
        line: problem.line,
        hint: problem.hint,
        trace: problem.trace,
    };
    match outcome {
        guest::Outcome::Rendered(rendering) => {
            let document = |document: guest::Document| Document {
                text: document.text,
                source: document.source,
                part: match document.part {
                    guest::Part::Manifest => Part::Manifest,
                    guest::Part::Crd => Part::Crd,
                    guest::Part::Hook => Part::Hook,
                    guest::Part::Test => Part::Test,
                },
            };
            Outcome::Rendered(Rendering {
                documents: rendering.documents.into_iter().map(document).collect(),
                notes: rendering.notes,
                read: rendering.read,
                random: rendering.random,
                warnings: rendering.warnings.into_iter().map(complaint).collect(),
                charts: Vec::new(),
            })
        }
        guest::Outcome::Needs(needs) => {
            let need = |need: guest::Need| match need {
                guest::Need::Path(path) => Need::Path(path),
                guest::Need::Remote(address) => Need::Remote(address),
                guest::Need::Chart(chart) => Need::Chart(chart),
                guest::Need::Inflation(inflation) => Need::Inflation(inflation),
            };
            Outcome::Needs(needs.into_iter().map(need).collect())
        }
        guest::Outcome::Refused(problems) => Outcome::Refused(problems.into_iter().map(complaint).collect()),
    }
}
