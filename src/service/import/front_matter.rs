//! What stands about a document between `---` lines at its start.

use super::Fields;

/// Lines in which the second `---` is looked for.
const MAX_LINES: usize = 200;

/// Takes the title, the tags, the language and the address from the front matter of a text, if it has one,
/// and returns the text below. Of YAML only lines of `key: value` and lists are understood.
pub(super) fn take<'a>(text: &'a str, fields: &mut Fields) -> &'a str {
    let Some((matter, body)) = cut(text) else { return text };
    let mut list: Option<&str> = None;
    for line in matter.lines() {
        if let (Some(field), Some(item)) = (list, line.trim_start().strip_prefix("- ")) {
            append(fields, field, item);
            continue;
        }
        list = None;
        let Some((key, value)) = line.split_once(':') else { continue };
        let field = match key.to_ascii_lowercase().as_str() {
            "title" => "title",
            "tags" | "keywords" | "categories" => "tags",
            "lang" | "language" => "language",
            "url" | "permalink" => "url",
            _ => continue,
        };
        match (field, value.trim()) {
            ("tags", "") => list = Some(field),
            (_, "") => {}
            ("tags", value) => {
                let items = value.trim_start_matches('[').trim_end_matches(']').split(',');
                for item in items {
                    append(fields, field, item);
                }
            }
            ("url", value) if !unquoted(value).starts_with("http") => {}
            (_, value) => drop(fields.insert(field.to_owned(), unquoted(value).into())),
        }
    }
    body
}

fn append(fields: &mut Fields, field: &str, item: &str) {
    let item = unquoted(item);
    let list = fields.entry(field).or_insert_with(|| serde_json::json!([]));
    if let (Some(list), false) = (list.as_array_mut(), item.is_empty()) {
        list.push(item.into());
    }
}

/// The lines between the marks, and what stands below the second one.
fn cut(text: &str) -> Option<(&str, &str)> {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().filter(|line| line.trim_end() == "---")?;
    let mut offset = first.len();
    for line in lines.take(MAX_LINES) {
        let start = offset;
        offset += line.len();
        if matches!(line.trim_end(), "---" | "...") {
            return Some((&text[first.len()..start], &text[offset..]));
        }
    }
    None
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let quoted = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> (Value, &str) {
        let mut fields = Fields::new();
        let body = take(text, &mut fields);
        (Value::Object(fields), body)
    }

    #[test]
    fn lines_of_keys_and_values_are_taken() {
        let text = "---\r\ntitle: \"On: colons\"\nTags: [a, 'b c', ]\nlang: de\nurl: /relative\nother: x\n---\nbody\n";
        let fields = json!({ "title": "On: colons", "tags": ["a", "b c"], "language": "de" });
        assert_eq!(read(text), (fields, "body\n"));
        let text = "---\ntags:\n  - one\n- two\npermalink: https://a.b/c\ntitle:\n...\n";
        assert_eq!(read(text), (json!({ "tags": ["one", "two"], "url": "https://a.b/c" }), ""));
    }

    #[test]
    fn what_is_no_front_matter_stays_in_the_text() {
        for text in
            ["text", "---\ntitle: a\n", "----\ntitle: a\n---\n", "\n---\na: b\n---\n", "---"]
        {
            assert_eq!(read(text), (json!({}), text));
        }
        let long = format!("---\n{}---\n", "a\n".repeat(1_000));
        assert_eq!(read(&long), (json!({}), long.as_str()));
    }
}
