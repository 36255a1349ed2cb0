//! One pass over the bytes of a query before the parser, which recurses once per open bracket.

use async_graphql::Pos;

use super::rejection::{Code, Rejection};
use super::{Limits, shown};

/// Refuses a query that is too long, has too many tokens, opens too many brackets at once,
/// or holds what is no token at all. Balance and grammar are left to the parser.
pub(super) fn scan(query: &str, limits: &Limits) -> Result<(), Rejection> {
    if query.len() > limits.query_bytes {
        let message = format!(
            "the query has {} bytes; at most {} are allowed",
            query.len(),
            limits.query_bytes
        );
        return Err(Rejection::new(Code::QueryTooLarge, message));
    }
    let mut scanner = Scanner { query, bytes: query.as_bytes(), at: 0, tokens: 0, nesting: 0 };
    while let Some(byte) = scanner.peek() {
        scanner.step(byte, limits)?;
    }
    Ok(())
}

struct Scanner<'a> {
    query: &'a str,
    bytes: &'a [u8],
    at: usize,
    tokens: usize,
    nesting: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn starts_with(&self, text: &[u8]) -> bool {
        self.bytes[self.at..].starts_with(text)
    }

    fn step(&mut self, byte: u8, limits: &Limits) -> Result<(), Rejection> {
        match byte {
            b' ' | b',' | b'\t' | b'\n' | b'\r' => self.at += 1,
            b'#' => {
                self.count(limits)?;
                self.comment()?;
            }
            0xEF if self.starts_with("\u{feff}".as_bytes()) => self.at += 3,
            _ => {
                self.count(limits)?;
                self.token(byte, limits)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, limits: &Limits) -> Result<(), Rejection> {
        self.tokens += 1;
        if self.tokens > limits.tokens {
            let message = format!("the query has more than the {} tokens allowed", limits.tokens);
            return Err(self.refuse(Code::QueryTooLarge, self.at, message));
        }
        Ok(())
    }

    fn token(&mut self, byte: u8, limits: &Limits) -> Result<(), Rejection> {
        match byte {
            b'{' | b'(' | b'[' => self.open(limits)?,
            b'}' | b')' | b']' => {
                self.nesting = self.nesting.saturating_sub(1);
                self.at += 1;
            }
            b'!' | b'$' | b'&' | b':' | b'=' | b'@' | b'|' => self.at += 1,
            b'.' if self.starts_with(b"...") => self.at += 3,
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.skip_while(is_name);
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'"' if self.starts_with(b"\"\"\"") => self.block_string()?,
            b'"' => self.string()?,
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    fn open(&mut self, limits: &Limits) -> Result<(), Rejection> {
        self.nesting += 1;
        if self.nesting > limits.nesting {
            let message = format!(
                "{} brackets are open at once; at most {} are allowed",
                self.nesting, limits.nesting
            );
            return Err(self.refuse(Code::QueryTooDeep, self.at, message));
        }
        self.at += 1;
        Ok(())
    }

    fn skip_while(&mut self, matches: fn(u8) -> bool) -> usize {
        let start = self.at;
        while self.peek().is_some_and(matches) {
            self.at += 1;
        }
        self.at - start
    }

    /// A number may not run into another number or a name, or `00…0` would be many in one token.
    fn number(&mut self) -> Result<(), Rejection> {
        let start = self.at;
        if self.number_ends() {
            return Ok(());
        }
        self.skip_while(|byte| is_name(byte) || byte == b'.');
        let message = format!("`{}` is not a number", shown(&self.query[start..self.at]));
        Err(self.refuse(Code::ParseFailed, start, message))
    }

    fn number_ends(&mut self) -> bool {
        let digit = |byte: u8| byte.is_ascii_digit();
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if self.skip_while(digit) == 0 {
            return false;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.skip_while(digit) == 0 {
                return false;
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.skip_while(digit) == 0 {
                return false;
            }
        }
        !self.peek().is_some_and(|byte| is_name(byte) || byte == b'.')
    }

    fn string(&mut self) -> Result<(), Rejection> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\n' | b'\r' => break,
                b'\\' => self.at += 2,
                _ => self.text(byte)?,
            }
        }
        Err(self.unterminated(start))
    }

    fn block_string(&mut self) -> Result<(), Rejection> {
        let start = self.at;
        self.at += 3;
        while let Some(byte) = self.peek() {
            if self.starts_with(b"\\\"\"\"") {
                self.at += 4;
            } else if self.starts_with(b"\"\"\"") {
                self.at += 3;
                return Ok(());
            } else {
                self.text(byte)?;
            }
        }
        Err(self.unterminated(start))
    }

    fn comment(&mut self) -> Result<(), Rejection> {
        while let Some(byte) = self.peek().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
            self.text(byte)?;
        }
        Ok(())
    }

    /// One byte of a string or a comment: anything but control characters.
    fn text(&mut self, byte: u8) -> Result<(), Rejection> {
        if byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn unexpected(&self) -> Rejection {
        let found = self.query[self.at..].chars().next().unwrap_or_default();
        let message = match found {
            '.' => "`.` is not allowed here; a fragment is spread with `...`".to_owned(),
            _ if found.is_control() => {
                format!("the control character U+{:04X} is not allowed", u32::from(found))
            }
            _ => format!("the character `{found}` is not allowed outside strings and comments"),
        };
        self.refuse(Code::ParseFailed, self.at, message)
    }

    fn unterminated(&self, start: usize) -> Rejection {
        let message = "the string that starts here has no closing quote".to_owned();
        self.refuse(Code::ParseFailed, start, message)
    }

    fn refuse(&self, code: Code, at: usize, message: String) -> Rejection {
        Rejection::new(code, message).at(position(self.query, at))
    }
}

fn is_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// Line and column of a byte, both from 1, counted as the parser counts them.
fn position(query: &str, at: usize) -> Pos {
    let mut pos = Pos { line: 1, column: 1 };
    for (_, char) in query.char_indices().take_while(|(index, _)| *index < at) {
        match char {
            '\n' => pos = Pos { line: pos.line + 1, column: 1 },
            '\r' => pos.column = 1,
            _ => pos.column += 1,
        }
    }
    pos
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: &str) -> (Code, String, Pos) {
        let rejection = scan(query, &Limits::default()).unwrap_err();
        (rejection.code, rejection.message, rejection.locations[0])
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let brackets = "{[(".repeat(100);
        let query = format!(
            "{{ a(b: \"{brackets}\\\"{brackets}\") # {brackets} \"\n c(d: \"\"\"{brackets} \\\"\"\" {brackets}\"\"\") }}"
        );
        assert_eq!(scan(&query, &Limits::default()), Ok(()));
    }

    #[test]
    fn the_token_and_the_bracket_over_the_limit_are_named_with_their_place() {
        assert_eq!(scan(&"a ".repeat(1_000), &Limits::default()), Ok(()));
        assert_eq!(
            refusal(&"a\n".repeat(1_001)),
            (
                Code::QueryTooLarge,
                "the query has more than the 1000 tokens allowed".to_owned(),
                Pos { line: 1_001, column: 1 }
            )
        );
        assert_eq!(refusal(&"#\n".repeat(1_001)).0, Code::QueryTooLarge);
        assert_eq!(scan(&"[".repeat(32), &Limits::default()), Ok(()));
        assert_eq!(
            refusal(&"[".repeat(33)),
            (
                Code::QueryTooDeep,
                "33 brackets are open at once; at most 32 are allowed".to_owned(),
                Pos { line: 1, column: 33 }
            )
        );
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for (query, message, column) in [
            ("{a\0}", "the control character U+0000 is not allowed", 3),
            ("{a(b:\"\u{1}\")}", "the control character U+0001 is not allowed", 7),
            ("#\u{1}", "the control character U+0001 is not allowed", 2),
            ("{é}", "the character `é` is not allowed outside strings and comments", 2),
            ("{a(b:\"c\nd\")}", "the string that starts here has no closing quote", 6),
            ("{a(b:\"\"\"c\"\")}", "the string that starts here has no closing quote", 6),
            ("{a(b:\"\\", "the string that starts here has no closing quote", 6),
            ("{a(b:007)}", "`007` is not a number", 6),
            ("{a(b:1.)}", "`1.` is not a number", 6),
            ("{..b}", "`.` is not allowed here; a fragment is spread with `...`", 2),
        ] {
            assert_eq!(
                refusal(query),
                (Code::ParseFailed, message.to_owned(), Pos { line: 1, column }),
                "{query:?}"
            );
        }
    }
}
