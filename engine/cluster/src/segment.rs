//! Names as segments of a path.
//!
//! Many kinds let nearly any text be a name (RBAC, for one): a space, `?` and `#` among it, which mean something else in a URL. So every
//! part of a path is encoded here, and what cannot be a part of one is refused before anything is sent: a proxy on the way may
//! read `..` as the folder above, and a server reads `a/b` as what is below `a`, whatever the encoding.

use sluice_model::object::unusable;

use crate::error::ClusterError;

/// Percent-encodes all that is not certain to stand for itself within a segment.
pub(crate) fn encoded(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                segment.push(char::from(byte));
            }
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

/// The segment of a name, if it can be one.
pub(crate) fn of_name(name: &str) -> Result<String, ClusterError> {
    checked("name", name)?;
    Ok(encoded(name))
}

/// Refuses what is no namespace in a path.
pub(crate) fn check_namespace(namespace: Option<&str>) -> Result<(), ClusterError> {
    namespace.map_or(Ok(()), |namespace| checked("namespace", namespace))
}

fn checked(what: &str, text: &str) -> Result<(), ClusterError> {
    match unusable(text) {
        None => Ok(()),
        Some(reason) => Err(ClusterError::Invalid {
            message: format!("the {what} {text:?} {reason}").into(),
            fields: Vec::new(),
        }),
    }
}

/// A value of a field selector, in which `,`, `=` and `\` mean something.
pub(crate) fn selected(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, ',' | '=' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a server reads a path: it is cut at its first `?` or `#`, then at every `/`, and each part is decoded.
    fn segments(path: &str) -> Vec<String> {
        let path = path.split(['?', '#']).next().unwrap();
        let decode = |part: &str| {
            let (mut bytes, mut rest) = (Vec::new(), part.as_bytes());
            while let Some((first, after)) = rest.split_first() {
                rest = after;
                if *first == b'%' {
                    let digits = std::str::from_utf8(&rest[..2]).unwrap();
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                    rest = &rest[2..];
                } else {
                    bytes.push(*first);
                }
            }
            String::from_utf8(bytes).unwrap()
        };
        path.split('/').map(decode).collect()
    }

    /// Reported: a Role named `victim?x=1` was read and written as the Role `victim`.
    #[test]
    fn a_name_reaches_no_other_object() {
        let letters = [
            "a", "B", "0", " ", "?", "#", "%", "%2F", "/", "\\", ".", "..", ":", ";", "&", "=", "+", ",",
            "é", "\u{7f}", "\n", "\0", "[", "{", "|", "^", "`", "\"", "~", "@", "日", "?x=1", "/status",
        ];
        // Every text of up to three of these, which is every way in which one can stand beside another.
        let mut names: Vec<String> = letters.iter().map(|letter| (*letter).to_owned()).collect();
        for _ in 0..2 {
            let longer: Vec<String> = names
                .iter()
                .flat_map(|name| letters.iter().map(move |letter| format!("{name}{letter}")))
                .collect();
            names.extend(longer);
            names.sort_unstable();
            names.dedup();
        }
        let mut sent = 0;
        for name in &names {
            match of_name(name) {
                Ok(segment) => {
                    sent += 1;
                    let path = format!("/api/v1/namespaces/n/things/{segment}");
                    let read = segments(&path);
                    assert_eq!(read.last(), Some(name), "{path}");
                    assert_eq!(read.len(), 7, "{path}");
                    assert!(path.parse::<http::Uri>().is_ok(), "{path}");
                }
                Err(error) => {
                    assert!(
                        name.contains(['/', '%']) || name == "." || name == "..",
                        "{name:?} is refused: {error}"
                    );
                    assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
                }
            }
        }
        assert!(sent > 10_000, "{sent} of {}", names.len());
    }

    #[test]
    fn a_selected_value_is_one_value() {
        assert_eq!(selected("a,metadata.name=b\\"), "a\\,metadata.name\\=b\\\\");
    }
}
