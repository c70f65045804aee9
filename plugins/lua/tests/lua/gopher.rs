//! What gopher-lua answered to our probes: our own scripts and its answers, `[probe, answer]` a line (`oracle/main.go`).

use crate::script::{answer, with_stack};

/// Why probes are answered otherwise here, and how they begin.
const DIFFERING: [(&str, &[&str]); 15] = [
    (
        "no coroutines, no environments, nothing of files, processes and debuggers",
        &[
            "local co = coroutine",
            "setfenv(1",
            "return type(unpack)",
            "return type(os.clock())",
            "return type(string.dump)",
        ],
    ),
    (
        "it takes too many bytes, which cannot be caught",
        &[r#"local ok, e = pcall(function() return ("x"):rep(1e10)"#],
    ),
    (
        "functions of the library know their names, however they are called",
        &[
            "local ok, e = pcall(string.sub)",
            "local ok, e = pcall(table.insert, nil, 1)",
            "local ok, e = pcall(error) ",
            "local ok, e = pcall(pcall) ",
            "= xpcall(error,",
            "local it = ('ab'):gmatch('.') return it()",
        ],
    ),
    (
        "several locals are given their values at once, where gopher-lua gives the first one its value before it looks at the others",
        &[
            "local a, b = 1, 2 a, b = ",
            "local a, b = 1, 2; a, b = ",
            "local a, b, c = 1, 2, 3; a, b, c = ",
            "local a = 1 local t = {} a, t.x = ",
            "local a = 1 b = 5 a, b = ",
            "local a, b = 1, 2 local function f() return a end a, b = ",
            "local i = 3 i, i = ",
            "local x = 1 x, x = ",
        ],
    ),
    (
        "a loop over a table that is written into it begins at its first entry",
        &["local s = '' for k, v in next, {10, 20} do"],
    ),
    ("no `arg`, which is of Lua 5.0", &["= (function(...) return arg"]),
    (
        "labels may be there twice, and jumps may pass a local",
        &["goto x ::x:: ::x::", "goto x local y"],
    ),
    (
        "errors name the script, also those of its chunks",
        &["= pcall(loadstring('"],
    ),
    (
        "no numbers with a binary exponent or underscores",
        &["= '0x1p4' + 1", "= '1_000' + 1"],
    ),
    (
        "powers may be a zero with a sign",
        &[
            "local a, b = -0, 1 return (",
            "local a, b = -0, 3 return (",
            "local a, b = -1/0, -1 return (",
            "local a, b = -1/0, -3 return (",
        ],
    ),
    (
        "no alternate form of fractions",
        &[
            "= string.format('<%#u>', 3.7)",
            "= string.format('<%#u>', 1e20)",
            "= string.format('<%#g>', 0)",
            "= string.format('<%#g>', 3.7)",
            "= string.format('<%#g>', -42)",
            "= string.format('<%#g>', 255)",
            "= string.format('<%#g>', 1e20)",
            "= string.format('%#g'",
        ],
    ),
    (
        "no numbered arguments, no width from an argument, no complaint about arguments that are too many",
        &[
            "= string.format('%*d'",
            "= string.format('%[2]d",
            "= string.format('%[1]d",
            "= string.format('%[3]d",
            "= string.format('%%d', 1)",
            "= string.format('%', 1)",
            "= string.format('%5', 1)",
            "= string.format('%-', 1)",
        ],
    ),
    ("addresses", &["= string.format('%s', setmetatable("]),
    (
        "none is none, where gopher-lua goes on as long as there is a match at every place",
        &["= ('hello'):gsub('', '.', 0)"],
    ),
    ("no panic of Go", &["= string.find(1, 2, 3, 4)"]),
];

/// Words of answers that are told otherwise, and why.
const TOLD_OTHERWISE: [(&str, &str); 6] = [
    (
        "an error that is a ",
        "one that is no text has no place; it is said what it is",
    ),
    (
        "bad argument #1 to setmetatable (table expected",
        "only tables have metatables of their own",
    ),
    (
        "invalid key to 'next'",
        "a key that is not there is told, not passed over",
    ),
    ("function table", "the state of `gmatch` is a table"),
    (
        "no visible label",
        "the line after that of the last word, not of the last statement",
    ),
    ("module ", "there are no folders that modules are looked for in"),
];

#[test]
fn probes_are_answered_as_by_gopher_lua() {
    with_stack(|| {
        let (mut wrong, mut count) = (Vec::new(), 0);
        for line in include_str!("../answers.jsonl").lines() {
            let (probe, wanted): (String, String) = serde_json::from_str(line).expect("a pair");
            let got = answer(&probe);
            count += 1;
            // What is listed has to differ.
            let is_listed = has_reason(&probe);
            if (got == wanted) == is_listed && !is_told_otherwise(&got) {
                wrong.push(format!(
                    "{probe}\n  gopher-lua: {wanted:?}\n  here:       {got:?}"
                ));
            }
        }
        assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
        assert!(count > 2_000, "{count} probes");
    });
}

fn has_reason(probe: &str) -> bool {
    let mut starts = DIFFERING.iter().flat_map(|(_, starts)| starts.iter());
    starts.any(|start| probe.starts_with(start))
}

fn is_told_otherwise(got: &str) -> bool {
    TOLD_OTHERWISE.iter().any(|(words, _)| got.contains(words))
}
