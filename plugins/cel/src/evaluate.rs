//! A tree into its value.

use std::rc::Rc;

use crate::tree::{Each, Kind, Node, Select, Unary};
use crate::value::{TYPES, entry};
use crate::{Failure, Fields, Key, Map, Meter, Value, functions, operators};

type Answer = Result<Value, Failure>;

/// The value of a tree over the fields of an object.
pub(crate) fn evaluate(tree: &Node, fields: &Fields<'_>, meter: &Meter) -> Answer {
    let mut evaluation = Evaluation {
        fields,
        meter,
        bound: Vec::new(),
    };
    evaluation.value(tree)
}

struct Evaluation<'a> {
    fields: &'a Fields<'a>,
    meter: &'a Meter,
    /// The variables of the macros that are being evaluated, the innermost last.
    bound: Vec<(&'a str, Value)>,
}

impl<'a> Evaluation<'a> {
    fn value(&mut self, node: &'a Node) -> Answer {
        self.meter.steps(1)?;
        match &node.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Name(name) => self.name(name)?.ok_or_else(|| self.unknown(node)),
            Kind::Select { operand, field, how } => self.select(node, operand, field, *how),
            Kind::Index {
                operand,
                index,
                optional,
            } => {
                let is_path = matches!(index.kind, Kind::Literal(Value::Text(_)));
                let operand = match self.value(operand) {
                    Err(failure) if is_path && failure == self.unknown(operand) => {
                        return Err(self.unknown(node));
                    }
                    operand => operand?,
                };
                let index = self.value(index)?;
                index_into(self.meter, &operand, &index, *optional)
            }
            Kind::Unary(Unary::Not, operand) => match self.value(operand)? {
                Value::Bool(flag) => Ok(Value::Bool(!flag)),
                _ => Err(Failure::no_overload()),
            },
            Kind::Unary(Unary::Negative, operand) => operators::negative(&self.value(operand)?),
            Kind::Binary(operator, left, right) => {
                let left = self.value(left)?;
                let right = self.value(right)?;
                operators::binary(self.meter, *operator, &left, &right)
            }
            Kind::Logic(and, parts) => {
                let mut logic = Logic::new(*and);
                for part in parts {
                    if logic.is_settled_by(self.value(part))? {
                        break;
                    }
                }
                logic.value()
            }
            Kind::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                match self.flag(condition)? {
                    true => self.value(yes),
                    false => self.value(no),
                }
            }
            Kind::List(entries) => self.list(entries),
            Kind::Map(entries) => self.map(entries),
            Kind::Call {
                target,
                name,
                arguments,
            } => self.call(target.as_deref(), name, arguments),
            Kind::Matches(text, pattern) => match self.value(text)? {
                Value::Text(text) => pattern.fits(self.meter, &text).map(Value::Bool),
                _ => Err(Failure::no_overload()),
            },
            Kind::Each {
                what,
                range,
                variable,
                filter,
                body,
            } => {
                let range = self.value(range)?;
                self.each(*what, &range, variable, filter.as_deref(), body)
            }
            Kind::OptionalMap {
                target,
                variable,
                body,
                flat,
            } => {
                let Value::Optional(target) = self.value(target)? else {
                    return Err(Failure::no_overload());
                };
                let Some(target) = target else {
                    return Ok(Value::Optional(None));
                };
                let value = self.with(variable, (*target).clone(), body)?;
                Ok(if *flat { value } else { Value::some(value) })
            }
        }
    }

    /// A variable, a field of the object, or a type; in this order.
    fn name(&self, name: &str) -> Result<Option<Value>, Failure> {
        let mut bound = self.bound.iter().rev();
        if let Some((_, value)) = bound.find(|(bound, _)| *bound == name) {
            return Ok(Some(value.clone()));
        }
        if let Some(value) = (self.fields)(name)? {
            return Ok(Some(value));
        }
        let known = TYPES.into_iter().find(|known| *known == name);
        Ok(known.map(Value::Type))
    }

    fn select(&mut self, node: &'a Node, operand: &'a Node, field: &Rc<str>, how: Select) -> Answer {
        let value = match &operand.kind {
            Kind::Name(name) => self.name(name)?.ok_or_else(|| self.unknown(node))?,
            // `google.protobuf.Timestamp` and its like are names with points.
            Kind::Select { .. } | Kind::Index { .. } => match self.value(operand) {
                Err(failure) if failure == self.unknown(operand) => {
                    return qualified_type(&path(operand), field).ok_or_else(|| self.unknown(node));
                }
                value => value?,
            },
            _ => self.value(operand)?,
        };
        match how {
            Select::Plain => member(self.meter, &value, field),
            Select::Optional => index_into(self.meter, &value, &Value::Text(Rc::clone(field)), true),
            Select::Has => has(&value, field).map(Value::Bool),
        }
    }

    /// The error about a name that there is not, and what is read of it.
    fn unknown(&self, node: &Node) -> Failure {
        let path = path(node);
        match self.meter.letters(path.len()) {
            Ok(()) => Failure::error(format!("no such attribute(s): {path}")),
            Err(limit) => limit,
        }
    }

    /// A condition, which has to be a truth value.
    fn flag(&mut self, node: &'a Node) -> Result<bool, Failure> {
        match self.value(node)? {
            Value::Bool(flag) => Ok(flag),
            _ => Err(Failure::no_overload()),
        }
    }

    /// The value of a part in which a variable is bound.
    fn with(&mut self, variable: &'a str, value: Value, part: &'a Node) -> Answer {
        self.bound.push((variable, value));
        let value = self.value(part);
        self.bound.pop();
        value
    }

    fn list(&mut self, entries: &'a [(bool, Node)]) -> Answer {
        self.meter.entries(entries.len())?;
        let mut list = Vec::with_capacity(entries.len());
        for (optional, entry) in entries {
            list.extend(present(*optional, self.value(entry)?)?);
        }
        Ok(Value::list(list))
    }

    fn map(&mut self, entries: &'a [(bool, Node, Node)]) -> Answer {
        self.meter.entries(entries.len().saturating_mul(4))?;
        let mut map = Map::new();
        for (optional, key, value) in entries {
            let key = self.value(key)?;
            let key = Key::of(&key).ok_or_else(|| Failure::error("unsupported key type"))?;
            if let Key::Text(text) = &key {
                // It is compared with some of the others.
                self.meter.letters(text.len().saturating_mul(8))?;
            }
            if let Some(value) = present(*optional, self.value(value)?)? {
                map.insert(key, value);
            }
        }
        Ok(Value::map(map))
    }

    fn call(&mut self, target: Option<&'a Node>, name: &'a str, arguments: &'a [Node]) -> Answer {
        // `base64.encode(…)` is a function with a point in its name.
        let qualified = match target.map(|target| &target.kind) {
            Some(Kind::Name(space)) => functions::qualified(space, name),
            _ => None,
        };
        let mut values = Vec::with_capacity(arguments.len() + 1);
        if let (Some(target), None) = (target, qualified) {
            let value = self.value(target)?;
            if let ("or" | "orValue", [other]) = (name, arguments) {
                return match (&value, name) {
                    // An optional that has a value, or the argument: not both.
                    (Value::Optional(None), _) => self.value(other),
                    (Value::Optional(Some(value)), "orValue") => Ok((**value).clone()),
                    _ => Ok(value),
                };
            }
            values.push(value);
        }
        for argument in arguments {
            values.push(self.value(argument)?);
        }
        functions::call(self.meter, qualified.unwrap_or(name), &values)
    }

    fn each(
        &mut self,
        what: Each,
        range: &Value,
        variable: &'a str,
        filter: Option<&'a Node>,
        body: &'a Node,
    ) -> Answer {
        let entries = match range {
            Value::List(list) => Rc::clone(list),
            Value::Map(map) => {
                self.meter.entries(map.len())?;
                map.keys().map(Key::to_value).collect()
            }
            _ => return Err(Failure::no_overload()),
        };
        let mut logic = Logic::new(what == Each::All);
        let mut found = Vec::new();
        let mut count = 0_usize;
        for entry in entries.iter() {
            match what {
                Each::All | Each::Exists => {
                    let value = self.with(variable, entry.clone(), body);
                    if logic.is_settled_by(value)? {
                        break;
                    }
                }
                Each::ExistsOne | Each::Filter => {
                    let Value::Bool(flag) = self.with(variable, entry.clone(), body)? else {
                        return Err(Failure::no_overload());
                    };
                    count += usize::from(flag);
                    if flag && what == Each::Filter {
                        self.meter.entries(1)?;
                        found.push(entry.clone());
                    }
                }
                Each::Map => {
                    if let Some(filter) = filter {
                        match self.with(variable, entry.clone(), filter)? {
                            Value::Bool(true) => {}
                            Value::Bool(false) => continue,
                            _ => return Err(Failure::no_overload()),
                        }
                    }
                    self.meter.entries(1)?;
                    found.push(self.with(variable, entry.clone(), body)?);
                }
            }
        }
        match what {
            Each::All | Each::Exists => logic.value(),
            Each::ExistsOne => Ok(Value::Bool(count == 1)),
            Each::Map | Each::Filter => Ok(Value::list(found)),
        }
    }
}

/// `&&` or `||` of any number of conditions. An error counts only if no other condition settles it.
struct Logic {
    /// True for `&&`: what it is of nothing, too.
    and: bool,
    failure: Option<Failure>,
}

impl Logic {
    fn new(and: bool) -> Self {
        Self { and, failure: None }
    }

    /// Takes one condition: true if the others do not matter any more.
    fn is_settled_by(&mut self, condition: Answer) -> Result<bool, Failure> {
        let failure = match condition {
            Ok(Value::Bool(flag)) if flag != self.and => {
                self.and = flag;
                self.failure = None;
                return Ok(true);
            }
            Ok(Value::Bool(_)) => return Ok(false),
            Ok(_) => Failure::no_overload(),
            Err(Failure::Limit(limit)) => return Err(Failure::Limit(limit)),
            Err(failure) => failure,
        };
        self.failure.get_or_insert(failure);
        Ok(false)
    }

    fn value(self) -> Answer {
        match self.failure {
            None => Ok(Value::Bool(self.and)),
            Some(failure) => Err(failure),
        }
    }
}

/// An entry of a literal; none for an optional entry of nothing.
fn present(optional: bool, value: Value) -> Result<Option<Value>, Failure> {
    match (optional, value) {
        (false, value) => Ok(Some(value)),
        (true, Value::Optional(value)) => Ok(value.map(|value| (*value).clone())),
        (true, other) => Err(Failure::error(format!(
            "cannot initialize optional entry from non-optional value {}",
            other.type_name()
        ))),
    }
}

/// Names with points between them.
fn path(node: &Node) -> String {
    match &node.kind {
        Kind::Name(name) => name.to_string(),
        Kind::Select { operand, field, .. } => format!("{}.{field}", path(operand)),
        Kind::Index { operand, index, .. } => match &index.kind {
            Kind::Literal(Value::Text(field)) => format!("{}.{field}", path(operand)),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

/// A type of protocol buffers that has a value here.
fn qualified_type(space: &str, name: &str) -> Option<Value> {
    Some(Value::Type(match (space, name) {
        ("google.protobuf", "Timestamp") => "google.protobuf.Timestamp",
        ("google.protobuf", "Duration") => "google.protobuf.Duration",
        _ => return None,
    }))
}

/// `value.field`.
fn member(meter: &Meter, value: &Value, field: &Rc<str>) -> Answer {
    match value {
        Value::Map(map) => {
            let entry = map.get(&Key::Text(Rc::clone(field)));
            entry.cloned().ok_or_else(|| no_key(field))
        }
        Value::Optional(Some(value)) => index_into(meter, value, &Value::Text(Rc::clone(field)), true),
        Value::Optional(None) => Ok(Value::Optional(None)),
        other if is_simple(other) => Err(no_key(field)),
        _ => Err(Failure::no_overload()),
    }
}

/// Whether a value has no parts. Such a value has no fields either, which is no error where it is asked whether there is one.
fn is_simple(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_) | Value::Optional(_))
}

/// `has(value.field)`.
fn has(value: &Value, field: &Rc<str>) -> Result<bool, Failure> {
    match value {
        Value::Map(map) => Ok(map.contains_key(&Key::Text(Rc::clone(field)))),
        Value::Optional(Some(value)) => has(value, field),
        Value::Optional(None) => Ok(false),
        other if is_simple(other) => Ok(false),
        _ => Err(Failure::no_overload()),
    }
}

/// `value[index]`. Of an optional, and if it is asked for optionally, it is an optional.
fn index_into(meter: &Meter, value: &Value, index: &Value, optional: bool) -> Answer {
    match value {
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(value)) => return index_into(meter, value, index, true),
        _ => {}
    }
    let found = match value {
        Value::Map(map) => match index {
            Value::Null | Value::List(_) | Value::Map(_) | Value::Optional(_) => {
                return Err(Failure::error("unsupported key type"));
            }
            index => entry(meter, map, index)?.ok_or_else(|| no_key(&functions::shown(index))),
        },
        Value::List(list) => {
            let at = position(index).ok_or_else(Failure::no_overload)?;
            let found = usize::try_from(at).ok().and_then(|at| list.get(at));
            found.ok_or_else(|| Failure::error(format!("index out of bounds: {at}")))
        }
        other if is_simple(other) => Err(no_key(&functions::shown(index))),
        _ => return Err(Failure::no_overload()),
    };
    match (found, optional) {
        (Ok(value), true) => Ok(Value::some(value.clone())),
        (Err(_), true) => Ok(Value::Optional(None)),
        (found, false) => found.cloned(),
    }
}

fn no_key(key: &str) -> Failure {
    Failure::error(format!("no such key: {key}"))
}

/// An index of a list.
fn position(index: &Value) -> Option<i64> {
    match index {
        Value::Int(index) => Some(*index),
        Value::Uint(index) => i64::try_from(*index).ok(),
        Value::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
        _ => None,
    }
}
