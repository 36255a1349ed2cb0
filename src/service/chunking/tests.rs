//! What holds for the pieces of every text.

use std::cell::Cell;
use std::fmt::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const SMALL: Chunking = Chunking { max_tokens: 20, overlap_tokens: 0 };

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn pieces(text: &str) -> Vec<(String, String)> {
    let pieces = split(text, Format::Markdown, SMALL, &words);
    pieces.into_iter().map(|piece| (piece.headings.join(" > "), piece.text)).collect()
}

fn pair(headings: &str, text: &str) -> (String, String) {
    (headings.to_owned(), text.to_owned())
}

/// Letters and digits that stand together.
fn vocabulary(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.sort();
    words.dedup();
    words
}

fn said(pieces: &[Piece]) -> Vec<String> {
    let texts = pieces.iter().flat_map(|piece| piece.headings.iter().chain([&piece.text]));
    vocabulary(&texts.map(String::as_str).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_piece_has_the_headings_above_it() {
    let text = "intro\n\n# Book\n\n## One\n\nfirst words\n\nUnder\n-----\n\nsecond words\n\n# Next\n\nlast\n";
    assert_eq!(
        pieces(text),
        [
            pair("", "intro"),
            pair("Book", "## One\n\nfirst words\n\nUnder\n-----\n\nsecond words"),
            pair("Next", "last")
        ]
    );
    let long = text.replace("first words", &"first ".repeat(15));
    assert_eq!(
        pieces(&long)[1..3],
        [pair("Book > One", "first ".repeat(15).trim_end()), pair("Book > Under", "second words"),]
    );
}

#[test]
fn a_comment_in_code_is_no_heading_and_code_stays_whole() {
    let code = format!("```sh\n# no heading\n\n{}```", "run it\n".repeat(6));
    let text = format!("# Start\n\n{}\n\n{code}\n\n{}", "before ".repeat(15), "after ".repeat(15));
    let pieces = pieces(&text);
    assert!(pieces.iter().all(|(headings, _)| headings == "Start"));
    assert_eq!(pieces.iter().filter(|(_, text)| text.contains(&code)).count(), 1, "{pieces:?}");
}

#[test]
fn outermost_sections_never_share_a_piece() {
    let text = "# One\n\na\n\n# Two\n\nb\n";
    assert_eq!(pieces(text), [pair("One", "a"), pair("Two", "b")]);
    let text = "intro\n\n## One\n\na\n\n## Two\n\nb\n";
    assert_eq!(pieces(text), [pair("", "intro"), pair("One", "a"), pair("Two", "b")]);
}

#[test]
fn a_heading_with_nothing_below_it_is_said_as_text() {
    assert_eq!(pieces("# One\n\n# Two\n"), [pair("", "# One"), pair("", "# Two")]);
    assert_eq!(pieces("# One\n\n## Two\n\n## Three\n"), [pair("One", "## Two\n\n## Three")]);
}

#[test]
fn a_piece_repeats_the_end_of_the_one_before_it() {
    let text =
        (0..100).fold(String::new(), |text, number| text + &format!("This is sentence {number}. "));
    let chunking = Chunking { max_tokens: 20, overlap_tokens: 8 };
    for format in [Format::Plain, Format::Markdown] {
        let pieces = split(&text, format, chunking, &words);
        for pair in pieces.windows(2) {
            let start = pair[1].text.split_inclusive(". ").next().unwrap().trim();
            assert!(pair[0].text.contains(start), "{pair:?}");
        }
        assert_eq!(vocabulary(&text), said(&pieces));
    }
}

#[test]
fn plain_text_has_no_headings() {
    let pieces = split("# One\n\ntext", Format::Plain, SMALL, &words);
    assert_eq!(pieces, [Piece { headings: Vec::new(), text: "# One\n\ntext".to_owned() }]);
}

#[test]
fn a_page_is_cut_at_its_headings() {
    let html = "<h1>One</h1><p>a<h1>Two</h1><script>no</script><p># b</p>";
    let pieces = split(html, Format::Html, SMALL, &words);
    let pieces: Vec<_> =
        pieces.iter().map(|piece| (piece.headings[0].as_str(), piece.text.as_str())).collect();
    assert_eq!(pieces, [("One", "a"), ("Two", "# b")]);
}

#[test]
fn texts_without_words_have_no_pieces() {
    for text in ["", " \n\u{0}\u{3000}", "---\n***\n```\n```", "#\n##", "\u{FEFF}"] {
        for format in Format::ALL {
            assert_eq!(split(text, format, SMALL, &words), [], "{text:?}");
        }
    }
    let html =
        "<title>t</title><p> <!-- c --><script>s</script><h1></h1><ul><li></ul><pre>\n</pre>";
    assert_eq!(split(html, Format::Html, SMALL, &words), []);
}

#[test]
fn comments_and_empty_anchors_are_in_no_piece_but_in_code_they_stay() {
    let text = "# One\n<!-- Old headings.\n\n# no -->\n<a id=\"one\"></a>\n\nBefore\n<!-- a --> <!-- b --> behind\n\n\
        ```html\n<!-- kept -->\n<a id=\"kept\"></a>\n```\n\n# Two\n<!-- only -->\n\n# Three\n<!-- open\nto the end\n";
    let found = pieces(text);
    let code = "```html\n<!-- kept -->\n<a id=\"kept\"></a>\n```";
    let expected = [
        pair("One", &format!("Before\n behind\n\n{code}")),
        pair("", "# Two"),
        pair("Three", "<!-- open\nto the end"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_comment_behind_other_spaces_than_ascii_is_found_where_it_stands() {
    let space = "\u{3000}".repeat(9);
    let found =
        pieces(&format!("{space}<!-- {} --> said\n\n\u{a0}<a id=\"é\"></a>\n", "é".repeat(30)));
    assert_eq!(found, [pair("", &format!("{space} said"))]);
}

/// A document of blocks that nest as they come.
fn document() -> impl Strategy<Value = String> {
    let block = prop_oneof![
        "#{1,6} [a-z]{1,8}( [a-z0-9]{1,8}){0,3}",
        "([a-zàéß]{1,9}[ .,!\n]{1,2}){1,60}",
        "[א-ת]{1,8}( [א-ת]{1,8}){0,20}",
        "- [a-z]{1,5}\n  - [a-z]{1,5}\n\n  # [a-z]{1,5}",
        "> [a-z ]{1,40}\n> > [a-z ]{1,40}",
        "```[a-z]{0,4}\n# [a-z \n]{1,80}\n```",
        "[a-z]{1,8}\n(===|---)",
        "\\|[a-z]{1,5}\\|[a-z]{1,5}\\|\n\\|---\\|---\\|\n\\|[a-z]{1,5}\\|[a-z]{1,5}\\|",
        "<div>\n[a-z]{1,9}\n</div>",
        "👩‍👩‍👧‍👦 [a-z]{1,5} \\*\\*[a-z]{1,5}\\*\\* `[a-z]{1,5}`",
        "    [a-z]{1,9}",
        "漢字仮名交じり文。[a-z]{1,4}",
    ];
    prop::collection::vec(block, 0..20).prop_map(|blocks| blocks.join("\n\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn pieces_fit_and_say_every_word(
        text in document(), max_tokens in 4_usize..60, overlap_tokens in 0_usize..20,
    ) {
        let chunking = Chunking { max_tokens, overlap_tokens };
        for format in [Format::Plain, Format::Markdown] {
            let pieces = split(&text, format, chunking, &words);
            for piece in &pieces {
                prop_assert!(words(&piece.text) <= max_tokens, "{piece:?}");
                prop_assert!(!piece.text.trim().is_empty());
            }
            prop_assert_eq!(vocabulary(&text), said(&pieces));
        }
    }

    #[test]
    fn any_text_at_all_is_cut_into_pieces_that_fit(
        text in "(\\PC|[\n\r\t #>`*\\-<&;/|=~\\[\\]()!a]|<div>|<h1>|</h1>|<pre>|\n[ \u{a0}\u{3000}]{0,3}<!--|-->|<a id=\"é\"></a>|\u{0}|\u{202e}){0,400}",
        max_tokens in 1_usize..80,
    ) {
        // Some signs are several tokens, and every text has two more, as for many models.
        let tokens = |text: &str| 2 + text.len() / 2;
        let chunking = Chunking { max_tokens, overlap_tokens: max_tokens / 4 };
        for format in Format::ALL {
            for piece in split(&text, format, chunking, &tokens) {
                let fits = tokens(&piece.text) <= max_tokens || piece.text.chars().count() == 1;
                prop_assert!(fits && !piece.text.trim().is_empty(), "{piece:?}");
                prop_assert!(piece.headings.iter().all(|heading| heading.chars().count() <= 200));
            }
            let title = title_of(&text, format);
            prop_assert!(title.is_none_or(|title| !title.trim().is_empty() && title.chars().count() <= 200));
        }
    }
}

/// Counts as a model does, and how many bytes it was asked to count.
fn counted(text: &str, format: Format) -> (Vec<Piece>, usize) {
    let bytes = Cell::new(0);
    let tokens = |text: &str| {
        bytes.set(bytes.get() + text.len() + 1);
        text.len().div_ceil(4)
    };
    let chunking = Chunking { max_tokens: 256, overlap_tokens: 32 };
    let pieces = split(text, format, chunking, &tokens);
    (pieces, bytes.get())
}

#[test]
fn hostile_texts_take_linear_time_and_few_counts() {
    // A million bytes take up to a second where programs are optimized.
    let length = if cfg!(debug_assertions) { 40_000 } else { 1_000_000 };
    let patterns = [
        "x",
        "word ",
        "> ",
        "- ",
        "* ",
        "[",
        "[^",
        "[^\n",
        "\n[^a",
        "<a [^\n",
        "a <![CDATA[",
        "[*_a",
        "a***",
        "[a](<b",
        "[ (](",
        "`a``b",
        "$a$$ ",
        "|a",
        "# a\n",
        "# a\n\nb\n\n",
        "- a\n",
        "[[a|",
        "a\n: ",
        "\"a'",
        "<div>",
        "<div>\n",
        "<b a=1>",
        "<li>",
        "<pre>",
        "<h1>",
        "<!--",
        "![",
        "\\",
        "&a",
        "1. ",
        "```\n",
        "[a]: b '\n",
        "שלום ",
        "👩‍👩‍👧‍👦",
        "ภาษาไทย",
        "漢字。",
        "\u{0}",
        "\u{202e}a",
        "    ",
        "\n",
        "  \ta",
    ];
    let nested: String = (0..600).map(|depth| "  ".repeat(depth) + "- a\n").collect();
    let deep = [
        "<div>".repeat(10_000) + "word",
        "> ".repeat(10_000) + "word",
        "- ".repeat(10_000) + "word",
    ];
    let texts = patterns
        .iter()
        .map(|pattern| pattern.repeat(length / pattern.len()))
        .chain([nested])
        .chain(deep);
    for text in texts {
        for format in Format::ALL {
            let start = Instant::now();
            let (pieces, bytes) = counted(&text, format);
            let (name, took) = (&text[..text.floor_char_boundary(12)], start.elapsed());
            assert!(bytes < 2 * text.len(), "{name:?} {format:?}: {bytes} bytes were counted");
            assert!(took < Duration::from_secs(30), "{name:?} {format:?} took {took:?}");
            assert!(pieces.iter().all(|piece| piece.text.len() <= 1_024), "{name:?} {format:?}");
        }
    }
}

#[test]
fn a_hundred_thousand_headings_become_pieces_of_many() {
    let mut text = String::new();
    for number in 0..100_000 {
        write!(text, "# entry {number}\n\nits text\n\n").unwrap();
    }
    let (pieces, _) = counted(&text, Format::Markdown);
    assert!(pieces.len() < 5_000, "{}", pieces.len());
    assert_eq!(vocabulary(&text), said(&pieces));
}

#[test]
fn the_chapters_of_a_book_lose_no_word() {
    let Ok(folder) = std::env::var("KINDRED_TEST_DATA") else {
        return;
    };
    let files = std::fs::read_dir(format!("{folder}/documents/rust-book/src")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let chapters: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(chapters.len(), 111);
    for text in &chapters {
        let (pieces, bytes) = counted(text, Format::Markdown);
        // Comments and anchors are no prose.
        let mut parts = text.split("<!--");
        let first = parts.next().unwrap_or_default();
        let behind = parts.map(|part| part.split_once("-->").map_or("", |(_, behind)| behind));
        let shown: String = [first].into_iter().chain(behind).collect();
        let lines = shown.lines().filter(|line| !line.starts_with("<a "));
        let prose = lines.collect::<Vec<_>>().join("\n").replace(['<', '>'], " ");
        assert!(pieces.iter().all(|piece| !piece.text.contains("<!-- Old")), "{pieces:?}");
        let lost: Vec<_> = {
            let said = said(&pieces);
            vocabulary(&prose)
                .into_iter()
                .filter(|word| said.binary_search(word).is_err())
                .collect()
        };
        assert!(lost.is_empty(), "{lost:?}");
        assert!(bytes < 3 * text.len(), "{bytes} of {}", text.len());
    }
}
