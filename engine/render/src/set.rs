//! Single values, as `helm --set` and `--set-string` read them: `image.tag=v2`, `hosts[0].name=a`, `list={a,b}`.
//!
//! What stands there may be a Secret's value, so no error quotes any of it. `tests/render` holds it against Helm's own reader.

use serde_json::{Map, Value};

/// Entries of a list.
const MOST_ENTRIES: usize = 65_536;
/// Names within each other.
const DEPTH: usize = 30;

/// Why it was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// A name without `=` and a value after it.
    #[error("a name has no value: write `NAME=VALUE`, and `\\,` for a comma within the value")]
    NoValue,
    /// An index that is none.
    #[error("an index in `[]` is no number up to 65536, or something stands after it")]
    Index,
    /// A list that does not end.
    #[error("a list has to end with `}}`")]
    List,
    /// Something of another shape is there already.
    #[error("a name leads into a value that is no map, or no list")]
    Shape,
    /// Too many names within each other.
    #[error("more than 30 names are within each other")]
    Depth,
}

/// Sets values. With `as_text` every value is text; otherwise numbers, `true`, `false` and `null` are what they look like.
///
/// # Errors
/// [`SetError`]; some values may have been set by then.
pub fn set(values: &mut Map<String, Value>, text: &str, as_text: bool) -> Result<(), SetError> {
    let mut reader = Reader { rest: text, as_text };
    while reader.key(values, 0)? == More::Yes {}
    Ok(())
}

#[derive(PartialEq)]
enum More {
    Yes,
    No,
}

struct Reader<'t> {
    rest: &'t str,
    as_text: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// The text up to one of some characters, and which one; none if the end comes first. What follows a backslash stands for itself.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                c if stops.contains(&c) => return (text, Some(c)),
                '\\' => text.extend(self.next()),
                c => text.push(c),
            }
        }
        (text, None)
    }

    fn key(&mut self, data: &mut Map<String, Value>, depth: usize) -> Result<More, SetError> {
        let (name, stop) = self.until(&['=', '[', ',', '.']);
        match stop {
            None if name.is_empty() => Ok(More::No),
            Some('[') => {
                let index = self.index()?;
                let mut list = match data.remove(&name) {
                    None => Vec::new(),
                    Some(Value::Array(list)) => list,
                    Some(_) => return Err(SetError::Shape),
                };
                let more = self.entry(&mut list, index, depth);
                put(data, name, Value::Array(list));
                more
            }
            Some('=') => {
                let (value, more) = self.value()?;
                put(data, name, value);
                Ok(more)
            }
            Some('.') => {
                if depth >= DEPTH {
                    return Err(SetError::Depth);
                }
                let mut inner = match data.remove(&name) {
                    None => Map::new(),
                    Some(Value::Object(inner)) => inner,
                    Some(_) => return Err(SetError::Shape),
                };
                let more = self.key(&mut inner, depth + 1)?;
                if inner.is_empty() && more == More::Yes {
                    return Err(SetError::NoValue);
                }
                if !inner.is_empty() {
                    put(data, name, Value::Object(inner));
                }
                Ok(more)
            }
            _ => Err(SetError::NoValue),
        }
    }

    fn index(&mut self) -> Result<usize, SetError> {
        let (index, stop) = self.until(&[']']);
        let index = index.parse::<usize>().ok().filter(|index| *index <= MOST_ENTRIES);
        index.filter(|_| stop.is_some()).ok_or(SetError::Index)
    }

    fn entry(&mut self, list: &mut Vec<Value>, index: usize, depth: usize) -> Result<More, SetError> {
        if depth >= DEPTH {
            return Err(SetError::Depth);
        }
        let (between, stop) = self.until(&['[', '.', '=']);
        if !between.is_empty() {
            return Err(SetError::Index);
        }
        match stop {
            None => Ok(More::No),
            Some('=') => {
                let (value, _) = self.value()?;
                put_entry(list, index, value);
                Ok(More::Yes)
            }
            Some('[') => {
                let next = self.index()?;
                let is_there = index < list.len();
                let mut inner = match list.get_mut(index).map(Value::take) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Array(inner)) => inner,
                    Some(_) => return Err(SetError::Shape),
                };
                let more = self.entry(&mut inner, next, depth + 1)?;
                if is_there || more == More::Yes {
                    put_entry(list, index, Value::Array(inner));
                }
                Ok(more)
            }
            _ => {
                let is_there = index < list.len();
                let mut inner = match list.get_mut(index).map(Value::take) {
                    Some(Value::Object(inner)) => inner,
                    _ => Map::new(),
                };
                let more = self.key(&mut inner, depth)?;
                if is_there || more == More::Yes {
                    put_entry(list, index, Value::Object(inner));
                }
                Ok(more)
            }
        }
    }

    /// What stands after `=`.
    fn value(&mut self) -> Result<(Value, More), SetError> {
        match self.rest.chars().next() {
            None => Ok((Value::String(String::new()), More::No)),
            Some('{') => {
                self.next();
                let mut list = Vec::new();
                loop {
                    let (text, stop) = self.until(&[',', '}']);
                    match stop {
                        None => return Err(SetError::List),
                        Some('}') => {
                            list.push(self.typed(text));
                            self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                            return Ok((Value::Array(list), More::Yes));
                        }
                        Some(_) => list.push(self.typed(text)),
                    }
                }
            }
            Some(_) => {
                let (text, _) = self.until(&[',']);
                Ok((self.typed(text), More::Yes))
            }
        }
    }

    fn typed(&self, text: String) -> Value {
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        match () {
            () if self.as_text => text.into(),
            () if is("true") => true.into(),
            () if is("false") => false.into(),
            () if is("null") => Value::Null,
            () if text == "0" => 0.into(),
            () if text.starts_with('0') => text.into(),
            () => text
                .parse::<i64>()
                .map_or_else(|_| text.clone().into(), Into::into),
        }
    }
}

fn put(data: &mut Map<String, Value>, name: String, value: Value) {
    if !name.is_empty() {
        data.insert(name, value);
    }
}

fn put_entry(list: &mut Vec<Value>, index: usize, value: Value) {
    if list.len() <= index {
        list.resize(index + 1, Value::Null);
    }
    if let Some(entry) = list.get_mut(index) {
        *entry = value;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_set() {
        let cases = [
            ("a=1", json!({"a": 1, "list": [1], "map": {"x": "y"}})),
            (
                "a.b[1].c=x,d=",
                json!({"a": {"b": [null, {"c": "x"}]}, "d": "", "list": [1], "map": {"x": "y"}}),
            ),
            (
                "map.z={1,b}",
                json!({"list": [1], "map": {"x": "y", "z": [1, "b"]}}),
            ),
            (
                "list[0]=01,k=a\\,b\\.c",
                json!({"list": ["01"], "k": "a,b.c", "map": {"x": "y"}}),
            ),
        ];
        for (text, expected) in cases {
            let mut values = json!({"list": [1], "map": {"x": "y"}})
                .as_object()
                .cloned()
                .unwrap();
            set(&mut values, text, false).unwrap();
            assert_eq!(Value::Object(values), expected, "{text}");
        }
        for text in [
            "a",
            "a,b=1",
            "a[x]=1",
            "a[0]b=1",
            "a={1",
            "map.x.y=1",
            "list.x=1",
            "a[99999999]=1",
        ] {
            let mut values = json!({"list": [1], "map": {"x": "y"}})
                .as_object()
                .cloned()
                .unwrap();
            assert!(set(&mut values, text, false).is_err(), "{text}");
        }
    }
}
