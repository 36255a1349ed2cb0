//! Search quality on public test collections, and `hybridSearch` over the chapters of a book against its
//! two bare statements.
//!
//! Needs `retrieval/` and `documents/rust-book/src` in `KINDRED_TEST_DATA`; all-MiniLM-L6-v2 is measured
//! where `scripts/local-model env` was taken over.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kindred::embed::{Embedder, StaticEmbedder};
use kindred::model::text_query::TextQuery;
use kindred::model::viewer::AnonymousReads;
use kindred::model::{Filter, Kind, Scope, Space, Viewer};
use kindred::store::search::{self, Nearest, Reads};
use kindred::store::{self, Db, Options, text};
use serde_json::{Value, json};

use crate::Result;
use crate::database::{Database, Databases};
use crate::measure::{Report, fastest, median, ms_since};
use crate::program::{self, Server};

const COLLECTIONS: [&str; 3] = ["cranfield", "cisi", "adi"];
const MODES: [(&str, &str); 5] = [
    ("text", "words alone"),
    ("vectors", "meaning alone"),
    ("hybrid_reciprocal_rank", "both, reciprocal rank"),
    ("hybrid_weighted", "both, weighted"),
    ("hybrid_relative_score", "both, relative score"),
];
/// What readers of the book might ask.
const QUESTIONS: [&str; 12] = [
    "how do I borrow a value without taking ownership",
    "difference between String and string slices",
    "when does a program panic instead of returning an error",
    "sharing state between threads",
    "what is a trait object",
    "lifetimes of references in structs",
    "how to write and run tests",
    "closures that capture their environment",
    "smart pointers with interior mutability",
    "pattern matching with guards",
    "publish a crate",
    "async and futures",
];
const HYBRID: &str = "query ($text: String!) { hybridSearch(query: $text, kinds: [CHUNK]) {
    edges { score node { id title } } info { tookMs strategy } } }";
const ROUNDS: usize = 300;
const WARM_UP: usize = 48;
/// The pool of a search for ten results, and one row that tells whether there are more.
const POOL: i64 = 201;

pub(crate) async fn run(databases: &mut Databases, report: &mut Report) -> Result<()> {
    let Some(data) = std::env::var_os("KINDRED_TEST_DATA").map(PathBuf::from) else {
        println!("Skipped `retrieval`: KINDRED_TEST_DATA is not set");
        return Ok(());
    };
    quality(databases, &data).await?;
    let book = data.join("documents/rust-book/src");
    if book.is_dir() {
        let database = databases.create("book").await?;
        program::ingest_documents(&database, &book)?;
        latency(&database, "the chapters of the book", "< 10 ms", report).await?;
    }
    Ok(())
}

/// Documents for `chunks`; each becomes some five chunks.
const DOCUMENTS: usize = 20_000;

/// `hybridSearch` over 100,000 chunks.
pub(crate) async fn chunks(databases: &mut Databases, report: &mut Report) -> Result<()> {
    let Some(data) = std::env::var_os("KINDRED_TEST_DATA").map(PathBuf::from) else {
        println!("Skipped `chunks`: KINDRED_TEST_DATA is not set");
        return Ok(());
    };
    let database = databases.create("chunks").await?;
    let file = std::env::temp_dir().join(format!("kindred-chunks-{}.jsonl", std::process::id()));
    write_mixed(&sources(&data)?, &file)?;
    let started = Instant::now();
    let ingested = program::ingest_documents(&database, &file);
    std::fs::remove_file(&file)?;
    ingested?;
    report.note(
        "ingest and embedding of these chunks",
        format!("{:.0} s", started.elapsed().as_secs_f64()),
    );
    let before = index_scans(&database).await?;
    latency(&database, "many chunks", "< 25 ms at 100,000", report).await?;
    let after = index_scans(&database).await?;
    let asked = after.iter().zip(&before).map(|((name, after), (_, before))| {
        let scans = after - before;
        format!("{scans} of `{name}`")
    });
    let asked: Vec<String> = asked.collect();
    report.note("index scans of these searches and their bare statements", asked.join(", "));
    Ok(())
}

/// How often the index of words and that of vectors of chunks were asked so far.
async fn index_scans(database: &Database) -> Result<Vec<(String, i64)>> {
    let mut connection = database.connect().await?;
    // Sessions report what they did within a second.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let scans = sqlx::query_as(
        "SELECT regexp_replace(indexrelname, '_[0-9a-f]{32}', ''), idx_scan FROM pg_stat_user_indexes \
         WHERE indexrelname = 'content_search_idx' OR indexrelname LIKE 'chunk\\_embedding%hnsw\\_idx' \
         ORDER BY indexrelname",
    );
    Ok(scans.fetch_all(&mut connection).await?)
}

/// The sentences of every document of the collections and every chapter of the book.
fn sources(data: &Path) -> Result<Vec<Vec<String>>> {
    let mut texts = Vec::new();
    for chapter in std::fs::read_dir(data.join("documents/rust-book/src"))? {
        let path = chapter?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            texts.push(std::fs::read_to_string(path)?);
        }
    }
    for collection in ["cranfield", "cisi"] {
        let corpus = data.join("retrieval").join(collection).join("corpus.jsonl");
        for line in std::fs::read_to_string(corpus)?.lines() {
            let row: Value = serde_json::from_str(line)?;
            texts.push(row["text"].as_str().unwrap_or_default().to_owned());
        }
    }
    let sentences = |text: String| -> Vec<String> {
        text.split(". ").map(str::trim).filter(|part| part.len() > 20).map(str::to_owned).collect()
    };
    Ok(texts.into_iter().map(sentences).filter(|sentences| !sentences.is_empty()).collect())
}

/// Writes documents whose paragraphs are sentences of one source each, mixed anew every time. The same
/// sources make the same file.
fn write_mixed(sources: &[Vec<String>], file: &Path) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    // A linear congruential generator (Knuth's MMIX) is as mixed as this needs.
    let mut state = 1_u64;
    let mut next = |below: usize| -> usize {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    for number in 0..DOCUMENTS {
        let paragraphs: Vec<String> = (0..5)
            .map(|_| {
                let source = &sources[next(sources.len())];
                let sentences: Vec<&str> =
                    (0..7).map(|_| source[next(source.len())].as_str()).collect();
                sentences.join(". ")
            })
            .collect();
        let row = json!({ "_id": number.to_string(), "title": format!("Mixed {number}"), "text": paragraphs.join("\n\n") });
        writeln!(out, "{row}")?;
    }
    Ok(out.flush()?)
}

/// Prints the table that stands in README.md.
async fn quality(databases: &mut Databases, data: &Path) -> Result<()> {
    let folder = data.join("retrieval");
    if !folder.is_dir() {
        println!("Skipped the collections: there is no {}", folder.display());
        return Ok(());
    }
    println!("\n| collection | model | search | nDCG@10 | MAP | MRR | recall@100 |");
    println!("|---|---|---|---|---|---|---|");
    for collection in COLLECTIONS {
        let files = folder.join(collection);
        for backend in backends() {
            let database = databases.create("eval").await?;
            let report = program::eval(&database, &files, backend)?;
            print_rows(collection, &report);
        }
    }
    Ok(())
}

fn backends() -> impl Iterator<Item = &'static str> {
    let has_model =
        ["LOCAL_MODEL_DIR", "ORT_DYLIB_PATH"].iter().all(|name| std::env::var_os(name).is_some());
    if !has_model {
        println!("Skipped MiniLM: `scripts/local-model env` prints what it needs");
    }
    ["static", "local"].into_iter().take(if has_model { 2 } else { 1 })
}

fn print_rows(collection: &str, report: &Value) {
    for (mode, name) in MODES {
        let found =
            report["modes"].as_array().and_then(|modes| modes.iter().find(|m| m["mode"] == mode));
        let Some(found) = found else { continue };
        let figure = |name: &str| found[name].as_f64().unwrap_or_default();
        let (bold, default) = match found["isDefault"] == true {
            true => ("**", " (default)"),
            false => ("", ""),
        };
        println!(
            "| {collection} | {} | {name}{default} | {bold}{:.3}{bold} | {:.3} | {:.3} | {:.3} |",
            report["model"].as_str().unwrap_or_default(),
            figure("ndcg"),
            figure("map"),
            figure("mrr"),
            figure("recall"),
        );
    }
}

/// Milliseconds of a search and of its statements, in turns.
#[derive(Default)]
struct Times {
    /// Over HTTP.
    http: Vec<f64>,
    /// What the server says that it took.
    took: Vec<f64>,
    vectors: Vec<f64>,
    words: Vec<f64>,
}

/// Measures `hybridSearch` over the chunks of a database against its two bare statements.
pub(crate) async fn latency(
    database: &Database,
    what: &str,
    bar: &str,
    report: &mut Report,
) -> Result<()> {
    let server = Server::start_without_worker(database).await?;
    let bare = Bare::open(database).await?;
    let mut times = Times::default();
    for round in 0..WARM_UP + ROUNDS {
        if round == WARM_UP {
            times = Times::default();
        }
        let question = QUESTIONS[round % QUESTIONS.len()];
        // The second one finds its rows in the processor's cache.
        if round % 2 == 0 {
            times.search(&server, question).await?;
            times.bare(&bare, question).await?;
        } else {
            times.bare(&bare, question).await?;
            times.search(&server, question).await?;
        }
    }
    let ms =
        |times: &[f64]| format!("{:.2} ms (fastest tenth {:.2})", median(times), fastest(times));
    let chunks = bare.chunks().await?;
    report.figure(
        &format!("`hybridSearch` over {what} ({chunks} chunks), in the server"),
        ms(&times.took),
        bar,
    );
    report.note("the same over HTTP", ms(&times.http));
    report.note("its statement for meaning", ms(&times.vectors));
    report.note("its statement for words", ms(&times.words));
    let sums = times.vectors.iter().zip(&times.words).map(|(vectors, words)| vectors + words);
    let ratios: Vec<f64> = times.took.iter().zip(sums).map(|(took, sum)| took / sum).collect();
    report.figure(
        "`hybridSearch` in the server / the sum of both",
        format!("{:.2}", median(&ratios)),
        "≤ 1.3",
    );
    Ok(())
}

impl Times {
    async fn search(&mut self, server: &Server, question: &str) -> Result<()> {
        let started = Instant::now();
        let answer = server.execute(HYBRID, json!({ "text": question })).await?;
        self.http.push(ms_since(started));
        let took = answer.pointer("/hybridSearch/info/tookMs").and_then(Value::as_f64);
        self.took.push(took.ok_or("the answer says nothing of its time")?);
        match answer.pointer("/hybridSearch/edges").and_then(Value::as_array).map(Vec::len) {
            Some(10) => Ok(()),
            found => Err(format!("`{question}` found {found:?} chunks instead of 10").into()),
        }
    }

    async fn bare(&mut self, bare: &Bare, question: &str) -> Result<()> {
        let vector = bare.embedder.embed_query(question).await?.vector.ok_or("no known word")?;
        let terms =
            text::terms(&bare.db, bare.scope, &[Kind::Chunk], &TextQuery::parse(question)).await?;
        let filter = Filter::none();
        let started = Instant::now();
        bare.nearest(&vector, &filter).await?;
        self.vectors.push(ms_since(started));
        let started = Instant::now();
        let search = text::Match {
            kinds: &[Kind::Chunk],
            terms: &terms,
            filter: &filter,
            exclude: &[],
            limit: POOL,
            compared: None,
        };
        text::matches(&bare.db, bare.scope, &search).await?;
        self.words.push(ms_since(started));
        Ok(())
    }
}

/// The statements of the program without the program.
struct Bare {
    db: Db,
    scope: Scope,
    space: Space,
    embedder: StaticEmbedder,
    /// Whether the leaf has an index that the program asks.
    index: Option<kindred::model::space::IndexOver>,
}

impl Bare {
    async fn open(database: &Database) -> Result<Self> {
        let options = Options {
            url: database.url().into(),
            min_connections: 1,
            max_connections: 1,
            command_timeout: Duration::from_mins(1),
            server: store::Server::External,
        };
        let db = store::connect(&options).await?;
        let scope = Viewer::Anonymous.scope(AnonymousReads::On);
        let spaces = store::space::all(&db, scope).await?;
        let (space, _) = spaces.into_iter().next().ok_or("there is no space")?;
        let index = store::space::leaf_state(&db, scope, &space, Kind::Chunk, 1).await?.index;
        Ok(Self { db, scope, space, embedder: StaticEmbedder::bundled()?, index })
    }

    async fn nearest(&self, vector: &[f32], filter: &Filter) -> Result<usize> {
        let search = Nearest {
            space: &self.space,
            kind: Kind::Chunk,
            vector,
            filter,
            exclude: &[],
            limit: POOL,
            reads: Reads::Ids,
        };
        let found = match self.index {
            Some(over) => search::approximate(&self.db, self.scope, &search, over).await?,
            None => search::exact(&self.db, self.scope, &search).await?,
        };
        Ok(found.candidates.len())
    }

    async fn chunks(&self) -> Result<i64> {
        Ok(store::content::count(&self.db, self.scope, Kind::Chunk, &Filter::none()).await?)
    }
}
