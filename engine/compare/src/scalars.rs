//! When two values mean the same to the API server.

use serde_json::{Number, Value};

/// True where two scalars are equal as JSON.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => numbers(a, b),
        _ => a == b,
    }
}

fn numbers(a: &Number, b: &Number) -> bool {
    if a == b {
        return true;
    }
    match (a.as_f64(), b.as_f64()) {
        // Two readers of the same digits may differ in the last place of a double.
        (Some(x), Some(y)) if a.is_f64() || b.is_f64() => (x - y).abs() <= x.abs().max(y.abs()) * 1e-15,
        _ => false,
    }
}

/// True where two values are the same Kubernetes quantity: `1000m` and `1`, `1Gi` and `1024Mi`, `0.5` and `500m`.
pub(crate) fn quantities(a: &Value, b: &Value) -> bool {
    let parse = |value: &Value| match value {
        Value::String(text) => Quantity::parse(text),
        Value::Number(number) => Quantity::parse(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    matches!((parse(a), parse(b)), (Some(a), Some(b)) if a == b)
}

/// A number as digits × 2^two × 5^five, digits divisible by neither: every number has one such form.
#[derive(Debug, PartialEq, Eq)]
struct Quantity {
    negative: bool,
    digits: u128,
    two: i32,
    five: i32,
}

impl Quantity {
    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        // More digits than fit are no quantity that Kubernetes would take either.
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 30 {
            return None;
        }
        let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
        let (two, ten) = scale(suffix)?;
        let ten = ten - i32::try_from(fraction.len()).ok()?;
        Some(
            Self {
                negative,
                digits,
                two: two + ten,
                five: ten,
            }
            .canonical(),
        )
    }

    fn canonical(mut self) -> Self {
        if self.digits == 0 {
            return Self {
                negative: false,
                digits: 0,
                two: 0,
                five: 0,
            };
        }
        while self.digits.is_multiple_of(2) {
            self.digits /= 2;
            self.two += 1;
        }
        while self.digits.is_multiple_of(5) {
            self.digits /= 5;
            self.five += 1;
        }
        self
    }
}

/// The powers of two and of ten that a suffix stands for.
fn scale(suffix: &str) -> Option<(i32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => (
            0,
            suffix
                .strip_prefix(['e', 'E'])?
                .parse()
                .ok()
                .filter(|exponent: &i32| exponent.abs() < 1_000)?,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_quantities() {
        for (a, b) in [
            (json!("1000m"), json!("1")),
            (json!(1), json!("1")),
            (json!(0.5), json!("500m")),
            (json!("1Gi"), json!("1024Mi")),
            (json!("1Gi"), json!("1073741824")),
            (json!("1.5Gi"), json!("1536Mi")),
            (json!("1e3"), json!("1k")),
            (json!("0.1"), json!("100m")),
            (json!("0"), json!("0Mi")),
            (json!("-1"), json!("-1000m")),
            (json!("0.5Gi"), json!("512Mi")),
            (json!("128974848"), json!("123Mi")),
        ] {
            assert!(quantities(&a, &b), "{a} {b}");
        }
        for (a, b) in [
            (json!("1G"), json!("1Gi")),
            (json!("100m"), json!("100M")),
            (json!("1"), json!("1x")),
            (json!(""), json!("0")),
            (json!("1"), json!("-1")),
            (json!("2"), json!("5")),
            (json!("."), json!(".")),
            (json!("1.1.1"), json!("1.1.1")),
        ] {
            assert!(!quantities(&a, &b), "{a} {b}");
        }
    }

    #[test]
    fn numbers_are_equal_as_numbers() {
        assert!(
            equal(&json!(1.0), &json!(1)) && equal(&json!(1e20), &json!(100_000_000_000_000_000_000_f64))
        );
        assert!(
            !equal(&json!(1), &json!(2))
                && !equal(&json!(1), &json!("1"))
                && !equal(&json!(0), &json!(false))
        );
        assert!(!equal(
            &json!(9_007_199_254_740_993_i64),
            &json!(9_007_199_254_740_992_i64)
        ));
    }
}
