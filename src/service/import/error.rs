//! What can be wrong with a file as a whole, and with one of its rows.

use std::fmt;

/// The file cannot be read, or not any further.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    #[error("the file is {what}; unpack it, or save it as CSV")]
    Packed { what: &'static str },
    #[error(
        "the file is none of `.md`, `.markdown`, `.txt`, `.html`, `.htm`, `.jsonl`, `.ndjson` and `.json`"
    )]
    UnknownFile,
    #[error("there are no rows: {0}")]
    NoRows(&'static str),
    #[error("the header cannot be read: {0}")]
    Header(String),
    #[error(
        "there is no JSON object at the start of the file: line {line}: {reason}; write one object per line, or one array of objects"
    )]
    NoObject { line: u64, reason: String },
    #[error("`{field}` is not a field; fields are {fields}")]
    UnknownField { field: String, fields: String },
    #[error("`{0}` is mapped twice")]
    MappedTwice(&'static str),
    #[error(
        "`{field}` is mapped to the column `{column}`, which is not there; columns are {columns}"
    )]
    UnknownColumn { field: &'static str, column: String, columns: String },
    #[error(
        "no column gives `{field}`; columns are {columns}; map one of them, as in `{field}={example}`"
    )]
    NoColumn { field: &'static str, columns: String, example: String },
    #[error(
        "too many quotes are left open, the first in line {line}; check how the file writes quotes"
    )]
    OpenQuotes { line: u64 },
}

/// A row that is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub line: u64,
    /// The file's name for the column that is at fault, if one is.
    pub column: Option<String>,
    pub reason: String,
    /// The row as it stands in the file, cut at the limit of a row.
    pub raw: String,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why there is no row: this one is left out, or the rest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Rejected(Reject),
    #[error(transparent)]
    Fatal(#[from] Error),
}
