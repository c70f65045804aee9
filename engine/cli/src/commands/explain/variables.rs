//! `sluice explain APP`: what the expressions in an Application's settings stand for.

use std::io::Write;

use serde_json::Value;
use sluice_pipeline::Variable;

use super::Arguments;
use crate::connection::block_on;
use crate::engine::{Engine, Which};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Cell, FAINT, Format, Table, plain};

/// Lists the variables of an Application.
pub(super) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let Arguments {
        application,
        name,
        offline,
        output,
        git,
        ..
    } = arguments;
    let which = Which::of(name, application);
    let variables = block_on(async {
        let engine = match offline {
            true => Engine::without_cluster(&which, &git, global)?,
            false => Engine::open(&which, &git, global).await?,
        };
        Ok::<_, Failure>(Box::pin(engine.preview.variables(None)).await?)
    })?;
    match output.format {
        Format::Text => text(out, &variables),
        format => output::each(out, format, &variables),
    }
}

fn text(out: &mut impl Write, variables: &[Variable]) -> Result<(), Failure> {
    if variables.is_empty() {
        writeln!(out, "The Application has no variables.")?;
        return Ok(());
    }
    let mut table = Table::new();
    table.head(&["VARIABLE", "VALUE", "FROM", "USED IN"]);
    for variable in variables {
        let value = match &variable.value {
            Value::String(text) => plain(text),
            value => value.to_string(),
        };
        table.row(vec![
            format!("<+{}>", variable.name).into(),
            value.into(),
            Cell::new(&variable.from, FAINT),
            variable.used_in.join(", ").into(),
        ]);
    }
    table.write(out, "")
}
