//! Any expression of CEL over any object, with a NUL between: it has a value, or fails, within its limits, and always in the same way.

use serde_json::Value as Json;
use sluice_cel::{Key, Limits, Meter, Program, Value};

const LIMITS: Limits = Limits {
    steps: 20_000,
    bytes: 1 << 20,
};

/// See the module.
///
/// # Panics
/// If the same bytes come to something else, or a mistake is beyond the expression.
pub fn run(bytes: &[u8]) {
    let (source, object) = crate::with_object(bytes);
    let Ok(source) = std::str::from_utf8(source) else {
        return;
    };
    let program = match Program::parse(source, &Meter::new(LIMITS)) {
        Ok(program) => program,
        Err(mistake) => {
            assert_eq!(
                Err(&mistake),
                Program::parse(source, &Meter::new(LIMITS)).as_ref().map(drop)
            );
            assert!(mistake.line <= source.matches('\n').count() + 1, "{mistake}");
            return;
        }
    };
    let fields = |name: &str| Ok(object.get(name).map(value));
    let evaluate = || program.evaluate(&fields, &Meter::new(LIMITS));
    assert_eq!(
        format!("{:?}", evaluate()),
        format!("{:?}", evaluate()),
        "{source}"
    );
    // Names that it does not read are not asked for.
    let reads: Vec<String> = program.reads().iter().map(|read| format!("{read:?}")).collect();
    let asked = |name: &str| {
        assert!(
            reads.iter().any(|read| read.contains(&format!("{name:?}"))),
            "{name} of {source}"
        );
        fields(name)
    };
    drop(program.evaluate(&asked, &Meter::new(LIMITS)));
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Int(integer),
            None => Value::Double(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::text(text),
        Json::Array(list) => Value::list(list.iter().map(value).collect()),
        Json::Object(map) => Value::map(
            map.iter()
                .map(|(key, entry)| (Key::text(key), value(entry)))
                .collect(),
        ),
    }
}
