//! Reads the project's files and takes Rust apart as far as the rules need it.

use std::fs;
use std::path::Path;

/// A text file, by its path from the project's root.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Folders of things that were made elsewhere.
const FOREIGN: [&str; 3] = ["target", "node_modules", ".git"];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file that may not be there.
pub(crate) fn read(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

/// Every text file below a folder, in order; `""` is the whole project.
pub(crate) fn files(folder: &str) -> Vec<File> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// As [`files`], Rust alone.
pub(crate) fn rust(folder: &str) -> Vec<File> {
    let is_rust = |file: &File| Path::new(&file.path).extension().is_some_and(|end| end == "rs");
    files(folder).into_iter().filter(is_rust).collect()
}

fn collect(folder: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !FOREIGN.iter().any(|name| path.ends_with(name)) {
                collect(&path, found);
            }
        } else if let (Ok(text), Ok(inside)) =
            (fs::read_to_string(&path), path.strip_prefix(root()))
        {
            let path = inside.to_string_lossy().replace('\\', "/");
            found.push(File { path, text });
        }
    }
}

/// Rust without its comments. What is left out is blank, so that every byte stays in its place.
pub(crate) struct Code {
    /// With strings.
    pub(crate) plain: String,
    /// Without what stands in strings and character literals.
    pub(crate) bare: String,
}

pub(crate) fn code(text: &str) -> Code {
    let (mut plain, mut bare) = (text.as_bytes().to_vec(), text.as_bytes().to_vec());
    let mut at = 0;
    while at < text.len() {
        let (length, what) = token(text.as_bytes(), at);
        if what != Token::Code {
            blank(&mut bare[at..at + length]);
        }
        if what == Token::Comment {
            blank(&mut plain[at..at + length]);
        }
        at += length;
    }
    let text = |bytes| String::from_utf8(bytes).expect("whole tokens are blanked");
    Code { plain: text(plain), bare: text(bare) }
}

#[derive(PartialEq, Eq)]
enum Token {
    Code,
    Comment,
    Literal,
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

/// How long the token at a place is; code goes byte by byte.
fn token(bytes: &[u8], at: usize) -> (usize, Token) {
    let rest = &bytes[at..];
    let is_start = at == 0 || !is_name(bytes[at - 1]);
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        return (length, Token::Comment);
    }
    if rest.starts_with(b"/*") {
        return (through(rest, 2, b"*/"), Token::Comment);
    }
    if rest[0] == b'"' {
        return (quoted(rest, b'"'), Token::Literal);
    }
    if rest[0] == b'r' && is_start {
        let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(1 + hashes) == Some(&b'"') {
            let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            return (through(rest, 2 + hashes, &end), Token::Literal);
        }
    }
    if rest[0] == b'\'' && is_character(rest) {
        return (quoted(rest, b'\''), Token::Literal);
    }
    (1, Token::Code)
}

pub(crate) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Tells a character literal from a lifetime.
fn is_character(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(_) => rest
            .iter()
            .skip(2)
            .take(4)
            .position(|byte| *byte == b'\'')
            .is_some_and(|end| end == 0 || rest[1..2 + end].iter().all(|byte| !byte.is_ascii())),
        None => false,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn through(rest: &[u8], from: usize, end: &[u8]) -> usize {
    let found = rest[from..].windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |found| from + found + end.len())
}

/// The places where a name stands as a whole word.
pub(crate) fn words<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = text.as_bytes();
    text.match_indices(name).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).is_none_or(|before| !is_name(bytes[before]));
        before && bytes.get(at + name.len()).is_none_or(|after| !is_name(*after))
    })
}

pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// A function with its strings and without its comments.
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) line: usize,
    /// From its visibility to its opening brace.
    pub(crate) signature: &'a str,
    pub(crate) body: &'a str,
}

pub(crate) fn functions(code: &Code) -> Vec<Function<'_>> {
    words(&code.bare, "fn").filter_map(|at| function(code, at)).collect()
}

fn function(Code { plain, bare }: &Code, at: usize) -> Option<Function<'_>> {
    let name_at = at + 3;
    let name_end =
        bare[name_at..].find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    let open = at + bare[at..].find(['{', ';'])?;
    if bare.as_bytes()[open] == b';' {
        return None;
    }
    let mut depth = 0_usize;
    let close = bare[open..].char_indices().find(|(_, letter)| {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    let start = bare[..at].rfind('\n').map_or(0, |line| line + 1);
    Some(Function {
        name: &plain[name_at..name_at + name_end],
        line: line_of(bare, at),
        signature: plain[start..open].trim(),
        body: &plain[open..=open + close.0],
    })
}

#[test]
fn comments_and_strings_are_told_from_code() {
    let text =
        "let a = \"// no\"; // yes\nlet b = '\"'; /* c */ let r = r#\"d\"e\"#; fn f<'a>() {}";
    let code = code(text);
    assert_eq!(code.plain.len(), text.len());
    assert!(code.plain.contains("// no") && !code.plain.contains("yes"));
    let words: Vec<&str> = code.bare.split_whitespace().collect();
    assert_eq!(words.join(" "), "let a = ; let b = ; let r = ; fn f<'a>() {}");
}

#[test]
fn functions_are_found_with_their_signatures_and_bodies() {
    let code = code(
        "pub async fn a(db: &Db) -> R<()> { x(\"{\") }\n\ntrait T { fn b(&self); }\nfn c() {}",
    );
    let found: Vec<_> = functions(&code).iter().map(|f| (f.name, f.line, f.body)).collect();
    assert_eq!(found, [("a", 1, "{ x(\"{\") }"), ("c", 4, "{}")]);
    assert_eq!(functions(&code)[0].signature, "pub async fn a(db: &Db) -> R<()>");
}
