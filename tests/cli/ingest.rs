//! `kindred ingest`, on good files and on bad ones.

use std::fs;

use serde_json::json;

use super::support::{Place, Server};

const MIXED: &str = "track_id,track_name,track_artist,tempo,energy\n\
    1,Alpha,Ann,120,0.5\n\
    2,,Bob,100,0.2\n\
    3,Gamma,Cy,fast,0.2\n\
    4,Delta,Dee,90,7\n\
    5,Epsilon,Eve,80,0.1\n";

#[test]
fn bad_rows_are_named_and_kept_and_do_not_stop_good_ones() {
    let place = Place::new();
    let (file, rejects) = (place.file("songs.csv", MIXED), place.folder.join("rejects.csv"));
    let rejected = rejects.to_string_lossy();

    let ended = place.run(&["ingest", "songs", &file, "--rejects", &rejected]).with_code(2);
    for line in [
        "line 3: `track_name` must not be empty",
        "line 4: `tempo` must be a number, but is `fast`",
        "line 5: `energy` must be between 0 and 1, but is `7`",
    ] {
        assert!(ended.stderr.lines().any(|said| said == line), "{line}: {ended:?}");
    }
    let result = "Read 5 rows: 2 created, 0 updated, 0 unchanged, 0 merged, 3 rejected\n";
    assert_eq!(ended.stdout, result);
    let header_and_bad_rows = "track_id,track_name,track_artist,tempo,energy\n\
        2,,Bob,100,0.2\n3,Gamma,Cy,fast,0.2\n4,Delta,Dee,90,7\n";
    assert_eq!(fs::read_to_string(&rejects).unwrap(), header_and_bad_rows);
}

#[test]
fn a_file_that_was_taken_before_changes_nothing_and_embeds_nothing() {
    let place = Place::new();
    let file = place.file("songs.csv", "id,title,band\n1,Alpha,Ann\n2,Beta,Bob\n");
    let first = place.run(&["ingest", "songs", &file, "--json"]).with_code(0).json();
    assert_eq!((&first["created"], &first["failedToEmbed"]), (&json!(2), &json!(0)));

    // Nobody embeds here, so whatever is queued stays to be seen.
    let server = Server::start(&place, &["--no-worker"]);
    let take = |file: &str| {
        let target = ["--url", &server.url, "--token", &server.token];
        let arguments = ["ingest", "songs", file, "--json", "--no-wait"];
        let result = place.run(&[&arguments[..], &target[..]].concat()).with_code(0).json();
        let answer = server.execute(&server.token, "{ stats { pendingTasks } }", &json!({}));
        let count = |name: &str| result[name].as_i64().unwrap();
        let outcomes = ["created", "updated", "unchanged", "merged"].map(count);
        (outcomes, answer["data"]["stats"]["pendingTasks"].clone())
    };
    assert_eq!(take(&file), ([0, 0, 2, 0], json!(0)));
    let changed = place.file("changed.csv", "id,title,band\n1,Alpha,Ann\n2,Beta again,Bob\n");
    assert_eq!(take(&changed), ([0, 1, 1, 0], json!(1)));

    // Without an id a song is known by its title, band and album, also far from the first: more
    // songs than one request holds.
    let songs: Vec<String> = (0..300).map(|n| format!("Song {n},Ann,Album,rock")).collect();
    let songs = songs.join("\n");
    let repeated = format!("title,band,album,genre\n{songs}\nSong 0,Ann,Album,jazz\n");
    let repeated = place.file("repeated.csv", repeated);
    assert_eq!(take(&repeated), ([300, 0, 0, 1], json!(301)));
    assert_eq!(take(&repeated), ([0, 0, 300, 1], json!(301)));
}

#[test]
fn files_of_every_shape_are_taken_through_a_running_server() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let take = |name: &str, content: &[u8]| {
        place.run(&["ingest", "songs", &place.file(name, content), "--json"])
    };

    let windows = take("windows.csv", b"title;band\r\nCaf\xe9;Beyonc\xe9\r\n").with_code(0).json();
    assert_eq!((&windows["created"], &windows["encoding"]), (&json!(1), &json!("windows-1252")));
    let marked = take("marked.csv", b"\xef\xbb\xbftitle,band\nBorderline,Band\n").with_code(0);
    assert_eq!(marked.json()["columns"], json!({ "title": "title", "band": "band" }));

    let long = format!("title,band\n{},b\nSmall,Band\n", "x".repeat(10_000_000));
    let ended = take("long.csv", long.as_bytes()).with_code(2);
    assert!(ended.stderr.contains("line 2: the row is longer than 1 MiB"), "{}", ended.stderr);
    assert_eq!((&ended.json()["created"], &ended.json()["rejected"]), (&json!(1), &json!(1)));

    let open = take("open.csv", b"title,band\n\"left open,quote\nQuiet,Band\n").with_code(2);
    assert!(open.stderr.contains("line 2: a quote opened in line 2 is not closed"), "{open:?}");
    assert_eq!(open.json()["created"], 1);

    let twice = take(
        "twice.jsonl",
        b"{\"id\":\"7\",\"title\":\"Twice\"}\n{\"id\":\"7\",\"title\":\"Twice\"}",
    );
    let twice = twice.with_code(0).json();
    assert_eq!((&twice["created"], &twice["merged"]), (&json!(1), &json!(1)));

    let query =
        "{ songs(first: 50, orderBy: { field: TITLE, direction: ASC }) { nodes { title band } } }";
    let answer = server.execute(&server.token, query, &json!({}));
    let nodes = answer["data"]["songs"]["nodes"].as_array().cloned().unwrap_or_default();
    let titles: Vec<&str> = nodes.iter().filter_map(|node| node["title"].as_str()).collect();
    assert_eq!(titles, ["Borderline", "Café", "Quiet", "Small", "Twice"], "{answer}");
    assert_eq!(nodes[1]["band"], "Beyoncé");
}

#[test]
fn standard_input_and_other_names_of_columns_are_read() {
    let place = Place::new();
    let songs = "label,singer,beats\nAlpha,Ann,120\n";
    let arguments =
        ["ingest", "songs", "-", "--map", "title=label,band=singer,tempo=beats", "--json"];
    let result = place.run_with_input(&arguments, songs).with_code(0).json();
    assert_eq!(result["created"], 1);
    assert_eq!(result["columns"], json!({ "title": "label", "band": "singer", "tempo": "beats" }));
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_its_reason() {
    let place = Place::embedded();
    let cases: [(&str, &[&str], &str); 7] = [
        ("a,b\n1,2\n", &[], "error: no column gives `title`; columns are `a`, `b`"),
        ("title,band\n", &[], "error: there are no rows: the file has a header and nothing else"),
        ("", &[], "error: there are no rows: the file is empty"),
        ("title\na\n", &["--map", "title"], "error: `--map` has `title`, which is not of the form"),
        ("title\na\n", &["--map", "band=singer"], "error: `band` is mapped to the column `singer`"),
        ("title\na\n", &["--map", "bandd=title"], "error: `bandd` is not a field; fields are"),
        ("title\na\n", &["--encoding", "utf-9"], "error: `utf-9` is no encoding"),
    ];
    for (content, arguments, reason) in cases {
        let file = place.file("songs.csv", content);
        let arguments = [&["ingest", "songs", file.as_str()], arguments].concat();
        let ended = place.run(&arguments).with_code(1);
        assert!(ended.stderr.starts_with(reason), "{ended:?}");
        assert_eq!(ended.stdout, "");
    }
    let ended = place.run(&["ingest", "songs", "nowhere.csv"]).with_code(1);
    assert!(ended.stderr.starts_with("error: cannot read `nowhere.csv`: "), "{ended:?}");
    assert!(!place.folder.join("postgres").exists(), "no database was started for that");
}
