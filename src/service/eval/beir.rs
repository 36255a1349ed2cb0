//! Reads test collections in the layout of BEIR: documents and queries as JSON Lines, judgements as a table.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::collection::Collection;
use super::retrieval::TestQuery;
use crate::model::document::{DocumentDraft, Format};
use crate::model::{NodeId, limits};

/// A test collection cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BeirError {
    #[error("cannot read `{path}`: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("line {line} of `{path}` {problem}")]
    Line { path: PathBuf, line: usize, problem: String },
    #[error("`{path}` holds no {what}")]
    Empty { path: PathBuf, what: &'static str },
}

/// A document of a collection, or a query, which has no title.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    #[serde(rename = "_id", deserialize_with = "text_or_number")]
    pub id: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub text: String,
}

/// What of a collection cannot be used, and how much of it there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Queries without a judgement; they are not run.
    pub unjudged_queries: usize,
    /// Judgements of documents that are not there; they stay in the measure, as answers nobody can find.
    pub missing_documents: usize,
    /// Judgements of queries that are not there.
    pub missing_queries: usize,
}

/// Judgements by query: how well documents answer it.
pub type Qrels = HashMap<String, HashMap<String, u32>>;

/// The documents, or the queries, of a JSON Lines file.
pub fn entries(path: &Path, what: &'static str) -> Result<Vec<Entry>, BeirError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut ids = HashSet::new();
    for (line, text) in lines(path)? {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let problem = |problem: String| BeirError::Line { path: path.to_owned(), line, problem };
        let entry: Entry = serde_json::from_str(&text).map_err(|error| {
            problem(format!("is not `{{\"_id\", \"title\", \"text\"}}`: {error}"))
        })?;
        if !ids.insert(entry.id.clone()) {
            return Err(problem(format!("repeats the id `{}`", entry.id)));
        }
        entries.push(entry);
    }
    match entries.is_empty() {
        true => Err(BeirError::Empty { path: path.to_owned(), what }),
        false => Ok(entries),
    }
}

/// The judgements: query id, document id and grade, separated by tabs or spaces; or, as TREC has it, with a
/// column between query and document. A header is skipped.
pub fn qrels(path: &Path) -> Result<Qrels, BeirError> {
    let mut qrels = Qrels::new();
    for (line, text) in lines(path)? {
        let text = text?;
        let columns: Vec<&str> = text.split_whitespace().collect();
        let problem = |problem: String| BeirError::Line { path: path.to_owned(), line, problem };
        let (query, document, grade) = match columns[..] {
            [] => continue,
            [query, document, grade] | [query, _, document, grade] => (query, document, grade),
            _ => {
                let columns = columns.len();
                let problem_ =
                    format!("has {columns} columns instead of `query-id corpus-id score`");
                return Err(problem(problem_));
            }
        };
        match grade.parse::<i32>() {
            // What is worse than no answer counts as none, as in `trec_eval`.
            Ok(grade) => {
                let grade = u32::try_from(grade).unwrap_or(0);
                qrels.entry(query.to_owned()).or_default().insert(document.to_owned(), grade);
            }
            // Only a header has a word there.
            Err(_) if line == 1 => {}
            Err(_) => return Err(problem(format!("has the score `{grade}`, not a whole number"))),
        }
    }
    match qrels.is_empty() {
        true => Err(BeirError::Empty { path: path.to_owned(), what: "judgements" }),
        false => Ok(qrels),
    }
}

/// Puts queries and judgements together, with the rows that the documents were written to.
pub fn test_queries(
    queries: Vec<Entry>,
    mut qrels: Qrels,
    collection: &Collection,
) -> (Vec<TestQuery>, Left) {
    let mut left = Left::default();
    let mut judged = Vec::new();
    for query in queries {
        let Some(documents) = qrels.remove(&query.id) else {
            left.unjudged_queries += 1;
            continue;
        };
        let mut grades = HashMap::with_capacity(documents.len());
        for (document, grade) in documents {
            let id = collection.rows.get(&document).copied().unwrap_or_else(|| {
                left.missing_documents += 1;
                nobody(left.missing_documents)
            });
            grades.insert(id, grade);
        }
        judged.push(TestQuery { text: query.text, grades });
    }
    left.missing_queries = qrels.values().map(HashMap::len).sum();
    (judged, left)
}

/// An id that no row has: rows have ids with a time in them.
fn nobody(number: usize) -> NodeId {
    let id = uuid::Uuid::from_u128(u128::try_from(number).unwrap_or(u128::MAX));
    NodeId { kind: crate::model::Kind::Document, id }
}

impl Entry {
    /// The document as it is written. A title that is too long is cut, and stands in full in the text; a
    /// document without a text is its title.
    pub fn into_draft(self, language: Option<String>) -> DocumentDraft {
        let title: String = self.title.trim().chars().take(limits::TITLE_CHARS).collect();
        let is_whole = title.len() == self.title.trim().len();
        let body = match (self.text.trim().is_empty(), is_whole) {
            (true, _) => self.title,
            (false, true) => self.text,
            (false, false) => format!("{}\n\n{}", self.title, self.text),
        };
        DocumentDraft {
            external_id: Some(self.id),
            title: (!title.is_empty()).then_some(title),
            body,
            url: None,
            tags: Vec::new(),
            language,
            format: Format::Plain,
            summary: None,
        }
    }
}

type Line = Result<String, BeirError>;

/// The lines of a file with their numbers, from 1.
fn lines(path: &Path) -> Result<impl Iterator<Item = (usize, Line)>, BeirError> {
    let path = path.to_owned();
    let file = File::open(&path);
    let file = file.map_err(|source| BeirError::File { path: path.clone(), source })?;
    let lines = BufReader::new(file).lines().enumerate();
    Ok(lines.map(move |(index, text)| {
        let text = text.map_err(|source| BeirError::Line {
            path: path.clone(),
            line: index + 1,
            problem: format!("cannot be read: {source}"),
        });
        (index + 1, text.map(|text| text.trim_start_matches('\u{feff}').to_owned()))
    }))
}

/// Ids are texts; collections that somebody converted have numbers.
fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    use serde::de::Error;
    let value = serde_json::Value::deserialize(deserializer)?;
    if let Some(text) = value.as_str().filter(|text| !text.trim().is_empty()) {
        return Ok(text.to_owned());
    }
    match value.is_number() {
        true => Ok(value.to_string()),
        false => Err(D::Error::custom(format!("`_id` is {value}, not a text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("kindred-beir-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, text: &str) -> PathBuf {
            let path = self.0.join("file");
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn judgements_are_read_with_and_without_a_header() {
        let folder = Folder::new("qrels");
        let expected = HashMap::from([
            ("1".to_owned(), HashMap::from([("a".to_owned(), 2), ("b".to_owned(), 0)])),
            ("2".to_owned(), HashMap::from([("a".to_owned(), 1)])),
        ]);
        for text in [
            "query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t-1\n2\ta\t1\n",
            "1 a 2\n\n1 b 0\n2 a 1",
            "1\t0\ta\t2\n1\t0\tb\t0\n2\t0\ta\t1\n",
        ] {
            assert_eq!(qrels(&folder.file(text)).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let folder = Folder::new("wrong");
        let line = |text: &str| qrels(&folder.file(text)).unwrap_err().to_string();
        assert!(
            line("q c s\n1 a b\n").contains("line 2") && line("q c s\n1 a b\n").contains("`b`")
        );
        assert!(line("1 a\n").contains("line 1"));
        assert!(line("").ends_with("holds no judgements"));
        let line = |text: &str| entries(&folder.file(text), "documents").unwrap_err().to_string();
        assert!(line("{\"_id\": \"1\"}\n{\"text\": \"x\"}\n").contains("line 2"));
        assert!(line("{\"_id\": \"1\"}\n\n{\"_id\": 1}\n").contains("line 3"));
        assert!(line("[]").contains("line 1"));
        assert!(line("\n").ends_with("holds no documents"));
        let missing = entries(&folder.0.join("nothing"), "documents").unwrap_err().to_string();
        assert!(missing.starts_with("cannot read `"), "{missing}");
    }

    #[test]
    fn queries_without_judgements_are_left_out_and_missing_documents_stay_judged() {
        let entry =
            |id: &str| Entry { id: id.to_owned(), title: String::new(), text: id.to_owned() };
        let grades = |ids: &[&str]| ids.iter().map(|id| ((*id).to_owned(), 1)).collect();
        let qrels = Qrels::from([
            ("1".to_owned(), grades(&["a", "gone", "gone too"])),
            ("9".to_owned(), grades(&["a", "b"])),
        ]);
        let row = NodeId { kind: Kind::Document, id: uuid::Uuid::from_u128(u128::MAX) };
        let rows = HashMap::from([("a".to_owned(), row)]);
        let collection = Collection { rows, rejected: Vec::new() };
        let (queries, left) = test_queries(vec![entry("1"), entry("2")], qrels, &collection);
        assert_eq!(left, Left { unjudged_queries: 1, missing_documents: 2, missing_queries: 2 });
        assert_eq!(queries.len(), 1);
        assert_eq!((queries[0].grades.len(), queries[0].grades.get(&row)), (3, Some(&1)));
    }

    #[test]
    fn a_long_title_stands_in_the_text_as_well() {
        let title = "long ".repeat(200);
        let entry = Entry { id: "1".to_owned(), title: title.clone(), text: "text".to_owned() };
        let draft = entry.into_draft(None);
        assert_eq!(draft.title.unwrap().chars().count(), limits::TITLE_CHARS);
        assert!(draft.body.contains(&title) && draft.body.ends_with("text"));
        let bare =
            Entry { id: "1".to_owned(), title: "Only this".to_owned(), text: " ".to_owned() };
        assert_eq!(bare.into_draft(None).body, "Only this");
    }
}
