//! What gopher-lua answered to our probes: our own questions and its answers, `[question, answer]` a line.

use crate::script::{answer, with_stack};

/// How questions begin that are answered otherwise here, and why.
const DIFFERING: [(&str, &str); 10] = [
    (
        r#"local ok, e = pcall(function() return ("x"):rep(1e10)"#,
        "it takes too many bytes, which cannot be caught",
    ),
    (
        "local ok, e = pcall(string.sub)",
        "functions of the library know their names",
    ),
    (
        "local ok, e = pcall(table.insert, nil, 1)",
        "functions of the library know their names",
    ),
    (
        "local ok, e = pcall(setmetatable, 1, {})",
        "only tables have metatables",
    ),
    (
        r#"return ("abc"):find("[a")"#,
        "the words for a set that does not end",
    ),
    ("return type(unpack)", "no environments, no modules"),
    ("setfenv(1", "no environments"),
    ("local co = coroutine", "no coroutines"),
    (
        "return type(os.clock())",
        "nothing of files, processes and debuggers",
    ),
    ("return type(string.dump)", "no code as bytes, no modules"),
];

#[test]
fn probes_are_answered_as_by_gopher_lua() {
    with_stack(|| {
        let mut wrong = Vec::new();
        for line in include_str!("probes.jsonl").lines() {
            let (question, wanted): (String, String) = serde_json::from_str(line).expect("a pair");
            let got = answer(&question);
            let is_known = DIFFERING.iter().any(|(start, _)| question.starts_with(start));
            if (got == wanted) == is_known {
                wrong.push(format!(
                    "{question}\n  gopher-lua: {wanted:?}\n  here:       {got:?}"
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}
