//! From what was rendered to what is wanted: decrypted values take the place of their placeholders, variables are expanded, and the fields
//! that a secret value went into are hidden from then on ([`conceal`]).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sluice_model::manifest::Manifest;
use sluice_model::object::Object;
use sluice_model::rendering::Document;
use sluice_model::secret::{Redactor, conceal};
use sluice_render::{Problem, RenderError, RenderErrors, Rendered, Variables, substitute};
use sluice_sops::Placeholder;

use super::decryption::{Vault, next_placeholder};

/// What every encrypted value begins with.
const ENCRYPTED: &str = "ENC[AES256_GCM,";

/// What is done with every object that was rendered.
pub(super) struct Revealing<'r> {
    pub(super) vault: &'r Vault,
    pub(super) variables: &'r Variables,
    /// The values that a renderer was handed in clear.
    pub(super) handed: &'r Redactor,
}

/// What is told of an expression that is wrong where decrypted values are around it.
const EXPRESSION: &str = "an expression in it is none, or names a variable that is not set; which one is not shown, since decrypted values are in it: write `$$` for a `$` in a value";

type Field = Vec<String>;

impl Revealing<'_> {
    /// Finishes what was rendered.
    pub(super) fn finish(&self, mut rendered: Rendered) -> Result<Rendered, RenderErrors> {
        let mut errors = Vec::new();
        for manifest in &mut rendered.manifests {
            match self.object(&manifest.object) {
                Ok(object) => manifest.object = object,
                Err(problem) => errors.push(error(manifest, problem)),
            }
        }
        if !errors.is_empty() {
            return Err(RenderErrors::all(errors.into_iter().map(RenderErrors::from)));
        }
        if self.does_anything() {
            for document in &mut rendered.documents {
                self.document(document);
            }
            let notes = rendered.notes.iter_mut();
            let warnings = rendered.warnings.iter_mut().flat_map(|warning| warning.texts());
            notes.chain(warnings).for_each(|text| self.handed.redact(text));
        }
        Ok(rendered)
    }

    fn does_anything(&self) -> bool {
        self.vault.has_placeholders() || !self.variables.is_empty() || !self.handed.is_empty()
    }

    /// What is printed of a rendering has to be what is wanted, too.
    fn document(&self, document: &mut Document) {
        let Ok(before) = sluice_render::decode(&document.source, document.text.as_bytes()) else {
            return;
        };
        let after: Vec<Object> = before
            .iter()
            .filter_map(|manifest| self.object(&manifest.object).ok())
            .collect();
        if before.iter().map(|manifest| &manifest.object).ne(&after) {
            let texts: Vec<String> = after
                .iter()
                .map(|object| serde_yaml::to_string(object.value()).unwrap_or_default())
                .collect();
            document.text = texts.join("---\n");
        }
    }

    fn object(&self, object: &Object) -> Result<Object, Problem> {
        if is_encrypted(object) {
            return Err(Problem::Encrypted);
        }
        if !self.does_anything() {
            return Ok(object.clone());
        }
        let mut fields = BTreeSet::new();
        let mut object = object.clone();
        if self.vault.has_placeholders() {
            object = self.revealed(&object, &mut fields)?;
        }
        if !self.variables.is_empty() {
            let done = substitute(&object, self.variables).map_err(|error| match fields.is_empty() {
                true => given(error.to_string()),
                // What is no expression may be a part of a value.
                false => given(EXPRESSION.to_owned()),
            })?;
            if let Some(field) = done.secret.iter().find(|field| tells(field)) {
                return Err(given(format!(
                    "a value of a Secret would be a part of `{}`, which is shown everywhere",
                    field.join(".")
                )));
            }
            fields.extend(done.secret);
            object = done.object;
        }
        if !self.handed.is_empty() {
            let is_known = |text: &str| matches!(self.handed.text(text), std::borrow::Cow::Owned(_));
            let mut known = Vec::new();
            found(object.value(), &is_known, &mut Vec::new(), &mut known);
            fields.extend(known.into_iter().filter(|field| !tells(field)));
        }
        Ok(hidden(&object, fields))
    }

    fn revealed(&self, object: &Object, fields: &mut BTreeSet<Field>) -> Result<Object, Problem> {
        let mut value = object.value().clone();
        self.put(&mut value, &mut Vec::new(), fields)?;
        if let Some(field) = fields.iter().find(|field| tells(field)) {
            return Err(given(format!(
                "a decrypted value would be a part of `{}`, which is shown everywhere",
                field.join(".")
            )));
        }
        if has_placeholder(&value) {
            let reason = "something was computed from a decrypted value, which only templates of Helm can do: write the whole value into the encrypted file";
            return Err(given(reason.to_owned()));
        }
        Object::new(value).map_err(|reason| given(reason.to_string()))
    }

    fn put(&self, value: &mut Value, path: &mut Field, fields: &mut BTreeSet<Field>) -> Result<(), Problem> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                if let Some(put) = self.text(text, path)? {
                    fields.insert(path.clone());
                    *value = put;
                }
            }
            Value::Array(entries) => {
                path.push("*".to_owned());
                for entry in entries {
                    self.put(entry, path, fields)?;
                }
                path.pop();
            }
            Value::Object(map) => {
                let names: Vec<String> = map.keys().cloned().collect();
                for name in names {
                    if let Some(put) = self.text(&name, path)? {
                        fields.insert(path.clone());
                        let moved = map.remove(&name).unwrap_or_default();
                        map.insert(written(&put), moved);
                    }
                }
                for (name, value) in map {
                    path.push(name.clone());
                    self.put(value, path, fields)?;
                    path.pop();
                }
            }
        }
        Ok(())
    }

    /// A text with the values in it, if there are any: as it stands there, or in base64.
    fn text(&self, text: &str, path: &[String]) -> Result<Option<Value>, Problem> {
        let no_text = || given(format!("what was decrypted for `{}` is no text", path.join(".")));
        if let Some(value) = self.vault.value(text) {
            return value.json().map(Some).ok_or_else(no_text);
        }
        if let Some(bytes) = self.bytes(text.as_bytes()) {
            return String::from_utf8(bytes)
                .map(|text| Some(text.into()))
                .map_err(|_| no_text());
        }
        if text.len() < Placeholder::LENGTH || text.contains(' ') {
            return Ok(None);
        }
        // `kubectl` and kustomize break long lines.
        let whole: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
        let decoded = STANDARD.decode(&whole).ok();
        let put = decoded.and_then(|decoded| self.bytes(&decoded));
        Ok(put.map(|bytes| STANDARD.encode(bytes).into()))
    }

    /// Some bytes with the values in them, if there are any.
    fn bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (mut put, mut rest, mut any) = (Vec::new(), bytes, false);
        while let Some((at, word)) = next_placeholder(rest) {
            let (before, after) = rest.split_at(at);
            put.extend_from_slice(before);
            match self.vault.value(word) {
                Some(value) => {
                    put.extend(value.bytes());
                    any = true;
                    rest = after.get(Placeholder::LENGTH..).unwrap_or_default();
                }
                None => {
                    put.extend(after.get(..1).unwrap_or_default());
                    rest = after.get(1..).unwrap_or_default();
                }
            }
        }
        put.extend_from_slice(rest);
        any.then_some(put)
    }
}

/// The object, with these fields hidden from now on. Those that are hidden in every Secret need not be named.
fn hidden(object: &Object, fields: BTreeSet<Field>) -> Object {
    let is_known = |field: &Field| {
        let first = field.first().map(String::as_str);
        object.is_secret() && matches!(first, Some("data" | "stringData"))
    };
    conceal(object, fields.into_iter().filter(|field| !is_known(field)))
}

/// True for what tells one object from another.
fn tells(field: &Field) -> bool {
    let parts: Vec<&str> = field.iter().map(String::as_str).collect();
    matches!(
        parts.as_slice(),
        [] | ["apiVersion" | "kind" | "metadata"] | ["metadata", "name" | "namespace" | "generateName"]
    )
}

fn found(value: &Value, is: &dyn Fn(&str) -> bool, path: &mut Field, fields: &mut Vec<Field>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) if is(&number.to_string()) => fields.push(path.clone()),
        Value::Number(_) => {}
        Value::String(text) if is(text) || is_inside(text, is) => fields.push(path.clone()),
        Value::String(_) => {}
        Value::Array(entries) => {
            path.push("*".to_owned());
            entries.iter().for_each(|entry| found(entry, is, path, fields));
            path.pop();
        }
        Value::Object(map) => {
            if map.keys().any(|name| is(name)) && path.len() > 1 {
                fields.push(path.clone());
                return;
            }
            for (name, value) in map {
                path.push(name.clone());
                found(value, is, path, fields);
                path.pop();
            }
        }
    }
}

/// Whether it is in what a text is in base64.
fn is_inside(text: &str, is: &dyn Fn(&str) -> bool) -> bool {
    let decoded = STANDARD.decode(text.trim()).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.is_some_and(|decoded| is(&decoded))
}

fn has_placeholder(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.to_ascii_lowercase().contains(Placeholder::BEGIN),
        Value::Array(entries) => entries.iter().any(has_placeholder),
        Value::Object(map) => map.values().any(has_placeholder),
    }
}

/// True for a Secret or ConfigMap that is encrypted, or has an encrypted value. Other kinds may be meant to be.
fn is_encrypted(object: &Object) -> bool {
    let is_config = object.group().is_empty() && object.kind() == "ConfigMap";
    if !object.is_secret() && !is_config {
        return false;
    }
    let value = object.value();
    let has_metadata = value.get("sops").and_then(|sops| sops.get("mac")).is_some();
    let entries = ["data", "stringData"]
        .iter()
        .filter_map(|field| value.get(*field)?.as_object());
    let is_value = |value: &Value| {
        value.as_str().is_some_and(|text| {
            text.starts_with(ENCRYPTED)
                || (object.is_secret()
                    && STANDARD
                        .decode(text)
                        .is_ok_and(|bytes| contains(&bytes, ENCRYPTED)))
        })
    };
    has_metadata || entries.flat_map(Map::values).any(is_value)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn given(reason: String) -> Problem {
    Problem::Given { reason }
}

fn error(manifest: &Manifest, problem: Problem) -> RenderError {
    RenderError::about(&manifest.origin, manifest.object.reference(), problem)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_model::error::Coded as _;
    use sluice_model::manifest::Origin;

    use super::*;

    /// The code of what is wrong with an object that nothing is put into.
    fn code(object: Value) -> Option<&'static str> {
        let (vault, variables, handed) = (Vault::default(), Variables::default(), Redactor::default());
        let revealing = Revealing {
            vault: &vault,
            variables: &variables,
            handed: &handed,
        };
        let origin = Origin {
            file: "a.yaml".to_owned(),
            line: 1,
        };
        let object = Object::new(object).unwrap();
        let problem = revealing.object(&object).err()?;
        Some(error(&Manifest { object, origin }, problem).code().id)
    }

    #[test]
    fn what_is_still_encrypted_is_refused() {
        let value = "ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]";
        let of = |kind: &str, data: Value| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "data": data});
        assert_eq!(code(of("ConfigMap", json!({"a": value}))), Some("R26"));
        assert_eq!(
            code(of("Secret", json!({"a": STANDARD.encode(value)}))),
            Some("R26")
        );
        let mut whole = of("Secret", json!({}));
        whole["sops"] = json!({"mac": "x"});
        assert_eq!(code(whole), Some("R26"));
        assert_eq!(code(of("ConfigMap", json!({"a": "about sops"}))), None);
        // Of another kind it may be meant: an operator in the cluster opens it.
        let other = json!({"apiVersion": "example.org/v1", "kind": "SopsSecret", "metadata": {"name": "a"}, "sops": {"mac": "x"}});
        assert_eq!(code(other), None);
    }
}
