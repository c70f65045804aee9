//! Numbers as text, as Go prints and reads them.

/// The shortest text that gives the same number: from a million on with an exponent, as Go's `%g` has it.
pub fn print(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    match (-4..6).contains(&exponent) {
        true => format!("{number}"),
        false => format!("{digits}e{}", print_exponent(exponent)),
    }
}

/// With a sign and two digits.
pub(crate) fn print_exponent(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{:02}", exponent.abs())
}

/// Reads a number. One that is too large is none. Between digits there may be `_`.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let is_digit = |part: Option<u8>| part.is_some_and(|byte| byte.is_ascii_digit());
    let mut parts = text.split('_').peekable();
    while let Some(part) = parts.next() {
        let after = parts.peek();
        if after.is_some_and(|after| !is_digit(part.bytes().last()) || !is_digit(after.bytes().next())) {
            return None;
        }
    }
    let number: f64 = text.replace('_', "").parse().ok()?;
    let names_infinity = || text.to_ascii_lowercase().contains("inf");
    (number.is_finite() || number.is_nan() || names_infinity()).then_some(number)
}
