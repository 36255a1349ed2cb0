//! Models on the command line, without a database.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::support::Place;

fn lines(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn vector(line: &Value) -> Vec<f64> {
    let numbers = line["vector"].as_array().expect("the text has a vector").iter();
    numbers.filter_map(Value::as_f64).collect()
}

fn cosine(a: &Value, b: &Value) -> f64 {
    vector(a).iter().zip(vector(b)).map(|(a, b)| a * b).sum()
}

#[test]
fn texts_become_vectors_in_their_order_with_model_and_token_count() {
    let place = Place::embedded();
    let long = "rock ".repeat(600);
    let texts = format!("upbeat rock music\r\nlively rock songs\n\ntax law\n{long}");
    let made = place.run_with_input(&["vector", "--backend", "static"], &texts).with_code(0);
    assert_eq!(made.stderr, "");
    let made = lines(&made.stdout);
    assert_eq!(made.len(), 5);
    assert!(made.iter().all(|line| line["model"] == "kindred-static-256"));
    let tokens: Vec<_> = made.iter().map(|line| line["tokens"].as_u64().unwrap()).collect();
    assert_eq!((tokens[0], tokens[2], tokens[4]), (3, 0, 600));
    assert_eq!(made[2]["vector"], Value::Null);
    let truncated: Vec<_> = made.iter().map(|line| line["truncated"] == true).collect();
    assert_eq!(truncated, [false, false, false, false, true]);
    for index in [0, 1, 3, 4] {
        assert!((cosine(&made[index], &made[index]) - 1.0).abs() < 1e-5);
    }
    assert!(cosine(&made[0], &made[1]) > cosine(&made[0], &made[3]) + 0.3);
}

#[test]
fn a_file_of_texts_is_read_and_a_bad_line_is_named() {
    let place = Place::embedded();
    let good = place.file("texts.txt", "one\ntwo\n");
    assert_eq!(lines(&place.run(&["vector", &good]).with_code(0).stdout).len(), 2);
    let bad = place.file("bad.txt", b"fine\n\xff\xfe\n");
    let refused = place.run(&["vector", &bad]).with_code(1);
    assert_eq!(refused.stderr, format!("error: line 2 of `{bad}` is not UTF-8\n"));
    let missing = place.run(&["vector", "nowhere.txt"]).with_code(1);
    assert!(missing.stderr.starts_with("error: cannot read `nowhere.txt`"), "{missing:?}");
    let unknown = place.run_with_input(&["vector", "--model", "word2vec"], "a\n").with_code(1);
    assert!(unknown.stderr.contains("`word2vec` is not a static model"), "{unknown:?}");
}

#[test]
fn a_model_is_compared_with_people() {
    let place = Place::embedded();
    let rows = "sentence1,sentence2,score\n\
        A man is playing a guitar.,A man plays the guitar.,4.8\n\
        \"A dog, running.\",A dog runs.,4.1\n\
        A plane is landing.,A woman is slicing an onion.,0.1\n\
        A child rides a horse.,The stock market fell.,0\n";
    let file = place.file("pairs.csv", rows);
    let report = place.run(&["eval", "sts", &file, "--json"]).with_code(0).json();
    assert_eq!((&report["pairs"], &report["model"]), (&json!(4), &json!("kindred-static-256")));
    assert!(report["spearman"].as_f64().unwrap() > 0.75, "{report}");
    assert!(report["pearson"].as_f64().unwrap() > 0.75, "{report}");
    let table = place.run(&["eval", "sts", &file]).with_code(0).stdout;
    assert!(table.contains("Spearman") && table.contains("Pearson"), "{table}");

    for (rows, problem) in [
        ("a,b,1\nc,d\n", "row 2 of `-` has fewer than the columns"),
        ("a,b,1\nc,d,high\n", "row 2 of `-` has the score `high`, not a number"),
        ("a,b,1\nc,d,inf\n", "row 2 of `-` has the score `inf`, not a number"),
        ("a,b,1\n", "need at least two different scores"),
        ("", "need at least two different scores"),
    ] {
        let refused = place.run_with_input(&["eval", "sts", "-"], rows).with_code(1);
        assert!(refused.stderr.contains(problem), "{rows:?}: {refused:?}");
    }
}

#[test]
fn the_bundled_model_follows_people_on_the_sts_benchmark() {
    let folder = std::env::var_os("KINDRED_TEST_DATA").map(PathBuf::from);
    let file = folder.map(|folder| folder.join("sts/stsb-en-dev.csv")).filter(|file| file.exists());
    let Some(file) = file else {
        println!("skipped: KINDRED_TEST_DATA names no folder with sts/stsb-en-dev.csv");
        return;
    };
    let file = file.to_str().unwrap();
    let report = Place::embedded().run(&["eval", "sts", file, "--json"]).with_code(0).json();
    assert_eq!(report["pairs"], 1_500);
    assert!(report["spearman"].as_f64().unwrap() >= 0.83, "{report}");
}
