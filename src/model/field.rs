//! Checks of the fields of rows, whatever their kind.

/// A field of a row does not keep to its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct InvalidField {
    pub field: &'static str,
    pub problem: String,
}

pub(super) fn invalid<T>(
    field: &'static str,
    problem: impl Into<String>,
) -> Result<T, InvalidField> {
    Err(InvalidField { field, problem: problem.into() })
}

/// As [`optional`], for a text that must be there.
pub(super) fn required(
    field: &'static str,
    text: &str,
    limit: usize,
) -> Result<String, InvalidField> {
    match optional(field, Some(text.to_owned()), limit)? {
        Some(text) => Ok(text),
        None => invalid(field, "is empty; it needs at least one visible character"),
    }
}

/// Trims a text and checks its length; an empty text is no text.
pub(super) fn optional(
    field: &'static str,
    text: Option<String>,
    limit: usize,
) -> Result<Option<String>, InvalidField> {
    let Some(text) = text else { return Ok(None) };
    without_nul(field, &text)?;
    let text = text.trim();
    let chars = text.chars().count();
    if chars > limit {
        return invalid(field, format!("has {chars} characters; {limit} are allowed"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

pub(super) fn without_nul(field: &'static str, text: &str) -> Result<(), InvalidField> {
    if text.contains('\0') {
        return invalid(field, "holds a NUL character, which PostgreSQL cannot store");
    }
    Ok(())
}
