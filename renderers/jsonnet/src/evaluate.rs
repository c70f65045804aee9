//! Evaluates programs: which, with what, and what comes out.

use std::{collections::HashMap, path::PathBuf, rc::Rc};

use jrsonnet_evaluator::{
    AsPathLike, Error, ImportResolver, State, Val, apply_tla, bail, error::ErrorKind, manifest::JsonFormat,
    stack::limit_stack_depth, tla::TlaArg, trace::PathResolver,
};
use jrsonnet_gcmodule::{Acyclic, Trace};
use jrsonnet_ir::{SourceFile, SourcePath};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    problem::Problem,
    tree::{Tree, resolve},
};

/// How deep calls may nest: what Jsonnet's own command has.
const DEPTH: usize = 500;

/// Argo CD's `source.directory.jsonnet`, and which files to evaluate.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// What `std.extVar` returns.
    ext_vars: Vec<Variable>,
    /// Arguments of a program that is a function.
    tlas: Vec<Variable>,
    /// Folders that imports are looked for in, from the root.
    libs: Vec<String>,
    /// The programs to evaluate, from the folder; all that are directly in it if none are named.
    files: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    name: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    code: bool,
}

/// One object.
#[derive(Debug, PartialEq, Eq)]
pub struct Document {
    /// Its JSON.
    pub text: String,
    /// The program that it came from.
    pub source: String,
}

impl Settings {
    /// Reads settings; none are those that do nothing.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(text).map_err(|error| Problem::new("settings", error.to_string()))
    }
}

/// Evaluates what the settings name in a folder, or the one program that `path` is.
pub fn evaluate(tree: &Rc<Tree>, path: &str, settings: &Settings) -> Result<Vec<Document>, Problem> {
    let (folder, programs) = if tree.is_file(path) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        (folder, vec![path.to_owned()])
    } else if settings.files.is_empty() {
        (path, tree.programs(path))
    } else {
        let named = settings.files.iter().map(|name| within(path, name));
        (path, named.collect::<Result<_, _>>()?)
    };
    let mut libraries = vec![folder.to_owned()];
    for library in &settings.libs {
        libraries.push(within("", library)?);
    }
    let mut documents = Vec::new();
    for program in programs {
        let evaluated = one(tree, &program, libraries.clone(), settings)
            .map_err(|error| Problem::of(&error, &program))?;
        documents.extend(split(&evaluated, &program)?);
    }
    Ok(documents)
}

fn within(folder: &str, name: &str) -> Result<String, Problem> {
    resolve(folder, name).ok_or_else(|| Problem::new("path", format!("`{name}` leaves the repository")))
}

#[expect(
    clippy::mutable_key_type,
    reason = "the interpreter's interned strings: what changes in them is how often they are used"
)]
fn one(tree: &Rc<Tree>, program: &str, libraries: Vec<String>, settings: &Settings) -> Result<String, Error> {
    let context = jrsonnet_stdlib::ContextInitializer::new(PathResolver::Absolute);
    for variable in &settings.ext_vars {
        context
            .settings_mut()
            .ext_vars
            .insert(variable.name.as_str().into(), variable.argument());
    }
    let mut builder = State::builder();
    builder.import_resolver(Imports {
        tree: Rc::clone(tree),
        libraries,
    });
    builder.context_initializer(context);
    let state = builder.build();
    let _entered = state.enter();
    let _depth = limit_stack_depth(DEPTH);
    let arguments: HashMap<_, _> = settings
        .tlas
        .iter()
        .map(|variable| (variable.name.as_str().into(), variable.argument()))
        .collect();
    let value: Val = state.import_resolved(SourcePath::new(SourceFile::new(program.into())))?;
    apply_tla(&arguments, value)?.manifest(JsonFormat::cli(2))
}

impl Variable {
    fn argument(&self) -> TlaArg {
        if self.code {
            TlaArg::InlineCode(self.value.clone())
        } else {
            TlaArg::String(self.value.as_str().into())
        }
    }
}

/// One document of an object, or of each of a list.
fn split(text: &str, program: &str) -> Result<Vec<Document>, Problem> {
    let unfit = |what: String| Problem::new("output", what).within(program);
    let document = |value: &Value| {
        let text = serde_json::to_string_pretty(value).map_err(|error| unfit(error.to_string()))?;
        Ok(Document {
            text,
            source: program.to_owned(),
        })
    };
    match serde_json::from_str(text).map_err(|error| unfit(error.to_string()))? {
        Value::Array(values) => {
            if let Some(other) = values.iter().find(|value| !value.is_object()) {
                return Err(unfit(format!(
                    "the list has {}, and objects are manifests",
                    kind(other)
                )));
            }
            values.iter().map(document).collect()
        }
        Value::Object(object) => Ok(vec![document(&Value::Object(object))?]),
        other => Err(unfit(format!(
            "it is {}, and neither an object nor a list of objects",
            kind(&other)
        ))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Finds imports: beside the file that imports, then in the libraries, the last one first.
struct Imports {
    tree: Rc<Tree>,
    libraries: Vec<String>,
}

impl Trace for Imports {
    // It holds nothing of the interpreter's.
    fn is_type_tracked() -> bool {
        false
    }
}

// SAFETY: it holds nothing of the interpreter's, so it is part of no cycle.
unsafe impl Acyclic for Imports {}

impl ImportResolver for Imports {
    fn resolve_from(&self, from: &SourcePath, path: &dyn AsPathLike) -> Result<SourcePath, Error> {
        let written = path.as_path().to_owned();
        let name = written.to_string();
        let beside = from
            .path()
            .and_then(|path| path.parent())
            .map(|folder| folder.to_string_lossy().into_owned());
        let places = beside.into_iter().chain(self.libraries.iter().rev().cloned());
        for folder in places {
            if let Some(candidate) = resolve(&folder, &name)
                && self.tree.read(&candidate).is_some()
            {
                return Ok(SourcePath::new(SourceFile::new(PathBuf::from(candidate))));
            }
        }
        bail!(ErrorKind::ImportFileNotFound(from.clone(), written))
    }

    fn load_file_contents(&self, resolved: &SourcePath) -> Result<Vec<u8>, Error> {
        if let Some(inline) = resolved.downcast_ref::<jrsonnet_ir::SourceFifo>() {
            return Ok(inline.1.to_vec());
        }
        let path = resolved.path().map(|path| path.to_string_lossy().into_owned());
        match path.as_deref().and_then(|path| self.tree.read(path)) {
            Some(content) => Ok(content.to_vec()),
            None => bail!(ErrorKind::ResolvedFileNotFound(resolved.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(files: &[(&str, &str)], settings: &str) -> Result<Vec<Document>, Problem> {
        let mut tree = Tree::default();
        tree.add(
            "",
            files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())),
        );
        evaluate(&Rc::new(tree), "app", &Settings::parse(settings)?)
    }

    #[test]
    fn variables_arguments_and_libraries() {
        let files = [
            (
                "app/b.jsonnet",
                "function(n) [{ a: std.extVar('x'), b: n + 1, c: import 'l.libsonnet' }]",
            ),
            ("app/a.jsonnet", "{ z: 1, y: std.thisFile }"),
            ("app/no.libsonnet", "error 'never'"),
            ("lib/l.libsonnet", "(import 'm.libsonnet') + 1"),
            ("lib/m.libsonnet", "41"),
        ];
        let settings = r#"{"extVars": [{"name": "x", "value": "v"}], "tlas": [{"name": "n", "value": "2", "code": true}], "libs": ["lib"]}"#;
        let texts: Vec<Value> = run(&files, settings)
            .expect("it is rendered")
            .iter()
            .map(|document| serde_json::from_str(&document.text).expect("it is JSON"))
            .collect();
        assert_eq!(
            texts,
            [
                serde_json::json!({"y": "app/a.jsonnet", "z": 1}),
                serde_json::json!({"a": "v", "b": 3, "c": 42})
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let broken = |text| run(&[("app/a.jsonnet", text)], "").expect_err("it is broken");
        let problem = broken("{\n  a: 1 +,\n}");
        assert_eq!(
            (problem.code, problem.file.as_deref(), problem.line),
            ("syntax", Some("app/a.jsonnet"), Some(2))
        );
        let problem = broken("{\n  a: error 'no way',\n}");
        assert_eq!((problem.code, problem.line), ("evaluation", Some(2)));
        assert!(problem.message.contains("no way"), "{problem:?}");
        assert_eq!(broken("import '../../x'").code, "missing");
        assert_eq!(broken("local f(x) = f(x + 1) + 1; f(1)").code, "recursion");
        assert_eq!(broken("'text'").code, "output");
        assert_eq!(broken("[1]").code, "output");
        assert_eq!(
            run(&[], r#"{"libs": ["../x"]}"#).expect_err("it leaves").code,
            "path"
        );
        assert_eq!(
            run(&[], r#"{"lib": []}"#).expect_err("it is unknown").code,
            "settings"
        );
    }
}
