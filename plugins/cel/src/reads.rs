//! What an expression may read of its object, so that no more is fetched.

use std::collections::BTreeSet;

use crate::Value;
use crate::tree::{Kind, Node};

/// A part of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// Everything at a name at the top.
    Whole(String),
    /// One field below a name at the top, and whether there is anything at that name.
    Field(String, String),
}

/// All parts, each once. A field is left out if all of what it is in is read.
pub(crate) fn of(tree: &Node) -> Vec<Read> {
    let mut reads = BTreeSet::new();
    visit(tree, &mut Vec::new(), &mut reads);
    let is_within = |read: &Read| match read {
        Read::Whole(_) => false,
        Read::Field(name, _) => reads.contains(&Read::Whole(name.clone())),
    };
    reads.iter().filter(|read| !is_within(read)).cloned().collect()
}

fn visit<'a>(node: &'a Node, bound: &mut Vec<&'a str>, reads: &mut BTreeSet<Read>) {
    let is_free = |name: &str, bound: &[&str]| !bound.contains(&name);
    let field = match &node.kind {
        Kind::Name(name) if is_free(name, bound) => {
            reads.insert(Read::Whole(name.to_string()));
            return;
        }
        Kind::Select { operand, field, .. } => Some((operand, &**field)),
        Kind::Index { operand, index, .. } => match &index.kind {
            Kind::Literal(Value::Text(field)) => Some((operand, &**field)),
            _ => None,
        },
        _ => None,
    };
    if let Some((operand, field)) = field
        && let Kind::Name(name) = &operand.kind
        && is_free(name, bound)
    {
        reads.insert(Read::Field(name.to_string(), field.to_owned()));
        return;
    }
    let (variable, inside) = match &node.kind {
        Kind::Each {
            range,
            variable,
            filter,
            body,
            ..
        } => {
            visit(range, bound, reads);
            let inside = [filter.as_deref(), Some(&**body)];
            (variable, inside)
        }
        Kind::OptionalMap {
            target,
            variable,
            body,
            ..
        } => {
            visit(target, bound, reads);
            (variable, [None, Some(&**body)])
        }
        _ => {
            return node
                .parts()
                .into_iter()
                .for_each(|part| visit(part, bound, reads));
        }
    };
    bound.push(variable);
    for part in inside.into_iter().flatten() {
        visit(part, bound, reads);
    }
    bound.pop();
}

#[cfg(test)]
mod tests {
    use crate::{Limits, Meter, Program};

    #[test]
    fn no_more_is_read_than_is_named() {
        for (source, wanted) in [
            ("1 + 1", vec![]),
            ("status.phase", vec!["status.phase"]),
            ("status['phase']", vec!["status.phase"]),
            (
                "has(status.phase) && status.?ready.orValue(0) > 0",
                vec!["status.phase", "status.ready"],
            ),
            ("status.phase == 'x' || size(status) == 0", vec!["status"]),
            ("status[spec.key]", vec!["spec.key", "status"]),
            ("spec.list.all(status, status.ok)", vec!["spec.list"]),
            (
                "spec.list.all(x, x == status.phase) && x.y",
                vec!["spec.list", "status.phase", "x.y"],
            ),
            ("spec.?a.optMap(a, a + kind)", vec!["kind", "spec.a"]),
            ("type(kind) == string", vec!["kind", "string"]),
        ] {
            let program = Program::parse(source, &Meter::new(Limits::default())).expect(source);
            let mut reads: Vec<String> = program
                .reads()
                .into_iter()
                .map(|read| match read {
                    super::Read::Whole(name) => name,
                    super::Read::Field(name, field) => format!("{name}.{field}"),
                })
                .collect();
            reads.sort();
            assert_eq!(reads, wanted, "{source}");
        }
    }
}
