//! Tokens that somebody tampered with, and those that are good all the same.

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::tokens::{claims, encode, header, hmac_sha256, signed, signed_text};
use crate::support::{SECRET, TestApp};

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

fn good() -> String {
    signed(&header(), &claims(), SECRET.as_bytes())
}

/// Headers that are not ours.
fn bad_headers() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let sign = |header: &Value| signed(header, &claims(), SECRET.as_bytes());
    for alg in [
        "none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA",
        "hs256",
    ] {
        let header = with(header(), "alg", json!(alg));
        all.push((format!("alg {alg} signed"), sign(&header)));
        let token = sign(&header);
        let stripped = token.rsplit_once('.').unwrap().0;
        all.push((format!("alg {alg} unsigned"), format!("{stripped}.")));
    }
    for alg in [Value::Null, json!(256), json!(["HS256"]), json!({})] {
        all.push((format!("alg {alg}"), sign(&with(header(), "alg", alg))));
    }
    all.push(("no alg".to_owned(), sign(&without(header(), "alg"))));
    let kids =
        [json!("../../dev/null"), json!("x' OR 1=1 --"), json!("k".repeat(10_000)), json!(7)];
    for kid in kids {
        all.push(("kid".to_owned(), sign(&with(header(), "kid", kid))));
    }
    let strangers = [
        ("jku", json!("https://evil.example/keys.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("jwk", json!({ "kty": "oct", "k": encode(b"evil") })),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("typ", json!("at+jwt")),
        ("typ", json!("JWE")),
        ("zip", json!("DEF")),
    ];
    for (name, value) in strangers {
        all.push((format!("{name} {value}"), sign(&with(header(), name, value))));
    }
    let twice = r#"{"alg":"none","alg":"HS256","typ":"JWT"}"#;
    all.push((
        "alg twice".to_owned(),
        signed_text(twice, &claims().to_string(), SECRET.as_bytes()),
    ));
    all
}

/// Claims that are not ours.
fn bad_claims() -> Vec<(String, String)> {
    let now = kindred::model::Clock.now().timestamp();
    let changed = [
        ("exp", json!(now - 35)),
        ("exp", json!(now - 3_600)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!((now + 3_600).to_string())),
        ("exp", json!(9_223_372_036_854_775_808_u64)),
        ("exp", json!(1e300)),
        ("exp", json!([now + 3_600])),
        ("exp", Value::Null),
        ("nbf", json!(now + 3_600)),
        ("nbf", json!((now + 3_600).to_string())),
        ("iat", json!(now + 3_600)),
        ("iat", json!("now")),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!(7)),
        ("aud", Value::Null),
        ("iss", json!("other")),
        ("iss", json!("")),
        ("iss", json!(["kindred"])),
        ("sub", json!("")),
        ("sub", json!("ada")),
        ("sub", json!(7)),
        ("sub", json!("x".repeat(10_000))),
        ("role", json!("owner")),
        ("role", json!("Admin")),
        ("role", json!("")),
        ("role", json!(["admin"])),
        ("role", Value::Null),
    ];
    let mut all: Vec<(String, String)> = changed
        .into_iter()
        .map(|(name, value)| {
            let token = signed(&header(), &with(claims(), name, value.clone()), SECRET.as_bytes());
            (format!("{name} {value}"), token)
        })
        .collect();
    for name in ["exp", "iss", "aud", "sub", "role"] {
        let token = signed(&header(), &without(claims(), name), SECRET.as_bytes());
        all.push((format!("no {name}"), token));
    }
    let twice = claims().to_string().replacen('{', r#"{"role":"admin","#, 1);
    all.push((
        "role twice".to_owned(),
        signed_text(&header().to_string(), &twice, SECRET.as_bytes()),
    ));
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    let deep = claims().to_string().replacen('{', &format!(r#"{{"deep":{deep},"#), 1);
    all.push(("deep".to_owned(), signed_text(&header().to_string(), &deep, SECRET.as_bytes())));
    for text in ["", "null", "[]", "7", "\"x\"", "{", "\u{0}"] {
        let token = signed_text(&header().to_string(), text, SECRET.as_bytes());
        all.push((format!("claims `{text}`"), token));
    }
    all
}

/// Signatures and shapes that are not ours.
fn bad_shapes() -> Vec<(String, String)> {
    let token = good();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (head, body) = message.split_once('.').unwrap();
    let other = |secret: &[u8]| encode(&hmac_sha256(secret, message.as_bytes()));
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    let sloppy = alphabet.as_bytes()[at ^ 1] as char;
    let mut all = vec![
        ("empty secret", format!("{message}.{}", other(b""))),
        ("other secret", format!("{message}.{}", other(b"another secret that is long enough"))),
        ("secret in capitals", format!("{message}.{}", other(SECRET.to_uppercase().as_bytes()))),
        ("no signature", format!("{message}.")),
        ("two segments", message.to_owned()),
        ("one segment", head.to_owned()),
        ("four segments", format!("{token}.{signature}")),
        ("five segments", format!("{head}..{body}.{signature}.{signature}")),
        ("half a signature", format!("{message}.{}", &signature[..21])),
        ("padded", format!("{token}=")),
        ("trailing bits", format!("{message}.{}{sloppy}", &signature[..signature.len() - 1])),
        ("inner blank", format!("{head}. {body}.{signature}")),
        ("standard base64", format!("{head}+/.{body}.{signature}")),
        ("dots", "...".to_owned()),
        ("words", "not a token".to_owned()),
        ("100 KB", format!("{head}.{}.{signature}", "A".repeat(20_000))),
        ("nothing", ".".to_owned()),
    ]
    .into_iter()
    .map(|(name, token)| (name.to_owned(), token))
    .collect::<Vec<_>>();
    // One bit of each segment turned.
    for segment in 0..3 {
        for place in [0, 7, 15] {
            let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
            let mut bytes = decode(&parts[segment]);
            bytes[place] ^= 1;
            parts[segment] = encode(&bytes);
            all.push((format!("bit {place} of segment {segment}"), parts.join(".")));
        }
    }
    all
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_refused_for_queries_and_mutations() {
    let app = TestApp::start().await;
    let mut tokens = bad_headers();
    tokens.extend(bad_claims());
    tokens.extend(bad_shapes());
    assert!(tokens.len() > 80);
    let mutation = "mutation { recordFeedback(id: \"song:x\", action: LIKE) }";
    for (name, token) in tokens {
        for query in ["{ __typename }", "{ songs { totalCount } }", mutation] {
            let answer = app.with_token(&token).ask(query).await;
            assert_eq!(answer.status, 401, "{name}: {}", answer.text);
            assert_eq!(answer.code(), "UNAUTHENTICATED", "{name}");
            assert!(answer.headers.contains_key("www-authenticate"), "{name}");
        }
    }
    app.with_token(&good()).assert_served().await;
}

#[tokio::test]
async fn a_token_is_good_within_the_leeway_of_clocks() {
    let app = TestApp::start().await;
    let now = kindred::model::Clock.now().timestamp();
    let tokens = [
        with(claims(), "exp", json!(now - 20)),
        with(claims(), "iat", json!(now + 20)),
        with(claims(), "nbf", json!(now + 20)),
        with(claims(), "nbf", json!(now - 100)),
        with(claims(), "extra", json!({ "anything": [1, 2] })),
    ];
    for claims in tokens {
        let token = signed(&header(), &claims, SECRET.as_bytes());
        app.with_token(&token).assert_served().await;
    }
    let bare = signed(&without(header(), "typ"), &claims(), SECRET.as_bytes());
    app.with_token(&bare).assert_served().await;
}

#[tokio::test]
async fn an_expired_token_is_told_from_a_forged_one() {
    let app = TestApp::start().await;
    let now = kindred::model::Clock.now().timestamp();
    let expired = signed(&header(), &with(claims(), "exp", json!(now - 60)), SECRET.as_bytes());
    let answer = app.with_token(&expired).ask("{ __typename }").await;
    answer.assert_error("UNAUTHENTICATED", &["expired"]);
    // Whoever cannot sign does not learn whether the time was right.
    let forged = signed(&header(), &with(claims(), "exp", json!(now - 60)), b"no");
    let answer = app.with_token(&forged).ask("{ __typename }").await;
    answer.assert_error("UNAUTHENTICATED", &["not valid"]);
}

#[tokio::test]
async fn a_user_cannot_make_themselves_an_administrator() {
    let app = TestApp::start().await;
    let token = good();
    let claims = with(claims(), "role", json!("admin"));
    let (head, rest) = token.split_once('.').unwrap();
    let signature = rest.split_once('.').unwrap().1;
    let forged = format!("{head}.{}.{signature}", encode(claims.to_string().as_bytes()));
    let answer = app.with_token(&forged).ask("{ failedTasks { contentId } }").await;
    answer.assert_error("UNAUTHENTICATED", &[]);
    let answer = app.with_token(&token).ask("{ failedTasks { contentId } }").await;
    answer.assert_error("FORBIDDEN", &["administrators"]);
}

#[tokio::test]
async fn the_token_is_read_from_one_bearer_header_and_nowhere_else() {
    let app = TestApp::plan().with(&["--env", "production"]).start().await;
    let token = good();
    let query = "/graphql?query=%7Bsongs%7BtotalCount%7D%7D";
    let send = async |headers: Vec<(&str, String)>, path: String| {
        let mut request = app.anonymous().request(reqwest::Method::GET, &path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Answer::of(request).await
    };
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let header = vec![("authorization", format!("{scheme} {token}"))];
        send(header, query.to_owned()).await.data();
    }
    let refused = [
        vec![("authorization", String::new())],
        vec![("authorization", "Bearer".to_owned())],
        vec![("authorization", "Bearer ".to_owned())],
        vec![("authorization", token.clone())],
        vec![("authorization", format!("Basic {token}"))],
        vec![("authorization", format!("Token {token}"))],
        vec![("authorization", format!("Bearer {token} {token}"))],
        vec![("authorization", format!("Bearer {token},{token}"))],
        vec![
            ("authorization", format!("Bearer {token}")),
            ("authorization", format!("Bearer {token}")),
        ],
        vec![("cookie", format!("token={token}; access_token={token}"))],
        vec![("x-access-token", token.clone())],
        vec![("x-user-id", crate::support::user_id("ada").to_string())],
    ];
    for headers in refused {
        let answer = send(headers.clone(), query.to_owned()).await;
        assert_eq!(answer.status, 401, "{headers:?}: {}", answer.text);
    }
    for name in ["token", "access_token", "authorization", "jwt"] {
        let answer = send(Vec::new(), format!("{query}&{name}={token}")).await;
        assert_eq!(answer.status, 401, "{name}");
    }
}
