//! What commands print: results to standard output, everything else to standard error.

use std::io::{self, Write};

/// A line of the result.
pub(super) fn text(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// A result for programs.
pub(super) fn json(value: &serde_json::Value) -> io::Result<()> {
    text(&value.to_string())
}

/// A line for the person at the terminal.
pub(super) fn note(line: &str) {
    // There is nowhere to report that standard error is closed.
    drop(writeln!(io::stderr(), "{line}"));
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// Bytes as people read them.
pub(super) fn size(bytes: i64) -> String {
    let megabytes = bytes / (1024 * 1024);
    match megabytes {
        0 => format!("{} kB", grouped(bytes / 1024)),
        _ => format!("{} MB", grouped(megabytes)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")]
        {
            assert_eq!(super::grouped(number), text);
        }
    }
}
