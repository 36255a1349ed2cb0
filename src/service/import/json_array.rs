//! The elements of one JSON array, one at a time.

use std::io::{self, BufRead, Read};

use super::lines::Lines;

/// Walks through an array without holding more than one element.
#[derive(Debug)]
pub(super) struct ArrayReader {
    line: u64,
    /// Bytes read of the line.
    column: usize,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Within,
    Behind,
}

/// The text of one element and where it begins.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) line: u64,
    /// From 1, in bytes.
    pub(super) column: usize,
    pub(super) bytes: Vec<u8>,
    /// It is longer than the limit, and only its start is here.
    pub(super) cut: bool,
}

/// How deep in brackets a byte stands, strings aside.
#[derive(Debug, Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Whether this byte ends an element that is an object or a list, or breaks it off.
    fn ends_with(&mut self, byte: u8) -> bool {
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = byte == b'\\' && !self.escaped;
            // No JSON string holds a line break: a quote is missing, and the next line may be sound.
            return byte == b'\n';
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    fn is_outside(&self) -> bool {
        self.depth == 0 && !self.in_string
    }
}

impl ArrayReader {
    pub(super) fn new() -> Self {
        Self { line: 1, column: 0, place: Place::Before }
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether the file ended before the array did; answers `true` once.
    pub(super) fn take_unclosed(&mut self) -> bool {
        std::mem::replace(&mut self.place, Place::Behind) == Place::Within
    }

    /// The next element, of which at most `limit` bytes are kept.
    pub(super) fn next<R: Read>(
        &mut self,
        lines: &mut Lines<R>,
        limit: usize,
    ) -> io::Result<Option<Element>> {
        if !self.find_element(lines)? {
            return Ok(None);
        }
        let (line, column) = (self.line, self.column + 1);
        let mut element = Element { line, column, bytes: Vec::new(), cut: false };
        let mut nesting = Nesting::default();
        while let Some(byte) = peek(lines)? {
            if nesting.is_outside() && matches!(byte, b',' | b']') {
                break;
            }
            self.advance(lines, byte);
            if element.bytes.len() < limit {
                element.bytes.push(byte);
            } else {
                element.cut = true;
            }
            if nesting.ends_with(byte) {
                break;
            }
        }
        Ok(Some(element))
    }

    /// Goes to the start of the next element; `false` at the end of the file.
    fn find_element<R: Read>(&mut self, lines: &mut Lines<R>) -> io::Result<bool> {
        while let Some(byte) = peek(lines)? {
            match (byte, self.place) {
                (b'[', Place::Before) => self.place = Place::Within,
                // More may follow, if this bracket belongs to an element that was broken off.
                (b']', _) => self.place = Place::Behind,
                (byte, _) if byte == b',' || byte.is_ascii_whitespace() => {}
                _ => {
                    self.place = Place::Within;
                    return Ok(true);
                }
            }
            self.advance(lines, byte);
        }
        Ok(false)
    }

    fn advance<R: Read>(&mut self, lines: &mut Lines<R>, byte: u8) {
        lines.consume(1);
        self.column += 1;
        if byte == b'\n' {
            self.line += 1;
            self.column = 0;
        }
    }
}

fn peek<R: Read>(lines: &mut Lines<R>) -> io::Result<Option<u8>> {
    Ok(lines.fill_buf()?.first().copied())
}
