//! Rows of a CSV file.

use std::io::{BufRead, Read};

use super::cell::CellValue;
use super::encoding::Text;
use super::lines::{Appended, Lines};
use super::mapping::{self, Mapping};
use super::record::{Record, State, follow};
use super::{Column, Error, Format, Options, Reject, Row, Summary};

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The rows of a CSV file.
pub(super) struct CsvRows<R> {
    lines: Lines<R>,
    text: Text,
    delimiter: u8,
    limit: usize,
    mapping: Mapping,
    header: String,
    width: usize,
    /// The row being read, as bytes.
    row: Vec<u8>,
    record: Record,
    /// Read while opening, to know that there are rows at all.
    first: Option<Result<Row, Reject>>,
}

/// What the next lines hold.
enum Taken {
    /// A row that begins in this line.
    Row(u64),
    Rejected(Reject),
    End,
}

impl<R: Read> CsvRows<R> {
    /// Reads the header and the first row.
    pub(super) fn open(mut lines: Lines<R>, text: Text, options: &Options) -> Result<Self, Error> {
        lines.detect_terminator()?;
        let terminator = lines.terminator;
        let delimiter = match options.delimiter {
            Some(delimiter) => delimiter,
            None => detect_delimiter(lines.fill_buf()?, terminator, options.columns),
        };
        let mut rows = Self {
            lines,
            text,
            delimiter,
            limit: options.limits.row_bytes,
            mapping: Mapping::default(),
            header: String::new(),
            width: 0,
            row: Vec::new(),
            record: Record::default(),
            first: None,
        };
        rows.read_header(options)?;
        rows.first = rows.next_row()?;
        match rows.first {
            Some(_) => Ok(rows),
            None => Err(Error::NoRows("the file has a header and nothing else")),
        }
    }

    fn read_header(&mut self, options: &Options) -> Result<(), Error> {
        loop {
            match self.take_row()? {
                Taken::End => return Err(Error::NoRows("the file is empty")),
                Taken::Rejected(reject) => return Err(Error::Header(reject.reason)),
                Taken::Row(_) => {}
            }
            let bytes = without_ending(&self.row, self.lines.terminator);
            let header = self.text.decode(bytes).map_err(Error::Header)?.into_owned();
            self.record.split(&header, self.delimiter);
            if !self.record.is_blank() {
                let names: Vec<String> =
                    self.record.fields().map(|name| name.trim().to_owned()).collect();
                self.mapping = Mapping::resolve(options.columns, &options.mapping, &names)?;
                self.width = names.len();
                self.header = header;
                return Ok(());
            }
        }
    }

    pub(super) fn next_row(&mut self) -> Result<Option<Result<Row, Reject>>, Error> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            match self.take_row()? {
                Taken::End => return Ok(None),
                Taken::Rejected(reject) => return Ok(Some(Err(reject))),
                Taken::Row(line) => {
                    if let Some(row) = self.read_row(line)? {
                        return Ok(Some(row));
                    }
                }
            }
        }
    }

    /// Joins lines until no quote is open.
    fn take_row(&mut self) -> Result<Taken, Error> {
        self.row.clear();
        let line = self.lines.number + 1;
        let mut state = State::FieldStart;
        let mut opened_in = line;
        loop {
            let before = self.row.len();
            match self.lines.append_to(&mut self.row)? {
                Appended::Nothing if before == 0 => return Ok(Taken::End),
                Appended::Nothing => {
                    let reason = format!(
                        "a quote opened in line {opened_in} is not closed before the end of the file"
                    );
                    return self.reject_first_line(line, reason);
                }
                Appended::TooLong if before == 0 => return self.reject_long_line(line),
                Appended::TooLong => {
                    let reason = not_closed(opened_in, self.limit);
                    return self.reject_first_line(line, reason);
                }
                Appended::Line => {}
            }
            let added = without_ending(&self.row[before..], self.lines.terminator);
            let (next, opened) = follow(state, added, self.delimiter);
            if next != State::Quoted {
                return Ok(Taken::Row(line));
            }
            if opened {
                opened_in = self.lines.number;
            }
            state = next;
        }
    }

    fn reject_long_line(&mut self, line: u64) -> Result<Taken, Error> {
        self.lines.skip_rest()?;
        let (state, _) = follow(State::FieldStart, &self.row, self.delimiter);
        let reason = if state == State::Quoted {
            not_closed(line, self.limit)
        } else {
            format!("the row is longer than {}", size(self.limit))
        };
        Ok(Taken::Rejected(self.reject(line, None, reason)))
    }

    /// Leaves out the line in which a row begins and reads on in the line after it, so that an open
    /// quote costs no other row.
    fn reject_first_line(&mut self, line: u64, reason: String) -> Result<Taken, Error> {
        let terminator = self.lines.terminator;
        let end = self.row.iter().position(|byte| *byte == terminator);
        let end = end.map_or(self.row.len(), |end| end + 1);
        self.lines.put_back(&self.row[end..], line)?;
        self.row.truncate(end);
        Ok(Taken::Rejected(self.reject(line, None, reason)))
    }

    fn reject(&self, line: u64, column: Option<String>, reason: String) -> Reject {
        let bytes = without_ending(&self.row, self.lines.terminator);
        let bytes = whole_characters(bytes, self.limit);
        Reject { line, column, reason, raw: self.text.show(bytes) }
    }

    /// The row that was taken; nothing if it is blank.
    fn read_row(&mut self, line: u64) -> Result<Option<Result<Row, Reject>>, Error> {
        let bytes = without_ending(&self.row, self.lines.terminator);
        let text = match self.text.decode(bytes) {
            Ok(text) => text,
            Err(reason) => {
                return Ok(Some(Err(self.reject(line, None, format!("the row {reason}")))));
            }
        };
        self.record.split(&text, self.delimiter);
        if self.record.is_blank() {
            return Ok(None);
        }
        if let Some(reason) = self.wrong_shape(line) {
            if self.lines.number == line {
                return Ok(Some(Err(self.reject(line, None, reason))));
            }
            return match self.reject_first_line(line, reason)? {
                Taken::Rejected(reject) => Ok(Some(Err(reject))),
                Taken::Row(_) | Taken::End => Ok(None),
            };
        }
        let value = |index: usize| CellValue::Text(self.record.field(index).into());
        match self.mapping.read(|assigned| Ok(Some(value(assigned.index)))) {
            Ok(fields) => Ok(Some(Ok(Row { line, fields, raw: text.into_owned() }))),
            Err(problem) => Ok(Some(Err(self.reject(line, Some(problem.column), problem.reason)))),
        }
    }

    fn wrong_shape(&self, line: u64) -> Option<String> {
        let last = self.lines.number;
        let (found, width) = (self.record.len(), self.width);
        if last == line {
            return (found != width)
                .then(|| format!("the row has {found} columns, but the header has {width}"));
        }
        if found != width {
            return Some(format!(
                "a quote opened here runs on to line {last}, where the row has {found} columns, but the header has {width}"
            ));
        }
        // Within one line this is read as it stands; over several it means that the quote which
        // closed the field was meant to open another row's.
        self.record.text_after_quote.then(|| {
            format!("a quote opened here runs on to line {last} and is closed within a text")
        })
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            format: Format::Csv,
            encoding: self.text.encoding.name(),
            delimiter: Some(char::from(self.delimiter)),
            mapping: self.mapping.pairs(),
            unmapped: self.mapping.unmapped.clone(),
            header: Some(self.header.clone()),
            recoded_rows: self.text.recoded_rows,
        }
    }
}

/// The delimiter under which the first line names most fields, then has most columns.
fn detect_delimiter(start: &[u8], terminator: u8, columns: &[Column]) -> u8 {
    let blank = |line: &&[u8]| line.iter().all(u8::is_ascii_whitespace);
    let line = start.split(|byte| *byte == terminator).find(|line| !blank(line));
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let mut record = Record::default();
    let mut best = (DELIMITERS[0], (0, 0));
    for delimiter in DELIMITERS {
        record.split(&line, delimiter);
        let known = record.fields().filter(|name| mapping::is_known(columns, name)).count();
        let score = (known, record.len());
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

fn without_ending(row: &[u8], terminator: u8) -> &[u8] {
    let row = row.strip_suffix(&[terminator]).unwrap_or(row);
    row.strip_suffix(b"\r").unwrap_or(row)
}

/// At most `limit` bytes, and no character of UTF-8 cut in two.
pub(super) fn whole_characters(bytes: &[u8], limit: usize) -> &[u8] {
    let Some(next) = bytes.get(limit) else { return bytes };
    let starts = |byte: u8| byte & 0b1100_0000 != 0b1000_0000;
    let back = if starts(*next) {
        0
    } else {
        1 + bytes[..limit].iter().rev().take(2).take_while(|byte| !starts(**byte)).count()
    };
    &bytes[..limit - back.min(limit)]
}

fn not_closed(line: u64, limit: usize) -> String {
    format!("a quote opened in line {line} is not closed within {}", size(limit))
}

/// Bytes in the largest unit that keeps them whole.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}
