//! Who may use whom: the direction of dependencies, and where each library is known.

use super::source::{self, code, is_name, line_of, words};
use super::{assert_tidy, violations};

/// Each module of `src` with the modules it may use, from the bottom to the top.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("tls", &[]),
    ("embed", &["model", "tls"]),
    ("rank", &["model"]),
    ("auth", &["model"]),
    ("store", &["model"]),
    ("service", &["store", "embed", "rank", "auth", "model"]),
    ("graphql", &["service", "model"]),
    ("http", &["graphql", "service", "auth", "model"]),
    // Stands beside `graphql`: it takes from the queue, asks the model, and writes the vectors.
    ("worker", &["service", "store", "embed", "model"]),
    // Settings name the closed sets that they choose from.
    ("config", &["embed", "model"]),
    // The data folder keeps the generated secret.
    ("dev", &["auth", "model"]),
    // Wires everything, so it knows everything below the commands.
    (
        "app",
        &[
            "auth", "config", "dev", "embed", "graphql", "http", "model", "rank", "service",
            "store", "worker",
        ],
    ),
    // Commands go through `app`; `doctor`, `migrate` and `token` look at one layer alone.
    (
        "cli",
        &[
            "app", "auth", "config", "dev", "embed", "graphql", "model", "service", "store", "tls",
            "worker",
        ],
    ),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// A library and the only places that may name it.
struct Library {
    names: &'static [&'static str],
    homes: &'static [&'static str],
    /// Files outside of the homes, with the reason.
    exceptions: &'static [(&'static str, &'static str)],
}

const LIBRARIES: &[Library] = &[
    Library {
        names: &["sea_orm", "sqlx", "pgvector", "entity"],
        homes: &["src/store/"],
        exceptions: &[],
    },
    Library { names: &["migration"], homes: &["src/store/connect.rs"], exceptions: &[] },
    Library {
        names: &["async_graphql"],
        homes: &["src/graphql/"],
        exceptions: &[
            ("src/http/graphql.rs", "hands requests to the schema and takes its answers"),
            ("src/app/mod.rs", "runs requests of this very process"),
        ],
    },
    Library { names: &["async_graphql_axum"], homes: &["src/http/"], exceptions: &[] },
    Library {
        names: &["axum", "tower", "tower_http"],
        homes: &["src/http/"],
        exceptions: &[
            ("src/app/mod.rs", "starts the server with `axum::serve`"),
            ("src/embed/openai/client.rs", "async-openai takes its HTTP client as a service"),
        ],
    },
    Library { names: &["rustls"], homes: &["src/tls.rs"], exceptions: &[] },
    Library { names: &["jsonwebtoken"], homes: &["src/auth/"], exceptions: &[] },
    Library {
        names: &[
            "model2vec_rs",
            "fastembed",
            "ort",
            "tokenizers",
            "tokenizers_onnx",
            "async_openai",
            "tiktoken_rs",
            "quick_cache",
        ],
        homes: &["src/embed/"],
        exceptions: &[],
    },
    Library { names: &["pglite_oxide"], homes: &["src/dev/"], exceptions: &[] },
    Library { names: &["reqwest"], homes: &["src/cli/", "src/embed/openai"], exceptions: &[] },
    Library {
        names: &["text_splitter", "pulldown_cmark", "html5gum"],
        homes: &["src/service/chunking/"],
        exceptions: &[],
    },
    Library { names: &["indicatif"], homes: &["src/cli/"], exceptions: &[] },
];

/// Modules use only the layers below them.
fn direction(path: &str, text: &str) -> Vec<String> {
    let module = module(path);
    let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{path}: `{module}` has no line in LAYERS of tests/tidy/layers.rs")];
    };
    let used = used_modules(path, text).into_iter();
    let upward = used.filter(|(_, used)| used != module && !below.contains(&used.as_str()));
    upward
        .map(|(line, used)| {
            format!("{path}:{line}: `{module}` may not use `{used}`; it may use {below:?}")
        })
        .collect()
}

/// `store` of `src/store/text.rs`, `app` of `src/app.rs`.
fn module(path: &str) -> &str {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    inside.split_once('/').map_or(inside, |(module, _)| module)
}

/// The modules of the crate that a file names, with their lines.
fn used_modules(path: &str, text: &str) -> Vec<(usize, String)> {
    let bare = code(text).bare;
    let mut used = Vec::new();
    for root in ["crate", "kindred"] {
        for at in words(&bare, root) {
            if let Some(rest) = bare[at + root.len()..].strip_prefix("::") {
                let names = first_names(rest);
                used.extend(names.into_iter().map(|name| (line_of(&bare, at), name)));
            }
        }
    }
    for (at, _) in bare.match_indices("super::").filter(|(at, _)| !bare[..*at].ends_with("super::"))
    {
        let mut rest = &bare[at..];
        let mut steps = 0;
        while let Some(shorter) = rest.strip_prefix("super::") {
            (rest, steps) = (shorter, steps + 1);
        }
        if steps >= depth(path) + usize::from(bare[..at].contains("mod tests {")) {
            let names = first_names(rest);
            used.extend(names.into_iter().map(|name| (line_of(&bare, at), name)));
        }
    }
    used
}

/// How many `super` lead from a file to the root of the crate.
fn depth(path: &str) -> usize {
    path.trim_end_matches("/mod.rs").matches('/').count()
}

/// `a` of `a::b`, `a` and `c` of `{a::b, c}`.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().bytes().take_while(|byte| is_name(*byte)).map(char::from).collect()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut names, mut nesting) = (vec![name(group)], 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => nesting += 1,
            '}' if nesting == 0 => break,
            '}' => nesting -= 1,
            ',' if nesting == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Libraries are named only where they are at home.
fn libraries(path: &str, text: &str) -> Vec<String> {
    let at_home = |library: &&Library| {
        library.homes.iter().any(|home| path.starts_with(home))
            || library.exceptions.iter().any(|(exception, _)| *exception == path)
    };
    let foreign = LIBRARIES.iter().filter(|library| !at_home(library));
    foreign.flat_map(|library| named(path, text, library)).collect()
}

fn named(path: &str, text: &str, library: &Library) -> Vec<String> {
    let bare = code(text).bare;
    let mut found = Vec::new();
    for name in library.names {
        for at in words(&bare, name) {
            let is_path = bare[at + name.len()..].starts_with("::") && !bare[..at].ends_with("::");
            if is_path || bare[..at].ends_with("use ") {
                let line = line_of(&bare, at);
                let homes = library.homes.join(", ");
                found.push(format!("{path}:{line}: only {homes} may name `{name}`"));
            }
        }
    }
    found
}

/// Migrations say how the tables came to be, entities what they are today; neither needs the other.
fn independence(path: &str, text: &str) -> Vec<String> {
    let forbidden: &[&str] = match path.split('/').next() {
        Some("migration") => &["entity", "kindred"],
        Some("entity") => &["migration", "kindred"],
        Some(_) | None => &[],
    };
    let found = forbidden.iter().filter(|name| {
        words(text, name).any(|at| match path.ends_with("Cargo.toml") {
            true => text[..at].ends_with('\n') && text[at + name.len()..].starts_with([' ', '.']),
            false => text[at + name.len()..].starts_with("::") && !text[..at].ends_with("::"),
        })
    });
    found.map(|name| format!("{path}: may not use `{name}`")).collect()
}

#[test]
fn modules_use_only_the_layers_below_them() {
    assert_tidy(&violations(&source::rust("src"), direction));
}

#[test]
fn libraries_are_named_only_where_they_are_at_home() {
    assert_tidy(&violations(&source::rust("src"), libraries));
}

#[test]
fn migrations_and_entities_do_not_know_each_other() {
    assert_tidy(&violations(&source::files("migration"), independence));
    assert_tidy(&violations(&source::files("entity"), independence));
}

#[test]
fn no_exception_for_a_library_is_left_over() {
    for library in LIBRARIES {
        for (path, reason) in library.exceptions {
            let text = source::read(path).unwrap_or_default();
            let is_needed = !named(path, &text, library).is_empty();
            assert!(is_needed, "{path} does not name {:?} any more ({reason})", library.names);
        }
    }
}

#[test]
fn a_use_of_an_upper_layer_is_found() {
    let graphql = "src/graphql/object/stats.rs";
    assert!(direction(graphql, "use crate::model::Kind;\nuse crate::service::Error;").is_empty());
    assert_eq!(
        direction(graphql, "use crate::model::Kind;\nuse crate::store::task::Failed;"),
        [
            "src/graphql/object/stats.rs:2: `graphql` may not use `store`; it may use [\"service\", \"model\"]"
        ]
    );
    assert_eq!(direction("src/model/kind.rs", "use crate::{embed, store::{task, text}};").len(), 2);
    assert_eq!(
        direction("src/store/text.rs", "fn f() { super::super::service::start(); }").len(),
        1
    );
    assert_eq!(direction("src/rank/mod.rs", "use super::store;").len(), 1);
    assert_eq!(direction("src/rank/mod.rs", "mod tests { use super::fuse; }").len(), 0);
    assert_eq!(direction("src/news/mod.rs", "").len(), 1);
    assert!(
        direction("src/model/kind.rs", "//! See crate::store.\nlet a = \"crate::store\";")
            .is_empty()
    );
}

#[test]
fn a_library_away_from_home_is_found() {
    assert_eq!(
        libraries("src/worker/mod.rs", "use pgvector::Vector;"),
        ["src/worker/mod.rs:1: only src/store/ may name `pgvector`"]
    );
    assert_eq!(libraries("src/service/mod.rs", "fn f(e: entity::song::Model) {}").len(), 1);
    assert_eq!(libraries("src/service/mod.rs", "use async_graphql;").len(), 1);
    assert_eq!(libraries("src/graphql/mod.rs", "use axum::Router;").len(), 1);
    assert!(libraries("src/store/task.rs", "use pgvector::Vector;").is_empty());
    assert!(libraries("src/app/mod.rs", "axum::serve(listener, router)").is_empty());
    assert!(libraries("src/service/mod.rs", "let entity = model::entity::x;").is_empty());
}

#[test]
fn a_migration_that_imports_entities_is_found() {
    assert_eq!(independence("migration/src/lib.rs", "use entity::song;").len(), 1);
    assert_eq!(independence("migration/Cargo.toml", "[dependencies]\nentity = \"1\"").len(), 1);
    assert_eq!(
        independence("entity/Cargo.toml", "[dependencies]\nmigration.path = \"..\"").len(),
        1
    );
    assert!(independence("entity/src/song.rs", "use sea_orm::entity::prelude::*;").is_empty());
}
