//! `recommend` over HTTP against the same search in bare SQL, in turns, and many clients at once.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use crate::Result;
use crate::catalogue::Catalogue;
use crate::measure::{Report, count, fastest, median, ms_since};
use crate::program::Server;
use crate::statements::Counter;

pub(crate) const RECOMMEND: &str = "query ($text: String!, $first: Int!, $where: ContentFilter) { \
    recommend(query: $text, first: $first, where: $where) { \
    edges { similarityPercent node { id title ... on Song { band } } } info { strategy } } }";

const ROUNDS: usize = 400;
const WARM_UP: usize = 50;
/// Requests of one measurement of throughput.
const REQUESTS: usize = 400;

pub(crate) async fn run(catalogue: &mut Catalogue, report: &mut Report) -> Result<()> {
    let server = Arc::new(Server::start(&catalogue.database).await?);
    let texts = Arc::new(catalogue.texts(100).await?);
    latency(catalogue, &server, &texts, report).await?;
    throughput(&server, &texts, report).await?;
    statements_per_search(catalogue, &texts, report).await
}

/// Milliseconds of each way to search, in turns.
#[derive(Default)]
struct Times {
    recommend: Vec<f64>,
    search: Vec<f64>,
    rows: Vec<f64>,
    typename: Vec<f64>,
}

async fn latency(
    catalogue: &mut Catalogue,
    server: &Server,
    texts: &[String],
    report: &mut Report,
) -> Result<()> {
    let mut times = Times::default();
    for round in 0..WARM_UP + ROUNDS {
        if round == WARM_UP {
            times = Times::default();
        }
        let text = &texts[round % texts.len()];
        // The second search for a text finds its part of the index in the processor's cache.
        if round % 2 == 0 {
            times.recommend(server, text).await?;
            times.bare(catalogue, text).await?;
        } else {
            times.bare(catalogue, text).await?;
            times.recommend(server, text).await?;
        }
        times.typename(server).await?;
    }
    let [recommend, search, rows, typename] =
        [&times.recommend, &times.search, &times.rows, &times.typename].map(|times| median(times));
    println!(
        "recommend {recommend:.2} ms, bare search {search:.2} ms, bare rows {rows:.2} ms, \
         {{ __typename }} {typename:.2} ms"
    );
    let added = recommend - search;
    report.figure("`recommend` over HTTP − bare search in SQL", ms(added), "≤ 1.5 ms");
    let undisturbed = fastest(&times.recommend) - fastest(&times.search);
    report.note("the same of the fastest tenth", ms(undisturbed));
    report.figure(
        "`recommend` / bare search",
        format!("{:.2}", recommend / search),
        "≤ 1.5 at 100,000 rows",
    );
    report.note("`recommend` − bare search and fetch of the rows", ms(added - rows));
    report.note("… and − the round trip of `{ __typename }`", ms(added - rows - typename));
    Ok(())
}

fn ms(milliseconds: f64) -> String {
    format!("{milliseconds:.2} ms")
}

impl Times {
    async fn recommend(&mut self, server: &Server, text: &str) -> Result<()> {
        let started = Instant::now();
        recommend(server, text, 10).await?;
        self.recommend.push(ms_since(started));
        Ok(())
    }

    async fn bare(&mut self, catalogue: &mut Catalogue, text: &str) -> Result<()> {
        let vector = catalogue.vector(text).await?;
        let started = Instant::now();
        let ids = catalogue.approximate(&vector, 11).await?;
        self.search.push(ms_since(started));

        let started = Instant::now();
        catalogue.rows(&ids[..10]).await?;
        self.rows.push(ms_since(started));
        Ok(())
    }

    async fn typename(&mut self, server: &Server) -> Result<()> {
        let started = Instant::now();
        server.execute("{ __typename }", json!({})).await?;
        self.typename.push(ms_since(started));
        Ok(())
    }
}

async fn recommend(server: &Server, text: &str, first: usize) -> Result<Value> {
    let answer = server.execute(RECOMMEND, json!({ "text": text, "first": first })).await?;
    let found = answer["recommend"]["edges"].as_array().map_or(0, Vec::len);
    match found == first {
        true => Ok(answer),
        false => Err(format!("`{text}` found {found} songs instead of {first}").into()),
    }
}

/// An answer that is an error or too short ends the run, so none fails where figures are printed.
async fn throughput(
    server: &Arc<Server>,
    texts: &Arc<Vec<String>>,
    report: &mut Report,
) -> Result<()> {
    let mut rates = [1, 2, 8].map(|clients| (clients, Vec::new()));
    for _ in 0..3 {
        for (clients, rates) in &mut rates {
            rates.push(rate(server, texts, *clients).await?);
        }
    }
    let [one, two, eight] = rates.map(|(_, rates)| median(&rates));
    println!("{one:.0}/s with 1 client, {two:.0}/s with 2, {eight:.0}/s with 8");
    report.figure("requests/s with 8 clients / with 2", format!("{:.2}", eight / two), "≥ 0.8");
    report.note("requests/s with 8 clients / with 1", format!("{:.2}", eight / one));
    Ok(())
}

/// Requests per second when several clients send them one after the other.
pub(crate) async fn rate(
    server: &Arc<Server>,
    texts: &Arc<Vec<String>>,
    clients: usize,
) -> Result<f64> {
    let started = Instant::now();
    let mut running = Vec::new();
    for client in 0..clients {
        let (server, texts) = (server.clone(), texts.clone());
        running.push(tokio::spawn(async move {
            for request in (client..REQUESTS).step_by(clients) {
                recommend(&server, &texts[request % texts.len()], 10).await?;
            }
            Result::Ok(())
        }));
    }
    for client in running {
        client.await??;
    }
    Ok(count(REQUESTS) / started.elapsed().as_secs_f64())
}

async fn statements_per_search(
    catalogue: &Catalogue,
    texts: &[String],
    report: &mut Report,
) -> Result<()> {
    let counter = Counter::start(&catalogue.database).await?;
    let server = Server::start_without_worker(&counter.database).await?;
    let mut medians = [0.0; 2];
    for (first, median_of) in [10, 100].into_iter().zip(&mut medians) {
        let mut statements = Vec::new();
        for text in texts.iter().take(20) {
            let before = counter.count();
            recommend(&server, text, first).await?;
            statements.push(counter.count() - before);
        }
        // The first search, and one now and then, reads again what is known of spaces.
        *median_of = median(&statements);
    }
    let [ten, hundred] = medians;
    report.note("statements of a search", format!("{ten:.0}"));
    report.figure("statements for 100 hits / for 10", format!("{:.2}", hundred / ten), "1.00");
    Ok(())
}
