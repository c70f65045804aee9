//! Decoding, against what the real `sigs.k8s.io/yaml` 1.6.0 answers, through unstructured objects as `kubectl` sends them.
//! `kubectl.jsonl` holds its recorded answers: `json`, or `error`; `strict` where only its strict reading refuses.

use serde_json::Value;

use super::*;

/// Where Sluice means to differ, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "--- {a: 1}",
        "kubectl divides a file before it parses, and refuses such a line",
    ),
    (
        "%YAML 1.1\n---\na: 1",
        "kubectl divides a file before it parses, and refuses what is before the line",
    ),
    (
        "%TAG !y! tag:yaml.org,2002:\n---\na: !y!str 12",
        "kubectl divides a file before it parses, and refuses what is before the line",
    ),
    ("a: 1\n...\nb: 2", "kubectl drops the second document in silence"),
    ("a: !foo 12", "nobody defined the tag"),
    ("a: !foo {b: 1}", "nobody defined the tag"),
    ("a: !!python/object x", "nobody defined the tag"),
    ("a: !!set {b}", "JSON has no sets"),
    ("a: !!omap [a: 1]", "JSON has no ordered maps"),
    ("a: !!str {b: 1}", "the tag does not fit"),
    ("a: !!map x", "the tag does not fit"),
    ("a: !!seq {a: b}", "the tag does not fit"),
    (
        "a: !!binary /w==",
        "JSON has no bytes; kubectl sends replacement characters",
    ),
    ("1: a\n\"1\": b", "which of the two counts is not defined"),
    (
        "a: |\n  yes",
        "kubectl itself ends the last line before it parses, and then answers as we do",
    ),
    ("a: \u{85}b", "a reader of YAML 1.2 sees no line break there"),
    ("a: x\u{2028}y", "a reader of YAML 1.2 sees no line break there"),
];

fn values(yaml: &str) -> Result<Vec<Value>, String> {
    let parts = stream::parts(yaml);
    let told = |wrong: Vec<Wrong>| {
        let reasons = wrong.into_iter().map(|wrong| wrong.problem.to_string());
        reasons.collect::<Vec<_>>().join("; ")
    };
    let mut values: Vec<Value> = parts.json.into_iter().map(|(value, _)| value).collect();
    for part in parts.yaml {
        let found = document(part.text, &Limits::default()).map_err(told)?;
        values.extend(found.into_iter().map(|found| found.value));
    }
    match parts.wrong.is_empty() {
        true => Ok(values),
        false => Err(told(parts.wrong.into_iter().map(|(_, wrong)| wrong).collect())),
    }
}

/// Numbers beyond 64 bits are doubles to Kubernetes, however they are written.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-15
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (a, b) => a == b,
    }
}

#[test]
fn the_table_of_kubectl() {
    let mut failures = Vec::new();
    for line in include_str!("kubectl.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let yaml = row["yaml"].as_str().unwrap();
        if DIFFERENT.iter().any(|(text, _)| *text == yaml) {
            continue;
        }
        let ours = values(yaml).map(|values| values.into_iter().next().unwrap_or_default());
        let agree = match (&ours, row.get("json")) {
            (Ok(ours), Some(theirs)) => equal(ours, theirs),
            (Err(_), None) => true,
            (Err(_), Some(_)) => row.get("strict").is_some(),
            (Ok(_), None) => false,
        };
        if !agree {
            failures.push(format!("{yaml:?}: ours {ours:?}, kubectl {row}"));
        }
    }
    assert!(failures.is_empty(), "{}\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_difference_is_a_case_of_the_table() {
    for (yaml, reason) in DIFFERENT {
        let row = serde_json::json!(yaml).to_string();
        let known = include_str!("kubectl.jsonl")
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert!(
            known.into_iter().any(|known| known["yaml"] == *yaml),
            "{row}: {reason}"
        );
    }
}

fn decoded(yaml: &str) -> Vec<String> {
    let manifests = decode("a.yaml", yaml.as_bytes()).unwrap();
    manifests
        .iter()
        .map(|manifest| format!("{} {}", manifest.origin, manifest.object.reference()))
        .collect()
}

fn refused(yaml: &str) -> String {
    decode("a.yaml", yaml.as_bytes()).unwrap_err().to_string()
}

#[test]
fn documents_keep_their_lines() {
    let stream = "# first\n---\napiVersion: v1\nkind: A\nmetadata: {name: a}\n--- # second\n\n# c\napiVersion: v1\nkind: B\n---\n---\n";
    assert_eq!(decoded(stream), ["a.yaml:3 A a", "a.yaml:9 B "]);
    assert_eq!(
        decoded("\u{feff}apiVersion: v1\r\nkind: A\r\n---\r\napiVersion: v1\r\nkind: B\r\n"),
        ["a.yaml:1 A ", "a.yaml:4 B "]
    );
    assert!(refused("%YAML 1.1\n---\napiVersion: v1\nkind: A\n").contains("is a directive"));
    assert!(refused("apiVersion: v1\nkind: A\n--- x\n").starts_with("R01: a.yaml:3:4: "));
    assert!(refused("apiVersion: v1\nkind: A\n...\nkind: B\n").starts_with("R01: a.yaml:4:1: "));
    assert!(decoded("").is_empty() && decoded("# only a comment\n---\nnull\n---\n").is_empty());
}

#[test]
fn lists_are_unpacked_where_they_stand() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  metadata: {name: a}\n- kind: B\n  apiVersion: x/v1\n";
    assert_eq!(decoded(list), ["a.yaml:4 A a", "a.yaml:7 B.x "]);
    let typed = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n";
    assert_eq!(decoded(typed), ["a.yaml:4 ConfigMap a"]);
    assert_eq!(decoded("apiVersion: v1\nkind: List\n"), Vec::<String>::new());
    // Not every kind that ends in `List` is one.
    assert_eq!(
        decoded("apiVersion: x/v1\nkind: AllowList\nmetadata: {name: a}\n"),
        ["a.yaml:1 AllowList.x a"]
    );
    assert!(refused("apiVersion: v1\nkind: List\nitems: [{kind: A}]\n").contains("a.yaml:3:9"));
}

#[test]
fn json_is_read_as_json() {
    let stream = "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"x\":\"\\ud83d\\ude00\\/\",\"n\":1.0}\n{\"apiVersion\":\"v1\",\"kind\":\"B\"}";
    let manifests = decode("a.json", stream.as_bytes()).unwrap();
    assert_eq!(manifests[0].object.value()["x"], "😀/");
    assert_eq!(manifests[0].object.value()["n"], 1);
    assert_eq!(manifests[1].origin.line, 2);
    // Values divided as YAML documents are: what comes after the line is YAML, and has not every escape of JSON.
    let divided = "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"x\":\"\\ud83d\\ude00\"}\n---\n{\"apiVersion\":\"v1\",\"kind\":\"B\"}\n";
    let manifests = decode("a.json", divided.as_bytes()).unwrap();
    assert_eq!(manifests[0].object.value()["x"], "😀");
    assert_eq!(manifests[1].origin.line, 3);
    let swapped = "---\n{\"apiVersion\":\"v1\",\"kind\":\"A\",\"x\":\"\\ud83d\\ude00\"}\n";
    assert!(
        refused(swapped).starts_with("R01: a.yaml:2:36: "),
        "{}",
        refused(swapped)
    );
    let twice = decode("a.json", b"{\"kind\":\"A\",\n\"kind\":\"A\"}").unwrap_err();
    assert!(
        twice.to_string().starts_with("R03: a.json:2:") && !twice.to_string().contains("first on"),
        "{twice}"
    );
    assert!(
        decode("a.json", b"{\"kind\": ")
            .unwrap_err()
            .to_string()
            .contains("a.json:1:9: cannot be parsed: JSON: ")
    );
    // What only looks like JSON is YAML.
    assert_eq!(decoded("{apiVersion: v1, kind: A}"), ["a.yaml:1 A "]);
}

/// Public reports: bundles that `kubectl` takes were refused, and words with a colon came out as maps.
#[test]
fn text_that_readers_of_yaml_1_2_read_otherwise() {
    for (yaml, json) in [
        (
            "a: [10.0.0.1, 2001:db8::]\nb: [--prefix=app:, --x]\nc: [a:]\nd: {a:, b: c}\n",
            r#"{"a":["10.0.0.1","2001:db8::"],"b":["--prefix=app:","--x"],"c":["a:"],"d":{"a:":null,"b":"c"}}"#,
        ),
        ("a: 'x\n\n  y\nz'\nb: \"x\n  y\"\n", r#"{"a":"x\ny z","b":"x y"}"#),
        (
            "a: [\n  1,\n  2\n]\nb: {\n c: d\n}\n",
            r#"{"a":[1,2],"b":{"c":"d"}}"#,
        ),
        (
            "a: [\t1,\n\t2 ]\nb:\tc\nd: e\t# f\n",
            r#"{"a":[1,2],"b":"c","d":"e"}"#,
        ),
        ("a: 'yes'#c\n", r#"{"a":"yes"}"#),
        ("\u{feff}a: 1\n---\n\u{feff}b: 2\n", r#"{"a":1}"#),
        (
            "a: >\n  x\n  y\n\n   z\nb: |1-\n  c\n",
            r#"{"a":"x y\n\n z\n","b":" c"}"#,
        ),
        ("? a\n: b\n? c\n", r#"{"a":"b","c":null}"#),
        ("a: - b\n", "null"),
    ] {
        let found = values(yaml).map(|values| values.into_iter().next().unwrap_or_default());
        let expected: Value = serde_json::from_str(json).unwrap();
        assert_eq!(found.unwrap_or_default(), expected, "{yaml:?}");
    }
}

#[test]
fn every_error_has_its_place() {
    for (yaml, expected) in [
        ("a: 1\n b: 2\n", "R01: a.yaml:2:"),
        (
            "apiVersion: v1\nkind: A\na: 1\na: 2\n",
            "R03: a.yaml:4:1: key `a` is given twice; first on line 3",
        ),
        (
            "apiVersion: v1\nkind: A\nb: .inf\n",
            "R04: a.yaml:3:4: infinity and NaN are no JSON",
        ),
        ("apiVersion: v1\nkind: A\nb: !x 1\n", "R04: a.yaml:3:"),
        ("apiVersion: v1\nkind: A\nb: *no\n", "R05: a.yaml:3:4"),
        (
            "apiVersion: v1\nkind: A\nb: &a [*a]\n",
            "R05: a.yaml:3:8: an anchor contains itself",
        ),
        (
            "apiVersion: v1\nkind: A\n<<: 1\n",
            "R05: a.yaml:3:5: the merge key",
        ),
        (
            "- 1\n",
            "R07: a.yaml:1:1: a document is no Kubernetes object: not a map",
        ),
        (
            "kind: A\n",
            "R07: a.yaml:1:1: a document is no Kubernetes object: no `apiVersion`",
        ),
        (
            "apiVersion: v1\nx: y\n",
            "R07: a.yaml:1:1: a document is no Kubernetes object: no `kind`",
        ),
        (
            "a: \u{7}\n",
            "R01: a.yaml:1:4: cannot be parsed: the character U+0007 is not allowed",
        ),
        (
            "a: x\nb: 'c\u{2028}d: e'\n",
            "R01: a.yaml:2:6: cannot be parsed: the character U+2028 ends a line to some and not to others; write `\\u2028` in",
        ),
        (
            "a: \u{85}\n",
            "R01: a.yaml:1:4: cannot be parsed: the character U+0085 ends a line to some",
        ),
    ] {
        let error = refused(yaml);
        assert!(error.starts_with(expected), "{yaml:?}: {error}");
    }
}

#[test]
fn line_separators_are_characters_in_json_and_as_escapes() {
    let raw =
        "{\"apiVersion\": \"v1\", \"kind\": \"A\", \"metadata\": {\"name\": \"n\"}, \"a\": \"x\u{2028}y\"}";
    let escaped = "apiVersion: v1\nkind: A\nmetadata: {name: n}\na: \"x\\u2028y\"\n";
    for text in [raw, escaped] {
        let manifests = decode("a.yaml", text.as_bytes()).unwrap();
        assert_eq!(manifests[0].object.value()["a"], "x\u{2028}y", "{text:?}");
    }
}

#[test]
fn all_errors_come_at_once() {
    let error = refused("a: [\n---\nkind: A\nkind: B\nx: .nan\n---\nkind: C\n");
    let codes: Vec<&str> = error
        .lines()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(codes, ["R01", "R03", "R04", "R07"], "{error}");
}

#[test]
fn bombs_are_defused() {
    let mut bomb = "apiVersion: v1\nkind: A\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let previous = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{previous}]\n"));
    }
    assert!(refused(&bomb).starts_with("R06: "), "{}", refused(&bomb));
    assert!(refused(&format!("a: {}", "[".repeat(100_000))).starts_with("R06: "));
    assert!(refused(&"- ".repeat(5_000)).starts_with("R06: "));
    assert!(refused(&format!("a: {}", "{a: ".repeat(100_000))).starts_with("R06: "));
    let limits = Limits {
        file_bytes: 10,
        ..Limits::default()
    };
    assert!(
        decode_within("a", b"apiVersion: v1", &limits)
            .unwrap_err()
            .to_string()
            .starts_with("R06")
    );
    assert!(
        decode("a", &[b'a', b'\n', 0xff])
            .unwrap_err()
            .to_string()
            .starts_with("R02: a:2")
    );
    // Ordinary use of aliases is far below the limit.
    let plain = format!(
        "apiVersion: v1\nkind: A\nb: &b {{c: 1}}\nl: [{}]\n",
        vec!["*b"; 10_000].join(", ")
    );
    assert_eq!(decoded(&plain), ["a.yaml:1 A "]);
}

mod arbitrary {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _either = decode("a.yaml", &bytes);
        }

        #[test]
        fn yaml_like_text_never_panics(text in "([-a-z0-9:?,&*!|>%@`\\[\\]{}#'\"~ \t\r\n]|<<|---|: |\\.\\.\\.|\n  |!!int){0,60}") {
            let _either = decode("a.yaml", text.as_bytes());
        }

        #[test]
        fn json_comes_back_as_it_went(text in "\\PC{0,20}", number in any::<i64>(), nested in proptest::collection::btree_map("[a-z]{1,4}", any::<bool>(), 0..5)) {
            let object = serde_json::json!({"apiVersion": "v1", "kind": "A", "text": text, "number": number, "map": nested});
            for file in ["a.json", "a.yaml"] {
                let decoded = decode(file, object.to_string().as_bytes()).unwrap();
                prop_assert_eq!(decoded[0].object.value(), &object);
            }
        }
    }
}
