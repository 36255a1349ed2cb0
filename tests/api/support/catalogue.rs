//! Songs to search in: few and unlike each other, so that no model can mistake them.

use serde_json::{Value, json};

/// Eight songs, two of a kind, with every number that filters and orders need.
pub(crate) fn songs() -> Vec<Value> {
    vec![
        json!({ "externalId": "lullaby", "title": "Sleep Little Baby", "band": "Nursery Choir",
            "album": "Cradle", "genre": "lullaby", "year": 1950, "tempo": 60.0, "key": "C",
            "mode": "MAJOR", "energy": 0.05, "valence": 0.6, "danceability": 0.1,
            "popularity": 10, "durationMs": 120_000, "moods": ["calm", "tender"],
            "description": "A gentle lullaby that a mother sings to her sleeping baby at night." }),
        json!({ "externalId": "cradle", "title": "Cradle Song", "band": "Night Mothers",
            "album": "Cradle", "genre": "lullaby", "year": 1955, "tempo": 64.0, "key": "G",
            "mode": "MAJOR", "energy": 0.08, "valence": 0.5, "danceability": 0.15,
            "popularity": 20, "durationMs": 130_000, "moods": ["calm"],
            "description": "A soft lullaby for a baby who should sleep through the night." }),
        json!({ "externalId": "metal", "title": "Demons of War", "band": "Iron Skull",
            "album": "Bloodshed", "genre": "metal", "year": 1986, "tempo": 200.0, "key": "E",
            "mode": "MINOR", "energy": 0.98, "valence": 0.2, "danceability": 0.3,
            "popularity": 60, "durationMs": 300_000, "moods": ["aggressive", "dark"],
            "description": "Brutal heavy metal with distorted guitars, screaming and war drums." }),
        json!({ "externalId": "thrash", "title": "Steel Hammer", "band": "Iron Skull",
            "album": "Bloodshed", "genre": "metal", "year": 1988, "tempo": 190.0, "key": "A",
            "mode": "MINOR", "energy": 0.95, "valence": 0.3, "danceability": 0.35,
            "popularity": 50, "durationMs": 280_000, "moods": ["aggressive"],
            "description": "Fast heavy metal with distorted guitars and pounding drums." }),
        json!({ "externalId": "bossa", "title": "Beach of Rio", "band": "Samba Trio",
            "album": "Brasil", "genre": "bossa nova", "year": 1962, "tempo": 120.0, "key": "Db",
            "mode": "MAJOR", "energy": 0.4, "valence": 0.8, "danceability": 0.7,
            "popularity": 40, "durationMs": 180_000, "moods": ["sunny", "calm"],
            "description": "Brazilian bossa nova with nylon guitar about the beach and the sun." }),
        json!({ "externalId": "samba", "title": "Carnival Morning", "band": "Samba Trio",
            "album": "Brasil", "genre": "bossa nova", "year": 1963, "tempo": 125.0, "key": "D",
            "mode": "MINOR", "energy": 0.45, "valence": 0.7, "danceability": 0.75,
            "popularity": 30, "durationMs": 190_000, "moods": ["sunny"],
            "description": "Brazilian samba about carnival in the sun on the beach." }),
        json!({ "externalId": "techno", "title": "Warehouse Machine", "band": "Robot 909",
            "genre": "techno", "year": 1995, "tempo": 135.0, "key": "F", "mode": "MINOR",
            "energy": 0.9, "valence": 0.4, "danceability": 0.95, "instrumentalness": 0.99,
            "popularity": 70, "durationMs": 420_000, "moods": ["hypnotic"],
            "description": "Electronic techno for a club: synthesizer, drum machine, no singing." }),
        json!({ "externalId": "bare", "title": "Untitled", "band": "Nobody" }),
    ]
}

/// The demo songs of the program.
pub(crate) fn demo() -> Vec<Value> {
    kindred::app::DEMO.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A song of which only little is known.
pub(crate) fn song(title: &str, description: &str) -> Value {
    json!({ "externalId": title, "title": title, "description": description })
}

/// Many songs that differ: the demo songs, repeated with other words, years and energies.
pub(crate) fn many(count: usize) -> Vec<Value> {
    let demo = demo();
    let variations =
        ["", "live at the stadium", "acoustic version for piano", "remix for the club"];
    (0..count)
        .map(|index| {
            let mut song = demo[index % demo.len()].clone();
            let round = index / demo.len();
            song["externalId"] = format!("many-{index}").into();
            if round > 0 {
                let variation = variations[round % variations.len()];
                let description = song["description"].as_str().unwrap_or_default().to_owned();
                song["description"] = format!("{variation} {round}. {description}").into();
            }
            song["popularity"] = (index % 100).into();
            song["energy"] = json!(f64::from(u32::try_from(index % 200).unwrap()) / 200.0);
            song
        })
        .collect()
}
