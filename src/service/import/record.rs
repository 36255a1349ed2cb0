//! The fields of one CSV row.

/// Where in a row a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// Behind a quote within a quoted field: it closes the field, or it is the first of a pair.
    QuoteInQuoted,
}

impl State {
    fn after(self, byte: u8, delimiter: u8) -> Self {
        match self {
            Self::Quoted if byte == b'"' => Self::QuoteInQuoted,
            Self::Quoted => Self::Quoted,
            Self::QuoteInQuoted | Self::FieldStart if byte == b'"' => Self::Quoted,
            Self::FieldStart | Self::Unquoted | Self::QuoteInQuoted if byte == delimiter => {
                Self::FieldStart
            }
            Self::FieldStart | Self::Unquoted | Self::QuoteInQuoted => Self::Unquoted,
        }
    }
}

/// Follows the quotes through one line; says too whether the quote that is open now was opened in it.
pub(super) fn follow(mut state: State, line: &[u8], delimiter: u8) -> (State, bool) {
    let mut opened = false;
    for byte in line {
        let next = state.after(*byte, delimiter);
        opened |= state == State::FieldStart && next == State::Quoted;
        state = next;
    }
    (state, opened && state == State::Quoted)
}

/// A row cut into fields; one allocation serves all rows.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: String,
    ends: Vec<usize>,
    /// Text stands behind a closing quote: `"a"b`.
    pub(super) text_after_quote: bool,
}

impl Record {
    /// Cuts a row, without its line ending, into fields.
    pub(super) fn split(&mut self, row: &str, delimiter: u8) {
        self.text.clear();
        self.ends.clear();
        self.text_after_quote = false;
        let mut state = State::FieldStart;
        let mut kept = 0;
        for (at, byte) in row.bytes().enumerate() {
            let next = state.after(byte, delimiter);
            match (state, next) {
                // A quote that opens or closes a field, and the first quote of a pair, are no text.
                (State::FieldStart, State::Quoted) | (State::Quoted, State::QuoteInQuoted) => {
                    self.text.push_str(&row[kept..at]);
                    kept = at + 1;
                }
                (_, State::FieldStart) => {
                    self.text.push_str(&row[kept..at]);
                    self.ends.push(self.text.len());
                    kept = at + 1;
                }
                (State::QuoteInQuoted, State::Unquoted) => self.text_after_quote = true,
                _ => {}
            }
            state = next;
        }
        self.text.push_str(&row[kept..]);
        self.ends.push(self.text.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn field(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.field(index))
    }

    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(row: &str) -> Vec<String> {
        let mut record = Record::default();
        record.split(row, b',');
        record.fields().map(str::to_owned).collect()
    }

    /// The csv crate is the reference for every row that it, too, takes as one.
    #[test]
    fn fields_are_cut_as_the_csv_crate_cuts_them() {
        let pieces = ["a", "\"", "\"\"", ",", " ", "é", "\n"];
        for number in 0..pieces.len().pow(5) {
            let row: String = (0..5)
                .map(|place| pieces[number / pieces.len().pow(place) % pieces.len()])
                .collect();
            let (state, _) = follow(State::FieldStart, row.as_bytes(), b',');
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .terminator(csv::Terminator::Any(0))
                .from_reader(row.as_bytes());
            if state != State::Quoted
                && let Some(Ok(expected)) = reader.records().next()
            {
                assert_eq!(split(&row), expected.iter().collect::<Vec<_>>(), "{row:?}");
            }
        }
    }

    #[test]
    fn an_open_quote_is_seen_with_the_line_that_opened_it() {
        let follow = |state, line: &str| follow(state, line.as_bytes(), b',');
        assert_eq!(follow(State::FieldStart, "a,\"b"), (State::Quoted, true));
        assert_eq!(follow(State::Quoted, "b \"\"c\"\""), (State::Quoted, false));
        assert_eq!(follow(State::Quoted, "b\",\"c"), (State::Quoted, true));
        assert_eq!(follow(State::Quoted, "b\",c"), (State::Unquoted, false));
        assert_eq!(follow(State::FieldStart, "a 12\" single"), (State::Unquoted, false));
    }

    #[test]
    fn text_behind_a_closing_quote_is_noticed() {
        let mut record = Record::default();
        record.split("\"a\"b,c", b',');
        assert!(record.text_after_quote);
        record.split("\"a\",\"b\"\"\"", b',');
        assert!(!record.text_after_quote);
    }
}
