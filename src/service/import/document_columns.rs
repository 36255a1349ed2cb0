//! What a file of documents can give.

use crate::model::limits;

use super::Fields;
use super::cell::{Cell, CellValue, Column, Need};

type Read = fn(&Cell<'_>, &mut Fields) -> Result<(), String>;

/// The fields of a document.
pub const DOCUMENT_COLUMNS: &[Column] = &[
    optional("externalId", &["id", "docid", "documentid", "uid", "key", "slug", "path"], name),
    optional("title", &["name", "headline", "heading", "subject", "doctitle"], |cell, fields| {
        cell.put_text(fields, limits::TITLE_CHARS)
    }),
    Column {
        field: "body",
        need: Need::Required,
        synonyms: &[
            "text", "content", "contents", "markdown", "html", "article", "fulltext", "bodytext",
        ],
        read: body,
    },
    optional("url", &["link", "href", "uri", "permalink", "address"], |cell, fields| {
        cell.put_text(fields, limits::URL_CHARS)
    }),
    optional("tags", &["keywords", "categories", "labels", "topics", "tag"], |cell, fields| {
        cell.put_list(fields, limits::TAGS, limits::TAG_CHARS)
    }),
    optional("language", &["lang", "locale"], name),
    optional("format", &["contenttype", "mimetype", "markup"], format),
    optional("summary", &["abstract", "description", "excerpt"], |cell, fields| {
        cell.put_text(fields, limits::SUMMARY_CHARS)
    }),
];

const fn optional(field: &'static str, synonyms: &'static [&'static str], read: Read) -> Column {
    Column { field, need: Need::Optional, synonyms, read }
}

fn name(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    cell.put_text(fields, limits::NAME_CHARS)
}

/// The text as it is: its indentation and line ends mean something. A list is paragraphs.
fn body(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    let text = match &cell.value {
        CellValue::Text(text) => text.as_ref().to_owned(),
        CellValue::List(items) => items.join("\n\n"),
    };
    let chars = text.chars().count();
    if chars > limits::DOCUMENT_CHARS {
        let most = limits::DOCUMENT_CHARS;
        return Err(format!("`{}` has {chars} characters; {most} are allowed", cell.column));
    }
    if !text.trim().is_empty() {
        cell.put(fields, text);
    }
    Ok(())
}

fn format(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    let text = cell.known_text().to_ascii_lowercase();
    let format = match text.rsplit('/').next().unwrap_or_default() {
        "" => return Ok(()),
        "plain" | "text" | "txt" => "PLAIN",
        "markdown" | "md" => "MARKDOWN",
        "html" | "htm" => "HTML",
        _ => return Err(cell.problem("must be `plain`, `markdown` or `html`")),
    };
    cell.put(fields, format);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value, json};

    use super::super::mapping::normal;
    use super::super::{Options, open};
    use super::*;

    #[test]
    fn every_name_belongs_to_one_field_and_is_in_plain_form() {
        let mut names = HashSet::new();
        for column in DOCUMENT_COLUMNS {
            assert!(names.insert(normal(column.field)), "{}", column.field);
            for synonym in column.synonyms {
                assert_eq!(normal(synonym), *synonym);
                assert!(names.insert((*synonym).to_owned()), "{synonym}");
            }
        }
    }

    fn read(object: &Value) -> Result<Value, String> {
        let file = object.to_string();
        let mut rows = open(file.as_bytes(), "a.jsonl", &Options::new(DOCUMENT_COLUMNS)).unwrap();
        match rows.next() {
            Some(Ok(row)) => Ok(Value::Object(row.fields)),
            Some(Err(fault)) => Err(fault.to_string()),
            None => Err("nothing".to_owned()),
        }
    }

    #[test]
    fn fields_are_known_by_names_that_people_use() {
        let row = json!({ "_id": 7, "headline": " A ", "text": " ['a']\n b ", "link": "https://a.b",
            "keywords": "x, y", "lang": "de-AT", "contentType": "text/html", "abstract": "s" });
        let fields = json!({ "externalId": "7", "title": "A", "body": " ['a']\n b ",
            "url": "https://a.b", "tags": ["x", "y"], "language": "de-AT", "format": "HTML", "summary": "s" });
        assert_eq!(read(&row), Ok(fields));
        assert_eq!(read(&json!({ "body": ["a", "b"] })), Ok(json!({ "body": "a\n\nb" })));
    }

    #[test]
    fn a_row_that_cannot_be_a_document_is_refused_with_its_reason() {
        for (row, reason) in [
            (json!({ "text": " " }), "line 1: `text` must not be empty"),
            (
                json!({ "text": "a\u{0}b" }),
                "line 1: `text` holds a NUL character, which cannot be stored",
            ),
            (json!({ "text": { "a": 1 } }), "line 1: `text` must not be an object"),
            (
                json!({ "text": "a", "format": "pdf" }),
                "line 1: `format` must be `plain`, `markdown` or `html`, but is `pdf`",
            ),
        ] {
            assert_eq!(read(&row), Err(reason.to_owned()));
        }
    }
}
