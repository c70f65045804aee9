//! No value of a Secret is printed, whatever its shape and however its manifest is broken.

use serde_json::{Value, json};

use crate::program::{run_with, text};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// A value that is found again wherever it stands.
    fn value(&mut self) -> String {
        format!("hush{:08}", self.roll(100_000_000))
    }

    fn shape(&mut self, depth: u64) -> Value {
        match self.roll(if depth == 0 { 3 } else { 5 }) {
            0 => self.value().into(),
            1 => (6_006_000_000 + self.roll(1_000_000)).into(),
            2 => format!("user: app\npassword: {}\n", self.value()).into(),
            3 => (0..self.roll(3) + 1).map(|_| self.shape(depth - 1)).collect(),
            _ => (0..self.roll(3) + 1)
                .map(|name| (format!("k{name}"), self.shape(depth - 1)))
                .collect(),
        }
    }

    fn secret(&mut self, number: usize) -> Value {
        const FIELDS: &[&str] = &[
            "data",
            "stringData",
            "stringdata",
            "datas",
            "Data",
            "spec",
            "values",
            "immutable",
        ];
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("s{number}"), "namespace": "shop"}});
        for field in FIELDS {
            if self.roll(3) == 0 {
                secret[*field] = self.shape(2);
            }
        }
        if self.roll(4) == 0 {
            let copy = secret.to_string();
            secret["metadata"]["annotations"] =
                json!({"kubectl.kubernetes.io/last-applied-configuration": copy});
        }
        secret
    }
}

fn clean(face: &str, text: &str) {
    for value in ["hush", "6006"] {
        assert!(!text.contains(value), "{face} shows a value: {text}");
    }
}

const FACES: &[&[&str]] = &[
    &["explain", "-f", "-", "-vvv"],
    &["explain", "-f", "-", "-o", "json"],
    &["health", "-f", "-", "-vvv"],
    &["health", "-f", "-", "-o", "json"],
    &["health", "-f", "-", "--why"],
    &["health", "-f", "-", "-o", "json", "--why"],
];

#[test]
fn random_secrets() {
    let mut dice = Dice(11);
    let secrets: Vec<Value> = (0..200).map(|number| dice.secret(number)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": secrets});
    let documents: Vec<String> = secrets.iter().map(Value::to_string).collect();
    for input in [documents.join("\n---\n"), list.to_string()] {
        for face in FACES {
            let output = run_with(face, &input);
            let printed = text(&output.stdout);
            assert!(printed.contains("s199"), "{face:?}: {}", text(&output.stderr));
            clean(&face.join(" "), &(printed + &text(&output.stderr)));
        }
    }
}

/// Every way to a scalar below a value, as the annotation of secret fields has them.
fn fields(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(entries) => {
            let entries = entries.iter();
            entries.for_each(|entry| fields(entry, &format!("{pointer}/*"), found));
        }
        Value::Object(map) => {
            for (name, value) in map {
                fields(value, &format!("{pointer}/{name}"), found);
            }
        }
        _ => found.push(pointer.to_owned()),
    }
}

/// What a decrypted value was put into is masked like a Secret, whatever its kind.
#[test]
fn random_secret_fields() {
    let mut dice = Dice(7);
    let objects = (0..200).map(|number| {
        let (kind, version) = if dice.roll(2) == 0 { ("ConfigMap", "v1") } else { ("Widget", "example.org/v1") };
        let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": format!("s{number}"), "namespace": "shop"}});
        object["data"] = json!({"k": dice.shape(2), "plain": "to be seen"});
        object["spec"] = json!({"list": [dice.shape(2), dice.shape(1)], "replicas": 3});
        let mut pointers = Vec::new();
        fields(&object["data"]["k"], "/data/k", &mut pointers);
        fields(&object["spec"]["list"], "/spec/list", &mut pointers);
        let copy = object.to_string();
        let annotations = json!({"sluice.dev/secret-fields": serde_json::to_string(&pointers).unwrap()});
        object["metadata"]["annotations"] = annotations;
        if dice.roll(3) == 0 {
            object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = copy.into();
        }
        object
    });
    let documents: Vec<String> = objects.map(|object| object.to_string()).collect();
    for face in FACES {
        let output = run_with(face, &documents.join("\n---\n"));
        let printed = text(&output.stdout);
        assert!(printed.contains("s199"), "{face:?}: {}", text(&output.stderr));
        clean(&face.join(" "), &(printed + &text(&output.stderr)));
    }
}

/// What the parser refuses or takes for a tag, an alias or something else is a password all the same.
#[test]
fn secrets_that_cannot_be_read() {
    for value in [
        "!hush4711",
        "!!hush4711 x",
        "!<hush4711> x",
        "!hush4711 {a: b}",
        "*hush4711",
        "[*hush4711]",
        "!!int hush4711",
        "!!float 'hush4711'",
        "!!bool hush4711",
        "!!timestamp hush4711",
        "!!binary hush4711!",
        "!!null hush4711",
        "@hush4711",
        "`hush4711`",
        "%hush4711",
        "\"hush4711",
        "'hush4711",
        "\"hush4711\\q\"",
        "'hush4711' hush4711",
        "hush4711: hush4711",
        "{hush4711",
        "[hush4711",
        "{a: hush4711, a: hush4711}",
        "hush4711\n  k: hush4711",
        "|hush4711",
        ">\n hush4711",
        "hush4711\thush4711: x",
        "? hush4711",
        "- hush4711",
        "{<<: hush4711}",
        "60060000000000000000000000000: x",
        "hush4711\u{85}hush4711",
        "hush4711\u{0}",
    ] {
        for field in ["stringData", "data"] {
            let manifest =
                format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{field}:\n  k: {value}\n");
            for face in FACES {
                let output = run_with(face, &manifest);
                let printed = text(&output.stdout) + &text(&output.stderr);
                clean(&format!("{} of {value:?}", face.join(" ")), &printed);
            }
        }
    }
}

#[test]
fn secrets_in_broken_json() {
    for value in [
        "hush4711",
        "\"hush4711",
        "\"hush4711\" \"hush4711\"",
        "\"hush4711\\u12\"",
        "[\"hush4711\"",
        "6006e9999",
    ] {
        let manifest = format!(
            "{{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {{\"name\": \"s\"}}, \"stringData\": {{\"k\": {value}}}}}"
        );
        for face in FACES {
            let output = run_with(face, &manifest);
            clean(
                &format!("{} of {value:?}", face.join(" ")),
                &(text(&output.stdout) + &text(&output.stderr)),
            );
        }
    }
}
