//! `sluice crds`: the CustomResourceDefinition, generated from the types that the engine works with.

use std::io::Write;

use clap::Args;
use kube::CustomResourceExt as _;
use serde_json::{Value, json};
use sluice_model::application::Application;
use sluice_model::applyset::IS_PARENT_TYPE_LABEL;

use crate::failure::{CliError, Failure};
use crate::output::{self, Format};

pub(crate) const HELP: &str = "\
Examples:
  sluice crds | kubectl apply --server-side -f -
  sluice crds -o json

Exit codes: 0 always; apply it before anything else of Sluice.";

/// The options of `sluice crds`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How it is printed
    #[arg(long = "output", short = 'o', value_parser = ["yaml", "json"], default_value = "yaml")]
    format: String,
}

/// Prints the CustomResourceDefinition.
pub(crate) fn run(arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let format = if arguments.format == "json" {
        Format::Json
    } else {
        Format::Yaml
    };
    output::one(out, format, &definition()?)
}

/// The CustomResourceDefinition, as an ApplySet parent (KEP-3659).
pub(crate) fn definition() -> Result<Value, Failure> {
    let mut definition = serde_json::to_value(Application::crd()).map_err(CliError::Encode)?;
    if let Some(metadata) = definition.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("labels".to_owned(), json!({IS_PARENT_TYPE_LABEL: "true"}));
    }
    // The derived wrapper describes itself; people want to read what an Application is.
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/description";
    let meaning = definition.pointer(spec).cloned();
    let schema = definition
        .pointer_mut("/spec/versions/0/schema/openAPIV3Schema")
        .and_then(Value::as_object_mut);
    if let (Some(meaning), Some(schema)) = (meaning, schema) {
        schema.insert("description".to_owned(), meaning);
    }
    Ok(definition)
}
