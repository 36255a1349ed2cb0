//! `kindred ingest documents`, on folders and files, good ones and bad ones.

use std::fs;

use serde_json::{Value, json};

use super::support::{Place, Server};

const GUIDE: &str = "---\ntitle: The guide\ntags: [start, help]\nlang: en\n---\n\
    # Guide\n\nHow to begin.\n\n## Kettles\n\nA kettle boils water for tea.\n";

/// A folder with a document of every kind, and what is none.
fn folder(place: &Place) -> String {
    let folder = place.folder.join("docs");
    fs::create_dir_all(folder.join("deep/.hidden")).expect("the folder can be made");
    let file = |name: &str, content: &[u8]| {
        fs::write(folder.join(name), content).expect("the folder can be written");
    };
    file("guide.md", GUIDE.as_bytes());
    file(
        "deep/page.html",
        b"<title>Page</title><h1>Of bees</h1><p>Bees make honey.<script>var x</script>",
    );
    file("deep/note.txt", b"A caf\xe9 serves coffee.");
    file(
        "rows.jsonl",
        b"{\"id\":\"a\",\"title\":\"Row\",\"text\":\"Foxes hunt mice.\"}\n{\"text\":\"\"}\n",
    );
    file("deep/.hidden/secret.md", b"secret");
    file("picture.png", b"\x89PNG");
    file("empty.md", b"");
    file("binary.txt", b"\0\x01\x02\x03");
    folder.to_string_lossy().into_owned()
}

fn counts(result: &Value) -> [i64; 5] {
    ["read", "created", "updated", "unchanged", "rejected"]
        .map(|name| result[name].as_i64().unwrap_or(-1))
}

#[test]
fn a_folder_is_taken_and_bad_files_are_named_with_their_reasons() {
    let place = Place::new();
    let folder = folder(&place);
    let rejects = place.folder.join("rejects.jsonl");
    let arguments = ["ingest", "documents", &folder, "--rejects", &rejects.to_string_lossy()];
    let ended = place.run(&arguments).with_code(2);
    for line in [
        "binary.txt: holds binary data, no text",
        "empty.md: is empty",
        "rows.jsonl line 2: `text` must not be empty",
        "Left out 1 files that are no documents by their names",
    ] {
        assert!(ended.stderr.lines().any(|said| said == line), "{line}: {ended:?}");
    }
    let result = "Read 7 documents: 4 created, 0 updated, 0 unchanged, 0 merged, 3 rejected\n";
    assert_eq!(ended.stdout, result);
    let kept = fs::read_to_string(&rejects).unwrap();
    let kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        kept,
        [
            json!({ "file": "binary.txt", "reason": "holds binary data, no text" }),
            json!({ "file": "empty.md", "reason": "is empty" }),
            json!({ "text": "" }),
        ]
    );

    // Once more: nothing changes; one changed file is one changed document.
    let again = place.run(&["ingest", "documents", &folder, "--json"]).with_code(2).json();
    assert_eq!(counts(&again), [7, 0, 0, 4, 3]);
    assert_eq!((&again["files"], &again["skippedFiles"]), (&json!(6), &json!(1)));
    fs::write(place.folder.join("docs/guide.md"), GUIDE.replace("tea", "coffee")).unwrap();
    let changed = place.run(&["ingest", "documents", &folder, "--json"]).with_code(2).json();
    assert_eq!((counts(&changed), &changed["failedToEmbed"]), ([7, 0, 1, 3, 3], &json!(0)));
}

#[test]
fn documents_of_a_running_server_are_found_by_their_parts() {
    let place = Place::new();
    let folder = folder(&place);
    let server = Server::start(&place, &[]);
    place.run(&["ingest", "documents", &folder, "--language", "de"]).with_code(2);
    let query =
        "{ documents(first: 10) { nodes { title externalId tags language format chunkCount } }
        hybridSearch(query: \"kettle for boiling water\", first: 1) { nodes { ... on Chunk {
            headings body document { title } } } } }";
    let answer = server.execute(&server.token, query, &json!({}));
    let documents = answer["data"]["documents"]["nodes"].as_array().cloned().unwrap_or_default();
    let by_id = |id: &str| documents.iter().find(|node| node["externalId"] == id).cloned().unwrap();
    let guide = by_id("guide.md");
    assert_eq!((&guide["title"], &guide["tags"]), (&json!("The guide"), &json!(["start", "help"])));
    assert_eq!((&guide["language"], &guide["format"]), (&json!("english"), &json!("MARKDOWN")));
    assert_eq!((&by_id("a")["title"], &by_id("a")["language"]), (&json!("Row"), &json!("german")));
    assert_eq!(by_id("deep/page.html")["format"], "HTML");
    let chunk = &answer["data"]["hybridSearch"]["nodes"][0];
    assert_eq!(chunk["document"]["title"], "The guide", "{answer}");
    assert!(chunk["body"].as_str().unwrap().contains("kettle"), "{chunk}");

    // What a server cannot read in one request is refused before it is sent.
    let long = place.file("long.txt", "漢字 ".repeat(330_000));
    let target = ["--url", &server.url, "--token", &server.token];
    let ended = place.run(&[&["ingest", "documents", &long][..], &target].concat()).with_code(2);
    assert!(ended.stderr.contains("; a server takes 2087152, so cut it"), "{ended:?}");
}

#[test]
fn what_cannot_be_taken_at_all_is_refused_with_its_reason() {
    let place = Place::embedded();
    let pdf = place.file("a.pdf", "x");
    let text = place.file("a.txt", "x");
    fs::create_dir_all(place.folder.join("nothing")).unwrap();
    let cases: [(&[&str], &str); 6] = [
        (&["nowhere"], "error: cannot read `nowhere`: "),
        (
            &["nothing"],
            "error: there are no documents in `nothing`; 0 files of other kinds were left out",
        ),
        (&[&pdf], "error: the file is none of `.md`, `.markdown`, `.txt`"),
        (
            &[&text, "--language", "klingon"],
            "error: `klingon` is no language; languages are english, ",
        ),
        (&[&text, "--encoding", "utf-9"], "error: `utf-9` is no encoding"),
        (
            &[&text, "--map", "title"],
            "error: `--map` has `title`, which is not of the form `field=column`",
        ),
    ];
    for (arguments, reason) in cases {
        let ended = place.run(&[&["ingest", "documents"], arguments].concat()).with_code(1);
        assert!(ended.stderr.starts_with(reason), "{ended:?}");
        assert_eq!(ended.stdout, "");
    }
    assert!(!place.folder.join("postgres").exists(), "no database was started for that");
}

#[test]
fn the_chapters_of_a_book_are_taken_and_found() {
    let Ok(data) = std::env::var("KINDRED_TEST_DATA") else {
        return;
    };
    let place = Place::new();
    let folder = format!("{data}/documents/rust-book/src");
    let result = place.run(&["ingest", "documents", &folder, "--json"]).json();
    assert_eq!(counts(&result), [111, 111, 0, 0, 0], "{result}");
    assert_eq!(result["failedToEmbed"], 0);
    let again = place.run(&["ingest", "documents", &folder, "--json"]).with_code(0).json();
    assert_eq!(counts(&again), [111, 0, 0, 111, 0]);
}
