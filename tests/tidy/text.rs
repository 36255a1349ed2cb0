//! What no text of the project holds: files that are too long, promises, paths of a machine.

use super::source;
use super::{assert_tidy, violations};

const MAX_LINES: usize = 400;

/// Put together here, so that this file does not find itself.
const PROMISES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("C:", "\\"),
];

/// There are no exceptions: a file that is longer has two subjects.
fn length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines <= MAX_LINES {
        return Vec::new();
    }
    vec![format!("{path}: has {lines} lines; split it at {MAX_LINES}")]
}

fn promises(path: &str, text: &str) -> Vec<String> {
    lines_with(text, |line| PROMISES.iter().any(|word| source::words(line, word).next().is_some()))
        .map(|line| format!("{path}:{line}: do it, or write an issue"))
        .collect()
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let is_path = |line: &str| {
        MACHINE_PATHS.iter().any(|start| {
            line.match_indices(start).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                // `https://example.com/home/` and `$HOME/work/` are no paths of a machine.
                before.is_none_or(|before| !before.is_alphanumeric() && !"/}$._-".contains(before))
            })
        })
    };
    lines_with(text, is_path)
        .map(|line| format!("{path}:{line}: names a path of a machine"))
        .collect()
}

fn lines_with(text: &str, is_bad: impl Fn(&str) -> bool) -> impl Iterator<Item = usize> {
    text.lines().enumerate().filter(move |(_, line)| is_bad(line)).map(|(index, _)| index + 1)
}

/// What people of the project wrote: no lock files.
fn written() -> Vec<source::File> {
    let made = ["Cargo.lock", "package-lock.json", "tokenizer.json"];
    let is_written = |file: &source::File| !made.iter().any(|name| file.path.ends_with(name));
    source::files("").into_iter().filter(is_written).collect()
}

#[test]
fn no_file_is_too_long() {
    assert_tidy(&violations(&source::files("src"), length));
}

#[test]
fn nothing_is_promised_in_a_comment() {
    assert_tidy(&violations(&written(), promises));
}

#[test]
fn no_text_names_a_path_of_a_machine() {
    assert_tidy(&violations(&written(), machine_paths));
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(length("src/store/song.rs", &"a\n".repeat(401)).len(), 1);
    assert!(length("src/store/song.rs", &"a\n".repeat(400)).is_empty());
}

#[test]
fn a_promise_is_found() {
    let bad = format!("fn f() {{}}\n// {}: later", PROMISES[0]);
    assert_eq!(promises("a.rs", &bad), ["a.rs:2: do it, or write an issue"]);
    assert!(promises("a.rs", "let todos = mastodon;").is_empty());
}

#[test]
fn a_path_of_a_machine_is_found() {
    for start in MACHINE_PATHS {
        let bad = format!("read(\"{start}me/data\")");
        assert_eq!(machine_paths("a.rs", &bad).len(), 1, "{bad}");
    }
    assert!(machine_paths("a.md", "https://example.com/home/ and $HOME/work/").is_empty());
}
