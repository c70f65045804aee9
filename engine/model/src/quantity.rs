//! Kubernetes' quantities: `500m`, `1Gi`, `1e3`.

use serde_json::Value;

/// A quantity. Two that mean the same number are equal, however they are written: `1000m` and `1`, `1Gi` and `1024Mi`.
///
/// It is a number as digits × 2^two × 5^five, digits divisible by neither: every number has one such form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    negative: bool,
    digits: u128,
    two: i32,
    five: i32,
}

impl Quantity {
    /// Reads a quantity of a manifest, text or number; none if it is neither, or no quantity that Kubernetes would take.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Reads a quantity; none if it is none that Kubernetes would take.
    pub fn parse(text: &str) -> Option<Self> {
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

    /// Returns true if it is more than another one. Two that differ after the fifteenth digit alone count as equal.
    pub fn is_more_than(&self, other: &Self) -> bool {
        self != other && self.approximate() > other.approximate()
    }

    fn approximate(&self) -> f64 {
        let sign = if self.negative { -1.0 } else { 1.0 };
        // What a double has no room for is what is not compared.
        sign * self.digits as f64 * 2_f64.powi(self.two) * 5_f64.powi(self.five)
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
            let quantity = Quantity::of(&a);
            assert!(quantity.is_some() && quantity == Quantity::of(&b), "{a} {b}");
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
            let quantity = Quantity::of(&a);
            assert!(quantity.is_none() || quantity != Quantity::of(&b), "{a} {b}");
        }
    }

    #[test]
    fn quantities_are_compared_in_any_form() {
        for (value, than, more) in [
            (json!("4"), "2", Some(true)),
            (json!(2), "2", Some(false)),
            (json!("1Gi"), "1G", Some(true)),
            (json!("500m"), "1", Some(false)),
            (json!("2k"), "1999", Some(true)),
            (json!("1e3"), "999", Some(true)),
            (json!("1024Mi"), "1Gi", Some(false)),
            (json!("0"), "-1", Some(true)),
            (json!("-2"), "-1", Some(false)),
            (json!("lots"), "1", None),
            (json!(true), "1", None),
        ] {
            let quantities = Quantity::of(&value).zip(Quantity::parse(than));
            let found = quantities.map(|(value, than)| value.is_more_than(&than));
            assert_eq!(found, more, "{value} and {than}");
        }
    }
}
