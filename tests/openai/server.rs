//! The fake itself: what it plays, it plays as OpenAI does.

use std::sync::Arc;

use kindred::embed::{Embedder, StaticEmbedder};
use serde_json::{Value, json};

use crate::openai_server::{CANARY, Fault, OpenAiServer, Plan};

async fn post(server: &OpenAiServer, body: Value) -> reqwest::Result<(u16, Value)> {
    kindred::tls::install();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/embeddings", server.base_url);
    let response = client.post(url).json(&body).send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

fn request(texts: &[&str]) -> Value {
    json!({ "model": "text-embedding-3-small", "input": texts, "encoding_format": "float" })
}

#[tokio::test]
async fn texts_with_the_same_words_are_near() {
    let server = OpenAiServer::start();
    let texts = ["heavy metal", "metal, heavy", "quiet piano"];
    let (status, answer) = post(&server, request(&texts)).await.unwrap();
    assert_eq!((status, &answer["usage"]["total_tokens"]), (200, &json!(6)));
    let vector = |index: usize| -> Vec<f64> {
        let numbers = answer["data"][index]["embedding"].as_array().unwrap().iter();
        numbers.map(|number| number.as_f64().unwrap()).collect()
    };
    let dot =
        |a: usize, b: usize| -> f64 { vector(a).iter().zip(vector(b)).map(|(a, b)| a * b).sum() };
    assert_eq!(vector(0).len(), 1_536);
    assert!(dot(0, 1) > 0.999 && dot(0, 2) < 0.5, "{} {}", dot(0, 1), dot(0, 2));
    assert_eq!((server.requests(), server.texts()["quiet piano"]), (1, 1));
}

#[tokio::test]
async fn what_the_api_does_not_allow_is_refused() {
    let server = OpenAiServer::start();
    let many = vec!["x"; 2_049];
    let long = "word ".repeat(8_193);
    let sum = vec!["word ".repeat(8_000); 38];
    let sum: Vec<&str> = sum.iter().map(String::as_str).collect();
    let bad = [
        request(&[]),
        request(&["a", ""]),
        request(&many),
        request(&[&long]),
        request(&sum),
        json!({ "model": "text-embedding-3-small", "input": ["a", 1] }),
        json!({ "input": ["a"] }),
        json!({ "model": "text-embedding-ada-002", "input": ["a"], "dimensions": 256 }),
        json!({ "model": "text-embedding-3-small", "input": ["a"], "dimensions": 1_537 }),
        json!({ "model": "text-embedding-3-small", "input": ["a"], "encoding_format": "base64" }),
    ];
    for (index, body) in bad.iter().enumerate() {
        let (status, answer) = post(&server, body.clone()).await.unwrap();
        assert_eq!((index, status), (index, 400));
        assert!(answer["error"]["message"].as_str().unwrap().contains(CANARY));
    }
    assert_eq!(server.violations().len(), bad.len());
    let good = json!({ "model": "text-embedding-3-small", "input": "a", "dimensions": 256 });
    assert_eq!(post(&server, good).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_script_is_played_once_and_then_all_is_well() {
    let server = OpenAiServer::start();
    server.script([Fault::RateLimited(Some("1".to_owned())), Fault::ServerError, Fault::Cut]);
    assert_eq!(post(&server, request(&["a"])).await.unwrap().0, 429);
    assert_eq!(post(&server, request(&["a"])).await.unwrap().0, 500);
    assert!(post(&server, request(&["a"])).await.is_err());
    assert_eq!(post(&server, request(&["a"])).await.unwrap().0, 200);
    server.on_text("poison", Fault::BadRequest);
    assert_eq!(post(&server, request(&["b", "a poison"])).await.unwrap().0, 400);
    assert_eq!(post(&server, request(&["b"])).await.unwrap().0, 200);
    assert_eq!(server.answered_texts().get("a"), Some(&1));
}

#[tokio::test]
async fn a_model_and_a_key_can_stand_behind_it() {
    let model = Arc::new(StaticEmbedder::bundled().unwrap());
    let own = model.embed_query("quiet piano").await.unwrap().vector.unwrap();
    let key = Some("sk-test".to_owned());
    let plan = Plan { embedder: Some(model), key, ..Plan::default() };
    let server = OpenAiServer::with(plan);
    assert_eq!(post(&server, request(&["a"])).await.unwrap().0, 401);
    let url = format!("{}/embeddings", server.base_url);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(url).bearer_auth("sk-test").json(&request(&["quiet piano"]));
    let answer = request.send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let first = answer["data"][0]["embedding"][0].as_f64().unwrap();
    assert!((first - f64::from(own[0])).abs() < 1e-6);
}
