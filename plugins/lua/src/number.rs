//! Numbers and their texts, as Go has them.

/// A number as `tostring` gives it: whole ones within 64 bits as integers, others in the shortest form that reads back the same.
pub fn print(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if number == number.trunc() && number.abs() < 9.2e18 {
        return format!("{}", number as i64);
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match (-4..21).contains(&exponent) && number != number.trunc() && exponent < 14 {
        true => format!("{number}"),
        false => format!("{digits}e{}", signed(exponent)),
    }
}

/// `+05`, `-12`: exponents as Go writes them.
fn signed(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{:02}", exponent.unsigned_abs())
}

/// The number that a text stands for, in arithmetic and for `tonumber`: digits with a point, or hexadecimal; no exponents.
pub(crate) fn read(bytes: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let number = match hexadecimal {
        Some(digits) if digits.starts_with(['+', '-']) => return None,
        Some(digits) => i64::from_str_radix(digits, 16).ok()? as f64,
        None if digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => digits.parse().ok()?,
        None => return None,
    };
    Some(if negative { -number } else { number })
}

/// `%e` and `%g` of `string.format`.
pub(crate) fn scientific(number: f64, verb: u8, precision: Option<usize>) -> String {
    if !number.is_finite() {
        return print(number);
    }
    if matches!(verb, b'e' | b'E') {
        return cased(
            with_exponent(&format!("{:.*e}", precision.unwrap_or(6), number)),
            verb,
        );
    }
    let text = match precision {
        Some(precision) => format!("{:.*e}", precision.max(1) - 1, number),
        None => format!("{number:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Without a precision the shortest text is taken, and up to 21 digits before the exponent.
    let most = match precision {
        Some(precision) => precision.max(1) as i32,
        None => 21.min(digits.bytes().filter(u8::is_ascii_digit).count().max(6) as i32),
    };
    let shown = match (exponent < -4 || exponent >= most, precision) {
        (true, _) => with_exponent(&format!("{}e{exponent}", without_zeros(digits))),
        (false, Some(_)) => {
            let decimals = (most - 1 - exponent).max(0) as usize;
            without_zeros(&format!("{number:.decimals$}")).to_owned()
        }
        (false, None) => format!("{number}"),
    };
    cased(shown, verb)
}

fn cased(text: String, verb: u8) -> String {
    match verb.is_ascii_uppercase() {
        true => text.to_uppercase(),
        false => text,
    }
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
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            assert_eq!(super::print(number), text);
        }
    }

    #[test]
    fn texts_are_numbers_without_exponents() {
        for (text, number) in [
            ("10", Some(10.0)),
            (" 0x1F ", Some(31.0)),
            ("-1.5", Some(-1.5)),
            ("1e5", None),
            ("", None),
            ("0x-1", None),
            (".", None),
        ] {
            assert_eq!(super::read(text.as_bytes()), number, "{text:?}");
        }
    }
}
