//! `kindred space`, in its own process and through a server.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

use super::support::{Place, Server};

const SONGS: &str = "id,title,band,description\n1,Alpha,Ann,A song about rain\n2,Beta,Bob,A song about fire\n\
    3,Gamma,Cy,A song about the sea\n4,Delta,Dee,A song about snow\n";

fn with_songs() -> Place {
    let place = Place::new();
    let file = place.file("songs.csv", SONGS);
    place.run(&["ingest", "songs", &file]).with_code(0);
    place
}

/// A second space that holds nothing yet, and the songs with their texts.
fn with_second_space() -> (Place, Vec<Value>) {
    let place = with_songs();
    let create =
        ["space", "create", "second", "--backend", "static", "--kinds", "song", "--no-backfill"];
    place.run(&create).with_code(0);
    let server = Server::start(&place, &["--no-worker"]);
    let body = server.execute(&server.token, "{ songs { nodes { externalId body } } }", &json!({}));
    server.stop();
    let songs = body["data"]["songs"]["nodes"].as_array().expect("songs are listed").clone();
    (place, songs)
}

fn state(place: &Place, space: &str) -> Option<Value> {
    let spaces = place.run(&["space", "list", "--json"]).with_code(0).json();
    spaces.as_array()?.iter().find(|found| found["name"] == space).cloned()
}

#[test]
fn a_space_goes_from_its_making_to_its_end() {
    let place = with_songs();
    let made = ["space", "create", "second", "--backend", "static", "--kinds", "song"];
    let made = place.run(&[&made[..], &["--no-backfill"]].concat()).with_code(0);
    assert_eq!(made.stdout, "Made `second` for kindred-static-256, 256 dimensions\n");
    assert_eq!(state(&place, "second").unwrap()["state"], "BUILDING");

    let plan = place.run(&["space", "plan", "second", "--json"]).with_code(0).json();
    assert_eq!(
        (&plan["rows"], &plan["unchanged"], &plan["cost"]),
        (&json!(4), &json!(0), &json!(0.0))
    );
    let plan = place.run(&["space", "plan", "second"]).with_code(0);
    assert!(plan.stdout.lines().any(|line| line == "to embed   4"), "{plan:?}");

    let early = place.run(&["space", "promote", "second"]).with_code(1);
    assert!(early.stderr.contains("lacks vectors of 4 of 4 rows of song"), "{early:?}");

    let filled = place.run(&["space", "backfill", "second", "--wait"]).with_code(0);
    assert_eq!(filled.stdout, "Filled `second`: 4 of 4 rows are embedded, 0 failed\n");

    let compared =
        place.run(&["space", "compare", "second", "songs of rain", "--json"]).with_code(0).json();
    assert_eq!((&compared["meanOverlap"], &compared["to"]), (&json!(1.0), &json!("second")));
    let compared = place.run(&["space", "compare", "second", "songs of rain"]).with_code(0);
    let last = compared.stdout.lines().last().unwrap();
    assert_eq!(last, "mean overlap 1.000, mean rank correlation 1.000");

    let promoted = place.run(&["space", "promote", "second"]).with_code(0);
    assert_eq!(promoted.stdout, "`second` answers for song now\n");
    let back = place.run(&["space", "rollback"]).with_code(0);
    assert_eq!(back.stdout, "`kindred-static-256` answers for song now\n");

    let asked = place.run(&["space", "drop", "second"]).with_code(1);
    assert!(asked.stderr.contains("hint: pass `--yes`"), "{asked:?}");
    assert!(state(&place, "second").is_some());
    place.run(&["space", "drop", "second", "--yes"]).with_code(0);
    assert_eq!(state(&place, "second"), None);
    let active = place.run(&["space", "drop", "kindred-static-256", "--yes"]).with_code(1);
    assert!(active.stderr.contains("answers for song"), "{active:?}");
}

#[test]
fn a_server_fills_a_space_while_the_command_watches() {
    let place = with_songs();
    let server = Server::start(&place, &[]);
    let target = ["--url", &server.url, "--token", &server.token];
    let create =
        ["space", "create", "second", "--backend", "static", "--kinds", "song", "--wait", "--json"];
    let filled = place.run(&[&create[..], &target[..]].concat()).with_code(0).json();
    assert_eq!(filled, json!({ "name": "second", "rows": 4, "embedded": 4, "failed": 0 }));
    let list = place.run(&[&["space", "list"][..], &target[..]].concat()).with_code(0);
    let rows: Vec<Vec<&str>> =
        list.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[2], ["second", "-", "song", "current", "4", "4", "100", "0", "0", "none"]);
    let canceled =
        place.run(&[&["space", "cancel", "second"][..], &target[..]].concat()).with_code(0);
    assert_eq!(canceled.stdout, "Canceled `second`; 0 queued texts are forgotten\n");
}

#[test]
fn vectors_come_from_a_file_and_bad_lines_are_named_and_kept() {
    let (place, songs) = with_second_space();
    let vector: Vec<f64> = (0..256).map(|place| f64::from(place % 7) - 2.5).collect();
    let line = |song: &Value, vector: Value| {
        json!({ "externalId": song["externalId"], "vector": vector, "sourceText": song["body"] })
            .to_string()
    };
    let lines = [
        line(&songs[0], json!(vector)),
        "no json".to_owned(),
        line(&songs[1], json!([1, 2])),
        line(&songs[2], json!(vector)),
        String::new(),
        line(&json!({ "externalId": "99", "body": "" }), json!(vector)),
    ];
    let file = place.file("vectors.jsonl", lines.join("\n"));
    let rejects = place.folder.join("rejects.jsonl").to_string_lossy().into_owned();
    let import = ["space", "import", &file, "--space", "second", "--rejects", &rejects];
    let ended = place.run(&import).with_code(2);
    assert_eq!(ended.stdout, "Read 5 lines: 2 imported, 3 rejected\n");
    for said in
        ["line 2: is no JSON", "line 3: `vector` has 2 dimensions", "line 6: `99` is not there"]
    {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }
    // In the order in which they were found to be bad.
    let mut kept: Vec<String> =
        fs::read_to_string(&rejects).unwrap().lines().map(str::to_owned).collect();
    let mut bad = vec![lines[1].clone(), lines[2].clone(), lines[5].clone()];
    kept.sort();
    bad.sort();
    assert_eq!(kept, bad);
    // What was imported is not embedded again.
    let plan = place.run(&["space", "plan", "second", "--json"]).with_code(0).json();
    assert_eq!((&plan["rows"], &plan["unchanged"]), (&json!(4), &json!(2)));
    let missing =
        place.run(&["space", "import", "nowhere.jsonl", "--space", "second"]).with_code(1);
    assert!(missing.stderr.contains("cannot read `nowhere.jsonl`"), "{missing:?}");
}

type Written = Result<(), Box<dyn std::error::Error>>;

/// Writes external ids, vectors and what they were made of.
fn write_parquet(
    path: &Path,
    compression: Compression,
    rows: &[(&str, Vec<f32>, &str)],
) -> Written {
    let schema = parse_message_type(
        "message rows { REQUIRED BYTE_ARRAY externalId (UTF8); REQUIRED GROUP vector (LIST) {
            REPEATED GROUP list { REQUIRED FLOAT element; } } REQUIRED BYTE_ARRAY sourceText (UTF8);
            REQUIRED BYTE_ARRAY note (UTF8); }",
    );
    let properties = WriterProperties::builder().set_compression(compression).build();
    let (file, schema) = (File::create(path)?, Arc::new(schema?));
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let texts = |of: fn(&(&str, Vec<f32>, &str)) -> String| -> Vec<ByteArray> {
        rows.iter().map(|row| ByteArray::from(of(row).into_bytes())).collect()
    };
    let (ids, sources) = (texts(|row| row.0.to_owned()), texts(|row| row.2.to_owned()));
    for place in 0..4 {
        let mut column = group.next_column()?.ok_or("a column is missing")?;
        if place == 1 {
            let numbers: Vec<f32> = rows.iter().flat_map(|row| row.1.clone()).collect();
            let defined = vec![1; numbers.len()];
            let repeats =
                |row: &(&str, Vec<f32>, &str)| (0..row.1.len()).map(|at| i16::from(at > 0));
            let repeated: Vec<i16> = rows.iter().flat_map(repeats).collect();
            let column = column.typed::<FloatType>();
            column.write_batch(&numbers, Some(&defined), Some(&repeated))?;
        } else {
            let texts = if place == 2 { &sources } else { &ids };
            column.typed::<ByteArrayType>().write_batch(texts, None, None)?;
        }
        column.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

#[test]
fn vectors_come_from_a_parquet_file() {
    let (place, songs) = with_second_space();
    let text = |song: &Value, field: &str| song[field].as_str().unwrap().to_owned();
    let good: Vec<f32> = (0..256_i16).map(|place| f32::from(place % 7) - 2.5).collect();
    let not_a_number = [&good[..255], &[f32::NAN]].concat();
    let vectors = [good.clone(), vec![1.0, 2.0], good, not_a_number];
    let named: Vec<(String, String)> =
        songs.iter().map(|song| (text(song, "externalId"), text(song, "body"))).collect();
    let rows: Vec<(&str, Vec<f32>, &str)> = named
        .iter()
        .zip(vectors)
        .map(|((id, body), vector)| (id.as_str(), vector, body.as_str()))
        .collect();
    for (name, compression) in
        [("snappy", Compression::SNAPPY), ("zstd", Compression::ZSTD(ZstdLevel::default()))]
    {
        let path = place.folder.join(format!("{name}.parquet"));
        write_parquet(&path, compression, &rows).unwrap();
        let path = path.to_string_lossy().into_owned();
        let ended = place.run(&["space", "import", &path, "--space", "second"]).with_code(2);
        assert_eq!(ended.stdout, "Read 4 rows: 2 imported, 2 rejected\n", "{name}");
        for said in
            ["row 2: `vector` has 2 dimensions", "row 4: `vector` must be a list of numbers"]
        {
            assert!(ended.stderr.contains(said), "{said}: {ended:?}");
        }
    }
    let plan = place.run(&["space", "plan", "second", "--json"]).with_code(0).json();
    assert_eq!((&plan["rows"], &plan["unchanged"]), (&json!(4), &json!(2)));
    let broken = place.file("broken.parquet", "PAR1 and nothing that it promises");
    let ended = place.run(&["space", "import", &broken, "--space", "second"]).with_code(1);
    assert!(ended.stderr.contains("it is no good Parquet"), "{ended:?}");
}

#[test]
fn a_space_is_configured_shown_and_reset() {
    let place = with_songs();
    let configure = |arguments: &[&str]| {
        place.run(&[&["space", "configure", "kindred-static-256"][..], arguments].concat())
    };
    let set = ["--fusion", "relative-score", "--semantic-ratio", "0.4", "--chunk-tokens", "128"];
    let set = configure(&set).with_code(0);
    assert_eq!(
        set.stdout,
        "`kindred-static-256`: fusion relative-score, semantic ratio 0.4, chunk tokens 128, chunk overlap default\n"
    );
    let reset = configure(&["--reset", "fusion,chunk-tokens", "--json"]).with_code(0).json();
    let (fusion, ratio, tokens) =
        (&reset["fusion"], &reset["semanticRatio"], &reset["chunkTokens"]);
    assert_eq!((fusion, ratio, tokens), (&Value::Null, &json!(0.4), &Value::Null));
    assert_eq!(state(&place, "kindred-static-256").unwrap()["semanticRatio"], 0.4);
    let wrong = configure(&["--semantic-ratio", "1.5"]).with_code(1);
    assert!(wrong.stderr.contains("between 0 and 1, but is 1.5"), "{wrong:?}");
}
