//! What every backend promises. A backend's tests are `contract!(embedder, many)`: a function that gives
//! the model or says why there is none, and how many texts are many for it.

use std::sync::Arc;
use std::time::Duration;

use kindred::embed::{Embedder, Embedding};

/// How near two vectors of one text must be: a sum in another order changes the last bits.
const SAME: f32 = 0.9999;
/// What takes longer never comes.
const PATIENCE: Duration = Duration::from_mins(5);

/// A test for each promise. `$embedder` is a function from nothing to `Option<Arc<dyn Embedder>>` that
/// prints why it gives `None`.
macro_rules! contract {
    ($embedder:path, $many:expr) => {
        contract! { @each $embedder,
            the_order_of_the_texts_is_kept,
            vectors_have_length_one_and_the_dimensions_that_are_described,
            a_text_has_the_same_vector_alone_and_among_others,
            no_texts_have_no_vectors,
            a_blank_text_has_no_vector,
            a_text_that_is_too_long_is_cut_and_says_so,
            odd_characters_do_no_harm,
            tokens_are_counted_for_each_text,
            parallel_callers_get_their_own_vectors,
            a_caller_who_goes_away_disturbs_nobody,
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn many_texts_come_back_in_order() {
            if let Some(embedder) = $embedder() {
                $crate::contract::many_texts_come_back_in_order(embedder, $many).await;
            }
        }
    };
    (@each $embedder:path, $($promise:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                if let Some(embedder) = $embedder() {
                    $crate::contract::$promise(embedder).await;
                }
            }
        )+
    };
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Texts of many lengths, each of which means something else.
fn varied(count: usize) -> Vec<String> {
    let things = ["guitar", "river", "stock market", "sourdough bread", "spacecraft", "violin"];
    let verbs = ["repairs", "remembers", "paints", "sells"];
    (0..count)
        .map(|n| {
            let (thing, verb) = (things[n % things.len()], verbs[n / 7 % verbs.len()]);
            format!("Person {n} {verb} a {thing}{}", " on a rainy day".repeat(n % 5))
        })
        .collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[track_caller]
fn vector(embedding: &Embedding) -> &[f32] {
    embedding.vector.as_deref().expect("the text has a vector")
}

#[track_caller]
fn assert_same(a: &Embedding, b: &Embedding, text: &str) {
    assert_eq!(a.is_truncated, b.is_truncated, "{text:?}");
    match (&a.vector, &b.vector) {
        (Some(a), Some(b)) => assert!(cosine(a, b) > SAME, "{text:?}: {}", cosine(a, b)),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => panic!("{text:?} has a vector only once"),
    }
}

async fn alone(embedder: &dyn Embedder, text: &str) -> Embedding {
    let mut embeddings = embedder.embed_documents(&[text.to_owned()]).await.unwrap();
    assert_eq!(embeddings.len(), 1);
    embeddings.remove(0)
}

pub(crate) async fn the_order_of_the_texts_is_kept(embedder: Arc<dyn Embedder>) {
    let forward = varied(40);
    let backward: Vec<String> = forward.iter().rev().cloned().collect();
    let there = embedder.embed_documents(&forward).await.unwrap();
    let back = embedder.embed_documents(&backward).await.unwrap();
    assert_eq!((there.len(), back.len()), (40, 40));
    for ((text, a), b) in forward.iter().zip(&there).zip(back.iter().rev()) {
        assert_same(a, b, text);
    }
    assert!(cosine(vector(&there[0]), vector(&there[1])) < SAME, "the texts differ");
}

pub(crate) async fn vectors_have_length_one_and_the_dimensions_that_are_described(
    embedder: Arc<dyn Embedder>,
) {
    let query = embedder.embed_query("who repairs violins?").await.unwrap();
    let mut embeddings = embedder.embed_documents(&varied(20)).await.unwrap();
    embeddings.push(query);
    for embedding in &embeddings {
        let vector = vector(embedding);
        assert_eq!(vector.len(), embedder.description().dimensions);
        assert!((cosine(vector, vector).sqrt() - 1.0).abs() < 1e-3);
    }
}

pub(crate) async fn a_text_has_the_same_vector_alone_and_among_others(embedder: Arc<dyn Embedder>) {
    let mut many = varied(30);
    many.push("short".to_owned());
    many.push("a long text goes on and on ".repeat(30));
    many.push("short".to_owned());
    let together = embedder.embed_documents(&many).await.unwrap();
    for (text, embedding) in many.iter().zip(&together).rev().step_by(4) {
        assert_same(&alone(embedder.as_ref(), text).await, embedding, text);
    }
    assert_eq!(together[30], together[32], "a text that occurs twice has one vector");
}

pub(crate) async fn no_texts_have_no_vectors(embedder: Arc<dyn Embedder>) {
    assert!(embedder.embed_documents(&[]).await.unwrap().is_empty());
    assert!(embedder.count_tokens(&[]).await.unwrap().is_empty());
}

pub(crate) async fn a_blank_text_has_no_vector(embedder: Arc<dyn Embedder>) {
    let nothing = Embedding { vector: None, is_truncated: false };
    let given = texts(&["", "a song", "   ", "\n\t\r\n", "\u{a0}\u{2003}"]);
    let embeddings = embedder.embed_documents(&given).await.unwrap();
    for index in [0, 2, 3, 4] {
        assert_eq!(embeddings[index], nothing, "{:?}", given[index]);
    }
    assert_same(&embeddings[1], &alone(embedder.as_ref(), "a song").await, "a song");
    for text in ["", " "] {
        assert_eq!(embedder.embed_query(text).await.unwrap(), nothing, "{text:?}");
        assert_eq!(alone(embedder.as_ref(), text).await, nothing, "{text:?}");
    }
}

pub(crate) async fn a_text_that_is_too_long_is_cut_and_says_so(embedder: Arc<dyn Embedder>) {
    let limit = embedder.description().max_tokens;
    // A word of these is a token in every vocabulary there is.
    let long = "the river and the sea ".repeat(limit / 2);
    let longer = format!("{long}{}", "quarterly figures of a bank ".repeat(50));
    let given = [long, longer, "the river".to_owned()];
    let counts = embedder.count_tokens(&given).await.unwrap();
    assert!(counts[0] > limit && counts[1] > counts[0] && counts[2] < 10, "{counts:?}");
    let embeddings = embedder.embed_documents(&given).await.unwrap();
    let is_truncated: Vec<bool> = embeddings.iter().map(|one| one.is_truncated).collect();
    assert_eq!(is_truncated, [true, true, false]);
    let same = cosine(vector(&embeddings[0]), vector(&embeddings[1]));
    assert!(same > SAME, "what is cut off does not count: {same}");
    assert!(embedder.embed_query(&given[1]).await.unwrap().is_truncated);
}

pub(crate) async fn odd_characters_do_no_harm(embedder: Arc<dyn Embedder>) {
    let given = texts(&[
        "I love this 🎸🔥 song",
        "👨‍👩‍👧‍👦",
        "a \0 b",
        "\0",
        "bell \u{7} escape \u{1b}[31m delete \u{7f}",
        "\u{feff}marked",
        "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}",
        "שלום עולם",
        "\u{202e}backwards",
        "\u{fffd}\u{ffff}\u{10ffff}",
        "[CLS] [SEP] [PAD] [MASK] [UNK] <s> </s> <|endoftext|>",
        "素早い茶色の狐",
    ]);
    let embeddings = embedder.embed_documents(&given).await.unwrap();
    assert_eq!(embeddings.len(), given.len());
    for (text, embedding) in given.iter().zip(&embeddings) {
        assert_same(embedding, &alone(embedder.as_ref(), text).await, text);
        if let Some(vector) = &embedding.vector {
            assert!(vector.iter().all(|value| value.is_finite()), "{text:?}");
        }
    }
    for index in [0, 2, 4, 5] {
        assert!(embeddings[index].vector.is_some(), "{:?} has words", given[index]);
    }
}

pub(crate) async fn tokens_are_counted_for_each_text(embedder: Arc<dyn Embedder>) {
    let given = texts(&["one", "one two three four five six seven eight", "one"]);
    let counts = embedder.count_tokens(&given).await.unwrap();
    assert_eq!(counts.len(), 3);
    assert!(counts[0] >= 1 && counts[1] >= counts[0] + 5, "{counts:?}");
    assert_eq!(counts[0], counts[2]);
}

pub(crate) async fn many_texts_come_back_in_order(embedder: Arc<dyn Embedder>, count: usize) {
    let many = varied(count);
    let embeddings = embedder.embed_documents(&many).await.unwrap();
    assert_eq!(embeddings.len(), count);
    for index in (0..count).step_by(count / 9 + 1) {
        let single = alone(embedder.as_ref(), &many[index]).await;
        assert_same(&single, &embeddings[index], &many[index]);
    }
    assert!(embeddings.iter().all(|one| one.vector.is_some() && !one.is_truncated));
}

pub(crate) async fn parallel_callers_get_their_own_vectors(embedder: Arc<dyn Embedder>) {
    let many = varied(24);
    let expected = embedder.embed_documents(&many).await.unwrap();
    let mut callers = Vec::new();
    for part in many.chunks(3).map(<[String]>::to_vec) {
        let embedder = embedder.clone();
        callers.push(tokio::spawn(async move {
            let documents = embedder.embed_documents(&part).await.unwrap();
            let first = embedder.embed_query(&part[0]).await.unwrap();
            let again = embedder.embed_query(&part[0]).await.unwrap();
            assert_same(&first, &again, &part[0]);
            documents
        }));
    }
    let mut found = Vec::new();
    for caller in callers {
        found.extend(caller.await.unwrap());
    }
    for ((text, a), b) in many.iter().zip(&expected).zip(&found) {
        assert_same(a, b, text);
    }
}

pub(crate) async fn a_caller_who_goes_away_disturbs_nobody(embedder: Arc<dyn Embedder>) {
    let many = varied(300);
    let before = alone(embedder.as_ref(), &many[7]).await;
    for _ in 0..10 {
        // Time for nothing but to begin.
        let call = embedder.embed_documents(&many);
        drop(tokio::time::timeout(Duration::from_millis(1), call).await);
        drop(tokio::time::timeout(Duration::ZERO, embedder.embed_query(&many[0])).await);
    }
    let after = tokio::time::timeout(PATIENCE, alone(embedder.as_ref(), &many[7])).await.unwrap();
    assert_same(&before, &after, &many[7]);
}
