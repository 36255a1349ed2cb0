//! What comes back wrong makes an error, never a vector.

use kindred::embed::{Embedder, Error};

use crate::openai_server::{CANARY, Fault, OpenAiServer, hashed};
use crate::{embedder, texts};

const DOCUMENTS: [&str; 3] = ["quiet piano", "heavy metal", "sunny pop"];

#[tokio::test]
async fn vectors_are_matched_by_index_not_by_place() {
    let server = OpenAiServer::start();
    server.always(Fault::Permuted);
    let found = embedder(&server).embed_documents(&texts(&DOCUMENTS)).await.unwrap();
    for (text, embedding) in DOCUMENTS.iter().zip(&found) {
        let vector = embedding.vector.as_ref().unwrap();
        let dot: f32 = vector.iter().zip(hashed(text, 1_536)).map(|(a, b)| a * b).sum();
        assert!(dot > 0.9999, "{text}: {dot}");
    }
}

#[tokio::test]
async fn an_answer_with_a_mistake_gives_no_vectors_at_all() {
    let cases = [
        (Fault::WrongDimension, "1537 dimensions instead of 1536"),
        (Fault::Infinite, "not finite"),
        (Fault::Fewer, "2 vectors for 3 texts"),
        (Fault::More, "4 vectors for 3 texts"),
        (Fault::DuplicateIndex, "2 vectors for 3 texts"),
    ];
    for (fault, message) in cases {
        let server = OpenAiServer::start();
        server.always(fault.clone());
        let embedder = embedder(&server);
        let error = embedder.embed_documents(&texts(&DOCUMENTS)).await.unwrap_err();
        assert!(error.to_string().contains(message), "{fault:?}: {error}");
        assert!(!error.is_of_the_model(), "{fault:?}");
        // It was paid for, and asking again would be paid for again.
        assert_eq!(server.requests(), 1, "{fault:?}");
        assert_eq!(embedder.meter().unwrap().take().texts, 3, "{fault:?}");
    }
}

#[tokio::test]
async fn a_vector_without_a_direction_is_none() {
    let server = OpenAiServer::start();
    server.always(Fault::Zero);
    let found = embedder(&server).embed_documents(&texts(&DOCUMENTS)).await.unwrap();
    let known: Vec<bool> = found.iter().map(|embedding| embedding.vector.is_some()).collect();
    assert_eq!(known, [true, true, false]);
}

#[tokio::test]
async fn what_cannot_be_read_is_asked_for_again() {
    for fault in [Fault::MalformedJson, Fault::HtmlPage, Fault::NotANumber, Fault::Cut] {
        let server = OpenAiServer::start();
        server.script([fault.clone(), fault.clone()]);
        let embedder = embedder(&server);
        let found = embedder.embed_documents(&texts(&DOCUMENTS)).await.unwrap();
        assert!(found.iter().all(|embedding| embedding.vector.is_some()));
        assert_eq!(server.requests(), 3, "{fault:?}");
        server.always(fault.clone());
        let error = embedder.embed_documents(&texts(&DOCUMENTS)).await.unwrap_err();
        assert!(error.is_transient(), "{fault:?}: {error}");
        assert!(!error.to_string().contains(CANARY), "{fault:?}: {error}");
        assert_eq!(server.requests(), 8, "{fault:?}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_a_search_is_told_that_there_is_no_vector_now() {
    let faults = [
        Fault::RateLimited(None),
        Fault::Quota,
        Fault::Unauthorized,
        Fault::Forbidden,
        Fault::NotFound,
        Fault::BadRequest,
        Fault::ServerError,
        Fault::Overloaded(None),
        Fault::Redirect("http://127.0.0.1:9/".to_owned()),
        Fault::Cut,
        Fault::MalformedJson,
        Fault::HtmlPage,
        Fault::WrongDimension,
        Fault::NotANumber,
        Fault::Infinite,
        Fault::Fewer,
        Fault::More,
    ];
    for fault in faults {
        let server = OpenAiServer::start();
        server.always(fault.clone());
        let error = embedder(&server).embed_query("quiet piano").await.unwrap_err();
        assert!(error.is_of_the_model(), "{fault:?}: {error}");
        assert!(!format!("{error} {error:?}").contains(CANARY), "{fault:?}: {error:?}");
        assert!(server.requests() <= 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_text_is_an_error_of_the_text() {
    let server = OpenAiServer::start();
    server.on_text("poison", Fault::BadRequest);
    let embedder = embedder(&server);
    let error = embedder.embed_documents(&texts(&["a", "poison"])).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert_eq!(server.requests(), 1);
    assert!(embedder.embed_documents(&texts(&["a"])).await.is_ok());
}
