//! Variables and `--set` against the programs of others: what Flux expands and what Helm sets, made up from a seed.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Map, Value, json};
use sluice_model::object::Object;
use sluice_render::{SetError, Variables, expand, set, substitute};
use sluice_sandbox::{output, renderer_program};

struct Oracle {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    fn start() -> Self {
        let program = renderer_program("envsubst", |build| output(build).map(drop)).unwrap();
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            input: child.stdin.take(),
            child,
            output,
        }
    }

    fn ask(&mut self, question: &Value) -> Value {
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{question}\n").as_bytes()).unwrap();
        input.flush().unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.input.take());
        self.child.wait().ok();
    }
}

/// Numbers that follow from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.below(words.len())]
    }
}

const VARIABLES: &[(&str, &str)] = &[
    ("name", "some.value"),
    ("path", "/usr/local/bin/app.tar.gz"),
    ("empty", ""),
    ("n", "3"),
    ("_x1", "A b-C"),
    ("umlaut", "grüße"),
    ("quote", "\""),
];

/// A text that is likely to be an expression, or nearly one.
fn template(random: &mut Random, depth: usize) -> String {
    let mut text = String::new();
    for _ in 0..1 + random.below(4) {
        match random.below(10) {
            0 | 1 => text.push_str(random.of(&[
                "a", " b", "$", "$$", "$$$", "\\", "{", "}", "/", ":", "$name", "ü", "'", "\\$",
            ])),
            _ => text.push_str(&expression(random, depth)),
        }
    }
    text
}

fn expression(random: &mut Random, depth: usize) -> String {
    let name = random.of(&["name", "path", "empty", "n", "_x1", "umlaut", "unset", "", "1a"]);
    let argument = |random: &mut Random| match random.below(8) {
        0 if depth > 0 => template(random, depth - 1),
        1 if depth > 0 => expression(random, depth - 1),
        _ => random
            .of(&[
                "e", "a", "/", "*", "*.", ".*", "?", "[a-z]", "[^/]*", "\\/", "\\\\", "x y", "", "$$", "0",
                "1", "3", "-1", "-3", "99", "+2", ":", "value", "//", "#", "s*", "*/", "[", "ß", "ü",
            ])
            .to_owned(),
    };
    let operator = random.of(&[
        "", "", ":-", ":=", ":+", ":?", "-", "=", ":", ":", "/", "//", "/#", "/%", "#", "##", "%", "%%", ",",
        ",,", "^", "^^", ",^", "###",
    ]);
    let first = argument(random);
    let body = match operator {
        "" if random.below(4) == 0 => format!("#{name}"),
        "" => name.to_owned(),
        "/" | "//" | "/#" | "/%" => format!("{name}{operator}{first}/{}", argument(random)),
        ":" if random.below(2) == 0 => format!("{name}:{first}:{}", argument(random)),
        "," | ",," | "^" | "^^" | ",^" => format!("{name}{operator}"),
        operator => format!("{name}{operator}{first}"),
    };
    match random.below(30) {
        0 => format!("${{{body}"),
        1 => format!("${{{body} }}"),
        _ => format!("${{{body}}}"),
    }
}

fn none_differ(differences: &[String]) {
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences[..differences.len().min(20)].join("\n")
    );
}

#[test]
fn texts_are_expanded_as_flux_does() {
    let mut oracle = Oracle::start();
    let mut random = Random(0x5eed);
    let variables: Map<String, Value> = VARIABLES
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let (mut same, mut refused, mut cut, mut differences) = (0, 0, 0, Vec::new());
    for _ in 0..20_000 {
        let text = template(&mut random, 2);
        let strict = random.below(2) == 0;
        let theirs = oracle.ask(&json!({"text": text, "variables": variables, "strict": strict}));
        let ours = expand(&text, &mut |name| {
            let value = variables.get(name).and_then(Value::as_str).map(str::to_owned);
            value.or_else(|| (!strict).then(String::new))
        });
        match (&ours, theirs.get("error")) {
            (Ok(ours), None) if *ours == theirs["text"] => same += 1,
            (Err(_), Some(_)) => refused += 1,
            // A character that is cut in two: theirs is no text any more.
            (Err(_), None)
                if theirs["text"]
                    .as_str()
                    .is_some_and(|text| text.contains('\u{fffd}')) =>
            {
                cut += 1
            }
            _ => differences.push(format!(
                "{text:?} strict {strict}: ours {ours:?}, theirs {theirs}"
            )),
        }
    }
    none_differ(&differences);
    assert!(
        same > 5_000 && refused > 2_000,
        "{same} same, {refused} refused, {cut} cut"
    );
}

#[test]
fn objects_are_substituted_as_flux_does() {
    let mut oracle = Oracle::start();
    let mut random = Random(0x0b1ec7);
    let variables: Map<String, Value> = VARIABLES
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let mut own = Variables::new(false);
    for (name, value) in VARIABLES {
        own.set(name, value, false);
    }
    let (mut same, mut refused, mut differences) = (0, 0, Vec::new());
    for _ in 0..10_000 {
        let text = |random: &mut Random| {
            let parts = [
                "${name}",
                "${n}",
                "a ${n}",
                "${empty}",
                "\"${n}\"",
                "a: ${n}",
                "${quote}${n}${quote}",
                "x\n${name}\ny",
                "- ${n}",
                "#${n}",
                "${unset:-true}",
                "${unset:-[1, 2]}",
                "${unset:-{a: 1}}",
                "yes",
                "12",
                "${_x1}",
                "*${n}",
                "'${n}'",
                "${umlaut} ",
                "@${n}",
                "5${n}",
                "1e${n}",
                "0x${n}",
                "${n}:",
                "{${n}}",
                "null",
                "${unset:-null}",
                "~",
                "$$${n}",
                "é${n}",
                "a\\${n}",
                "\t${n}",
                "long words ${name} long words ${name} long words ${name} long words ${name} long words",
                "\u{1f30a}${n}",
                "a #${n}",
                "a\n  b ${n}\n",
                "\n${n}",
                " ${n}",
            ];
            random.of(&parts).to_owned()
        };
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "c", "annotations": {"a": text(&mut random)}},
            "data": {"one": text(&mut random), "two": {text(&mut random): text(&mut random)}, "list": [text(&mut random), [text(&mut random)], {"k": text(&mut random)}]},
        });
        let theirs = oracle.ask(&json!({"object": object, "variables": variables}));
        let ours =
            substitute(&Object::new(object.clone()).unwrap(), &own).map(|done| done.object.into_value());
        match (&ours, theirs.get("error")) {
            (Ok(ours), None) if *ours == theirs["object"] => same += 1,
            (Err(_), Some(_)) => refused += 1,
            _ => differences.push(format!("{object}\nours {ours:?}\ntheirs {theirs}")),
        }
    }
    assert!(
        differences.is_empty(),
        "{same} same, {refused} refused, {} differ:\n{}",
        differences.len(),
        differences[..differences.len().min(8)].join("\n\n")
    );
    assert!(same > 3_000, "{same} same, {refused} refused");
}

#[test]
fn values_are_set_as_helm_does() {
    let mut oracle = Oracle::start();
    let mut random = Random(0x5e7);
    let (mut same, mut refused, mut stricter, mut differences) = (0, 0, 0, Vec::new());
    for _ in 0..10_000 {
        let mut text = String::new();
        for _ in 0..1 + random.below(8) {
            text.push_str(random.of(&[
                "a", "b", ".", ".", "[0]", "[2]", "=", "=", ",", "{", "}", "1", "0", "true", "null", "\\,",
                "\\", "x y", "[", "]", "map", "list", "ü", "01",
            ]));
        }
        let as_text = random.below(3) == 0;
        let before = json!({"map": {"x": "y", "deep": {"z": 1}}, "list": [{"a": 1}, [2]], "a": 5});
        let theirs = oracle.ask(&json!({"set": text, "asText": as_text, "object": before}));
        let mut values = before.as_object().cloned().unwrap();
        let ours = set(&mut values, &text, as_text);
        match (ours, theirs.get("error")) {
            (Ok(()), None) if Value::Object(values.clone()) == theirs["object"] => same += 1,
            (Err(_), Some(_)) => refused += 1,
            // Theirs takes an index that does not end for the end of everything.
            (Err(SetError::Index), None) if text.contains('[') => stricter += 1,
            _ => differences.push(format!("{text:?}: ours {ours:?} {values:?}, theirs {theirs}")),
        }
    }
    none_differ(&differences);
    assert!(
        same > 1_000 && refused > 1_000,
        "{same} same, {refused} refused, {stricter} refused here alone"
    );
}
