//! The rules of ARCHITECTURE.md over the text of the project.
//!
//! A rule is a function from a path and a text to what is wrong with it; next to it stand the
//! written exceptions with their reasons, and a test that shows the rule to fail on a bad text.

#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/schema.rs"]
mod schema;
#[path = "tidy/settings.rs"]
mod settings;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/store.rs"]
mod store;
#[path = "tidy/text.rs"]
mod text;

/// Fails with everything that a rule finds, one violation a line.
#[track_caller]
fn assert_tidy(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// Runs a rule over files.
fn violations(files: &[source::File], rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    files.iter().flat_map(|file| rule(&file.path, &file.text)).collect()
}
