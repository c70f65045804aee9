//! When two values mean the same to the API server.

use serde_json::{Number, Value};
use sluice_model::quantity::Quantity;

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
    Quantity::of(a).is_some_and(|quantity| Some(quantity) == Quantity::of(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
