//! Rows of a JSON file: one object per line, or one array of objects.

use std::collections::{HashSet, VecDeque};
use std::io::{BufRead, Read};

use serde_json::{Map, Value};

use super::cell::CellValue;
use super::csv_rows::size;
use super::encoding::Text;
use super::json_array::{ArrayReader, Element};
use super::lines::{Appended, Lines};
use super::mapping::Mapping;
use super::{Error, Format, Options, Reject, Row, Summary};

/// Objects that are read while opening, to know the file's keys.
const PEEKED_OBJECTS: usize = 100;
const PEEKED_BYTES: usize = 4 << 20;
/// Different keys that are told apart; a file of records has far fewer.
const KEYS: usize = 1_000;

/// The rows of a JSON file.
pub(super) struct JsonRows<R> {
    lines: Lines<R>,
    text: Text,
    limit: usize,
    /// `None` if every line is an object.
    array: Option<ArrayReader>,
    mapping: Mapping,
    known_keys: HashSet<String>,
    peeked: VecDeque<Result<Object, Reject>>,
}

struct Object {
    line: u64,
    raw: String,
    values: Map<String, Value>,
}

impl<R: Read> JsonRows<R> {
    /// Reads the first objects and maps their keys.
    pub(super) fn open(mut lines: Lines<R>, text: Text, options: &Options) -> Result<Self, Error> {
        lines.detect_terminator()?;
        let start = lines.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace());
        let array = (start == Some(&b'[')).then(ArrayReader::new);
        let mut rows = Self {
            lines,
            text,
            limit: options.limits.row_bytes,
            array,
            mapping: Mapping::default(),
            known_keys: HashSet::new(),
            peeked: VecDeque::new(),
        };
        let keys = rows.peek()?;
        match rows.peeked.front() {
            None => return Err(Error::NoRows("the file holds no object")),
            Some(Err(reject)) if keys.is_empty() => {
                let (line, reason) = (reject.line, reject.reason.clone());
                return Err(Error::NoObject { line, reason });
            }
            Some(_) => {}
        }
        rows.mapping = Mapping::resolve(options.columns, &options.mapping, &keys)?;
        rows.known_keys = keys.into_iter().collect();
        Ok(rows)
    }

    /// Fills `peeked` and collects its keys in the order of their first use.
    fn peek(&mut self) -> Result<Vec<String>, Error> {
        let mut keys: Vec<String> = Vec::new();
        let mut bytes = 0;
        while self.peeked.len() < PEEKED_OBJECTS && bytes < PEEKED_BYTES {
            let Some(object) = self.next_object()? else { break };
            bytes += match &object {
                Ok(object) => object.raw.len(),
                Err(reject) => reject.raw.len(),
            };
            for key in object.iter().flat_map(|object| object.values.keys()) {
                if keys.len() < KEYS && !keys.contains(key) {
                    keys.push(key.clone());
                }
            }
            self.peeked.push_back(object);
        }
        Ok(keys)
    }

    pub(super) fn next_row(&mut self) -> Result<Option<Result<Row, Reject>>, Error> {
        let object = match self.peeked.pop_front() {
            Some(object) => Some(object),
            None => self.next_object()?,
        };
        Ok(object.map(|object| self.row(object?)))
    }

    fn row(&mut self, object: Object) -> Result<Row, Reject> {
        let Object { line, raw, values } = object;
        for key in values.keys() {
            if self.known_keys.len() < KEYS && !self.known_keys.contains(key) {
                self.known_keys.insert(key.clone());
                self.mapping.adopt(key);
            }
        }
        let value = |name: &str| values.get(name).map_or(Ok(None), cell_value);
        match self.mapping.read(|assigned| value(&assigned.name)) {
            Ok(fields) => Ok(Row { line, fields, raw }),
            Err(problem) => {
                Err(Reject { line, column: Some(problem.column), reason: problem.reason, raw })
            }
        }
    }

    fn next_object(&mut self) -> Result<Option<Result<Object, Reject>>, Error> {
        let Some(element) = self.next_element()? else {
            return Ok(self.unclosed_array().map(Err));
        };
        if element.cut {
            let reason = format!("the row is longer than {}", size(self.limit));
            return Ok(Some(Err(self.reject(&element, reason))));
        }
        Ok(Some(self.parse(&element)))
    }

    fn next_element(&mut self) -> Result<Option<Element>, Error> {
        if let Some(array) = &mut self.array {
            return Ok(array.next(&mut self.lines, self.limit)?);
        }
        loop {
            let mut bytes = Vec::new();
            let appended = self.lines.append_to(&mut bytes)?;
            let cut = match appended {
                Appended::Nothing => return Ok(None),
                Appended::Line => false,
                Appended::TooLong => {
                    self.lines.skip_rest()?;
                    bytes.truncate(self.limit);
                    true
                }
            };
            bytes.truncate(bytes.trim_ascii_end().len());
            if !bytes.is_empty() {
                return Ok(Some(Element { line: self.lines.number, column: 1, bytes, cut }));
            }
        }
    }

    fn unclosed_array(&mut self) -> Option<Reject> {
        let array = self.array.as_mut()?;
        let line = array.line();
        array.take_unclosed().then(|| Reject {
            line,
            column: None,
            reason: "the array is not closed; the file may be cut off".to_owned(),
            raw: String::new(),
        })
    }

    fn parse(&mut self, element: &Element) -> Result<Object, Reject> {
        let text = match self.text.decode(&element.bytes) {
            Ok(text) => text,
            Err(reason) => return Err(self.reject(element, format!("the row {reason}"))),
        };
        match serde_json::from_str(&text) {
            Ok(Value::Object(values)) => {
                Ok(Object { line: element.line, raw: text.into_owned(), values })
            }
            Ok(other) => {
                let reason = format!("the row must be an object, but is {}", name_of(&other));
                Err(self.reject(element, reason))
            }
            Err(error) => Err(self.reject(element, json_problem(element, &error))),
        }
    }

    fn reject(&self, element: &Element, reason: String) -> Reject {
        Reject { line: element.line, column: None, reason, raw: self.text.show(&element.bytes) }
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            format: Format::Json,
            encoding: self.text.encoding.name(),
            delimiter: None,
            mapping: self.mapping.pairs(),
            unmapped: self.mapping.unmapped.clone(),
            header: None,
            recoded_rows: self.text.recoded_rows,
        }
    }
}

fn json_problem(element: &Element, error: &serde_json::Error) -> String {
    let (down, across) = (error.line().saturating_sub(1), error.column());
    let line = element.line + down as u64;
    let column = if down == 0 { element.column.saturating_sub(1) + across } else { across };
    let problem = error.to_string();
    let problem = problem.rfind(" at line ").map_or(problem.as_str(), |at| &problem[..at]);
    format!("the row is not valid JSON at line {line}, column {column}: {problem}")
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn cell_value(value: &Value) -> Result<Option<CellValue<'_>>, &'static str> {
    match value {
        Value::Array(items) => {
            let texts = items.iter().filter(|item| !item.is_null()).map(scalar).collect();
            Option::map(texts, |texts| Some(CellValue::List(texts)))
                .ok_or("must not hold objects or lists")
        }
        Value::Object(_) => Err("must not be an object"),
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(CellValue::Text(text.into()))),
        Value::Bool(_) | Value::Number(_) => Ok(Some(CellValue::Text(value.to_string().into()))),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
