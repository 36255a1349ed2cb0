//! Physical lines with a bound on their length, some of which can be put back.

use std::io::{self, BufRead, BufReader, Read};

use super::encoding::Source;
use super::{Error, Limits};

const BUFFER_BYTES: usize = 64 << 10;

/// The lines of a file.
pub(super) struct Lines<R> {
    /// Bytes that were put back, read before the rest of the file.
    front: Vec<u8>,
    front_read: usize,
    file: BufReader<Source<R>>,
    pub(super) terminator: u8,
    /// Lines read so far.
    pub(super) number: u64,
    limits: Limits,
    reread_bytes: u64,
    first_put_back: u64,
}

/// What was appended to a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Appended {
    Line,
    /// The start of a line that does not fit; the rest of it is still to be skipped.
    TooLong,
    /// Nothing, for the file has ended.
    Nothing,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: Source<R>, limits: Limits) -> Self {
        Self {
            front: Vec::new(),
            front_read: 0,
            file: BufReader::with_capacity(BUFFER_BYTES, source),
            terminator: b'\n',
            number: 0,
            limits,
            reread_bytes: 0,
            first_put_back: 0,
        }
    }

    /// Sets lines apart by carriage returns if the start of the file has no line feed.
    pub(super) fn detect_terminator(&mut self) -> io::Result<()> {
        let start = self.fill_buf()?;
        if !start.contains(&b'\n') && start.contains(&b'\r') {
            self.terminator = b'\r';
        }
        Ok(())
    }

    /// Appends the next line, with its terminator, to a row that is bounded as a whole.
    pub(super) fn append_to(&mut self, row: &mut Vec<u8>) -> io::Result<Appended> {
        let before = row.len();
        // One byte for the terminator, one to see that there is more.
        let room = (self.limits.row_bytes + 2).saturating_sub(before);
        let terminator = self.terminator;
        let count = self.by_ref().take(room as u64).read_until(terminator, row)?;
        if room > 0 && count == 0 {
            return Ok(Appended::Nothing);
        }
        self.number += 1;
        let whole = row.len() > before && row.ends_with(&[terminator]);
        if whole || count < room { Ok(Appended::Line) } else { Ok(Appended::TooLong) }
    }

    /// Reads on to the end of a line that did not fit, keeping nothing.
    pub(super) fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let terminator = self.terminator;
            let bytes = self.fill_buf()?;
            if bytes.is_empty() {
                return Ok(());
            }
            let end = bytes.iter().position(|byte| *byte == terminator);
            let count = end.map_or(bytes.len(), |end| end + 1);
            self.consume(count);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    /// Puts back what came after line `number`, to be read again. Bounded, or a file of open quotes
    /// would take quadratic time.
    pub(super) fn put_back(&mut self, bytes: &[u8], number: u64) -> Result<(), Error> {
        if self.reread_bytes == 0 {
            self.first_put_back = number;
        }
        let mut front = bytes.to_vec();
        front.extend_from_slice(&self.front[self.front_read..]);
        self.reread_bytes += front.len() as u64;
        if self.reread_bytes > self.limits.reread_bytes {
            return Err(Error::OpenQuotes { line: self.first_put_back });
        }
        self.front = front;
        self.front_read = 0;
        self.number = number;
        Ok(())
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Lines<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.front_read < self.front.len() {
            Ok(&self.front[self.front_read..])
        } else {
            self.file.fill_buf()
        }
    }

    fn consume(&mut self, count: usize) {
        if self.front_read < self.front.len() {
            self.front_read += count;
        } else {
            self.file.consume(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::encoding::detect;
    use super::*;

    fn lines(content: &str, row_bytes: usize) -> Lines<&[u8]> {
        let (source, _) = detect(content.as_bytes(), None).unwrap();
        Lines::new(source, Limits { row_bytes, reread_bytes: 20 })
    }

    fn next(lines: &mut Lines<&[u8]>) -> (Appended, String) {
        let mut row = Vec::new();
        let appended = lines.append_to(&mut row).unwrap();
        (appended, String::from_utf8(row).unwrap())
    }

    #[test]
    fn lines_are_numbered_and_may_be_put_back() {
        let mut lines = lines("one\ntwo\nthree", 100);
        assert_eq!(next(&mut lines), (Appended::Line, "one\n".into()));
        assert_eq!(next(&mut lines), (Appended::Line, "two\n".into()));
        lines.put_back(b"two\n", 1).unwrap();
        assert_eq!(next(&mut lines), (Appended::Line, "two\n".into()));
        assert_eq!(lines.number, 2);
        assert_eq!(next(&mut lines), (Appended::Line, "three".into()));
        assert_eq!(next(&mut lines), (Appended::Nothing, String::new()));
    }

    #[test]
    fn a_line_past_the_limit_is_cut_and_skipped() {
        let mut lines = lines("12345\n1234567890\nend", 5);
        assert_eq!(next(&mut lines), (Appended::Line, "12345\n".into()));
        assert_eq!(next(&mut lines), (Appended::TooLong, "1234567".into()));
        lines.skip_rest().unwrap();
        assert_eq!(next(&mut lines), (Appended::Line, "end".into()));
        assert_eq!(lines.number, 3);
    }

    #[test]
    fn reading_again_is_bounded() {
        let mut lines = lines("", 100);
        lines.put_back(&[b'x'; 15], 7).unwrap();
        let error = lines.put_back(&[b'x'; 15], 8).unwrap_err();
        assert!(matches!(error, Error::OpenQuotes { line: 7 }));
    }
}
