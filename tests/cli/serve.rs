//! One process per folder, and how a server ends.

use std::io::Write;
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::json;

use super::support::{Place, Server, ended, signal, spawn};

#[test]
fn a_second_server_on_a_folder_is_told_who_has_it() {
    let place = Place::embedded();
    let first = Server::start(&place, &[]);
    let second = place.run(&["serve"]).with_code(1);
    let taken = format!(
        "error: the data folder `{}` is taken: process {} serves it at {}\n",
        place.folder.display(),
        first.id(),
        first.url
    );
    assert!(second.stderr.starts_with(&taken), "{second:?}");
    assert!(second.stderr.contains("hint: "), "{second:?}");
    assert_eq!((second.stdout.as_str(), first.get("/health/ready")), ("", 200));
}

#[test]
fn commands_go_through_the_server_that_has_the_folder() {
    let place = Place::embedded();
    let server = Server::start(&place, &[]);
    let file = place.file("songs.csv", "id,title\n1,Alpha\n2,Beta\n");
    let result = place.run(&["ingest", "songs", &file, "--json"]).with_code(0).json();
    assert_eq!((&result["created"], &result["failedToEmbed"]), (&json!(2), &json!(0)));
    assert_eq!(place.songs(), (2, 2));
    let missing = place.run(&["embed", "--json"]).with_code(0).json();
    assert_eq!(missing, json!({ "queued": 0, "failed": 0 }));

    let refused = place.run(&["migrate", "--down", "--yes"]).with_code(1);
    assert!(refused.stderr.contains("a server uses the embedded database"), "{refused:?}");
    server.stop();
    assert_eq!(place.songs(), (2, 2), "what went through the server is in the folder");
}

#[test]
fn commands_that_open_a_folder_at_once_take_turns_or_say_who_has_it() {
    let place = Place::embedded();
    let files: Vec<String> = (0..4)
        .map(|n| {
            place.file(&format!("{n}.csv"), format!("id,title\na{n},Alpha {n}\nb{n},Beta {n}\n"))
        })
        .collect();
    let children: Vec<Child> = files
        .iter()
        .map(|file| spawn(&mut place.command(&["ingest", "songs", file, "--json"])))
        .collect();
    let mut written = 0;
    for child in children {
        let ended = ended(child);
        match ended.code {
            Some(0) => written += ended.json()["created"].as_i64().unwrap(),
            _ => {
                let sentence =
                    format!("error: the data folder `{}` is used", place.folder.display());
                assert!(ended.stderr.starts_with(&sentence), "{ended:?}");
            }
        }
    }
    assert!(written >= 2, "one of them has the folder");
    assert_eq!(place.songs(), (written, written));
}

#[test]
fn a_server_that_is_asked_to_end_does_so_within_ten_seconds() {
    let place = Place::new();
    let mut server = Server::start(&place, &[]);
    let address = server.url.trim_start_matches("http://").to_owned();
    // A client that keeps its connection open without a word must not keep the server.
    let mut idle = TcpStream::connect(&address).unwrap();
    idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: kindred\r\n\r\n").unwrap();
    assert_eq!(server.get("/health/live"), 200);

    let asked = Instant::now();
    signal("TERM", server.id());
    assert_eq!(server.wait(Duration::from_secs(10)), Some(0), "after {:?}", asked.elapsed());
    assert!(TcpStream::connect(&address).is_err(), "nobody listens any more");
    assert!(!place.folder.join("server.json").exists(), "the folder does not name a server");
}
