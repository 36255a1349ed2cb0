//! Every setting stands in README.md and in `.env.example`, with the default of the program.

use clap::{Arg, Args, Command};
use kindred::config::Config;

use super::assert_tidy;
use super::source::read;

/// Names in `.env.example` that another program reads.
const FOREIGN: [(&str, &str); 1] =
    [("POSTGRES_PASSWORD", "the image of PostgreSQL reads it in docker compose")];

/// From this length on, the table of README.md points to `.env.example` for a default.
const LONG_DEFAULT: usize = 60;

/// A setting as the program knows it.
struct Setting {
    name: String,
    flag: String,
    default: Option<String>,
}

fn settings() -> Vec<Setting> {
    let command = Config::augment_args(Command::new("kindred"));
    command.get_arguments().map(setting).collect()
}

fn setting(argument: &Arg) -> Setting {
    let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
    Setting {
        name: argument.get_env().map(text).unwrap_or_default(),
        flag: argument.get_long().unwrap_or_default().to_owned(),
        default: argument.get_default_values().first().map(|value| text(value)),
    }
}

/// Settings whose row in a table of README.md is missing, or shows another default.
fn missing_in_readme(readme: &str, settings: &[Setting]) -> Vec<String> {
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with('|')).collect();
    let problem = |setting: &Setting| {
        let name = format!("`{}`", setting.name);
        let Some(row) = rows.iter().find(|row| row.contains(&name)) else {
            return Some(format!("README.md: the settings table has no row with {name}"));
        };
        let default = setting.default.as_ref()?;
        let shown = match default.len() {
            // A cell cannot hold a whole template.
            LONG_DEFAULT.. => "`.env.example`".to_owned(),
            _ => format!("`{default}`"),
        };
        (!row.contains(&shown))
            .then(|| format!("README.md: the row of {name} does not show {shown}"))
    };
    settings.iter().filter_map(problem).collect()
}

/// Settings without a line in `.env.example`, or with another default, and names that are no
/// setting. A setting without a default stands in a comment: `# NAME=`.
fn missing_in_example(example: &str, settings: &[Setting]) -> Vec<String> {
    let lines: Vec<(&str, &str, bool)> = example.lines().filter_map(assignment).collect();
    let problem = |setting: &Setting| {
        let name = &setting.name;
        let Some((_, value, is_comment)) = lines.iter().find(|(line, ..)| line == name) else {
            return Some(format!(".env.example: there is no line for `{name}`"));
        };
        match &setting.default {
            Some(default) if default != value => {
                Some(format!(".env.example: `{name}` is `{value}`, but its default is `{default}`"))
            }
            None if !is_comment => Some(format!(
                ".env.example: `{name}` has no default, so its line must be a comment"
            )),
            Some(_) | None => None,
        }
    };
    let unknown = lines.iter().map(|(name, ..)| *name).filter(|name| {
        settings.iter().all(|setting| setting.name != *name)
            && FOREIGN.iter().all(|(foreign, _)| foreign != name)
    });
    let unknown = unknown.map(|name| format!(".env.example: `{name}` is no setting"));
    settings.iter().filter_map(problem).chain(unknown).collect()
}

/// `NAME=value` or `# NAME=value`, the value without its quotes.
fn assignment(line: &str) -> Option<(&str, &str, bool)> {
    let plain = line.strip_prefix('#').map_or(line, str::trim_start);
    let (name, value) = plain.split_once('=')?;
    let is_name =
        |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    let value = value.trim().trim_matches(['"', '\'']);
    (!name.is_empty() && name.chars().all(is_name)).then_some((name, value, line.starts_with('#')))
}

#[test]
fn settings_have_a_flag_and_an_environment_variable() {
    for setting in settings() {
        assert!(!setting.name.is_empty(), "--{} has no environment variable", setting.flag);
        assert!(!setting.flag.is_empty(), "{} has no flag", setting.name);
    }
}

#[test]
fn settings_have_a_row_in_the_readme() {
    assert_tidy(&missing_in_readme(&read("README.md").unwrap_or_default(), &settings()));
}

#[test]
fn settings_have_a_line_in_the_example() {
    assert_tidy(&missing_in_example(&read(".env.example").unwrap_or_default(), &settings()));
}

fn planted() -> [Setting; 2] {
    [with_default("PORT", Some("8080")), with_default("DATABASE_URL", None)]
}

fn with_default(name: &str, default: Option<&str>) -> Setting {
    let default = default.map(str::to_owned);
    Setting { name: name.to_owned(), flag: String::new(), default }
}

#[test]
fn a_setting_that_the_readme_lacks_is_found() {
    let good = "| `PORT` | `8080` | Port |\n| `DATABASE_URL` | | URL |";
    assert!(missing_in_readme(good, &planted()).is_empty());
    assert_eq!(missing_in_readme("| `PORT` | `80` | Port |", &planted()).len(), 2);
    let long = [Setting { default: Some("a".repeat(LONG_DEFAULT)), ..with_default("TEXT", None) }];
    assert_eq!(missing_in_readme("| `TEXT` | a… | |", &long).len(), 1);
    assert!(missing_in_readme("| `TEXT` | see `.env.example` | |", &long).is_empty());
    assert_eq!(missing_in_readme("Set `PORT`, or `DATABASE_URL`.", &planted()).len(), 2);
}

#[test]
fn a_setting_that_the_example_lacks_is_found() {
    assert!(missing_in_example("# Port\nPORT='8080'\n# DATABASE_URL=", &planted()).is_empty());
    let bad = missing_in_example("PORT=80\nDATABASE_URL=a\nOTHER=1", &planted());
    assert_eq!(bad.len(), 3, "{bad:?}");
    assert_eq!(missing_in_example("", &planted()).len(), 2);
}
