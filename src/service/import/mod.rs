//! Reads a CSV or JSON Lines file into rows for ingest: streaming, bounded memory, no row lost silently.
//!
//! To add a kind: write its `*_columns.rs` with a list of [`Column`] and name it below.

mod cell;
mod csv_rows;
#[cfg(test)]
mod csv_tests;
mod document_columns;
#[cfg(test)]
mod document_tests;
mod documents;
mod encoding;
mod error;
mod front_matter;
mod json_array;
mod json_rows;
#[cfg(test)]
mod json_tests;
mod lines;
mod mapping;
mod merger;
mod music_cells;
mod record;
mod song_columns;
mod text_file;

use std::io::{BufRead, Read};

use encoding_rs::Encoding;
use serde_json::{Map, Value};

pub use cell::{Cell, CellValue, Column, Need};
pub use document_columns::DOCUMENT_COLUMNS;
pub use documents::{DocumentOptions, DocumentReject, DocumentRow, Documents};
pub use error::{Error, Fault, Reject};
pub use merger::Merger;
pub use song_columns::SONG_COLUMNS;

use csv_rows::CsvRows;
use json_rows::JsonRows;
use lines::Lines;

/// Fields of a row by their GraphQL names.
pub type Fields = Map<String, Value>;

/// How a file is to be read; what is not said is found out from the file.
#[derive(Debug, Clone)]
pub struct Options {
    pub columns: &'static [Column],
    pub format: Option<Format>,
    /// Fields and the file's columns they come from, before any guess: `("title", "track_name")`.
    pub mapping: Vec<(String, String)>,
    pub delimiter: Option<u8>,
    pub encoding: Option<&'static Encoding>,
    pub limits: Limits,
}

impl Options {
    /// Everything found out from the file.
    pub fn new(columns: &'static [Column]) -> Self {
        Self {
            columns,
            format: None,
            mapping: Vec::new(),
            delimiter: None,
            encoding: None,
            limits: Limits::default(),
        }
    }
}

/// What bounds the memory and the work of one file.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one row.
    pub row_bytes: usize,
    /// Bytes that may be read a second time because a quote was left open.
    pub reread_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { row_bytes: 1 << 20, reread_bytes: 256 << 20 }
    }
}

/// The two ways to write rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    /// One object per line, or one array of objects.
    Json,
}

/// One row that keeps to the columns' rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where it begins in the file, from 1; a CSV header is line 1.
    pub line: u64,
    pub fields: Fields,
    /// As it stands in the file, so that a later refusal can be handed back too.
    pub raw: String,
}

/// What was found out about a file. Only JSON can still grow it while rows are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub format: Format,
    pub encoding: &'static str,
    /// Of a CSV file.
    pub delimiter: Option<char>,
    /// Fields and the columns that they are read from.
    pub mapping: Vec<(&'static str, String)>,
    /// Columns that no field is read from.
    pub unmapped: Vec<String>,
    /// The header line of a CSV file, to stand above the rejected rows.
    pub header: Option<String>,
    /// Rows so far that were not valid UTF-8 and were read as Windows-1252.
    pub recoded_rows: u64,
}

/// The rows of a file in order; after [`Fault::Fatal`] there are no more.
pub struct Rows<R> {
    reader: Reader<R>,
    ended: bool,
}

enum Reader<R> {
    Csv(CsvRows<R>),
    Json(JsonRows<R>),
}

/// Opens a file; the name is only a hint at its format and may be empty.
pub fn open<R: Read>(reader: R, file_name: &str, options: &Options) -> Result<Rows<R>, Error> {
    let (source, text) = encoding::detect(reader, options.encoding)?;
    let mut lines = Lines::new(source, options.limits);
    let start = lines.fill_buf()?;
    if let Some(what) = packed(start) {
        return Err(Error::Packed { what });
    }
    let format = options.format.unwrap_or_else(|| format_of(file_name, start));
    let reader = match format {
        Format::Csv => Reader::Csv(CsvRows::open(lines, text, options)?),
        Format::Json => Reader::Json(JsonRows::open(lines, text, options)?),
    };
    Ok(Rows { reader, ended: false })
}

fn format_of(file_name: &str, start: &[u8]) -> Format {
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
    match extension.as_deref() {
        Some("csv" | "tsv") => Format::Csv,
        Some("jsonl" | "ndjson" | "json") => Format::Json,
        Some(_) | None => match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Format::Json,
            Some(_) | None => Format::Csv,
        },
    }
}

/// What a file is, if it is one of those that people take for a table or a text.
fn packed(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(b"PK\x03\x04") {
        Some("a ZIP archive or an Excel workbook")
    } else if start.starts_with(b"\x1f\x8b") {
        Some("packed with gzip")
    } else {
        None
    }
}

impl<R: Read> Rows<R> {
    /// What was found out about the file so far.
    pub fn summary(&self) -> Summary {
        match &self.reader {
            Reader::Csv(rows) => rows.summary(),
            Reader::Json(rows) => rows.summary(),
        }
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match &mut self.reader {
            Reader::Csv(rows) => rows.next_row(),
            Reader::Json(rows) => rows.next_row(),
        };
        match next {
            Ok(row) => row.map(|row| row.map_err(Fault::Rejected)),
            Err(error) => {
                self.ended = true;
                Some(Err(Fault::Fatal(error)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(name: &str, content: &str) -> Format {
        format_of(name, content.as_bytes())
    }

    #[test]
    fn the_format_is_known_by_the_extension_or_else_by_the_first_byte() {
        assert_eq!(format("songs.TSV", "{"), Format::Csv);
        assert_eq!(format("songs.ndjson", "title"), Format::Json);
        assert_eq!(format("songs.txt", "\n {\"title\""), Format::Json);
        assert_eq!(format("", "[{}]"), Format::Json);
        assert_eq!(format("", "title,band"), Format::Csv);
    }

    #[test]
    fn a_packed_file_is_named_as_such() {
        let error = open(&b"PK\x03\x04rest"[..], "songs.csv", &Options::new(SONG_COLUMNS)).err();
        assert_eq!(
            error.unwrap().to_string(),
            "the file is a ZIP archive or an Excel workbook; unpack it, or save it as CSV"
        );
    }

    #[test]
    fn an_error_while_reading_ends_the_rows() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("gone"))
            }
        }
        let start = "title\n".to_owned() + &"a song\n".repeat(20_000);
        let file = start.as_bytes().chain(Broken);
        let mut rows = open(file, "a.csv", &Options::new(SONG_COLUMNS)).unwrap();
        let last = rows.by_ref().find(Result::is_err);
        assert!(matches!(last, Some(Err(Fault::Fatal(Error::Read(_))))));
        assert!(rows.next().is_none());
    }
}
