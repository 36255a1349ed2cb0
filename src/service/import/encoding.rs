//! Which encoding a file is in, and its bytes as text.

use std::borrow::Cow;
use std::io::{self, Chain, Cursor, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

const SAMPLE_BYTES: u64 = 64 << 10;
const CHUNK_BYTES: usize = 16 << 10;

/// The bytes of a file without its byte order mark, in an encoding that keeps ASCII as it is.
pub(super) enum Source<R> {
    AsIs(Chain<Cursor<Vec<u8>>, R>),
    Recoded(Box<Recoder<Chain<Cursor<Vec<u8>>, R>>>),
}

/// How the bytes of one row become text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) encoding: &'static Encoding,
    rule: Rule,
    pub(super) recoded_rows: u64,
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    /// UTF-8 where it is valid, Windows-1252 where not: a sample cannot speak for the whole file.
    Guess,
    /// UTF-8 as the caller says, so that anything else is a mistake.
    Utf8,
    /// Recoded on the way in; what could not be is U+FFFD by now.
    Recoded,
}

/// Finds the encoding: the byte order mark, else what the caller wants, else a guess.
pub(super) fn detect<R: Read>(
    mut reader: R,
    wanted: Option<&'static Encoding>,
) -> io::Result<(Source<R>, Text)> {
    let mut sample = Vec::new();
    reader.by_ref().take(SAMPLE_BYTES).read_to_end(&mut sample)?;
    let (encoding, rule) = match (Encoding::for_bom(&sample), wanted) {
        (Some((encoding, mark)), _) => {
            sample.drain(..mark);
            (encoding, if encoding == UTF_8 { Rule::Guess } else { Rule::Recoded })
        }
        (None, Some(encoding)) => {
            (encoding, if encoding == UTF_8 { Rule::Utf8 } else { Rule::Recoded })
        }
        (None, None) => guess(&sample),
    };
    let bytes = Cursor::new(sample).chain(reader);
    let source = match rule {
        Rule::Guess | Rule::Utf8 => Source::AsIs(bytes),
        Rule::Recoded => Source::Recoded(Box::new(Recoder::new(bytes, encoding))),
    };
    Ok((source, Text { encoding, rule, recoded_rows: 0 }))
}

fn guess(sample: &[u8]) -> (&'static Encoding, Rule) {
    // Latin letters in UTF-16 have a zero in every other byte, which no text in another encoding has.
    let pairs = sample.len().min(512) / 2;
    let zeros = |offset: usize| (0..pairs).filter(|pair| sample[pair * 2 + offset] == 0).count();
    if pairs > 0 && zeros(1) * 2 > pairs && zeros(0) == 0 {
        return (UTF_16LE, Rule::Recoded);
    }
    if pairs > 0 && zeros(0) * 2 > pairs && zeros(1) == 0 {
        return (UTF_16BE, Rule::Recoded);
    }
    match std::str::from_utf8(sample) {
        Err(error) if error.error_len().is_some() => (WINDOWS_1252, Rule::Guess),
        // Valid, or cut within a character at the end of the sample.
        Ok(_) | Err(_) => (UTF_8, Rule::Guess),
    }
}

impl Text {
    /// The text of a row, or why there is none.
    pub(super) fn decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Cow<'a, str>, String> {
        let valid = std::str::from_utf8(bytes);
        match (self.rule, valid) {
            (Rule::Recoded, Ok(text)) if text.contains('\u{FFFD}') => {
                Err(format!("holds bytes that are not {}", self.encoding.name()))
            }
            (_, Ok(text)) => Ok(Cow::Borrowed(text)),
            (Rule::Guess, Err(_)) => {
                self.recoded_rows += 1;
                Ok(WINDOWS_1252.decode_without_bom_handling(bytes).0)
            }
            (Rule::Utf8 | Rule::Recoded, Err(error)) => {
                Err(format!("is not valid UTF-8 from byte {} on", error.valid_up_to() + 1))
            }
        }
    }

    /// Bytes of a row that is rejected, as well as they can be shown.
    pub(super) fn show(&self, bytes: &[u8]) -> String {
        match (self.rule, std::str::from_utf8(bytes)) {
            (_, Ok(text)) => text.to_owned(),
            (Rule::Guess, Err(_)) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
            (Rule::Utf8 | Rule::Recoded, Err(_)) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::AsIs(reader) => reader.read(buffer),
            Self::Recoded(reader) => reader.read(buffer),
        }
    }
}

/// Turns a stream in any encoding into UTF-8.
pub(super) struct Recoder<R> {
    reader: R,
    decoder: Decoder,
    input: Vec<u8>,
    unread: usize,
    output: Vec<u8>,
    served: usize,
    ended: bool,
}

impl<R: Read> Recoder<R> {
    fn new(reader: R, encoding: &'static Encoding) -> Self {
        Self {
            reader,
            decoder: encoding.new_decoder_without_bom_handling(),
            input: vec![0; CHUNK_BYTES],
            unread: 0,
            output: Vec::new(),
            served: 0,
            ended: false,
        }
    }

    /// Recodes the next chunk. The output has room for the worst case, so all input is used up.
    fn refill(&mut self) -> io::Result<()> {
        self.unread = self.reader.read(&mut self.input)?;
        self.ended = self.unread == 0;
        let room = self.decoder.max_utf8_buffer_length(self.unread).unwrap_or(CHUNK_BYTES * 4);
        self.output.resize(room, 0);
        let input = &self.input[..self.unread];
        let (result, _, written, _) =
            self.decoder.decode_to_utf8(input, &mut self.output, self.ended);
        debug_assert_eq!(result, CoderResult::InputEmpty);
        self.output.truncate(written);
        self.served = 0;
        Ok(())
    }
}

impl<R: Read> Read for Recoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.served == self.output.len() && !self.ended {
            self.refill()?;
        }
        let count = buffer.len().min(self.output.len() - self.served);
        buffer[..count].copy_from_slice(&self.output[self.served..self.served + count]);
        self.served += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::SHIFT_JIS;

    use super::*;

    fn read(bytes: &[u8], wanted: Option<&'static Encoding>) -> (String, &'static str) {
        let (mut source, mut text) = detect(bytes, wanted).unwrap();
        let mut all = Vec::new();
        source.read_to_end(&mut all).unwrap();
        (text.decode(&all).unwrap().into_owned(), text.encoding.name())
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_decides_and_is_left_out() {
        assert_eq!(read("\u{FEFF}Zoé".as_bytes(), Some(SHIFT_JIS)), ("Zoé".into(), "UTF-8"));
        let little = utf16("\u{FEFF}Zoé 🎵", u16::to_le_bytes);
        assert_eq!(read(&little, None), ("Zoé 🎵".into(), "UTF-16LE"));
        let big = utf16("\u{FEFF}Zoé", u16::to_be_bytes);
        assert_eq!(read(&big, None), ("Zoé".into(), "UTF-16BE"));
    }

    #[test]
    fn utf16_is_known_without_its_mark() {
        let little = utf16("title,band\nZoé,é", u16::to_le_bytes);
        assert_eq!(read(&little, None), ("title,band\nZoé,é".into(), "UTF-16LE"));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_windows_1252() {
        assert_eq!(read(b"Beyonc\xe9 \x93B\x94", None), ("Beyoncé “B”".into(), "windows-1252"));
        assert_eq!(read("Beyoncé".as_bytes(), None), ("Beyoncé".into(), "UTF-8"));
    }

    #[test]
    fn a_character_cut_by_the_sample_does_not_mislead() {
        let text = "x".repeat(65_535) + "é";
        assert_eq!(read(text.as_bytes(), None), (text, "UTF-8"));
    }

    #[test]
    fn a_wanted_encoding_is_recoded_across_chunks() {
        let text = "こんにちは".repeat(10_000);
        let bytes = SHIFT_JIS.encode(&text).0;
        assert_eq!(read(&bytes, Some(SHIFT_JIS)), (text, "Shift_JIS"));
    }

    #[test]
    fn what_is_not_in_the_wanted_encoding_is_refused() {
        let (_, mut text) = detect(&b""[..], Some(UTF_8)).unwrap();
        assert_eq!(text.decode(b"ab\xe9").unwrap_err(), "is not valid UTF-8 from byte 3 on");
        let (_, mut text) = detect(&b""[..], Some(SHIFT_JIS)).unwrap();
        let reason = text.decode("a\u{FFFD}".as_bytes()).unwrap_err();
        assert_eq!(reason, "holds bytes that are not Shift_JIS");
    }
}
