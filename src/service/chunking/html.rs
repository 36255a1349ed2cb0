//! The text that an HTML page shows, with Markdown's marks for headings, lists and code.
//!
//! Only the tokenizer of a library is used: a tree of elements, however deep, is never built.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use super::outline::{Heading, Outline};

/// Elements that stand on lines of their own, in alphabetical order.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "base",
    "basefont",
    "blockquote",
    "body",
    "caption",
    "center",
    "col",
    "colgroup",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frame",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "iframe",
    "legend",
    "li",
    "link",
    "main",
    "menu",
    "menuitem",
    "nav",
    "noframes",
    "ol",
    "optgroup",
    "option",
    "p",
    "param",
    "search",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "track",
    "ul",
];
/// Elements whose text no page shows; the tokenizer gives it as one string.
const HIDDEN: [&[u8]; 5] = [b"script", b"style", b"iframe", b"noembed", b"noframes"];
/// How deep lists are indented at most.
const LIST_DEPTH: usize = 5;

pub(super) fn is_block(name: &[u8]) -> bool {
    BLOCKS.binary_search_by(|block| block.as_bytes().cmp(name)).is_ok()
}

/// The outline of a page, and the title that its head gives.
pub(super) fn outline(html: &str) -> (Outline, Option<String>) {
    let mut writer = Writer::default();
    let mut emitter =
        CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
            match event {
                CallbackEvent::OpenStartTag { name } => writer.start(name),
                CallbackEvent::EndTag { name } => writer.end(name),
                CallbackEvent::String { value } => writer.string(&String::from_utf8_lossy(value)),
                CallbackEvent::AttributeName { .. }
                | CallbackEvent::AttributeValue { .. }
                | CallbackEvent::CloseStartTag { .. }
                | CallbackEvent::Comment { .. }
                | CallbackEvent::Doctype { .. }
                | CallbackEvent::Error(_) => {}
            }
            None
        });
    emitter.naively_switch_states(true);
    let nothing = Tokenizer::new_with_emitter(html, emitter).count();
    debug_assert_eq!(nothing, 0);
    writer.finish()
}

/// What stands before the next word.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Cell,
    Line,
    Block,
}

/// Where strings go.
#[derive(Debug, Default, PartialEq, Eq)]
enum Target {
    #[default]
    Text,
    /// Nowhere, until the element of this name ends.
    Hidden(Vec<u8>),
    Title,
    /// A code block.
    Code(String),
}

#[derive(Debug, Default)]
struct Writer {
    outline: Outline,
    title: Option<String>,
    target: Target,
    gap: Gap,
    list_depth: usize,
    /// A list item without words so far.
    item: bool,
    /// A heading without words so far.
    next_heading: Option<usize>,
    /// The heading that is being written: its level, where its line and its words begin.
    heading: Option<(usize, usize, usize)>,
}

impl Writer {
    fn start(&mut self, name: &[u8]) {
        match name {
            name if HIDDEN.contains(&name) => self.target = Target::Hidden(name.to_vec()),
            b"title" if self.title.is_none() => {
                self.title = Some(String::new());
                self.target = Target::Title;
            }
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => {
                self.end_heading();
                self.widen(Gap::Block);
                self.next_heading = Some(usize::from(name[1] - b'0'));
            }
            b"pre" if self.target == Target::Text => {
                self.end_heading();
                self.target = Target::Code(String::new());
            }
            b"br" => self.string("\n"),
            b"ul" | b"ol" | b"menu" => {
                self.list_depth += 1;
                self.widen(if self.list_depth == 1 { Gap::Block } else { Gap::Line });
            }
            b"li" => {
                self.widen(Gap::Line);
                self.item = true;
            }
            b"tr" | b"dt" | b"dd" => self.widen(Gap::Line),
            b"td" | b"th" => self.widen(Gap::Cell),
            name if is_block(name) => self.widen(Gap::Block),
            _ => {}
        }
        if name == b"br" && !matches!(self.target, Target::Code(_)) {
            self.widen(Gap::Line);
        }
    }

    fn end(&mut self, name: &[u8]) {
        match name {
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => {
                self.end_heading();
                self.widen(Gap::Block);
            }
            b"pre" => self.end_code(),
            b"title" if self.target == Target::Title => self.target = Target::Text,
            b"ul" | b"ol" | b"menu" => {
                self.list_depth = self.list_depth.saturating_sub(1);
                self.item = false;
                self.widen(if self.list_depth == 0 { Gap::Block } else { Gap::Line });
            }
            b"li" | b"tr" | b"dt" | b"dd" => self.widen(Gap::Line),
            b"td" | b"th" => self.widen(Gap::Cell),
            name if self.target.hides(name) => self.target = Target::Text,
            name if is_block(name) => self.widen(Gap::Block),
            _ => {}
        }
    }

    fn string(&mut self, string: &str) {
        match &mut self.target {
            Target::Text => self.words(string),
            Target::Hidden(_) => {}
            Target::Title => self.title.iter_mut().for_each(|title| title.push_str(string)),
            Target::Code(code) => code.push_str(string),
        }
    }

    /// Text as a page shows it: any white space is one space.
    fn words(&mut self, string: &str) {
        if string.starts_with(char::is_whitespace) {
            self.widen(Gap::Space);
        }
        for (number, word) in string.split_whitespace().enumerate() {
            if number > 0 {
                self.gap = Gap::Space;
            }
            self.fill_gap();
            self.outline.text.push_str(word);
        }
        if string.ends_with(char::is_whitespace) {
            self.widen(Gap::Space);
        }
    }

    fn widen(&mut self, gap: Gap) {
        // Within a heading everything stays on its line.
        let widest = if self.heading.is_some() { Gap::Space } else { Gap::Block };
        self.gap = self.gap.max(gap.min(widest));
    }

    fn fill_gap(&mut self) {
        let text = &mut self.outline.text;
        let gap = std::mem::take(&mut self.gap);
        let is_block = gap == Gap::Block || text.is_empty();
        if !text.is_empty() {
            text.push_str(match gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Cell if text.ends_with('\n') => "",
                Gap::Cell => " | ",
                Gap::Line => "\n",
                Gap::Block => "\n\n",
            });
        }
        if is_block {
            self.outline.blocks.push(text.len());
        }
        if std::mem::take(&mut self.item) {
            let depth = self.list_depth.clamp(1, LIST_DEPTH);
            text.push_str(&"  ".repeat(depth - 1));
            text.push_str("- ");
        }
        if let Some(level) = self.next_heading.take() {
            let start = text.len();
            text.push_str(&"#".repeat(level));
            text.push(' ');
            self.heading = Some((level, start, text.len()));
        }
    }

    fn end_heading(&mut self) {
        self.next_heading = None;
        if let Some((level, start, words)) = self.heading.take() {
            let text = &self.outline.text;
            self.outline.headings.push(Heading::new(level, &text[words..], start, text.len()));
            self.gap = Gap::Block;
        }
    }

    fn end_code(&mut self) {
        let Target::Code(code) = std::mem::take(&mut self.target) else { return };
        let code = code.trim_matches('\n').trim_end();
        self.widen(Gap::Block);
        if !code.trim().is_empty() {
            let fence = "`".repeat(longest_run(code, '`').max(2) + 1);
            self.fill_gap();
            self.outline.text.extend([&fence, "\n", code, "\n", &fence]);
        }
        self.gap = Gap::Block;
    }

    fn finish(mut self) -> (Outline, Option<String>) {
        self.end_code();
        self.end_heading();
        (self.outline, self.title)
    }
}

impl Target {
    fn hides(&self, name: &[u8]) -> bool {
        match self {
            Self::Hidden(hidden) => hidden == name,
            Self::Text | Self::Title | Self::Code(_) => false,
        }
    }
}

fn longest_run(text: &str, mark: char) -> usize {
    text.split(|letter| letter != mark).map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        outline(html).0.text
    }

    #[test]
    fn blocks_become_paragraphs_and_headings_keep_their_level() {
        let html =
            "<h1>A <em>page</em></h1><p>Some\n <b>bold</b> text.</p><h3>Below</h3>More<br>lines";
        assert_eq!(text(html), "# A page\n\nSome bold text.\n\n### Below\n\nMore\nlines");
        let (outline, _) = outline(html);
        let headings: Vec<_> =
            outline.headings.iter().map(|h| (h.level, h.title.as_str())).collect();
        assert_eq!(headings, [(1, "A page"), (3, "Below")]);
    }

    #[test]
    fn scripts_and_styles_are_dropped_and_the_title_is_kept_apart() {
        let html =
            "<title>The &amp; title</title><script>if (a<b) x</script><style>p{}</style><p>Hi";
        let (outline, title) = outline(html);
        assert_eq!((outline.text.as_str(), title.as_deref()), ("Hi", Some("The & title")));
    }

    #[test]
    fn lists_tables_and_code_keep_their_shape() {
        let html = "<ul><li>one<ul><li>two</li></ul></li><li></li></ul>\
            <table><tr><th>a<th>b<tr><td>1<td>2</table><pre><code>x\n  `y`</code></pre>end";
        assert_eq!(text(html), "- one\n  - two\n\na | b\n1 | 2\n\n```\nx\n  `y`\n```\n\nend");
    }

    #[test]
    fn entities_are_read_and_words_of_neighbors_stay_apart() {
        assert_eq!(
            text("<div>a&lt;b&gt;</div><div>c</div>d&eacute;<span>e</span>"),
            "a<b>\n\nc\n\ndée"
        );
    }

    #[test]
    fn elements_that_are_never_closed_do_no_harm() {
        assert_eq!(text("<h1>Title<p>text"), "# Title text");
        assert_eq!(text("<pre>code"), "```\ncode\n```");
        assert_eq!(text("a<script>b"), "a");
        assert_eq!(text("</h1></pre></ul></p>a<"), "a<");
    }

    #[test]
    fn names_of_blocks_are_in_order() {
        assert!(BLOCKS.is_sorted());
    }
}
