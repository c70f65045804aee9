//! What one instance sees of the host: its objects, its log, its memory limit.

use serde_json::Value as Json;
use sluice_model::{Object, secret};
use sluice_plugin_aot::limits;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{ResourceLimiter, Result};

use crate::bindings::{log, objects};
use crate::pointer;

/// Lines of log of one instance.
const LOG_LINES: u32 = 200;
/// Bytes of log of one instance.
const LOG_BYTES: usize = 16 << 10;
/// Core instances, tables and memories of one store: composed components have some; thousands are an attack.
const PARTS: usize = 64;

/// The data of one store.
pub(crate) struct State {
    pub(crate) objects: ResourceTable,
    pub(crate) memory: MemoryLimit,
    plugin: String,
    log_lines: u32,
    log_bytes: usize,
}

/// An object in a plugin's hands, Secrets masked.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct HostObject {
    object: Object,
}

impl State {
    pub(crate) fn new(plugin: &str) -> Self {
        Self {
            objects: ResourceTable::new(),
            memory: MemoryLimit::default(),
            plugin: plugin.to_owned(),
            log_lines: 0,
            log_bytes: 0,
        }
    }

    /// Hands an object over: the plugin owns the handle.
    pub(crate) fn give(&mut self, object: &Object) -> Result<Resource<HostObject>> {
        Ok(self.objects.push(HostObject {
            object: secret::mask(object),
        })?)
    }

    /// Lends an object for one call: [`State::take_back`] it afterwards.
    pub(crate) fn lend(&mut self, object: &Object) -> Result<(Resource<HostObject>, Resource<HostObject>)> {
        let owned = self.give(object)?;
        let borrowed = Resource::new_borrow(owned.rep());
        Ok((owned, borrowed))
    }

    pub(crate) fn take_back(&mut self, owned: Resource<HostObject>) -> Result<()> {
        self.objects.delete(owned)?;
        Ok(())
    }

    fn json(&self, handle: &Resource<HostObject>) -> Result<&Json> {
        Ok(self.objects.get(handle)?.object.value())
    }
}

impl objects::Host for State {}

impl objects::HostObject for State {
    fn ref_(&mut self, handle: Resource<HostObject>) -> Result<objects::ObjectRef> {
        let object = &self.objects.get(&handle)?.object;
        Ok(objects::ObjectRef {
            group: object.group().to_owned(),
            version: object.version().to_owned(),
            kind: object.kind().to_owned(),
            namespace: object.namespace().map(str::to_owned),
            name: object.name().to_owned(),
        })
    }

    fn get(&mut self, handle: Resource<HostObject>, at: String) -> Result<Option<objects::Value>> {
        Ok(pointer::find(self.json(&handle)?, &at).map(value))
    }

    fn get_many(
        &mut self,
        handle: Resource<HostObject>,
        pointers: Vec<String>,
    ) -> Result<Vec<Option<objects::Value>>> {
        let json = self.json(&handle)?;
        Ok(pointers
            .iter()
            .map(|at| pointer::find(json, at).map(value))
            .collect())
    }

    fn annotation(&mut self, handle: Resource<HostObject>, key: String) -> Result<Option<String>> {
        Ok(self
            .objects
            .get(&handle)?
            .object
            .annotation(&key)
            .map(str::to_owned))
    }

    fn label(&mut self, handle: Resource<HostObject>, key: String) -> Result<Option<String>> {
        Ok(self.objects.get(&handle)?.object.label(&key).map(str::to_owned))
    }

    fn length(&mut self, handle: Resource<HostObject>, at: String) -> Result<Option<u32>> {
        let length = match pointer::find(self.json(&handle)?, &at) {
            Some(Json::Array(list)) => Some(list.len()),
            Some(Json::Object(map)) => Some(map.len()),
            Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | None => None,
        };
        Ok(length.map(|length| u32::try_from(length).unwrap_or(u32::MAX)))
    }

    fn to_json(&mut self, handle: Resource<HostObject>) -> Result<String> {
        Ok(self.json(&handle)?.to_string())
    }

    fn drop(&mut self, handle: Resource<HostObject>) -> Result<()> {
        self.take_back(handle)
    }
}

fn value(json: &Json) -> objects::Value {
    match json {
        Json::Null => objects::Value::Null,
        Json::Bool(flag) => objects::Value::Boolean(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => objects::Value::Integer(integer),
            None => objects::Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => objects::Value::Text(text.clone()),
        Json::Array(_) | Json::Object(_) => objects::Value::Json(json.to_string()),
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        if self.log_lines >= LOG_LINES {
            return Ok(());
        }
        self.log_lines += 1;
        self.log_bytes += message.len();
        if self.log_lines == LOG_LINES || self.log_bytes > LOG_BYTES {
            self.log_lines = LOG_LINES;
            tracing::warn!(plugin = self.plugin, "it logs too much: the rest is dropped");
            return Ok(());
        }
        let message = one_line(&message);
        match level {
            log::Level::Debug => tracing::debug!(plugin = self.plugin, "{message}"),
            log::Level::Info => tracing::info!(plugin = self.plugin, "{message}"),
            log::Level::Warn => tracing::warn!(plugin = self.plugin, "{message}"),
        }
        Ok(())
    }
}

/// Text of a plugin as it may stand in a log, a status or a terminal: one line, no control characters, 1,024 bytes at most.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(1028));
    for character in text.chars() {
        if line.len() >= 1024 {
            line.push('…');
            break;
        }
        match character {
            '\n' | '\t' => line.push(' '),
            character if character.is_control() => {}
            character => line.push(character),
        }
    }
    line
}

/// Bounds what an instance takes in all: wasmtime's own limiter bounds each memory by itself.
#[derive(Default)]
pub(crate) struct MemoryLimit {
    bytes: usize,
    elements: usize,
    /// Set when something was refused: tells a lack of memory from a plugin that aborts for its own reasons.
    pub(crate) exceeded: bool,
}

impl MemoryLimit {
    fn grow(total: &mut usize, current: usize, desired: usize, limit: usize) -> bool {
        let wanted = total.saturating_add(desired.saturating_sub(current));
        let allowed = wanted <= limit;
        if allowed {
            *total = wanted;
        }
        allowed
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let allowed = Self::grow(&mut self.bytes, current, desired, limits::MEMORY_BYTES);
        self.exceeded |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let allowed = Self::grow(&mut self.elements, current, desired, limits::TABLE_ELEMENTS);
        self.exceeded |= !allowed;
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}
