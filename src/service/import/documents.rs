//! Documents of a file, or of all files below a folder.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::vec;

use encoding_rs::Encoding;

use super::{
    DOCUMENT_COLUMNS, Error, Fault, Fields, Format, Limits, Options, Rows, open, text_file,
};

/// Bytes of a row of JSON: a text whose every character is escaped.
const ROW_BYTES: usize = 12 << 20;

/// How documents are to be read; what is not said is found out from the files.
#[derive(Debug, Clone, Default)]
pub struct DocumentOptions {
    pub encoding: Option<&'static Encoding>,
    /// Fields and the columns of JSON Lines that they come from.
    pub mapping: Vec<(String, String)>,
}

/// A document, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentRow {
    /// `guide/start.md`, or `notes.jsonl line 7`.
    pub place: String,
    pub fields: Fields,
    /// A row of JSON as it stands in its file.
    pub raw: Option<String>,
}

/// What is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentReject {
    pub place: String,
    pub reason: String,
    /// A row of JSON as it stands in its file.
    pub raw: Option<String>,
}

/// The documents below a path, in the order of their names, read one at a time.
pub struct Documents {
    /// What external ids are relative to.
    base: PathBuf,
    options: DocumentOptions,
    files: vec::IntoIter<PathBuf>,
    unreadable: vec::IntoIter<DocumentReject>,
    rows: Option<(String, Rows<File>)>,
    /// Files that are to be read.
    pub count: usize,
    /// Files that are none of ours, by their names.
    pub skipped: usize,
}

impl Documents {
    /// Finds the files; only a path that is not there, or a file of another kind, is an error.
    pub fn open(path: &Path, options: DocumentOptions) -> Result<Self, Error> {
        let metadata = fs::metadata(path)?;
        let found = match metadata.is_dir() {
            true => Found::below(path),
            false if is_rows(path) || text_file::format_of(path).is_some() => {
                Found { files: vec![path.to_path_buf()], ..Found::default() }
            }
            false => return Err(Error::UnknownFile),
        };
        let base = if metadata.is_dir() { path } else { path.parent().unwrap_or(path) };
        Ok(Self {
            base: base.to_path_buf(),
            options,
            count: found.files.len(),
            skipped: found.skipped,
            files: found.files.into_iter(),
            unreadable: found.unreadable.into_iter(),
            rows: None,
        })
    }

    /// How many of the files are read or being read.
    pub fn read(&self) -> usize {
        self.count - self.files.len()
    }

    fn next_file(&mut self, path: &Path) -> Option<Result<DocumentRow, DocumentReject>> {
        let place = relative(path, &self.base);
        let reject = |reason| DocumentReject { place: place.clone(), reason, raw: None };
        if let Some(format) = text_file::format_of(path) {
            let fields = text_file::read(path, format, self.options.encoding);
            return Some(fields.map_err(reject).map(|mut fields| {
                fields.insert("externalId".to_owned(), place.clone().into());
                DocumentRow { place: place.clone(), fields, raw: None }
            }));
        }
        let mut options = Options::new(DOCUMENT_COLUMNS);
        options.format = Some(Format::Json);
        options.encoding = self.options.encoding;
        options.mapping.clone_from(&self.options.mapping);
        options.limits = Limits { row_bytes: ROW_BYTES, ..Limits::default() };
        let rows = File::open(path).map_err(Error::from);
        match rows.and_then(|file| open(file, "", &options)) {
            Ok(rows) => {
                self.rows = Some((place, rows));
                None
            }
            Err(error) => Some(Err(reject(crate::model::with_causes(&error)))),
        }
    }

    fn next_row(&mut self) -> Option<Result<DocumentRow, DocumentReject>> {
        let (file, rows) = self.rows.as_mut()?;
        let row = rows.next()?;
        let place = |line: u64| format!("{file} line {line}");
        Some(match row {
            Ok(row) => {
                Ok(DocumentRow { place: place(row.line), fields: row.fields, raw: Some(row.raw) })
            }
            Err(Fault::Rejected(reject)) => Err(DocumentReject {
                place: place(reject.line),
                reason: reject.reason,
                raw: Some(reject.raw),
            }),
            Err(Fault::Fatal(error)) => Err(DocumentReject {
                place: file.clone(),
                reason: crate::model::with_causes(&error),
                raw: None,
            }),
        })
    }
}

impl Iterator for Documents {
    type Item = Result<DocumentRow, DocumentReject>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(reject) = self.unreadable.next() {
            return Some(Err(reject));
        }
        loop {
            if let Some(row) = self.next_row() {
                return Some(row);
            }
            self.rows = None;
            let path = self.files.next()?;
            if let Some(document) = self.next_file(&path) {
                return Some(document);
            }
        }
    }
}

#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    unreadable: Vec<DocumentReject>,
    skipped: usize,
}

impl Found {
    /// Every file below a folder; hidden ones are left out, and no folder is visited twice, so that a link
    /// to a folder above ends nowhere.
    fn below(folder: &Path) -> Self {
        let mut found = Self::default();
        let mut visited = HashSet::new();
        let mut waiting = vec![folder.to_path_buf()];
        while let Some(path) = waiting.pop() {
            let entries = fs::canonicalize(&path).and_then(|real| {
                if visited.insert(real) { fs::read_dir(&path).map(Some) } else { Ok(None) }
            });
            match entries {
                Ok(entries) => {
                    for entry in entries.into_iter().flatten().flatten() {
                        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                            found.take(entry.path(), &mut waiting);
                        }
                    }
                }
                Err(error) => found.unreadable.push(DocumentReject {
                    place: relative(&path, folder),
                    reason: format!("cannot be read: {error}"),
                    raw: None,
                }),
            }
        }
        found.files.sort_by_cached_key(|path| relative(path, folder));
        found
    }

    fn take(&mut self, path: PathBuf, folders: &mut Vec<PathBuf>) {
        if path.is_dir() {
            folders.push(path);
        } else if text_file::format_of(&path).is_some() || is_lines(&path) {
            self.files.push(path);
        } else {
            self.skipped += 1;
        }
    }
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|own| extensions.iter().any(|other| own.eq_ignore_ascii_case(other)))
}

/// JSON Lines. A `.json` file in a folder is more often a setting than a document.
fn is_lines(path: &Path) -> bool {
    has_extension(path, &["jsonl", "ndjson"])
}

fn is_rows(path: &Path) -> bool {
    is_lines(path) || has_extension(path, &["json"])
}

/// The path below a folder, with slashes on every system.
fn relative(path: &Path, base: &Path) -> String {
    let below = path.strip_prefix(base).unwrap_or(path);
    let parts = below.components().map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}
