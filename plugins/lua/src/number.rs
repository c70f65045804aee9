//! Numbers and their texts, as Go has them.

/// A number as `tostring` gives it: whole ones within 64 bits as integers, others in the shortest form that reads back the same.
pub fn print(number: f64) -> String {
    match whole(number) {
        Some(whole) => whole.to_string(),
        None => shortest(number),
    }
}

/// A number without its fraction. What does not fit 64 bits is the least of them, as on the machines that Go is run on most.
pub(crate) fn integer(number: f64) -> i64 {
    match number.is_nan() || number >= 9_223_372_036_854_775_808.0 {
        true => i64::MIN,
        false => number as i64,
    }
}

/// The integer that a number is; none where it is not one.
pub(crate) fn whole(number: f64) -> Option<i64> {
    let whole = integer(number);
    (whole as f64 == number).then_some(whole)
}

/// The shortest text that reads back the same, with an exponent from a million on, and below a ten-thousandth.
pub(crate) fn shortest(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match (-4..6).contains(&exponent) {
        true => format!("{number}"),
        false => format!("{digits}e{}", signed(exponent)),
    }
}

/// `+05`, `-12`: exponents as Go writes them.
fn signed(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{:02}", exponent.unsigned_abs())
}

/// The number that a text stands for in arithmetic: an integer in one of Go's notations, or whatever else is a number.
pub(crate) fn read(bytes: &[u8]) -> Option<f64> {
    let text = trimmed(bytes)?;
    match integer_of(text, 0) {
        Some(integer) => Some(integer as f64),
        None => fraction_of(text),
    }
}

/// `tonumber` of a text: with a point it may have an exponent, without one it is an integer.
pub(crate) fn read_in(bytes: &[u8], base: Option<i64>) -> Option<f64> {
    let text = trimmed(bytes)?;
    if text.contains('.') {
        return fraction_of(text);
    }
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let integer = match (base, hexadecimal) {
        (None, Some(digits)) => integer_of(digits, 16),
        (base, _) => integer_of(text, u32::try_from(base.unwrap_or(10)).ok()?),
    };
    integer.map(|integer| integer as f64)
}

fn trimmed(bytes: &[u8]) -> Option<&str> {
    Some(std::str::from_utf8(bytes).ok()?.trim_matches([' ', '\t', '\n']))
}

/// A number that may have a fraction and an exponent; none that is too large.
fn fraction_of(text: &str) -> Option<f64> {
    let is_within =
        |number: &f64| number.is_finite() || !text.contains(|letter: char| letter.is_ascii_digit());
    text.parse().ok().filter(is_within)
}

/// An integer of 64 bits. With base 0 its beginning says the base.
fn integer_of(text: &str, base: u32) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (base, digits) = match (base, digits.get(..2)) {
        (0, Some("0x" | "0X")) => (16, &digits[2..]),
        (0, Some("0b" | "0B")) => (2, &digits[2..]),
        (0, Some("0o" | "0O")) => (8, &digits[2..]),
        (0, Some(_)) if digits.starts_with('0') => (8, &digits[1..]),
        (0, _) => (10, digits),
        (2..=36, _) => (base, digits),
        _ => return None,
    };
    let is_bare = !digits.starts_with(['+', '-']);
    let number = i128::from_str_radix(digits, base).ok().filter(|_| is_bare)?;
    i64::try_from(if is_negative { -number } else { number }).ok()
}

/// `%` of Lua: the rest has the sign of the divisor.
pub(crate) fn modulo(left: f64, right: f64) -> f64 {
    match left % right {
        rest if rest * right < 0.0 => rest + right,
        rest => rest,
    }
}

/// A number as a fraction from a half to one, and a power of two.
pub(crate) fn halves(number: f64) -> (f64, i32) {
    if number == 0.0 || !number.is_finite() {
        return (number, 0);
    }
    // One that is too small for its exponent is made larger first.
    let (number, more) = match number.is_normal() {
        true => (number, 0),
        false => (number * 2f64.powi(54), 54),
    };
    let bits = number.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32 - 1_022;
    (
        f64::from_bits(bits & !(0x7ff << 52) | 1_022 << 52),
        exponent - more,
    )
}

/// `%e` and `%g` of `string.format`.
pub(crate) fn scientific(number: f64, verb: char, precision: Option<usize>) -> String {
    if verb.eq_ignore_ascii_case(&'e') {
        return with_exponent(&format!("{:.*e}", precision.unwrap_or(6), number));
    }
    let Some(precision) = precision.map(|precision| precision.max(1)) else {
        return shortest(number);
    };
    let text = format!("{:.*e}", precision - 1, number);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = without_zeros(digits);
    if exponent < -4 || exponent >= precision as i32 {
        return with_exponent(&format!("{digits}e{exponent}"));
    }
    let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
    without_zeros(&format!("{number:.decimals$}")).to_owned()
}

fn with_exponent(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    format!("{digits}e{}", signed(exponent.parse().unwrap_or(0)))
}

fn without_zeros(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_print_as_in_go() {
        for (number, text) in [
            (1.0, "1"),
            (-0.0, "0"),
            (1e15, "1000000000000000"),
            (1e20, "1e+20"),
            (0.1, "0.1"),
            (1.5e-7, "1.5e-07"),
            (1234567.5, "1.2345675e+06"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            assert_eq!(super::print(number), text);
        }
    }

    #[test]
    fn texts_are_numbers() {
        for (text, number) in [
            ("10", Some(10.0)),
            (" 0x1F ", Some(31.0)),
            ("-1.5", Some(-1.5)),
            ("1e5", Some(1e5)),
            ("010", Some(8.0)),
            ("08", Some(8.0)),
            ("", None),
            ("0x-1", None),
            (".", None),
        ] {
            assert_eq!(super::read(text.as_bytes()), number, "{text:?}");
        }
        assert_eq!(super::read_in(b"1e5", None), None);
        assert_eq!(super::read_in(b"ff", Some(16)), Some(255.0));
    }
}
