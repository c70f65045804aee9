//! Texts of others in which a value of a Secret may be quoted.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::object::Object;
use crate::secret::fields::Fields;
use crate::secret::{MASK, is_list, values};

/// A value of fewer bytes is not looked for: it would blacken ordinary words and gives next to nothing away.
const SHORTEST: usize = 4;
/// The same for a line of a value, and for what such a line assigns.
const SHORTEST_PART: usize = 8;
/// Of a value that is quoted in part, so much of its beginning is recognised.
const BEGINNING: usize = 16;

/// Takes the known values of Secrets out of texts that servers, webhooks and plugins write, in every form in which they could be
/// quoted: as given, decoded, in base64, escaped, line by line, and cut off.
#[derive(Clone, Default)]
pub struct Redactor {
    /// By its first bytes, the longest first.
    needles: BTreeMap<[u8; SHORTEST], Vec<String>>,
}

/// Without what it knows.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// Knows the values of the Secrets among some objects. Words that are the name of one of them, or its namespace, are shown
    /// everywhere anyway and are no values.
    pub fn of<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Self {
        let (mut forms, mut names) = (BTreeSet::new(), BTreeSet::from(["true", "false", "null"]));
        for object in objects {
            names.extend([object.name(), object.namespace().unwrap_or_default()]);
            collect(Fields::of([object]).values(object), &mut forms);
            if object.is_secret() {
                collect(
                    object.value().as_object().map(values).unwrap_or_default(),
                    &mut forms,
                );
            } else if is_list(object) {
                let items = object.value().get("items").and_then(Value::as_array);
                let items = items
                    .into_iter()
                    .flatten()
                    .filter_map(|item| Object::new(item.clone()).ok());
                for item in items.filter(Object::is_secret) {
                    collect(
                        item.value().as_object().map(values).unwrap_or_default(),
                        &mut forms,
                    );
                }
            }
        }
        Self::with(forms, &names)
    }

    /// Knows some values that are in no object.
    pub fn of_values(values: impl IntoIterator<Item = String>) -> Self {
        let mut forms = BTreeSet::new();
        collect(values.into_iter().collect(), &mut forms);
        Self::with(forms, &BTreeSet::from(["true", "false", "null"]))
    }

    fn with(forms: BTreeSet<String>, names: &BTreeSet<&str>) -> Self {
        let mut needles: BTreeMap<[u8; SHORTEST], Vec<String>> = BTreeMap::new();
        for form in forms.into_iter().filter(|form| !names.contains(form.as_str())) {
            if let Some(first) = form.as_bytes().first_chunk() {
                needles.entry(*first).or_default().push(form);
            }
        }
        for forms in needles.values_mut() {
            forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        }
        Self { needles }
    }

    /// True where no value is known.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The text with [`MASK`] for every value in it.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let (mut shown, mut copied, mut at) = (String::new(), 0, 0);
        while let Some(first) = text.as_bytes().get(at..).and_then(<[u8]>::first_chunk) {
            match self.needles.get(first).and_then(|forms| quoted(forms, text, at)) {
                Some(end) => {
                    shown.push_str(text.get(copied..at).unwrap_or_default());
                    shown.push_str(MASK);
                    (copied, at) = (end, end);
                }
                None => at += 1,
            }
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        shown.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(shown)
    }

    /// As [`Redactor::text`], in place.
    pub fn redact(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.text(text) {
            *text = masked;
        }
    }
}

/// Where the longest of some values ends that is quoted at a place of a text, whole or cut off.
fn quoted(forms: &[String], text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    let length = forms.iter().map(|form| {
        let common = form.bytes().zip(rest).take_while(|(a, b)| a == *b).count();
        if common == form.len() || common >= BEGINNING {
            common
        } else {
            0
        }
    });
    let mut end = at + length.max().filter(|length| *length > 0)?;
    while !text.is_char_boundary(end) {
        end += 1;
    }
    Some(end)
}

fn collect(values: Vec<String>, forms: &mut BTreeSet<String>) {
    for value in values {
        let decoded = STANDARD.decode(value.trim()).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        for text in [Some(value), decoded].into_iter().flatten() {
            let trimmed = text.trim();
            for whole in [text.as_str(), trimmed] {
                if whole.len() >= SHORTEST {
                    let encoded = STANDARD.encode(whole);
                    forms.insert(encoded.trim_end_matches('=').to_owned());
                    forms.insert(encoded);
                }
            }
            let mut keep = |form: &str, shortest: usize| {
                if form.len() >= shortest {
                    forms.insert(form.to_owned());
                    forms.extend(escaped(form));
                }
            };
            keep(&text, SHORTEST);
            keep(trimmed, SHORTEST);
            for line in text
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with("---"))
            {
                keep(line, SHORTEST_PART);
                let assigned = line.split_once([':', '=']).map_or("", |(_, assigned)| assigned);
                let bare = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';');
                keep(assigned.trim_matches(bare), SHORTEST_PART);
            }
        }
    }
}

/// As JSON and Go's `%q` write it, where that is another text.
fn escaped(text: &str) -> Option<String> {
    let quoted = serde_json::to_string(text).ok()?;
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    (inner != text).then(|| inner.to_owned())
}
