//! Paths in jq's language: the part of it that names places.
//!
//! ```text
//! .spec.replicas                                        a field; ."a.b" and ["a.b"] where its name has other characters
//! .webhooks[].clientConfig.caBundle                     every entry of a list or value of a map
//! .spec.template.spec.containers[0].image               one entry
//! .spec.containers[] | select(.name == "x") | .image    those of which something holds
//! .metadata.labels, .metadata.annotations               both
//! ```
//!
//! Within `select`: paths, texts, numbers, `true`, `false`, `null`; `==`, `!=`, `and`, `or`, `not`, `startswith("x")`,
//! `endswith("x")`, `contains("x")`, `has("x")`. A `?` changes nothing: what is not there is passed over anyway. Everything
//! else of jq computes values instead of naming places, and is refused.

use std::borrow::Cow;

use serde_json::Value;

/// No place in a manifest needs more.
const LONGEST: usize = 2048;
/// Parentheses and the like within one another.
const DEEPEST: usize = 32;
/// `(., .) | (., .) | …` doubles each time.
const MOST: usize = 10_000;

/// A path that can be looked up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query(Expression);

/// One step of a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Field(String),
    Index(usize),
}

#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Here,
    Field(Box<Self>, String),
    Index(Box<Self>, i64),
    Each(Box<Self>),
    Pipe(Box<Self>, Box<Self>),
    Both(Box<Self>, Box<Self>),
    Select(Box<Self>),
    Literal(Value),
    Equal(Box<Self>, Box<Self>, bool),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not,
    Test(Test, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    StartsWith,
    EndsWith,
    Contains,
    Has,
}

/// A value on its way, with its place where it has one.
#[derive(Clone)]
struct Item<'v> {
    place: Option<Vec<Step>>,
    value: Cow<'v, Value>,
}

impl Query {
    /// Reads a path.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        let mut reader = Reader { rest: text, depth: 0 };
        let expression = reader.pipe()?;
        reader.skip();
        match reader.rest.is_empty() {
            true if expression.is_place() => Ok(Self(expression)),
            true => Err("it names no place".to_owned()),
            false => Err(format!("`{}` is not understood", head(reader.rest))),
        }
    }

    /// The places that it names in a value.
    pub(crate) fn places(&self, value: &Value) -> Vec<Vec<Step>> {
        let start = Item {
            place: Some(Vec::new()),
            value: Cow::Borrowed(value),
        };
        let mut places: Vec<Vec<Step>> = self
            .0
            .of(&start)
            .into_iter()
            .filter_map(|item| item.place)
            .collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

impl Expression {
    /// True where what comes out has a place.
    fn is_place(&self) -> bool {
        match self {
            Self::Here | Self::Select(_) => true,
            Self::Field(base, _) | Self::Index(base, _) | Self::Each(base) => base.is_place(),
            Self::Pipe(left, right) | Self::Both(left, right) => left.is_place() && right.is_place(),
            Self::Literal(_)
            | Self::Equal(..)
            | Self::And(..)
            | Self::Or(..)
            | Self::Not
            | Self::Test(..) => false,
        }
    }

    fn of<'v>(&self, input: &Item<'v>) -> Vec<Item<'v>> {
        let mut items = match self {
            Self::Here => vec![input.clone()],
            Self::Field(base, name) => {
                let found = base.of(input).into_iter();
                found.map(|item| item.child(Step::Field(name.clone()))).collect()
            }
            Self::Index(base, index) => {
                let found = base.of(input).into_iter();
                found
                    .filter_map(|item| {
                        let length = item.value.as_array()?.len();
                        let index = usize::try_from(*index)
                            .ok()
                            .or_else(|| length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?))?;
                        Some(item.child(Step::Index(index)))
                    })
                    .collect()
            }
            Self::Each(base) => base
                .of(input)
                .iter()
                .flat_map(Item::children)
                .take(MOST)
                .collect(),
            Self::Pipe(left, right) => {
                let found = left.of(input);
                found.iter().flat_map(|item| right.of(item)).take(MOST).collect()
            }
            Self::Both(left, right) => {
                let mut items = left.of(input);
                items.extend(right.of(input));
                items
            }
            Self::Select(condition) => match condition.holds(input) {
                true => vec![input.clone()],
                false => Vec::new(),
            },
            Self::Literal(value) => vec![Item::new(value.clone())],
            Self::Equal(left, right, wanted) => {
                let (left, right) = (left.first(input), right.first(input));
                vec![Item::new(Value::Bool((left == right) == *wanted))]
            }
            Self::And(left, right) => vec![Item::new(Value::Bool(left.holds(input) && right.holds(input)))],
            Self::Or(left, right) => vec![Item::new(Value::Bool(left.holds(input) || right.holds(input)))],
            Self::Not => vec![Item::new(Value::Bool(!is_true(&input.value)))],
            Self::Test(test, text) => vec![Item::new(Value::Bool(test.holds(&input.value, text)))],
        };
        items.truncate(MOST);
        items
    }

    /// jq would give one answer for each value; for a condition the first is what people mean.
    fn first(&self, input: &Item<'_>) -> Value {
        let first = self.of(input).into_iter().next();
        first.map_or(Value::Null, |item| item.value.into_owned())
    }

    fn holds(&self, input: &Item<'_>) -> bool {
        self.of(input).iter().any(|item| is_true(&item.value))
    }
}

fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

impl Test {
    fn holds(self, value: &Value, text: &str) -> bool {
        match (self, value) {
            (Self::StartsWith, Value::String(value)) => value.starts_with(text),
            (Self::EndsWith, Value::String(value)) => value.ends_with(text),
            (Self::Contains, Value::String(value)) => value.contains(text),
            (Self::Contains, Value::Array(entries)) => entries
                .iter()
                .any(|entry| entry.as_str().is_some_and(|entry| entry.contains(text))),
            (Self::Has, Value::Object(map)) => map.contains_key(text),
            _ => false,
        }
    }
}

impl<'v> Item<'v> {
    fn new(value: Value) -> Self {
        Self {
            place: None,
            value: Cow::Owned(value),
        }
    }

    /// What is below it; as in jq, `null` where there is nothing, which has no place.
    fn child(&self, step: Step) -> Self {
        let find = |value: &'v Value| match &step {
            Step::Field(name) => value.get(name),
            Step::Index(index) => value.get(*index),
        };
        let found = match &self.value {
            Cow::Borrowed(value) => find(value),
            // What was computed has nothing below it that could be named.
            Cow::Owned(_) => None,
        };
        let Some(value) = found else {
            return Self::new(Value::Null);
        };
        let place = self.place.clone().map(|mut place| {
            place.push(step);
            place
        });
        Self {
            place,
            value: Cow::Borrowed(value),
        }
    }

    fn children(&self) -> Vec<Self> {
        let steps: Vec<Step> = match &*self.value {
            Value::Array(entries) => (0..entries.len()).map(Step::Index).collect(),
            Value::Object(map) => map.keys().cloned().map(Step::Field).collect(),
            _ => Vec::new(),
        };
        steps.into_iter().map(|step| self.child(step)).collect()
    }
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

/// The start of what is not understood.
fn head(text: &str) -> String {
    text.chars().take(20).collect()
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A word, and not the beginning of a longer one.
    fn word(&mut self, word: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(word) {
            Some(rest) if !rest.starts_with(is_name) => {
                self.rest = rest;
                true
            }
            Some(_) | None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.take(token) {
            true => Ok(()),
            false if self.rest.is_empty() => Err(format!("it ends where `{token}` should be")),
            false => Err(format!("`{token}` should be before `{}`", head(self.rest))),
        }
    }

    fn pipe(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} deep"));
        }
        let mut left = self.both()?;
        while self.take("|") {
            left = Expression::Pipe(Box::new(left), Box::new(self.both()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn both(&mut self) -> Result<Expression, String> {
        let mut left = self.or()?;
        while self.take(",") {
            left = Expression::Both(Box::new(left), Box::new(self.or()?));
        }
        Ok(left)
    }

    fn or(&mut self) -> Result<Expression, String> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut left = self.equal()?;
        while self.word("and") {
            left = Expression::And(Box::new(left), Box::new(self.equal()?));
        }
        Ok(left)
    }

    fn equal(&mut self) -> Result<Expression, String> {
        let left = self.term()?;
        let wanted = match () {
            () if self.take("==") => true,
            () if self.take("!=") => false,
            () => return Ok(left),
        };
        Ok(Expression::Equal(Box::new(left), Box::new(self.term()?), wanted))
    }

    fn term(&mut self) -> Result<Expression, String> {
        self.skip();
        let base = match self.rest.chars().next() {
            Some('(') => {
                self.expect("(")?;
                let inner = self.pipe()?;
                self.expect(")")?;
                inner
            }
            Some('.') if self.rest.starts_with("..") => {
                return Err("`..` is not understood: name the places".to_owned());
            }
            Some('.') => {
                self.rest = self.rest.strip_prefix('.').unwrap_or(self.rest);
                match self.rest.chars().next() {
                    Some('"') => Expression::Field(Box::new(Expression::Here), self.text()?),
                    Some(first) if is_name(first) => {
                        Expression::Field(Box::new(Expression::Here), self.name())
                    }
                    Some(_) | None => Expression::Here,
                }
            }
            Some('"') => Expression::Literal(Value::String(self.text()?)),
            Some(first) if first.is_ascii_digit() || first == '-' => Expression::Literal(self.number()?),
            Some(first) if is_name(first) => return self.function(),
            Some(_) => return Err(format!("`{}` is not understood", head(self.rest))),
            None => return Err("it ends where a path should be".to_owned()),
        };
        self.suffixes(base)
    }

    fn suffixes(&mut self, mut base: Expression) -> Result<Expression, String> {
        loop {
            base = match self.rest.chars().next() {
                Some('?') => {
                    self.rest = self.rest.strip_prefix('?').unwrap_or(self.rest);
                    base
                }
                Some('.') => {
                    self.rest = self.rest.strip_prefix('.').unwrap_or(self.rest);
                    match self.rest.chars().next() {
                        Some('"') => Expression::Field(Box::new(base), self.text()?),
                        Some('[') => base,
                        Some(first) if is_name(first) => Expression::Field(Box::new(base), self.name()),
                        Some(_) | None => return Err("a field's name should be after `.`".to_owned()),
                    }
                }
                Some('[') => {
                    self.expect("[")?;
                    self.skip();
                    let next = match self.rest.chars().next() {
                        Some(']') => Expression::Each(Box::new(base)),
                        Some('"') => Expression::Field(Box::new(base), self.text()?),
                        _ => {
                            let number = self.number()?;
                            let index = number.as_i64().ok_or("an index is a whole number")?;
                            Expression::Index(Box::new(base), index)
                        }
                    };
                    self.expect("]")?;
                    next
                }
                _ => return Ok(base),
            };
        }
    }

    fn function(&mut self) -> Result<Expression, String> {
        let name = self.name();
        let test = match name.as_str() {
            "select" => {
                self.expect("(")?;
                let condition = self.pipe()?;
                self.expect(")")?;
                return self.suffixes(Expression::Select(Box::new(condition)));
            }
            "not" => return Ok(Expression::Not),
            "true" => return Ok(Expression::Literal(Value::Bool(true))),
            "false" => return Ok(Expression::Literal(Value::Bool(false))),
            "null" => return Ok(Expression::Literal(Value::Null)),
            "startswith" => Test::StartsWith,
            "endswith" => Test::EndsWith,
            "contains" => Test::Contains,
            "has" => Test::Has,
            other => return Err(format!("`{other}` is no part of jq that is understood here")),
        };
        self.expect("(")?;
        self.skip();
        let text = self.text()?;
        self.expect(")")?;
        Ok(Expression::Test(test, text))
    }

    fn name(&mut self) -> String {
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name.to_owned()
    }

    fn text(&mut self) -> Result<String, String> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        let value = values.next();
        let offset = values.byte_offset();
        match value {
            Some(Ok(text)) => {
                self.rest = self.rest.get(offset..).unwrap_or_default();
                Ok(text)
            }
            Some(Err(_)) | None => Err(format!("a text in quotes should be at `{}`", head(self.rest))),
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        match serde_json::from_str(number) {
            Ok(number @ Value::Number(_)) => {
                self.rest = rest;
                Ok(number)
            }
            Ok(_) | Err(_) => Err(format!("`{}` is not understood", head(self.rest))),
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn object() -> Value {
        json!({
            "metadata": {"annotations": {"a.b/c": "1", "d": "2"}},
            "spec": {"replicas": 3, "containers": [
                {"name": "web", "image": "i", "ports": [80, 81]},
                {"name": "injected-proxy", "image": "j"},
            ]},
        })
    }

    fn places(query: &str) -> Vec<String> {
        let show = |step: Step| match step {
            Step::Field(name) => name,
            Step::Index(index) => index.to_string(),
        };
        let places = Query::read(query).unwrap().places(&object());
        let joined = |place: Vec<Step>| place.into_iter().map(show).collect::<Vec<_>>().join(" ");
        places.into_iter().map(joined).collect()
    }

    #[test]
    fn places_are_found() {
        let check = |query: &str, expected: &[&str]| assert_eq!(places(query), expected, "{query}");
        check(".spec.replicas", &["spec replicas"]);
        check(".spec.missing", &[]);
        check(".spec[\"replicas\"]", &["spec replicas"]);
        check(".metadata.annotations.\"a.b/c\"", &["metadata annotations a.b/c"]);
        check(
            ".metadata.annotations[\"a.b/c\"]?",
            &["metadata annotations a.b/c"],
        );
        check(
            ".metadata.annotations[]",
            &["metadata annotations a.b/c", "metadata annotations d"],
        );
        check(
            ".spec.containers[].image",
            &["spec containers 0 image", "spec containers 1 image"],
        );
        check(".spec.containers[-1].name", &["spec containers 1 name"]);
        check(".spec.containers[7]", &[]);
        check(".spec.containers[]?.ports[1]", &["spec containers 0 ports 1"]);
        check(
            ".spec.containers[] | select(.name == \"web\") | .image",
            &["spec containers 0 image"],
        );
        check(
            ".spec.containers[] | select(.name | startswith(\"injected-\")).image",
            &["spec containers 1 image"],
        );
        check(
            ".spec.containers[] | select(.name != \"web\" and (.ports | not)) , .ports",
            &["spec containers 0 ports", "spec containers 1"],
        );
        check(
            ".spec | select(has(\"replicas\")) | .replicas",
            &["spec replicas"],
        );
        check("(.spec, .metadata) | .replicas", &["spec replicas"]);
        check(".spec | select(.replicas == 3) | .replicas", &["spec replicas"]);
        check(
            ".spec.containers[] | select(.ports) | .name",
            &["spec containers 0 name"],
        );
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for (query, reason) in [
            ("", "it ends where a path should be"),
            (".spec |", "it ends where a path should be"),
            ("..", "`..` is not understood: name the places"),
            (".spec[", "`` is not understood"),
            (".spec[0", "it ends where `]` should be"),
            (".a | length", "`length` is no part of jq that is understood here"),
            (".a == 1", "it names no place"),
            ("\"a\"", "it names no place"),
            (".a.", "a field's name should be after `.`"),
            (".a}", "`}` is not understood"),
            (".a | select(.b == )", "`)` is not understood"),
        ] {
            assert_eq!(Query::read(query).unwrap_err(), reason, "{query}");
        }
        let deep = format!("{}.a{}", "(".repeat(1000), ")".repeat(1000));
        assert!(Query::read(&deep).unwrap_err().contains("nested"));
        assert!(Query::read(&".a".repeat(2000)).unwrap_err().contains("longer"));
    }

    #[test]
    fn doubling_comes_to_an_end() {
        let query = vec!["(., .)"; 40].join(" | ");
        assert_eq!(Query::read(&query).unwrap().places(&object()), [Vec::new()]);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in r#"[.\[\]|()",? a-c0-9=!-]{0,40}|\PC{0,40}"#) {
            if let Ok(query) = Query::read(&text) {
                query.places(&object());
            }
        }

        #[test]
        fn every_place_that_there_is_can_be_named(path in prop::collection::vec("[a-z./~ \"-]{1,6}", 1..5)) {
            let mut value = json!(1);
            for name in path.iter().rev() {
                value = json!({ name: value });
            }
            let query: String = path.iter().map(|name| format!("[{}]", json!(name))).collect();
            let expected: Vec<Step> = path.into_iter().map(Step::Field).collect();
            prop_assert_eq!(Query::read(&format!(".{query}")).unwrap().places(&value), [expected]);
        }
    }
}
