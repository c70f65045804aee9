//! Kubernetes' quantities, as far as two of them have to be compared.

use serde_json::Value;

/// Whether one quantity is more than another; none where either cannot be read.
pub(crate) fn is_more(value: &Value, than: &str) -> Option<bool> {
    let value = match value {
        Value::String(text) => read(text),
        other => other.as_f64(),
    };
    Some(value? > read(than)?)
}

fn read(text: &str) -> Option<f64> {
    const SUFFIXES: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let text = text.trim();
    let suffix = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix));
    let (number, factor) = match suffix {
        Some((suffix, factor)) => (text.strip_suffix(suffix)?, *factor),
        None => (text, 1.0),
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_are_compared_in_any_form() {
        for (value, than, more) in [
            (json!("4"), "2", Some(true)),
            (json!(2), "2", Some(false)),
            (json!("1Gi"), "1G", Some(true)),
            (json!("500m"), "1", Some(false)),
            (json!("2k"), "1999", Some(true)),
            (json!("1e3"), "999", Some(true)),
            (json!("lots"), "1", None),
            (json!(true), "1", None),
        ] {
            assert_eq!(is_more(&value, than), more, "{value} and {than}");
        }
    }
}
