//! What is acknowledged survives the process: the embedded database under `kill -9`.

use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use super::support::{Place, Server, post};

const ROUNDS: usize = 3;
/// Acknowledged batches after which the process is killed; the next is on its way then.
const BATCHES: usize = 8;
const ROWS: usize = 20;

const INGEST: &str =
    "mutation ($rows: [SongInput!]!) { ingestSongs(rows: $rows) { created unchanged rejected } }";

fn rows(round: usize, batch: usize) -> Value {
    let song = |row: usize| {
        let id = format!("{round}-{batch}-{row}");
        json!({ "externalId": id, "title": format!("Song {id}"), "band": "The Survivors" })
    };
    (0..ROWS).map(song).collect()
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let place = Place::embedded();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let server = Server::start(&place, &[]);
        assert_all_there(&server, &acknowledged);
        acknowledged.extend(write_until_killed(server, round));
    }
    assert!(acknowledged.len() >= ROUNDS * BATCHES);
    let server = Server::start(&place, &[]);
    assert_all_there(&server, &acknowledged);

    // Queued texts survived as well: what is left is embedded, and nothing failed.
    let embedded = place.run(&["embed", "--json"]).with_code(0).json();
    assert_eq!(embedded["failed"], 0);
    let (rows, with_vector) = place.songs();
    assert_eq!(rows, with_vector);
    server.stop();
}

/// Writes batches until the server is gone, and kills it in the middle of that. Returns the
/// batches that it acknowledged.
fn write_until_killed(server: Server, round: usize) -> Vec<(usize, usize)> {
    let (sender, receiver) = mpsc::channel();
    let (url, token) = (server.url.clone(), server.token.clone());
    let writer = thread::spawn(move || {
        for batch in 0.. {
            let answer = post(&url, &token, INGEST, &json!({ "rows": rows(round, batch) }));
            let Some(answer) = answer else { break };
            assert_eq!(answer["data"]["ingestSongs"]["created"], ROWS, "{answer}");
            sender.send((round, batch)).expect("the test waits for the writer");
        }
    });
    let mut acknowledged: Vec<_> = receiver.iter().take(BATCHES).collect();
    server.kill();
    writer.join().expect("the writer saw only good answers");
    acknowledged.extend(receiver.try_iter());
    acknowledged
}

/// Sending rows again says of each whether it is there, exactly so.
fn assert_all_there(server: &Server, acknowledged: &[(usize, usize)]) {
    for (round, batch) in acknowledged {
        let variables = json!({ "rows": rows(*round, *batch) });
        let answer = server.execute(&server.token, INGEST, &variables);
        let expected = json!({ "created": 0, "unchanged": ROWS, "rejected": 0 });
        assert_eq!(
            answer["data"]["ingestSongs"], expected,
            "round {round}, batch {batch}: {answer}"
        );
    }
}
