//! The small commands, and what the command line says of itself.

use std::fs;

use serde_json::json;

use super::support::{Ended, Place, Server, ended, project, spawn};

#[test]
fn a_token_stands_alone_on_standard_output_and_the_server_accepts_it() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let query = "{ stats { database { serverVersion } } }";

    let admin = place.run(&["token", "--role", "admin"]).with_code(0);
    assert_eq!((admin.stdout.lines().count(), admin.stderr.as_str()), (1, ""));
    let answer = server.execute(admin.stdout.trim(), query, &json!({}));
    assert!(answer["data"]["stats"]["database"].is_object(), "{answer}");

    let sub = "0192f0c1-7a5e-7c3b-9d4e-2b1f0a6c8e11";
    let user = place.run(&["token", "--role", "user", "--sub", sub, "--json"]).with_code(0).json();
    assert_eq!(user["sub"], sub);
    let answer = server.execute(user["token"].as_str().unwrap(), query, &json!({}));
    assert_eq!(answer, json!({ "data": { "stats": { "database": null } } }));

    let forged = format!("{}A", admin.stdout.trim());
    let answer = server.execute(&forged, query, &json!({}));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

#[test]
fn a_token_that_would_live_too_long_is_refused() {
    let place = Place::embedded();
    for ttl in ["0s", "400d"] {
        let refused = place.run(&["token", "--role", "admin", "--ttl", ttl]).with_code(1);
        assert_eq!(refused.stdout, "");
        assert_eq!(refused.stderr, "error: `--ttl` must be above 0 and at most 366 days\n");
    }
}

#[test]
fn the_schema_is_the_committed_one() {
    let printed = Place::embedded().run(&["schema"]).with_code(0);
    assert_eq!(printed.stdout, fs::read_to_string(project("schema.graphql")).unwrap());
    assert_eq!(printed.stderr, "");
}

#[test]
fn every_command_and_every_option_says_what_it_does() {
    let place = Place::embedded();
    let (mut todo, mut seen) = (vec![Vec::new()], 0);
    while let Some(path) = todo.pop() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = place.run(&arguments).with_code(0).stdout;
        let first = help.lines().next().unwrap_or_default();
        assert!(!first.is_empty() && !first.starts_with("Usage"), "{path:?} has no description");
        let silent = silent_options(&help);
        assert!(silent.is_empty(), "{path:?}: {silent:?} have no description");
        for (name, description) in commands(&help) {
            assert!(!description.is_empty(), "{path:?} {name} has no description");
            if name != "help" {
                todo.push([path.as_slice(), &[name]].concat());
            }
        }
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} commands were found");
}

/// The lines under `Commands:`.
fn commands(help: &str) -> Vec<(String, String)> {
    let under = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = under.take_while(|line| !line.is_empty());
    lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| {
            let (name, description) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            (name.to_owned(), description.trim().to_owned())
        })
        .collect()
}

/// Options that stand alone, without a description beside or below them.
fn silent_options(help: &str) -> Vec<&str> {
    let lines: Vec<&str> = help.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_silent = |index: usize| {
        let line = lines[index];
        let below = lines.get(index + 1).copied().unwrap_or_default();
        let is_option = line.starts_with(' ') && line.trim_start().starts_with('-');
        is_option
            && indent(line) < 8
            && !line.trim_start().contains("  ")
            && (below.trim().is_empty()
                || below.trim().starts_with('[')
                || indent(below) <= indent(line))
    };
    (0..lines.len()).filter(|index| is_silent(*index)).map(|index| lines[index].trim()).collect()
}

#[test]
fn an_option_without_a_description_is_found() {
    let help =
        "Options:\n      --good\n          It is good\n  -h, --help  Print help\n      --bad\n\n";
    assert_eq!(silent_options(help), ["--bad"]);
}

#[test]
fn the_doctor_finds_nothing_wrong_in_a_good_place() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let report = place.run(&["doctor"]).with_code(0);
    let words = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = report.stdout.lines().map(words).collect();
    assert_eq!(lines, ["ok environment", "ok secret", "ok model", "ok database"], "{report:?}");

    server.stop();
    place.run(&["doctor"]).with_code(0);
}

fn doctor(place: &Place, name: &str, value: &str) -> Ended {
    ended(spawn(place.command(&["doctor", "--json"]).env(name, value)))
}

#[test]
fn the_doctor_says_what_to_do_about_a_short_secret() {
    let place = Place::embedded();
    let report = doctor(&place, "JWT_SECRET", "short").with_code(1).json();
    assert_eq!(report["ok"], false);
    let check = &report["checks"][1];
    assert_eq!((&check["check"], &check["ok"]), (&json!("secret"), &json!(false)));
    assert!(check["message"].as_str().unwrap().contains("5 bytes"), "{check}");
    assert!(check["hint"].as_str().unwrap().contains("openssl rand"), "{check}");
}

#[test]
fn the_doctor_says_what_to_do_about_a_database_that_is_not_there() {
    let place = Place::embedded();
    for url in ["postgres://nobody@127.0.0.1:1/nothing", "nonsense"] {
        let report = doctor(&place, "DATABASE_URL", url).with_code(1).json();
        let check = &report["checks"][3];
        assert_eq!((&check["check"], &check["ok"]), (&json!("database"), &json!(false)));
        assert!(check["hint"].as_str().unwrap().contains("DATABASE_URL"), "{check}");
    }
}

#[test]
fn migrate_down_asks_for_a_yes_and_then_leaves_nothing() {
    let place = Place::new();
    let file = place.file("songs.csv", "id,title\n1,Alpha\n");
    place.run(&["ingest", "songs", &file]).with_code(0);

    let refused = place.run(&["migrate", "--down"]).with_code(2);
    assert!(refused.stderr.contains("--yes"), "{refused:?}");

    place.run(&["migrate", "--down", "--yes"]).with_code(0);
    assert_eq!(place.songs(), (0, 0));
}

#[test]
fn work_leaves_the_embedded_database_alone() {
    let refused = Place::embedded().run(&["work"]).with_code(1);
    assert!(refused.stderr.starts_with("error: the embedded database belongs to one process"));
    assert!(refused.stderr.contains("hint: set `DATABASE_URL`"), "{refused:?}");
}

#[test]
fn a_data_folder_may_be_named_from_where_the_command_runs() {
    let place = Place::embedded();
    let mut command = place.command(&["stats", "--json"]);
    let ended = ended(spawn(command.env("KINDRED_DATA_DIR", "data"))).with_code(0);
    assert!(ended.json()["kinds"].is_array(), "{ended:?}");
    assert!(place.folder.join("data/postgres").exists());
}
