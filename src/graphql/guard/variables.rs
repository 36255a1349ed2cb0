//! How large the variables of a request may be.

use serde_json::Value;

use super::rejection::{Code, Rejection};
use super::{Limits, shown};

/// Refuses variables that nest too deep or hold too many values or too long a list.
pub(super) fn check(variables: &Value, limits: &Limits) -> Result<(), Rejection> {
    let variables = match variables {
        Value::Null => return Ok(()),
        Value::Object(variables) => variables,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(refuse("`variables` must be an object of names and values".to_owned()));
        }
    };
    let mut values = 0;
    for (name, value) in variables {
        check_one(name, value, &mut values, limits)?;
    }
    Ok(())
}

fn check_one(
    name: &str,
    value: &Value,
    values: &mut usize,
    limits: &Limits,
) -> Result<(), Rejection> {
    let mut open = vec![(value, 1)];
    while let Some((value, level)) = open.pop() {
        *values += 1;
        if *values > limits.variable_values {
            let most = limits.variable_values;
            return Err(refuse(format!("the variables hold more than the {most} values allowed")));
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => continue,
            Value::Array(items) if items.len() > limits.variable_list => {
                return Err(refuse(format!(
                    "variable `{}` holds a list of {} values; at most {} are allowed",
                    shown(name),
                    items.len(),
                    limits.variable_list
                )));
            }
            Value::Array(items) => open.extend(items.iter().map(|item| (item, level + 1))),
            Value::Object(fields) => open.extend(fields.values().map(|field| (field, level + 1))),
        }
        if level > limits.variable_nesting {
            return Err(refuse(format!(
                "variable `{}` nests lists and objects {level} levels deep or more; at most {} are allowed",
                shown(name),
                limits.variable_nesting
            )));
        }
    }
    Ok(())
}

fn refuse(message: String) -> Rejection {
    Rejection::new(Code::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(variables: &Value) -> String {
        check(variables, &Limits::default()).unwrap_err().message
    }

    fn nested(levels: usize) -> Value {
        let value = (0..levels).fold(json!(1), |value, _| json!([value]));
        json!({ "deep": value })
    }

    #[test]
    fn an_ingest_of_250_rows_of_25_fields_passes() {
        let row: serde_json::Map<String, Value> =
            (0..25).map(|field| (format!("field{field}"), json!(field))).collect();
        assert_eq!(check(&json!({ "rows": vec![row; 250] }), &Limits::default()), Ok(()));
    }

    #[test]
    fn nesting_stops_at_the_limit() {
        assert_eq!(check(&nested(64), &Limits::default()), Ok(()));
        assert_eq!(
            message(&nested(65)),
            "variable `deep` nests lists and objects 65 levels deep or more; at most 64 are allowed"
        );
    }

    #[test]
    fn a_long_list_is_named_with_its_length() {
        assert_eq!(
            message(&json!({ "ids": vec!["x"; 10_000] })),
            "variable `ids` holds a list of 10000 values; at most 4000 are allowed"
        );
    }

    #[test]
    fn values_are_counted_over_all_variables() {
        let block = vec![vec![0; 1_000]; 101];
        assert_eq!(check(&json!({ "a": block }), &Limits::default()), Ok(()));
        assert_eq!(
            message(&json!({ "a": block, "b": block })),
            "the variables hold more than the 200000 values allowed"
        );
    }

    #[test]
    fn variables_are_an_object_or_nothing() {
        assert_eq!(check(&Value::Null, &Limits::default()), Ok(()));
        assert_eq!(message(&json!([1])), "`variables` must be an object of names and values");
    }
}
