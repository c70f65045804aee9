//! What is known before there is an object: conversions of literals, and regular expressions that are literals. So a mistake in one is
//! told when the expression is read, as cel-go tells it.

use std::rc::Rc;

use crate::patterns::Pattern;
use crate::tree::{Kind, Node};
use crate::{Meter, Mistake, Value, functions};

const CONVERSIONS: [&str; 9] = [
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "int",
    "string",
    "timestamp",
    "uint",
];

/// Settles them in a tree, the innermost first.
pub(crate) fn settle(source: &str, meter: &Meter, node: &mut Node) -> Result<(), Mistake> {
    for part in node.parts_mut() {
        settle(source, meter, part)?;
    }
    let Kind::Call {
        target,
        name,
        arguments,
    } = &mut node.kind
    else {
        return Ok(());
    };
    match (&**name, target.as_ref(), arguments.as_slice()) {
        (
            name,
            None,
            [
                Node {
                    kind: Kind::Literal(value),
                    at,
                    ..
                },
            ],
        ) if CONVERSIONS.contains(&name) => {
            let value = functions::call(meter, name, std::slice::from_ref(value));
            let value = value.map_err(|failure| Mistake::at(source, *at, failure.to_string()))?;
            node.kind = Kind::Literal(value);
        }
        (
            "matches",
            _,
            [
                ..,
                Node {
                    kind: Kind::Literal(Value::Text(pattern)),
                    at,
                    ..
                },
            ],
        ) if arguments.len() + usize::from(target.is_some()) == 2 => {
            let pattern = Pattern::compile(meter, pattern)
                .map_err(|failure| Mistake::at(source, *at, failure.to_string()))?;
            let text = target
                .take()
                .unwrap_or_else(|| Box::new(arguments.swap_remove(0)));
            node.kind = Kind::Matches(text, Rc::new(pattern));
        }
        _ => {}
    }
    Ok(())
}
