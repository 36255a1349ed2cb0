//! Documents of files and folders, good ones and bad ones.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{DocumentOptions, DocumentReject, DocumentRow, Documents};

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("kindred-documents-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn read(&self) -> Vec<Result<DocumentRow, DocumentReject>> {
        Documents::open(&self.0, DocumentOptions::default()).unwrap().collect()
    }

    fn reasons(&self) -> Vec<String> {
        let rejects = self.read().into_iter().filter_map(Result::err);
        rejects.map(|reject| format!("{}: {}", reject.place, reject.reason)).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn files_of_a_folder_come_in_the_order_of_their_names() {
    let folder = Folder::new();
    folder.file("b.md", "---\ntitle: B\n---\n# b");
    folder.file("a/z.TXT", b"caf\xe9");
    folder.file("a.html", "<p>a</p>");
    folder.file("c.jsonl", "{\"id\": 1, \"text\": \"one\"}\n{\"text\": 2}\n");
    folder.file(".hidden/x.md", "x");
    folder.file("a/.x.md", "x");
    folder.file("picture.png", "x");
    folder.file("package.json", "{}");
    let mut documents = Documents::open(&folder.0, DocumentOptions::default()).unwrap();
    assert_eq!((documents.count, documents.skipped), (4, 2));
    let rows: Vec<DocumentRow> = documents.by_ref().map(Result::unwrap).collect();
    let places: Vec<&str> = rows.iter().map(|row| row.place.as_str()).collect();
    assert_eq!(places, ["a.html", "a/z.TXT", "b.md", "c.jsonl line 1", "c.jsonl line 2"]);
    let field =
        |row: usize, name: &str| rows[row].fields.get(name).and_then(|value| value.as_str());
    assert_eq!((field(0, "format"), field(0, "externalId")), (Some("HTML"), Some("a.html")));
    assert_eq!((field(1, "format"), field(1, "body")), (Some("PLAIN"), Some("café")));
    assert_eq!((field(2, "title"), field(2, "body")), (Some("B"), Some("# b")));
    assert_eq!((field(3, "externalId"), field(4, "body")), (Some("1"), Some("2")));
    assert_eq!(documents.read(), 4);
}

#[test]
fn a_bad_file_is_named_with_its_reason_and_stops_no_other() {
    let folder = Folder::new();
    folder.file("1.md", "");
    folder.file("2.md", "---\ntitle: only\n---\n\n");
    folder.file("3.txt", "*** ---");
    folder.file("4.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    folder.file("5.txt", b"PK\x03\x04rest");
    folder.file("6.html", b"%PDF-1.7 and so on");
    folder.file("7.txt", "x".repeat(4_000_001));
    folder.file("8.txt", "x".repeat(1_000_001));
    folder.file("9.jsonl", "no json");
    folder.file("10.jsonl", "{\"id\": 1}");
    folder.file("11.jsonl", "{\"text\": \"a\"}\n{\"text\": \"\"}");
    folder.file("good.txt", "good");
    assert_eq!(
        folder.reasons(),
        [
            "1.md: is empty",
            "10.jsonl: no column gives `body`; columns are `id`; map one of them, as in `body=id`",
            "11.jsonl line 2: `text` must not be empty",
            "2.md: is empty",
            "3.txt: holds no letter and no digit; a document needs at least one word",
            "4.txt: holds binary data, no text",
            "5.txt: is a ZIP archive or an Excel workbook; save it as text",
            "6.html: holds binary data, no text",
            "7.txt: has 4000001 bytes; 4000000 are allowed: cut it into several files",
            "8.txt: has 1000001 characters; 1000000 are allowed",
            "9.jsonl: there is no JSON object at the start of the file: line 1: the row is not valid JSON \
             at line 1, column 2: expected ident; write one object per line, or one array of objects",
        ]
    );
    assert_eq!(folder.read().into_iter().flatten().count(), 2);
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let folder = Folder::new();
    let file = fs::File::create(folder.0.join("huge.txt")).unwrap();
    // As long as no memory is: only its length is looked at.
    file.set_len(1 << 40).unwrap();
    assert!(folder.reasons()[0].starts_with("huge.txt: has 1099511627776 bytes; "));
}

#[cfg(unix)]
#[test]
fn links_that_lead_in_circles_are_followed_once() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    folder.file("a/b/c.md", "c");
    symlink(&folder.0, folder.0.join("a/b/up")).unwrap();
    symlink("itself", folder.0.join("itself")).unwrap();
    symlink(folder.0.join("a/b/c.md"), folder.0.join("link.md")).unwrap();
    symlink("nowhere.md", folder.0.join("broken.md")).unwrap();
    let places: Vec<String> = folder.read().into_iter().flatten().map(|row| row.place).collect();
    assert_eq!(places, ["a/b/c.md", "link.md"]);
    assert_eq!(folder.reasons().len(), 1);
    assert!(folder.reasons()[0].starts_with("broken.md: cannot be read: "));
}

#[test]
fn one_file_is_known_by_its_name() {
    let folder = Folder::new();
    let path = folder.file("deep/one.md", "# one");
    let rows: Vec<_> =
        Documents::open(&path, DocumentOptions::default()).unwrap().flatten().collect();
    assert_eq!((rows.len(), rows[0].fields["externalId"].as_str()), (1, Some("one.md")));
    let path = folder.file("rows.json", "[{\"content\": \"a\"}, {\"content\": \"b\"}]");
    assert_eq!(Documents::open(&path, DocumentOptions::default()).unwrap().flatten().count(), 2);
    let path = folder.file("a.pdf", "x");
    let error = Documents::open(&path, DocumentOptions::default()).err().unwrap();
    assert!(error.to_string().contains("`.md`"), "{error}");
}
