//! Variables and single values: any text is expanded or refused, and always in the same way.

use serde_json::Map;
use sluice_render::{expand, read_values, set};

/// Any bytes as a text with variables, as `--set` reads them, and as values of a chart.
///
/// # Panics
/// If a text without a `$` changes, or the same text comes to something else.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let variable = |name: &str| match name.len() % 3 {
        0 => Some("a/value.of:some-length".to_owned()),
        1 => Some(String::new()),
        _ => None,
    };
    let expanded = expand(&text, &mut { variable });
    assert_eq!(expanded, expand(&text, &mut { variable }));
    if !text.contains('$') {
        assert_eq!(expanded.as_deref(), Ok(&*text));
    }
    for as_text in [false, true] {
        let mut values = Map::new();
        let _refused = set(&mut values, &text, as_text);
    }
    let _refused = read_values(&text);
}
