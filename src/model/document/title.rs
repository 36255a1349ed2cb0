//! Titles that are taken from the text.

use super::Format;
use crate::model::limits;

/// Characters of a title that is taken from the text.
const DERIVED_TITLE_CHARS: usize = 80;
/// The first heading, or else the first words of a text that holds at least one.
pub(super) fn derived(body: &str, format: Format) -> String {
    let title = match format {
        Format::Plain => None,
        Format::Markdown => markdown_heading(body),
        Format::Html => ["title", "h1", "h2"].into_iter().find_map(|tag| html_element(body, tag)),
    };
    title.or_else(|| first_words(body, format)).unwrap_or_else(|| "Untitled".to_owned())
}

fn markdown_heading(body: &str) -> Option<String> {
    let heading = body.lines().map(str::trim_start).find_map(|line| {
        let text = line.trim_start_matches('#');
        let is_heading = text.len() < line.len() && text.starts_with([' ', '\t']);
        is_heading.then(|| text.trim().trim_end_matches('#'))
    });
    shortened(heading?)
}

/// The text of the first element of a name, without the tags in it.
fn html_element(body: &str, tag: &str) -> Option<String> {
    let lower = body.to_ascii_lowercase();
    let at = lower.find(&format!("<{tag}"))?;
    let begin = at + lower[at..].find('>')? + 1;
    let end = begin + lower[begin..].find(&format!("</{tag}"))?;
    shortened(&without_tags(&body[begin..end]))
}

fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut is_inside = false;
    for letter in html.chars() {
        match letter {
            '<' => is_inside = true,
            '>' if is_inside => {
                is_inside = false;
                text.push(' ');
            }
            other if !is_inside => text.push(other),
            _ => {}
        }
    }
    text
}

fn first_words(body: &str, format: Format) -> Option<String> {
    match format {
        Format::Plain => body.lines().find_map(shortened),
        Format::Markdown => {
            let marks = ['*', '_', '`', '>', '-', '#', ' '];
            body.lines().find_map(|line| shortened(line.trim_matches(marks)))
        }
        Format::Html => without_tags(body).lines().find_map(shortened),
    }
}

/// A text on one line, cut between words; `None` if it holds no word.
fn shortened(text: &str) -> Option<String> {
    if !text.contains(char::is_alphanumeric) {
        return None;
    }
    let short = words_up_to(text, DERIVED_TITLE_CHARS);
    // One word may be as long as the text.
    let whole = || text.split_whitespace().next().unwrap_or_default().to_owned();
    let short = if short.is_empty() { whole() } else { short };
    Some(short.chars().take(limits::TITLE_CHARS).collect())
}

/// The first words of a text on one line, as many as there is room for.
pub(super) fn words_up_to(text: &str, chars: usize) -> String {
    let mut short = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        length += word.chars().count() + 1;
        if length > chars {
            break;
        }
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
    }
    short
}

/// A line break would make a title look like headings in the text that is embedded.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_title_the_first_heading_or_the_first_words_are_it() {
        assert_eq!(derived("Some text.\n\n## A heading ##\n", Format::Markdown), "A heading");
        assert_eq!(derived("#tag is no heading\n", Format::Markdown), "tag is no heading");
        assert_eq!(derived("\n***\nFirst line.\nSecond.", Format::Plain), "First line.");
        let html = "<html><TITLE>\nA <b>bold</b>\ntitle</TITLE><body><h1>Other</h1>";
        assert_eq!(derived(html, Format::Html), "A bold title");
        assert_eq!(derived("<p>Just words</p>", Format::Html), "Just words");
        let long = "word ".repeat(100);
        assert_eq!(derived(&long, Format::Plain).chars().count(), 79);
        assert_eq!(derived(&"x".repeat(9_000), Format::Plain).chars().count(), 500);
    }
}
