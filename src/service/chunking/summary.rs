//! What a document is about, in a few of its own words.

use crate::model::document::Format;

use super::clean::{clean, cut, has_words, one_line};
use super::outline::HEADING_CHARS;
use super::{Piece, html, markdown};

/// Characters of a summary.
const SUMMARY_CHARS: usize = 1_000;
/// Characters of its headings.
const HEADINGS_CHARS: usize = 400;
/// Characters of one of its sentences.
const SENTENCE_CHARS: usize = 250;
/// Characters of a title that is taken from the text itself.
const TITLE_CHARS: usize = 120;
/// Bytes of a text in which a title is looked for.
const TITLE_BYTES: usize = 256 << 10;

/// The different headings of a document and the first sentences of its pieces, at most 1,000 characters.
pub fn summary(pieces: &[Piece]) -> String {
    let mut headings: Vec<&str> = Vec::new();
    let mut length = 0;
    for heading in pieces.iter().flat_map(|piece| &piece.headings) {
        let chars = heading.chars().count() + 2;
        if length + chars > HEADINGS_CHARS {
            break;
        }
        if !headings.contains(&heading.as_str()) {
            length += chars;
            headings.push(heading);
        }
    }
    let mut summary = headings.join(". ");
    let mut left = SUMMARY_CHARS - summary.chars().count();
    for sentence in pieces.iter().filter_map(|piece| first_sentence(&piece.text)) {
        let chars = sentence.chars().count() + 1;
        if chars > left {
            break;
        }
        if !summary.is_empty() {
            summary.push('\n');
        }
        summary.push_str(&sentence);
        left -= chars;
    }
    summary
}

/// The first words of a piece up to the end of a sentence, code and marks of blocks left out.
fn first_sentence(text: &str) -> Option<String> {
    let mut in_code = false;
    let prose = text.lines().map(str::trim).filter(|line| {
        let is_fence = line.starts_with("```") || line.starts_with("~~~");
        in_code ^= is_fence;
        !is_fence && !in_code
    });
    let mut paragraph = prose
        .map(|line| line.trim_start_matches(['#', '>', '-', '*', ' ']))
        .skip_while(|line| !has_words(line) || line.starts_with('<'));
    let first = paragraph.next()?;
    let rest = paragraph.take_while(|line| !line.is_empty());
    let lines: String =
        one_line(&rest.take(10).fold(first.to_owned(), |text, line| text + " " + line));
    let ends = |(at, end): (usize, &str)| {
        let behind = lines[at + end.len()..].chars().next();
        let is_end = !end.is_ascii() || behind.is_none_or(char::is_whitespace);
        is_end.then_some(at + end.len())
    };
    let end = lines.match_indices(['.', '!', '?', '。', '！', '？', '؟', '।']).find_map(ends);
    Some(cut(&lines[..end.unwrap_or(lines.len())], SENTENCE_CHARS))
}

/// The first heading of a text, else the title in the head of a page, else the first line, cut at a word;
/// `None` for a text without words.
pub fn title_of(text: &str, format: Format) -> Option<String> {
    let text = clean(&text[..text.floor_char_boundary(TITLE_BYTES)]);
    let (outline, title) = match format {
        Format::Plain => return first_line(&text),
        Format::Markdown => (markdown::outline(text), None),
        Format::Html => html::outline(&text),
    };
    let body = &outline.text[markdown::front_matter(&outline.text)..];
    let heading = outline.headings.first().map(|heading| heading.title.clone());
    let title = title.map(|title| cut(&one_line(&title), HEADING_CHARS));
    heading.or(title).filter(|title| has_words(title)).or_else(|| first_line(body))
}

fn first_line(text: &str) -> Option<String> {
    let line = text.lines().find(|line| has_words(line))?;
    let line = line.trim_start_matches(['#', '>', '-', '*', ' ', '\t']);
    Some(cut(&one_line(line), TITLE_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(headings: &[&str], text: &str) -> Piece {
        let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
        Piece { headings, text: text.to_owned() }
    }

    #[test]
    fn a_summary_has_each_heading_once_and_first_sentences() {
        let pieces = [
            piece(&["Book", "Start"], "```\ncode. x\n```\n\n- It begins v1.2 here. And goes on."),
            piece(&["Book", "End"], "The end\ncame! Late."),
            piece(&["Book", "End"], "***"),
        ];
        assert_eq!(summary(&pieces), "Book. Start. End\nIt begins v1.2 here.\nThe end came!");
        assert_eq!(summary(&[]), "");
    }

    #[test]
    fn a_summary_is_bounded() {
        let long = "word ".repeat(10_000);
        let headings: Vec<String> =
            (0..500).map(|number| format!("{number} {}", &long[..100])).collect();
        let pieces: Vec<Piece> = headings.iter().map(|heading| piece(&[heading], &long)).collect();
        let summary = summary(&pieces);
        let chars = summary.chars().count();
        assert!((600..=1_000).contains(&chars), "{chars}");
        assert!(summary.starts_with("0 word"));
    }

    #[test]
    fn a_title_is_the_first_heading_or_the_head_or_the_first_line() {
        let title = |text, format| title_of(text, format);
        assert_eq!(title("a\n\n## *The* b\n# c", Format::Markdown).as_deref(), Some("The b"));
        assert_eq!(title("<title>T</title><p>x<h2>H</h2>", Format::Html).as_deref(), Some("H"));
        assert_eq!(title("<title>\nT t</title><p>x", Format::Html).as_deref(), Some("T t"));
        assert_eq!(
            title("\n---\n- first line\nsecond", Format::Plain).as_deref(),
            Some("first line")
        );
        assert_eq!(title("---\na: b\n---\nfirst", Format::Markdown).as_deref(), Some("first"));
        assert_eq!(title(" \n--\u{0}", Format::Plain), None);
        let long = title(&"word ".repeat(1_000), Format::Plain).unwrap();
        assert!(long.chars().count() <= 120 && long.ends_with("word…"));
    }
}
