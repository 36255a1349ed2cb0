//! A file that is one document.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use encoding_rs::Encoding;

use crate::model::limits;

use super::{Fields, encoding, front_matter, packed};

/// Bytes of a file; no character has more than four.
const MAX_BYTES: u64 = 4 * limits::DOCUMENT_CHARS as u64;
/// Bytes at the start of a file in which binary data shows itself.
const LOOKED_AT_BYTES: usize = 8 << 10;

/// How the text of a file is written, by the end of its name; `None` for other files.
pub(super) fn format_of(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "md" | "markdown" | "mdown" | "mkd" => Some("MARKDOWN"),
        "txt" | "text" => Some("PLAIN"),
        "html" | "htm" | "xhtml" => Some("HTML"),
        _ => None,
    }
}

/// The fields of the document that a file is, or why it is none.
pub(super) fn read(
    path: &Path,
    format: &'static str,
    wanted: Option<&'static Encoding>,
) -> Result<Fields, String> {
    let text = text_of(path, wanted)?;
    let mut fields = Fields::new();
    let body = match format {
        "HTML" => text.as_str(),
        _ => front_matter::take(&text, &mut fields),
    };
    if body.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if !body.contains(char::is_alphanumeric) {
        return Err("holds no letter and no digit; a document needs at least one word".to_owned());
    }
    let chars = body.chars().count();
    if chars > limits::DOCUMENT_CHARS {
        let most = limits::DOCUMENT_CHARS;
        return Err(format!("has {chars} characters; {most} are allowed"));
    }
    fields.insert("body".to_owned(), body.into());
    fields.insert("format".to_owned(), format.into());
    Ok(fields)
}

fn text_of(path: &Path, wanted: Option<&'static Encoding>) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("is not a file".to_owned());
    }
    // A file that is too long is not read at all, and one that grows meanwhile not to its end.
    if metadata.len() > MAX_BYTES {
        return Err(too_long(metadata.len()));
    }
    let (mut source, mut decoder) =
        encoding::detect(file.take(MAX_BYTES + 1), wanted).map_err(unreadable)?;
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > 2 * MAX_BYTES {
        return Err(too_long(bytes.len() as u64));
    }
    if let Some(what) = packed(&bytes) {
        return Err(format!("is {what}; save it as text"));
    }
    if is_binary(&bytes) {
        return Err("holds binary data, no text".to_owned());
    }
    Ok(decoder.decode(&bytes)?.into_owned())
}

fn too_long(bytes: u64) -> String {
    format!("has {bytes} bytes; {MAX_BYTES} are allowed: cut it into several files")
}

/// Whether the start of a file has a zero, or more control characters than any text.
fn is_binary(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(LOOKED_AT_BYTES)];
    let is_odd = |byte: &u8| byte.is_ascii_control() && !b"\t\n\r\x0b\x0c\x1b".contains(byte);
    let odd = start.iter().filter(|byte| is_odd(byte)).count();
    bytes.contains(&0) || start.starts_with(b"%PDF-") || odd * 20 > start.len()
}
