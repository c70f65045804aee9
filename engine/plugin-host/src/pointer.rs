//! RFC 6901 pointers, and one addition: `[key=value]` picks from a list the first map whose `key` is the text `value`.

use std::borrow::Cow;

use serde_json::Value;

/// The value at a pointer, or none where there is nothing, or where the pointer is none.
pub(crate) fn find<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() {
        return Some(root);
    }
    let mut at = root;
    for segment in pointer.strip_prefix('/')?.split('/') {
        at = match at {
            Value::Object(map) => map.get(&*unescape(segment))?,
            Value::Array(list) => match segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(selector) => select(list, selector)?,
                None => list.get(index(segment)?)?,
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
    }
    Some(at)
}

fn select<'a>(list: &'a [Value], selector: &str) -> Option<&'a Value> {
    let (key, wanted) = selector.split_once('=')?;
    let (key, wanted) = (unescape(key), unescape(wanted));
    list.iter()
        .find(|entry| entry.get(&*key).and_then(Value::as_str) == Some(&*wanted))
}

/// `~1` is a slash and `~0` a tilde; any other tilde stands for itself.
fn unescape(segment: &str) -> Cow<'_, str> {
    let Some((before, rest)) = segment.split_once('~') else {
        return Cow::Borrowed(segment);
    };
    let mut text = String::with_capacity(segment.len());
    text.push_str(before);
    for part in rest.split('~') {
        match (part.strip_prefix('1'), part.strip_prefix('0')) {
            (Some(rest), _) => text.extend(["/", rest]),
            (_, Some(rest)) => text.extend(["~", rest]),
            (None, None) => text.extend(["~", part]),
        }
    }
    Cow::Owned(text)
}

/// An array index: digits without a leading zero.
fn index(segment: &str) -> Option<usize> {
    let plain =
        segment.bytes().all(|byte| byte.is_ascii_digit()) && (segment == "0" || !segment.starts_with('0'));
    plain.then(|| segment.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{find, unescape};
    use serde_json::json;

    #[test]
    fn escapes_are_read_from_left_to_right() {
        for (escaped, plain) in [
            ("", ""),
            ("plain", "plain"),
            ("a~1b~0c", "a/b~c"),
            ("~01", "~1"),
            ("~~1", "~/"),
            ("~", "~"),
            ("~2~", "~2~"),
            ("~1~1~0", "//~"),
        ] {
            assert_eq!(unescape(escaped), plain);
        }
    }

    #[test]
    fn pointers_find_what_rfc_6901_says() {
        let root = json!({"a": {"b/c": 1, "d~e": 2, "": 3}, "l": [10, {"type": "Ready", "status": "True"}], "[x=y]": 4});
        let check = |pointer: &str, want: serde_json::Value| {
            assert_eq!(
                find(&root, pointer).cloned().unwrap_or_default(),
                want,
                "{pointer}"
            );
        };
        check("/a/b~1c", json!(1));
        check("/a/d~0e", json!(2));
        check("/a/", json!(3));
        check("/l/0", json!(10));
        check("/l/[type=Ready]/status", json!("True"));
        check("/l/[type=Available]/status", json!(null));
        check("/[x=y]", json!(4));
        check("/l/00", json!(null));
        check("/l/-", json!(null));
        check("/l/+0", json!(null));
        check("/l/1/type/x", json!(null));
        check("a", json!(null));
        assert_eq!(find(&root, ""), Some(&root));
    }
}
