//! What one instance sees of the host: its objects, its log, its memory limit.

use std::any::Any;
use std::borrow::Cow;
use std::time::Instant;

use serde_json::Value as Json;
use sluice_model::{Object, secret};
use sluice_plugin_aot::Limits;
use wasmtime::component::Resource;
use wasmtime::{Error, ResourceLimiter, Result, Trap};

use crate::bindings::{log, objects};
use crate::context::{Context, HostContext};
use crate::handles::Handles;
use crate::pointer;
use crate::setup::{Descriptor, HostDescriptor, HostSettings, Settings};

/// Core instances, tables and memories of one store: composed components have some, and the pool has its own bounds; thousands are an
/// attack.
const PARTS: usize = 128;

/// What a text takes beside its letters.
const TEXT: usize = size_of::<String>();

/// How many small calls there are between two looks at the clock, which costs as much as they do.
const TICKS: u8 = 16;
/// From here on a call is no small one: bytes of what it hands over.
const LONG: usize = 4 << 10;

/// How many pointers are followed between two looks at the clock: each costs less than a millisecond, whatever the object.
const POINTERS: usize = 16;

/// The data of one store.
pub(crate) struct State {
    pub(crate) memory: MemoryLimit,
    pub(crate) limits: Limits,
    /// Whether the plugin has said that it looks at the clock.
    pub(crate) uses_time: bool,
    objects: Handles<Object>,
    contexts: Handles<Context>,
    descriptors: Handles<Descriptor>,
    settings: Handles<Settings>,
    /// What only its world hands over: [`World::Handles`](crate::worlds::World::Handles).
    own: Box<dyn Any + Send>,
    /// When the current call has had its time. The engine's own clock stops the plugin's code, but not the host's, which code
    /// without loops can call for minutes.
    deadline: Instant,
    /// Calls of the plugin between two looks at the clock.
    ticks: u8,
    /// How many bytes of answers the current call may still give.
    room: usize,
    plugin: String,
    log_lines: u32,
    log_bytes: usize,
    trace: Option<Trace>,
}

/// What is read of one object.
struct Trace {
    /// The number of its handle.
    object: u32,
    pointers: Vec<String>,
}

/// The handle of an object, Secrets masked.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum HostObject {}

impl State {
    pub(crate) fn new(plugin: &str, uses_time: bool, limits: &Limits, own: Box<dyn Any + Send>) -> Self {
        Self {
            memory: MemoryLimit::new(limits),
            limits: *limits,
            uses_time,
            objects: Handles::default(),
            contexts: Handles::default(),
            descriptors: Handles::default(),
            settings: Handles::default(),
            own,
            deadline: Instant::now(),
            ticks: 0,
            room: 0,
            plugin: plugin.to_owned(),
            log_lines: 0,
            log_bytes: 0,
            trace: None,
        }
    }

    /// Notes what is read of an object, until [`State::take_trace`].
    pub(crate) fn trace(&mut self, object: &Resource<HostObject>) {
        self.trace = Some(Trace {
            object: object.rep(),
            pointers: Vec::new(),
        });
    }

    /// What was read of the traced object.
    pub(crate) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().map(|trace| trace.pointers).unwrap_or_default()
    }

    /// Notes that a field is read of an object, if that is traced.
    fn note(&mut self, object: &Resource<HostObject>, pointer: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace
            && trace.object == object.rep()
        {
            trace.pointers.push(one_line(&pointer()));
        }
    }

    /// Begins a call.
    pub(crate) fn begin(&mut self, deadline: Instant, room: usize) {
        self.deadline = deadline;
        self.room = room;
    }

    /// Ends a call: nothing that was handed over in it may be used any more.
    pub(crate) fn end(&mut self) {
        drop(self.objects.end());
        drop(self.contexts.end());
        drop(self.descriptors.end());
        drop(self.settings.end());
    }

    /// Has an object ready to be handed over in this call: the number of its handles.
    pub(crate) fn keep(&mut self, object: &Object) -> Result<u32> {
        self.objects.keep(secret::mask(object))
    }

    /// Hands an object over: the plugin owns the handle.
    pub(crate) fn give(&mut self, object: &Object) -> Result<Resource<HostObject>> {
        Ok(Resource::new_own(self.keep(object)?))
    }

    pub(crate) fn give_context(&mut self, context: Context) -> Result<Resource<HostContext>> {
        Ok(Resource::new_own(self.contexts.keep(context)?))
    }

    pub(crate) fn give_descriptor(&mut self) -> Result<Resource<HostDescriptor>> {
        Ok(Resource::new_own(self.descriptors.keep(Descriptor::default())?))
    }

    pub(crate) fn give_settings(&mut self, json: String) -> Result<Resource<HostSettings>> {
        let problems = Vec::new();
        Ok(Resource::new_own(
            self.settings.keep(Settings { json, problems })?,
        ))
    }

    /// What the plugin filled in.
    pub(crate) fn take_descriptor(&mut self) -> Descriptor {
        self.descriptors.end().next_back().unwrap_or_default()
    }

    /// What the plugin does not like about its settings.
    pub(crate) fn take_problems(&mut self) -> Vec<String> {
        let settings = self.settings.end();
        settings
            .into_iter()
            .flat_map(|settings| settings.problems)
            .collect()
    }

    /// What its world alone hands over, while there is time.
    pub(crate) fn own<T: 'static>(&mut self) -> Result<&mut T> {
        self.tick()?;
        let own = self.own.downcast_mut();
        own.ok_or_else(|| Error::msg("a handle of another world"))
    }

    pub(crate) fn context(&mut self, handle: &Resource<HostContext>) -> Result<&Context> {
        self.tick()?;
        self.contexts.get(handle)
    }

    pub(crate) fn descriptor(&mut self, handle: &Resource<HostDescriptor>) -> Result<&mut Descriptor> {
        self.tick()?;
        self.descriptors.get_mut(handle)
    }

    pub(crate) fn settings(&mut self, handle: &Resource<HostSettings>) -> Result<&mut Settings> {
        self.tick()?;
        self.settings.get_mut(handle)
    }

    /// Takes so much of what a call may give in answers. What is given in one crossing the engine bounds; this bounds all of them.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<()> {
        let room = self.room.checked_sub(bytes);
        self.room = room.ok_or_else(|| Error::msg("its answers come to more than a call may give"))?;
        match bytes > LONG {
            true => self.in_time(),
            false => Ok(()),
        }
    }

    /// [`State::spend`] for texts, of which there may be many without a letter.
    pub(crate) fn spend_texts(&mut self, texts: &[String]) -> Result<()> {
        let size = |text: &String| text.len().saturating_add(TEXT);
        self.spend(texts.iter().map(size).sum())
    }

    /// The object of a handle, while there is time.
    pub(crate) fn object(&self, handle: &Resource<HostObject>) -> Result<&Object> {
        self.in_time()?;
        self.objects.get(handle)
    }

    /// [`State::in_time`] for what costs next to nothing: looks at the clock now and then.
    pub(crate) fn tick(&mut self) -> Result<()> {
        self.ticks = self.ticks.wrapping_add(1);
        match self.ticks.is_multiple_of(TICKS) {
            true => self.in_time(),
            false => Ok(()),
        }
    }

    /// An error once the call has had its time.
    fn in_time(&self) -> Result<()> {
        match Instant::now() <= self.deadline {
            true => Ok(()),
            false => Err(Trap::Interrupt.into()),
        }
    }
}

impl objects::Host for State {}

impl objects::HostObject for State {
    fn ref_(&mut self, handle: Resource<HostObject>) -> Result<objects::ObjectRef> {
        let object = self.object(&handle)?;
        Ok(objects::ObjectRef {
            group: object.group().to_owned(),
            version: object.version().to_owned(),
            kind: object.kind().to_owned(),
            namespace: object.namespace().map(str::to_owned),
            name: object.name().to_owned(),
        })
    }

    fn get(&mut self, handle: Resource<HostObject>, at: String) -> Result<Option<objects::Value>> {
        self.note(&handle, || at.clone());
        Ok(pointer::find(&seen(self.object(&handle)?, [&at]), &at).map(value))
    }

    fn get_many(
        &mut self,
        handle: Resource<HostObject>,
        pointers: Vec<String>,
    ) -> Result<Vec<Option<objects::Value>>> {
        for pointer in &pointers {
            self.note(&handle, || pointer.clone());
        }
        let json = &*seen(self.object(&handle)?, &pointers);
        let mut room = self.limits.memory_bytes;
        let mut values = Vec::with_capacity(pointers.len());
        for (index, at) in pointers.iter().enumerate() {
            if index % POINTERS == POINTERS - 1 {
                self.in_time()?;
            }
            let found = pointer::find(json, at).map(value);
            let size = found.as_ref().map_or(0, size);
            values.push(found);
            let Some(left) = room.checked_sub(size) else {
                // More than the plugin could take in: not made at all, since it would be the host's memory.
                self.memory.exceeded = true;
                return Err(wasmtime::Error::msg(
                    "the fields come to more than an instance can hold",
                ));
            };
            room = left;
        }
        Ok(values)
    }

    fn annotation(&mut self, handle: Resource<HostObject>, key: String) -> Result<Option<String>> {
        self.note(&handle, || format!("/metadata/annotations/{}", escaped(&key)));
        Ok(self.object(&handle)?.annotation(&key).map(str::to_owned))
    }

    fn label(&mut self, handle: Resource<HostObject>, key: String) -> Result<Option<String>> {
        self.note(&handle, || format!("/metadata/labels/{}", escaped(&key)));
        Ok(self.object(&handle)?.label(&key).map(str::to_owned))
    }

    fn length(&mut self, handle: Resource<HostObject>, at: String) -> Result<Option<u32>> {
        self.note(&handle, || at.clone());
        let length = match pointer::find(&seen(self.object(&handle)?, [&at]), &at) {
            Some(Json::Array(list)) => Some(list.len()),
            Some(Json::Object(map)) => Some(map.len()),
            Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | None => None,
        };
        Ok(length.map(|length| u32::try_from(length).unwrap_or(u32::MAX)))
    }

    fn to_json(&mut self, handle: Resource<HostObject>) -> Result<String> {
        self.note(&handle, String::new);
        Ok(self.object(&handle)?.whole().to_string())
    }

    /// The object itself stays until the call ends.
    fn drop(&mut self, _: Resource<HostObject>) -> Result<()> {
        self.tick()
    }
}

/// A key within an RFC 6901 pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// As much of an object as some pointers lead to: the record of managers is put together only for those who look at it.
fn seen<'o>(object: &'o Object, pointers: impl IntoIterator<Item = &'o String>) -> Cow<'o, Json> {
    let leads_there =
        |at: &String| matches!(at.as_str(), "" | "/metadata") || at.starts_with("/metadata/managedFields");
    match pointers.into_iter().any(leads_there) {
        true => object.whole(),
        false => Cow::Borrowed(object.value()),
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

/// What a value takes of the plugin's memory, next to nothing left out.
fn size(value: &objects::Value) -> usize {
    match value {
        objects::Value::Text(text) | objects::Value::Json(text) => text.len(),
        objects::Value::Null
        | objects::Value::Boolean(_)
        | objects::Value::Integer(_)
        | objects::Value::Number(_) => 0,
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        self.in_time()?;
        if self.log_lines >= self.limits.log_lines {
            return Ok(());
        }
        self.log_lines += 1;
        self.log_bytes += message.len();
        if self.log_lines == self.limits.log_lines || self.log_bytes > self.limits.log_bytes {
            self.log_lines = self.limits.log_lines;
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
    shown(text, ' ')
}

/// As [`one_line`], but lines stay lines: for a verdict, which is data before it is shown.
pub(crate) fn lines(text: &str) -> String {
    shown(text, '\n')
}

fn shown(text: &str, line_end: char) -> String {
    let mut line = String::with_capacity(text.len().min(1028));
    for character in text.chars() {
        if line.len() >= 1024 {
            line.push('…');
            break;
        }
        match character {
            '\n' => line.push(line_end),
            '\t' if line_end == '\n' => line.push('\t'),
            '\t' => line.push(' '),
            character if character.is_control() => {}
            character => line.push(character),
        }
    }
    line
}

/// Bounds what an instance takes in all: wasmtime's own limiter bounds each memory by itself.
pub(crate) struct MemoryLimit {
    bytes: usize,
    most_bytes: usize,
    elements: usize,
    most_elements: usize,
    /// Set when something was refused: tells a lack of memory from a plugin that aborts for its own reasons.
    pub(crate) exceeded: bool,
}

impl MemoryLimit {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            bytes: 0,
            most_bytes: limits.memory_bytes,
            elements: 0,
            most_elements: limits.table_elements,
            exceeded: false,
        }
    }

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
        let allowed = Self::grow(&mut self.bytes, current, desired, self.most_bytes);
        self.exceeded |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let allowed = Self::grow(&mut self.elements, current, desired, self.most_elements);
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
