//! The rows of a file of vectors: JSON Lines, or Parquet.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;
use serde_json::Value;

use crate::model::limits;

/// What a Parquet file begins with.
pub(super) const PARQUET: &[u8] = b"PAR1";
/// Bytes of one row: a vector of 4,000 long numbers and its text.
const MAX_ROW_BYTES: u64 = 512 * 1024;
/// What a row may say.
const FIELDS: [&str; 5] = ["id", "externalId", "vector", "sourceHash", "sourceText"];

/// A row of a file.
pub(super) struct Row {
    /// From 1.
    pub(super) number: u64,
    /// As JSON.
    pub(super) raw: String,
    /// In the form that the API takes, or why it cannot be sent.
    pub(super) said: Result<Value, String>,
}

/// A row for each line that is not blank.
pub(super) struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    fn next_line(&mut self) -> io::Result<Option<Row>> {
        loop {
            let mut raw = Vec::new();
            let count = self.reader.by_ref().take(MAX_ROW_BYTES + 1).read_until(b'\n', &mut raw)?;
            if count == 0 {
                return Ok(None);
            }
            self.number += 1;
            let is_long = !raw.ends_with(b"\n") && raw.len() as u64 > MAX_ROW_BYTES;
            if is_long {
                skip_rest(&mut self.reader)?;
            }
            let raw = String::from_utf8_lossy(&raw).trim().to_owned();
            if !raw.is_empty() {
                let said = if is_long { Err(too_long()) } else { parse(&raw) };
                return Ok(Some(Row { number: self.number, raw, said }));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Row, String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().map_err(|error| error.to_string()).transpose()
    }
}

/// The rows of a Parquet file, of whose columns only those that are known are read.
pub(super) struct ParquetRows {
    rows: RowIter<'static>,
    number: u64,
}

impl ParquetRows {
    /// The rows, and how many there are.
    ///
    /// # Errors
    /// Says what is wrong with a file that is no Parquet or has no column `vector`.
    pub(super) fn open(file: File) -> Result<(Self, u64), String> {
        let reader = SerializedFileReader::new(file).map_err(|error| problem(&error))?;
        let metadata = reader.metadata().file_metadata();
        let count = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let wanted = wanted(metadata.schema())?;
        let rows = RowIter::from_file_into(Box::new(reader));
        let rows = rows.project(Some(wanted)).map_err(|error| problem(&error))?;
        Ok((Self { rows, number: 0 }, count))
    }
}

impl Iterator for ParquetRows {
    type Item = Result<Row, String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.number += 1;
        let number = self.number;
        let row = match self.rows.next()? {
            Ok(row) => row.to_json_value(),
            Err(error) => return Some(Err(format!("row {number}: {}", problem(&error)))),
        };
        let raw = row.to_string();
        let is_long = raw.len() as u64 > MAX_ROW_BYTES;
        let said = if is_long { Err(too_long()) } else { checked(row) };
        Some(Ok(Row { number, raw, said }))
    }
}

/// The columns that are read.
fn wanted(schema: &Type) -> Result<Type, String> {
    let columns = schema.get_fields();
    if !columns.iter().any(|column| column.name() == "vector") {
        let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
        return Err(format!("it has no column `vector`; its columns are {}", names.join(", ")));
    }
    let known = columns.iter().filter(|column| FIELDS.contains(&column.name()));
    let known = known.map(Arc::clone).collect();
    let schema = Type::group_type_builder(schema.name()).with_fields(known).build();
    schema.map_err(|error| problem(&error))
}

fn problem(error: &ParquetError) -> String {
    let message = error.to_string();
    // The crate names the feature that it was built without.
    if message.contains("Disabled feature") {
        return "its compression is not known here; Snappy, Zstandard and none are".to_owned();
    }
    format!("it is no good Parquet: {message}")
}

fn too_long() -> String {
    format!("has more than {MAX_ROW_BYTES} bytes")
}

fn parse(raw: &str) -> Result<Value, String> {
    checked(serde_json::from_str(raw).map_err(|error| format!("is no JSON: {error}"))?)
}

/// What one row says, in the form that the API takes; anything else would be refused with all the rows
/// around it.
fn checked(value: Value) -> Result<Value, String> {
    let Value::Object(fields) = value else { return Err("is no JSON object".to_owned()) };
    let row: serde_json::Map<String, Value> = fields
        .into_iter()
        .filter(|(name, value)| FIELDS.contains(&name.as_str()) && !value.is_null())
        .collect();
    for (name, value) in &row {
        let is_good = match name.as_str() {
            "vector" => value.as_array().is_some_and(|list| list.iter().all(Value::is_number)),
            _ => value.is_string(),
        };
        if !is_good {
            let wanted = if name == "vector" { "a list of numbers" } else { "a text" };
            return Err(format!("`{name}` must be {wanted}"));
        }
    }
    let length = row.get("vector").and_then(Value::as_array).map_or(0, Vec::len);
    if length == 0 || length > limits::DIMENSIONS {
        let most = limits::DIMENSIONS;
        return Err(format!("`vector` must hold 1 to {most} numbers, but holds {length}"));
    }
    Ok(Value::Object(row))
}

fn skip_rest(lines: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = lines.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (count, is_end) = (end.map_or(bytes.len(), |end| end + 1), end.is_some());
        let is_empty = bytes.is_empty();
        lines.consume(count);
        if is_end || is_empty {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_taken_apart_before_it_is_sent() {
        let good = r#"{"id": "song:1", "vector": [1, -2.5], "sourceText": "a", "model": "x", "externalId": null}"#;
        let row = parse(good).unwrap();
        assert_eq!(row, json!({ "id": "song:1", "vector": [1, -2.5], "sourceText": "a" }));
        for bad in [
            "nonsense",
            "[1]",
            "{}",
            r#"{"vector": []}"#,
            r#"{"vector": [1, null]}"#,
            r#"{"vector": [NaN]}"#,
            r#"{"vector": "1"}"#,
            r#"{"vector": [1], "id": 7}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_costs_no_other() {
        let long = "x".repeat(usize::try_from(MAX_ROW_BYTES).unwrap() + 9);
        let text = format!("{long}\n\n{{\"vector\": [1]}}\n");
        let rows: Vec<Row> = Lines::new(text.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(rows[0].said, Err(too_long()));
        assert_eq!((rows[1].number, &rows[1].said), (3, &Ok(json!({ "vector": [1] }))));
        assert_eq!(rows.len(), 2);
    }
}
