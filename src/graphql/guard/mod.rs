//! Refuses hostile or oversized requests before the GraphQL library sees them.
//!
//! Order matters: the scan bounds what the parser may recurse into, and the memoised measure
//! bounds what the library's own checks, which expand every fragment, will walk.

mod cost;
mod document;
mod measure;
#[cfg(test)]
mod properties;
mod rejection;
mod scan;
#[cfg(test)]
mod tests;
mod variables;

use async_graphql::parser;
use async_graphql::parser::types::{ExecutableDocument, OperationType};

pub use cost::{priced_fields, priced_lists};
pub use rejection::{Code, Rejection};

use rejection::shown;

/// What one request may ask for; each number is the most that passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub query_bytes: usize,
    /// Names, numbers, strings, punctuation and comments; the parser is slowest on comments.
    pub tokens: usize,
    /// Brackets open at once, and selections inside one another after fragments are expanded.
    pub nesting: usize,
    /// Fields above one another after fragments are expanded.
    pub depth: usize,
    /// Fields after fragments are expanded, over all operations.
    pub fields: usize,
    pub root_fields: usize,
    pub aliases: usize,
    pub directives: usize,
    /// `fields`, `interfaces`, `possibleTypes` and `inputFields` inside one another.
    pub introspection_lists: usize,
    /// Objects times list sizes, and more for fields that search.
    pub cost: u64,
    /// Values in the answer, objects and scalars alike, if every page is full.
    pub nodes: u64,
    /// Lists and objects inside one another in one variable.
    pub variable_nesting: usize,
    /// Values in all variables together.
    pub variable_values: usize,
    /// Values in one list of a variable; fields have tighter limits of their own.
    pub variable_list: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_bytes: 16 * 1024,
            tokens: 1_000,
            nesting: 32,
            depth: 12,
            fields: 1_000,
            root_fields: 20,
            aliases: 30,
            directives: 50,
            introspection_lists: 2,
            cost: 1_000,
            nodes: 10_000,
            variable_nesting: 64,
            variable_values: 200_000,
            variable_list: 4_000,
        }
    }
}

/// A request that is safe to validate and run.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub document: ExecutableDocument,
    pub operation: OperationType,
    pub cost: u64,
    /// The most values that the answer can hold.
    pub nodes: u64,
    /// Whether `__schema` or `__type` is asked for, alone or beside data.
    pub has_introspection: bool,
    /// Whether every root field starts with `__`, so that no data is read.
    pub is_introspection_only: bool,
}

/// Checks a request in time linear in its size, and parses its query.
pub fn check(
    query: &str,
    operation_name: Option<&str>,
    variables: &serde_json::Value,
    limits: &Limits,
) -> Result<Accepted, Rejection> {
    scan::scan(query, limits)?;
    variables::check(variables, limits)?;
    let document =
        parser::parse_query(query).map_err(|error| Rejection::from_parser(&error, query))?;
    let operation = document::selected(&document, operation_name)?;
    let measured = document::measure(&document, operation, variables, limits)?;
    Ok(Accepted {
        operation: operation.node.ty,
        cost: measured.costs.cost.total(),
        nodes: measured.costs.nodes.total(),
        has_introspection: measured.has_introspection,
        is_introspection_only: !measured.reads_data,
        document,
    })
}
