//! The parameters of a GraphQL request, from a JSON body or a query string.

use serde::Deserialize;
use serde_json::Value;

/// What a client sends. Anything else beside these names is ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    pub query: String,
    #[serde(default, rename = "operationName")]
    pub operation_name: Option<String>,
    #[serde(default)]
    pub variables: Value,
    #[serde(default)]
    pub extensions: Value,
}

/// A query string: `variables` and `extensions` are JSON texts.
#[derive(Debug, Deserialize)]
pub(super) struct QueryString {
    query: Option<String>,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl Parameters {
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, String> {
        // Said apart, because a list is what a client sends that batches.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err("the body is a list; send one request at a time".to_owned());
        }
        let parameters: Self =
            serde_json::from_slice(bytes).map_err(|error| match error.is_data() {
                true => format!("the body is no GraphQL request: {error}"),
                false => format!("the body is no JSON: {error}"),
            })?;
        parameters.checked()
    }

    pub(super) fn from_query_string(text: QueryString) -> Result<Self, String> {
        let json = |name: &str, text: Option<String>| match text {
            None => Ok(Value::Null),
            Some(text) if text.is_empty() => Ok(Value::Null),
            Some(text) => {
                serde_json::from_str(&text).map_err(|error| format!("`{name}` is no JSON: {error}"))
            }
        };
        let query = text.query.ok_or("`query` is missing")?;
        let parameters = Self {
            query,
            operation_name: text.operation_name,
            variables: json("variables", text.variables)?,
            extensions: json("extensions", text.extensions)?,
        };
        parameters.checked()
    }

    fn checked(mut self) -> Result<Self, String> {
        for (name, value) in [("variables", &self.variables), ("extensions", &self.extensions)] {
            if !value.is_object() && !value.is_null() {
                return Err(format!("`{name}` must be an object"));
            }
        }
        self.operation_name = self.operation_name.filter(|name| !name.is_empty());
        Ok(self)
    }
}
