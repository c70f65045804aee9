//! Writing YAML that `kubectl` reads back as the same values.
//!
//! `kubectl` reads YAML 1.1, where `yes`, `on` and `0644` are no text. General writers follow YAML 1.2 and leave such text bare,
//! so that a ConfigMap with `"yes"` would come back with a boolean. Here text is bare only where no version of YAML can take
//! it for anything else; any other text is quoted as JSON quotes it, which is YAML too.

use serde_json::{Map, Value};

/// `value` as one YAML document, ending with a line's end.
pub(crate) fn text(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_map(map, 0, &mut text),
        Value::Array(items) if !items.is_empty() => write_list(items, 0, &mut text),
        scalar => {
            write_scalar(scalar, &mut text);
            text.push('\n');
        }
    }
    text
}

fn write_map(map: &Map<String, Value>, depth: usize, text: &mut String) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 || text.ends_with('\n') {
            indent(depth, text);
        }
        write_text(key, text);
        text.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                text.push('\n');
                write_map(map, depth + 1, text);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                write_list(items, depth, text);
            }
            Value::String(lines) if is_block(lines) => write_block(lines, depth + 1, text),
            scalar => {
                text.push(' ');
                write_scalar(scalar, text);
                text.push('\n');
            }
        }
    }
}

fn write_list(items: &[Value], depth: usize, text: &mut String) {
    for item in items {
        indent(depth, text);
        text.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => write_map(map, depth + 1, text),
            Value::Array(items) if !items.is_empty() => {
                // A list within a list begins on a line of its own.
                text.pop();
                text.push('\n');
                write_list(items, depth + 1, text);
            }
            scalar => {
                write_scalar(scalar, text);
                text.push('\n');
            }
        }
    }
}

fn write_scalar(value: &Value, text: &mut String) {
    match value {
        Value::String(string) => write_text(string, text),
        // Empty lists and maps, numbers, booleans and null read the same in JSON and in YAML.
        other => text.push_str(&other.to_string()),
    }
}

fn write_text(string: &str, text: &mut String) {
    if is_bare(string) {
        text.push_str(string);
        return;
    }
    // JSON escapes what JSON must; YAML allows fewer characters to stand as they are.
    for character in Value::from(string).to_string().chars() {
        match is_printable(character) {
            true => text.push(character),
            false => text.push_str(&format!("\\u{:04x}", u32::from(character))),
        }
    }
}

/// What YAML calls printable, without the characters that end a line in some of its versions.
fn is_printable(character: char) -> bool {
    let is_odd = matches!(
        character,
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    );
    !is_odd && !character.is_control()
}

/// Text that reads as text without quotes, whatever the version of YAML.
fn is_bare(string: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let middle = |character: char| character.is_ascii_alphanumeric() || "_./-:@+=".contains(character);
    string.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && string.chars().all(middle)
        && !string.ends_with(':')
        && !WORDS.contains(&string.to_ascii_lowercase().as_str())
}

/// Text of many lines that a literal block holds as it is.
fn is_block(string: &str) -> bool {
    let is_plain = |line: &str| {
        let mut characters = line.chars();
        !line.ends_with([' ', '\t'])
            && characters.all(|character| is_printable(character) || character == '\t')
    };
    string.ends_with('\n')
        && !string.ends_with("\n\n")
        && string.len() > 1
        && !string.starts_with([' ', '\t', '\n'])
        && string.split_terminator('\n').all(is_plain)
}

fn write_block(lines: &str, depth: usize, text: &mut String) {
    text.push_str(" |\n");
    for line in lines.split_terminator('\n') {
        if !line.is_empty() {
            indent(depth, text);
            text.push_str(line);
        }
        text.push('\n');
    }
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_reads_like_a_manifest() {
        let value = json!({
            "kind": "Thing", "empty": {}, "none": [], "nothing": null, "number": 0.5,
            "list": [{"a": 1, "b": [2]}, "x", [1, [2]]], "file": "one\n\n  two\n", "image": "example.com/web:1.25@sha256:00",
        });
        insta::assert_snapshot!(text(&value), @r#"
        empty: {}
        file: |
          one

            two
        image: example.com/web:1.25@sha256:00
        kind: Thing
        list:
        - a: 1
          b:
          - 2
        - x
        -
          - 1
          -
            - 2
        none: []
        nothing: null
        number: 0.5
        "#);
    }

    #[test]
    fn what_kubectl_would_misread_is_quoted() {
        for word in [
            "yes",
            "No",
            "on",
            "OFF",
            "y",
            "~",
            "null",
            "0644",
            "1_000",
            "12:30",
            "1e3",
            "0x1f",
            ".inf",
            "",
            " a",
            "a ",
            "- a",
            "a: b",
            "a #b",
            "2026-11-21",
            "<<",
            "=",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "a:",
            "{a",
            "[a",
            "\u{1}",
            "é",
        ] {
            assert!(text(&json!({ "k": word })).starts_with("k: \""), "{word:?}");
        }
    }

    /// The decoder of the engine reads as `kubectl` does: what is written comes back.
    #[test]
    fn what_is_written_is_read_back() {
        let texts = [
            "yes",
            "0644",
            "a\nb",
            "a\nb\n",
            "\na\n",
            "a\n\n",
            " a\n",
            "a \nb\n",
            "a\tb\n",
            "\ta\n",
            "#a\n",
            "---\na\n",
            "...\n",
            "a: b\n",
            "|\n",
            "\r\n",
            "a\r\nb\n",
            "\u{2028}\n",
            "é\n",
            "\n",
            "",
            "'",
            "\"",
            "\\",
            "\u{7f}",
            "\u{feff}a\n",
            "%\n",
            "tab\tin",
            "ends\t\n",
            "https://a.b/c?d=e&f",
            "a,b",
            "user@host",
            "/path",
            "k8s.io/x",
        ];
        let data: Map<String, Value> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| (format!("k{index}"), Value::from(*text)))
            .collect();
        let keys: Map<String, Value> = texts
            .iter()
            .map(|text| (format!("{text}x"), Value::from(1)))
            .collect();
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data, "keys": keys,
            "values": [true, 1, -1, 1.5, 1e30, null, {}, [], [[]], [{}], [[1]], [{"a": [{"b": {}}]}]],
        });
        let written = text(&object);
        let read = sluice_render::decode("a.yaml", written.as_bytes()).unwrap();
        assert_eq!(read[0].object.value(), &object, "{written}");
    }
}
