//! The headings and blocks of a Markdown text, found line by line.
//!
//! A full parser takes quadratic time for some texts and sees a whole document at once; headings need
//! neither. A test holds what is found here against such a parser.

use pulldown_cmark::{Event, Options, Parser};

use super::hidden::Hidden;
use super::outline::{Heading, Outline};

/// Bytes of a heading up to which its marks (emphasis, code, links) are taken out of its title.
const MARKED_BYTES: usize = 1_000;
/// Lines that front matter may have.
const FRONT_MATTER_LINES: usize = 200;
/// Elements whose text runs to their end tag, whatever stands in it.
const RAW_ELEMENTS: [&str; 4] = ["pre", "script", "style", "textarea"];

/// The outline of what a reader sees: comments and empty anchors are left out.
pub(super) fn outline(text: String) -> Outline {
    let scanner = Scanner::scanned(&text);
    if !scanner.hidden.is_empty() {
        let shown = scanner.hidden.taken_from(&text);
        let Scanner { headings, blocks, .. } = Scanner::scanned(&shown);
        return Outline { text: shown, headings, blocks };
    }
    let Scanner { headings, blocks, .. } = scanner;
    Outline { text, headings, blocks }
}

/// What is open at the start of a line.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Open {
    #[default]
    Nothing,
    /// A paragraph that began at this byte and that a line of `=` or `-` makes a heading.
    Paragraph(usize),
    /// Text of a list item or quotation, which goes on until a blank line.
    Contained,
    Code(Fence),
    /// HTML up to a line that holds this.
    Html(&'static str),
    /// HTML up to a blank line.
    HtmlBlock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fence {
    mark: char,
    length: usize,
    /// Of the list item that it stands in.
    indent: usize,
}

#[derive(Default)]
struct Scanner<'a> {
    text: &'a str,
    open: Open,
    /// How far the text of the last list item is indented; 0 outside of lists.
    list_indent: usize,
    headings: Vec<Heading>,
    blocks: Vec<usize>,
    hidden: Hidden,
}

impl<'a> Scanner<'a> {
    fn scanned(text: &'a str) -> Self {
        let mut scanner = Self { text, ..Self::default() };
        let mut offset = front_matter(text);
        for line in text[offset..].split_inclusive('\n') {
            let end = offset + line.len();
            scanner.line(line.trim_end(), offset, end);
            offset = end;
        }
        scanner
    }

    fn line(&mut self, line: &str, start: usize, end: usize) {
        let content = line.trim_start();
        let indent = indentation(line);
        match self.open {
            Open::Code(fence) if content.is_empty() || indent >= fence.indent => {
                if fence.is_closed_by(content, indent) {
                    self.open = Open::Nothing;
                }
                return;
            }
            Open::Html(until) => {
                if contains(content, until) {
                    self.open = Open::Nothing;
                    self.hidden.end(line, start);
                }
                return;
            }
            Open::HtmlBlock if !content.is_empty() => return,
            // A list item that ends takes its code with it.
            Open::Code(_) => self.open = Open::Nothing,
            Open::HtmlBlock | Open::Nothing | Open::Paragraph(_) | Open::Contained => {}
        }
        if content.is_empty() {
            self.open = Open::Nothing;
        } else if self.list_indent > 0 && indent >= self.list_indent {
            self.line_in_list(content, indent);
        } else if indent >= 4 {
            self.deep_line(start);
        } else {
            self.hidden.begin(content, start + line.len() - content.len());
            self.plain_line(content, indent, start, end);
        }
    }

    /// A line of a list item: no heading of the document stands there, but code may.
    fn line_in_list(&mut self, content: &str, indent: usize) {
        if let Some(width) = list_marker(content) {
            self.list_indent = self.list_indent.max(1).min(indent + width);
        }
        self.open = match Fence::open(content, self.list_indent) {
            Some(fence) => Open::Code(fence),
            None => Open::Contained,
        };
    }

    /// A line that is indented like code, which it is unless a paragraph is open.
    fn deep_line(&mut self, start: usize) {
        if self.open == Open::Nothing {
            self.list_indent = 0;
            self.blocks.push(start);
        }
    }

    fn plain_line(&mut self, content: &str, indent: usize, start: usize, end: usize) {
        if let Some(heading) = atx(content) {
            self.push_heading(heading, start, end, end);
        } else if let (Open::Paragraph(first), Some(level)) = (self.open, underline(content)) {
            self.blocks.pop();
            self.push_heading((level, &self.text[first..start]), first, end, start);
        } else if let Some(fence) = Fence::open(content, 0) {
            self.begin(Open::Code(fence), start);
        } else if is_rule(content) {
            self.begin(Open::Nothing, start);
        } else if let Some(width) = list_marker(content) {
            // Text without a marker of its own goes on in the item if it is indented as far as this.
            self.begin(Open::Contained, start);
            self.list_indent = indent + width;
            if let Some(fence) =
                Fence::open(content[width.min(content.len())..].trim_start(), self.list_indent)
            {
                self.open = Open::Code(fence);
            }
        } else if content.starts_with('>') {
            self.begin(Open::Contained, start);
        } else if let Some(html) = html_block(content, self.open) {
            self.begin(html, start);
        } else if self.open == Open::Nothing {
            self.begin(Open::Paragraph(start), start);
        }
    }

    fn begin(&mut self, open: Open, start: usize) {
        self.open = open;
        self.list_indent = 0;
        self.blocks.push(start);
    }

    /// `words_end` is where the lines with words end: before an underline.
    fn push_heading(
        &mut self,
        (level, words): (usize, &str),
        start: usize,
        end: usize,
        words_end: usize,
    ) {
        self.open = Open::Nothing;
        self.list_indent = 0;
        let source = &self.text[start..words_end.max(end)];
        let title = match source.len() <= MARKED_BYTES {
            true => without_marks(source),
            false => words.to_owned(),
        };
        if !title.trim().is_empty() {
            self.headings.push(Heading::new(level, &title, start, end));
        }
        self.blocks.push(start);
    }
}

impl Fence {
    fn open(content: &str, indent: usize) -> Option<Self> {
        let mark = content.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let length = content.chars().take_while(|letter| *letter == mark).count();
        let is_fence = length >= 3 && (mark == '~' || !content[length..].contains('`'));
        is_fence.then_some(Self { mark, length, indent })
    }

    fn is_closed_by(self, content: &str, indent: usize) -> bool {
        let is_mark = !content.is_empty() && content.chars().all(|letter| letter == self.mark);
        is_mark && content.len() >= self.length && indent < self.indent + 4
    }
}

/// Where the text behind `---` lines at the start of a document begins.
pub(super) fn front_matter(text: &str) -> usize {
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').take(FRONT_MATTER_LINES).enumerate() {
        offset += line.len();
        match (number, line.trim_end()) {
            (0, "---") => {}
            (0, _) => return 0,
            (_, "---" | "...") => return offset,
            (_, _) => {}
        }
    }
    0
}

fn indentation(line: &str) -> usize {
    let mut width = 0;
    for letter in line.chars() {
        match letter {
            ' ' => width += 1,
            '\t' => width += 4 - width % 4,
            _ => break,
        }
    }
    width
}

/// `# Title #` as its level and words.
fn atx(content: &str) -> Option<(usize, &str)> {
    let level = content.bytes().take_while(|byte| *byte == b'#').count();
    let words = &content[level..];
    let is_heading =
        (1..=6).contains(&level) && (words.is_empty() || words.starts_with([' ', '\t']));
    is_heading.then(|| (level, words.trim_end_matches('#').trim()))
}

fn underline(content: &str) -> Option<usize> {
    let level = if content.starts_with('=') { 1 } else { 2 };
    let mark = if level == 1 { b'=' } else { b'-' };
    content.bytes().all(|byte| byte == mark).then_some(level)
}

fn is_rule(content: &str) -> bool {
    let Some(mark @ ('-' | '*' | '_')) = content.chars().next() else { return false };
    let mut marks = content.chars().filter(|letter| !letter.is_whitespace());
    content.chars().filter(|letter| *letter == mark).nth(2).is_some()
        && marks.all(|letter| letter == mark)
}

/// How far the text behind a list marker is indented, from the marker on.
fn list_marker(content: &str) -> Option<usize> {
    let digits = content.bytes().take_while(u8::is_ascii_digit).count();
    let marker = match content.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
        _ => return None,
    };
    let rest = &content[marker..];
    let spaces = indentation(rest);
    match spaces {
        0 if !rest.is_empty() => None,
        1..=4 => Some(marker + spaces),
        _ => Some(marker + 1),
    }
}

/// What a line that begins with a tag opens, if that is a block.
fn html_block(content: &str, open: Open) -> Option<Open> {
    let rest = content.strip_prefix('<')?;
    let until = |end: &'static str, behind: &str| match contains(behind, end) {
        true => Open::Nothing,
        false => Open::Html(end),
    };
    for (start, end) in [("!--", "-->"), ("?", "?>"), ("![CDATA[", "]]>")] {
        if let Some(behind) = rest.strip_prefix(start) {
            return Some(until(end, behind));
        }
    }
    if rest.starts_with('!') {
        return Some(until(">", rest));
    }
    let name: String =
        rest.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    if RAW_ELEMENTS.contains(&name.as_str()) && !rest.starts_with('/') {
        let end = match name.as_str() {
            "pre" => "</pre>",
            "script" => "</script>",
            "style" => "</style>",
            _ => "</textarea>",
        };
        return Some(until(end, rest));
    }
    let is_alone = content.find('>').is_some_and(|at| at + 1 == content.len());
    let interrupts = super::html::is_block(name.as_bytes());
    let is_block = !name.is_empty() && (interrupts || (is_alone && open == Open::Nothing));
    is_block.then_some(Open::HtmlBlock)
}

fn contains(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(part)
}

/// The words of one heading.
fn without_marks(source: &str) -> String {
    let mut words = String::new();
    for event in Parser::new_ext(source, Options::ENABLE_HEADING_ATTRIBUTES) {
        if let Event::Text(text) | Event::Code(text) = event {
            words.push_str(&text);
        } else if matches!(event, Event::SoftBreak | Event::HardBreak) {
            words.push(' ');
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings(text: &str) -> Vec<String> {
        let outline = outline(text.to_owned());
        outline
            .headings
            .iter()
            .map(|heading| format!("{} {}", heading.level, heading.title))
            .collect()
    }

    /// The headings that a full parser finds outside of lists and quotations.
    fn expected(text: &str) -> Vec<String> {
        use pulldown_cmark::{Tag, TagEnd};
        let options =
            Options::ENABLE_HEADING_ATTRIBUTES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
        let (mut found, mut depth, mut title) = (Vec::new(), 0, None);
        for event in Parser::new_ext(text, options) {
            if let Event::Start(Tag::List(_) | Tag::BlockQuote(_)) = event {
                depth += 1;
            } else if let Event::End(TagEnd::List(_) | TagEnd::BlockQuote(_)) = event {
                depth -= 1;
            } else if let Event::Start(Tag::Heading { level, .. }) = event {
                title = (depth == 0).then(|| format!("{} ", level as usize));
            } else if let Event::End(TagEnd::Heading(_)) = event {
                found.extend(title.take());
            } else if let Event::Text(text) | Event::Code(text) = event {
                title = title.map(|title| title + &text);
            } else if event == Event::SoftBreak {
                title = title.map(|title| title + " ");
            }
        }
        found.retain(|title| title.len() > 2);
        found
    }

    #[test]
    fn headings_are_those_that_a_full_parser_finds() {
        for text in [
            "# One\n\ntext\n## Two ##\n####### seven\n#hash\n### Three {#id}\n#\n",
            "Under\n=====\ntext\nTwo\nlines\n---\n\n---\n- item\n---\n> quote\n===\n",
            "```sh\n# no heading\n```\n# One\n~~~\n# no\n```\n# no\n~~~\n# Two\n",
            "    # code\n\n   # One\n\ntext\n    # goes on\n",
            "- item\n  # in the list\n\n  # too\n# One\n1. a\n   ```\n   # no\n   ```\n# Two\n",
            "- a\n```\n# no\n```\n# One\n- ```\n  # no\n\n# Two\n",
            "---\ntitle: front\n---\n# One\n",
            "<div>\n# no\n\n# One\n<pre>\n\n# no\n</pre>\n# Two\n<!-- a\n\n# no\n-->\n# Three\n",
            "<Listing number=\"1\">\n\n# One\n\n</Listing>\n# no\n\n# `code` *and* [link](to)\n",
            "> quoted\nlazy\n---\n# One\n* * *\n***\n_ _ _\ntext\n***\n",
            "a\n\n\tcode\n# One\n- a\n\n      b\n\nc\n---\n",
        ] {
            assert_eq!(headings(text), expected(text), "{text}");
        }
    }

    #[test]
    fn headings_of_a_book_are_those_that_a_full_parser_finds() {
        let Ok(folder) = std::env::var("KINDRED_TEST_DATA") else {
            return;
        };
        let files = std::fs::read_dir(format!("{folder}/documents/rust-book/src")).unwrap();
        let mut count = 0;
        for path in files.map(|file| file.unwrap().path()) {
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&path).unwrap();
                let found = headings(&text);
                assert_eq!(found, expected(&text), "{}", path.display());
                count += found.len();
            }
        }
        assert!(count > 400, "{count}");
    }

    #[test]
    fn a_long_heading_is_cut_and_stays_in_the_text() {
        let text = format!("# {}\ntext", "word ".repeat(100_000));
        let outline = outline(text);
        assert!(outline.headings[0].title.chars().count() <= 200);
        assert_eq!(outline.headings[0].body, 0);
    }
}
