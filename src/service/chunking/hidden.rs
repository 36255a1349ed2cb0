//! What no reader of a Markdown text sees: comments, and anchors without words.

use std::ops::Range;

const COMMENT: &str = "<!--";
const COMMENT_END: &str = "-->";

/// Where hidden parts of a text lie, collected line by line; places are in bytes.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    found: Vec<Range<usize>>,
    /// Where a comment began that is still open.
    open: Option<usize>,
}

impl Hidden {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Looks at the first line of a block, without its indentation.
    pub(super) fn begin(&mut self, content: &str, start: usize) {
        if is_anchor(content) {
            self.found.push(start..start + content.len());
        } else if content.starts_with(COMMENT) {
            match comments_end(content) {
                0 => self.open = Some(start),
                end => self.found.push(start..start + end),
            }
        }
    }

    /// Looks at the last line of a block of HTML.
    pub(super) fn end(&mut self, line: &str, start: usize) {
        if let Some((open, end)) = self.open.take().zip(line.find(COMMENT_END)) {
            self.found.push(open..start + end + COMMENT_END.len());
        }
    }

    /// The text without them. Lines stay, so that what stands above and below does not run together.
    pub(super) fn taken_from(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut end = 0;
        for hidden in &self.found {
            shown.push_str(&text[end..hidden.start]);
            end = hidden.end;
        }
        shown + &text[end..]
    }
}

/// Where the comments end that a line begins with; 0 where the first goes on in the next line.
fn comments_end(content: &str) -> usize {
    let mut end = 0;
    loop {
        let rest = &content[end..];
        let comment = rest.trim_start();
        let Some(behind) = comment.strip_prefix(COMMENT) else { return end };
        let Some(length) = behind.find(COMMENT_END) else { return end };
        let before = rest.len() - comment.len();
        end += before + COMMENT.len() + length + COMMENT_END.len();
    }
}

/// `<a id="place"></a>`, which only links lead to.
fn is_anchor(content: &str) -> bool {
    let attributes = content.strip_prefix("<a ").and_then(|rest| rest.strip_suffix("></a>"));
    attributes.is_some_and(|attributes| !attributes.contains(['<', '>']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_at_the_start_of_a_line_end_behind_the_last_one() {
        assert_eq!(comments_end("<!-- a --> <!-- b -->c"), "<!-- a --> <!-- b -->".len());
        assert_eq!(comments_end("<!-- a --> b <!-- c -->"), "<!-- a -->".len());
        assert_eq!(comments_end("<!-- a --> <!-- b"), "<!-- a -->".len());
        assert_eq!(comments_end("<!-- a"), 0);
    }

    #[test]
    fn an_anchor_has_no_words() {
        assert!(is_anchor("<a id=\"streams\"></a>") && is_anchor("<a name='x' ></a>"));
        assert!(!is_anchor("<a href=\"x\">words</a>") && !is_anchor("<a id=\"x\"></a> words"));
        assert!(!is_anchor("<a id=\"x\"></a><a id=\"y\"></a>"));
    }
}
