//! `kindred eval retrieval`: a collection in, figures out, and nothing left behind.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::{Ended, Place, ended, signal, spawn};

const CORPUS: &str = r#"{"_id": "ice", "title": "Glaciers", "text": "Glaciers carve valleys."}
{"_id": "bread", "title": "Bread", "text": "Sourdough rises slowly."}
{"_id": "sky", "text": "Telescopes gather starlight."}
{"_id": "title", "title": "Only a title about otters", "text": ""}
"#;
const QUERIES: &str = r#"{"_id": "1", "text": "glaciers"}
{"_id": "2", "text": "otters and \"sourdough\" -bread"}
{"_id": "3", "text": "not judged"}
"#;
/// Of the first query one answer is found and one is not there; of the second one two are found.
const QRELS: &str =
    "query-id\tcorpus-id\tscore\n1\tice\t2\n1\tgone\t1\n2\tbread\t1\n2\ttitle\t1\n9\tice\t1\n";

/// Runs the command over files with these texts.
fn eval(place: &Place, command: &[&str], texts: [&str; 3]) -> Ended {
    let [corpus, queries, qrels] = files(place, texts);
    let named = ["--corpus", &corpus, "--queries", &queries, "--qrels", &qrels];
    place.run(&[command, &named[..]].concat())
}

fn files(place: &Place, [corpus, queries, qrels]: [&str; 3]) -> [String; 3] {
    [
        place.file("corpus.jsonl", corpus),
        place.file("queries.jsonl", queries),
        place.file("qrels.tsv", qrels),
    ]
}

fn mode<'a>(report: &'a Value, name: &str) -> &'a Value {
    let modes = report["modes"].as_array().expect("the report has modes");
    modes.iter().find(|mode| mode["mode"] == name).expect("the mode is there")
}

fn assert_near(figure: &Value, expected: f64) {
    let value = figure.as_f64().expect("a figure is a number");
    assert!((value - expected).abs() < 1e-4, "{value} is not {expected}");
}

#[test]
fn figures_of_a_collection_are_what_one_computes_by_hand() {
    let place = Place::new();
    let ended = eval(&place, &["eval", "--json"], [CORPUS, QUERIES, QRELS]).with_code(0);
    let report = &ended.json()[0];
    assert_eq!((&report["backend"], &report["documents"]), (&json!("static"), &json!(4)));
    assert_eq!((&report["queries"], &report["judgments"]), (&json!(2), &json!(4)));
    assert_eq!(report["unjudgedQueries"], 1);
    assert_eq!((&report["missingDocuments"], &report["missingQueries"]), (&json!(1), &json!(1)));
    assert_eq!(report["rejected"], json!([]));
    let text = mode(report, "text");
    // 2 / (2 + 1 / log2(3)), and a perfect list.
    assert_near(&text["ndcg"], f64::midpoint(0.760_190, 1.0));
    assert_near(&text["map"], 0.75);
    assert_near(&text["mrr"], 1.0);
    assert_near(&text["recall"], 0.75);
    assert_near(&mode(report, "vectors")["recall"], 0.75);
    let default: Vec<_> =
        report["modes"].as_array().expect("the report has modes").iter().collect();
    assert_eq!(default.len(), 5);
    assert_eq!(default.iter().filter(|mode| mode["isDefault"] == true).count(), 1);
}

#[test]
fn a_table_shows_every_mode_and_what_was_left_out() {
    let place = Place::new();
    let ended = eval(&place, &["eval", "retrieval"], [CORPUS, QUERIES, QRELS]).with_code(0);
    let first = ended.stdout.lines().next().unwrap_or_default();
    assert_eq!(first, "static, kindred-static-256: 4 documents, 2 queries, 4 judgements");
    for words in
        ["nDCG@10", "text alone", "vectors alone", "hybrid, reciprocal rank", "0.8801", " *"]
    {
        assert!(ended.stdout.contains(words), "`{words}` is not in {ended:?}");
    }
    for words in
        ["1 queries have no judgement", "1 judgements name documents", "1 judgements name queries"]
    {
        assert!(ended.stderr.contains(words), "`{words}` is not in {ended:?}");
    }
}

#[test]
fn nothing_of_the_catalogue_is_touched_and_nothing_stays_behind_on_the_server() {
    if std::env::var_os("TEST_DATABASE_URL").is_none() {
        println!("skipped: it needs a PostgreSQL server, see TEST_DATABASE_URL");
        return;
    }
    let place = Place::new();
    eval(&place, &["eval"], [CORPUS, QUERIES, QRELS]).with_code(0);
    let stats = place.run(&["stats", "--json"]).with_code(0).json();
    let kinds = stats["kinds"].as_array().expect("statistics name the kinds");
    assert!(kinds.iter().all(|kind| kind["rows"] == 0), "{stats}");
    let beside = "datname LIKE current_database() || '\\_eval\\_%'";
    let left = place.rows(&format!("SELECT datname FROM pg_database WHERE {beside}"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_evaluation_that_is_stopped_leaves_nothing_behind() {
    if std::env::var_os("TEST_DATABASE_URL").is_none() {
        println!("skipped: it needs a PostgreSQL server, see TEST_DATABASE_URL");
        return;
    }
    let place = Place::new();
    let document = |number| {
        format!("{{\"_id\": \"{number}\", \"text\": \"{}\"}}\n", "ice and snow ".repeat(300))
    };
    let corpus: String = (0..3_000).map(document).collect();
    let [corpus, queries, qrels] = files(&place, [&corpus, QUERIES, "1\t1\t1\n"]);
    let arguments = ["eval", "--corpus", &corpus, "--queries", &queries, "--qrels", &qrels];
    let child = spawn(&mut place.command(&arguments));
    let beside = "datname LIKE current_database() || '\\_eval\\_%'";
    let beside = format!("SELECT datname FROM pg_database WHERE {beside}");
    let deadline = Instant::now() + Duration::from_mins(1);
    while place.rows(&beside).is_empty() {
        assert!(Instant::now() < deadline, "the evaluation made no database");
    }
    signal("TERM", child.id());
    let ended = ended(child).with_code(1);
    assert!(ended.stderr.contains("stopped"), "{ended:?}");
    assert!(place.rows(&beside).is_empty(), "{:?}", place.rows(&beside));
}

#[test]
fn an_embedded_database_is_removed_with_its_folder() {
    let place = Place::embedded();
    let temporary = place.folder.join("temporary");
    std::fs::create_dir(&temporary).expect("the folder can be written");
    let [corpus, queries, qrels] = files(&place, [CORPUS, QUERIES, QRELS]);
    let arguments = ["eval", "--corpus", &corpus, "--queries", &queries, "--qrels", &qrels];
    let mut command = place.command(&arguments);
    ended(spawn(command.env("TMPDIR", &temporary))).with_code(0);
    let left = std::fs::read_dir(&temporary).expect("the folder is there").count();
    assert_eq!(left, 0, "{temporary:?}");
    assert!(!place.folder.join("postgres").exists(), "the catalogue's own database was opened");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    let place = Place::new();
    let bad_corpus = format!("{CORPUS}{{\"title\": \"no id\"}}\n");
    let ended = eval(&place, &["eval"], [&bad_corpus, QUERIES, QRELS]).with_code(1);
    assert!(ended.stderr.contains("line 5 of") && ended.stderr.contains("_id"), "{ended:?}");
    let bad_qrels = "query-id\tcorpus-id\tscore\n1\tice\tgood\n";
    let ended = eval(&place, &["eval"], [CORPUS, QUERIES, bad_qrels]).with_code(1);
    assert!(ended.stderr.contains("line 2 of") && ended.stderr.contains("`good`"), "{ended:?}");
    let ended = eval(&place, &["eval"], [CORPUS, QUERIES, "7\tice\t1\n"]).with_code(1);
    assert!(ended.stderr.contains("no query of"), "{ended:?}");
    let nothing = ["eval", "--corpus", "nothing.jsonl", "--queries", "q", "--qrels", "r"];
    let ended = place.run(&nothing).with_code(1);
    assert!(ended.stderr.contains("cannot read `nothing.jsonl`"), "{ended:?}");
    let ended = place.run(&["eval"]).with_code(2);
    assert!(ended.stderr.contains("--corpus"), "{ended:?}");
}

#[test]
fn backends_that_cannot_be_used_are_left_out_of_all_and_refused_alone() {
    let place = Place::new();
    let nowhere =
        ["--onnx-runtime", "/nonexistent/libonnxruntime.so", "--local-model-dir", "/nonexistent"];
    let all = [&["eval", "--json", "--backend", "all"], &nowhere[..]].concat();
    let ended = eval(&place, &all, [CORPUS, QUERIES, QRELS]).with_code(0);
    assert_eq!(ended.json().as_array().map(Vec::len), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("`local`") && ended.stderr.contains("`openai`"), "{ended:?}");
    let alone = [&["eval", "--backend", "openai"], &nowhere[..]].concat();
    let ended = eval(&place, &alone, [CORPUS, QUERIES, QRELS]).with_code(1);
    assert!(ended.stderr.contains("OPENAI_API_KEY"), "{ended:?}");
}
