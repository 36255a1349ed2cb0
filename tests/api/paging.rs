//! Pages of every list and search: put together they are the list, whatever their size.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{TestApp, catalogue, texts};

/// Every way to get a list, with `first` and `after` left open. `ID` stands for a song.
const LISTS: [&str; 14] = [
    "songs(PAGE)",
    "songs(PAGE, orderBy: { field: YEAR, direction: DESC })",
    "songs(PAGE, orderBy: { field: TEMPO })",
    "songs(PAGE, where: { song: { genre: { in: [\"rock\", \"pop\"] } } })",
    "recommend(PAGE, query: \"sad slow love song\")",
    "recommend(PAGE, like: [{ id: \"ID\" }])",
    "recommend(PAGE, query: \"dance\", avoid: [{ id: \"ID\" }], strategy: SUM)",
    "recommend(PAGE, query: \"dance\", like: [{ id: \"ID\" }], strategy: BEST_SCORE)",
    "recommend(PAGE, query: \"dance\", diversity: 0.5)",
    "recommend(PAGE, forMe: true)",
    "similar(PAGE, id: \"ID\")",
    "similar(PAGE, id: \"ID\", where: { song: { year: { gte: 1970 } } })",
    "hybridSearch(PAGE, query: \"love dance night\", kinds: [SONG])",
    "hybridSearch(PAGE, query: \"love dance\", kinds: [SONG], fusion: RECIPROCAL_RANK)",
];

/// Walks a list page by page and returns the ids, checking what every page says of itself.
async fn walk(client: &Client, list: &str, first: usize, most: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut after = Value::Null;
    loop {
        let field = list.replace("PAGE", "first: $first, after: $after");
        let query = format!(
            "query ($first: Int!, $after: String) {{ {field} {{ edges {{ cursor }} nodes {{ id }}
                pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let answer = client.query(&query, json!({ "first": first, "after": after })).await;
        let name = field.split('(').next().unwrap();
        let (page, info) = (&answer[name], &answer[name]["pageInfo"]);
        let cursors = texts(&page["edges"], "cursor");
        assert_eq!(info["hasPreviousPage"], !after.is_null(), "{list}");
        assert_eq!(info["startCursor"].as_str(), cursors.first().map(String::as_str));
        assert_eq!(info["endCursor"].as_str(), cursors.last().map(String::as_str));
        ids.extend(texts(&page["nodes"], "id"));
        if info["hasNextPage"] == false || ids.len() >= most {
            return ids;
        }
        assert_eq!(cursors.len(), first, "a page that is not the last is full: {list}");
        after = info["endCursor"].clone();
    }
}

#[tokio::test]
async fn pages_of_any_size_make_up_the_same_list() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::demo()[300..390]).await;
    let viewer = app.as_user("ada");
    for list in LISTS {
        let list = list.replace("ID", &ids[7]);
        let whole = walk(&viewer, &list, 100, usize::MAX).await;
        assert!(whole.len() > 4, "{list}");
        let mut distinct = whole.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), whole.len(), "{list} repeats");
        for first in [1, 7, 30] {
            let most = if first == 1 { 12 } else { usize::MAX };
            let pages = walk(&viewer, &list, first, most).await;
            assert_eq!(pages, whole[..pages.len()], "{list} by {first}");
            assert!(pages.len() == whole.len() || first == 1, "{list} by {first}");
        }
    }
}

#[tokio::test]
async fn rows_that_are_deleted_between_pages_do_not_shift_the_others() {
    let app = TestApp::start().await;
    app.songs(&catalogue::demo()[..40]).await;
    let page = "query ($after: String) { recommend(query: \"love\", first: 10, after: $after) {
        nodes { id } pageInfo { endCursor } } }";
    let answer = app.anonymous().query(page, json!({})).await;
    let first = texts(&answer["recommend"]["nodes"], "id");
    let whole = walk(&app.anonymous(), "recommend(PAGE, query: \"love\")", 100, 100).await;
    // The last row of the page, which the cursor names, and one before it.
    let delete = "mutation ($ids: [ID!]!) { softDelete(ids: $ids, atMost: 2) { ids } }";
    app.as_admin().query(delete, json!({ "ids": [first[9], first[3]] })).await.data();
    let after = &answer["recommend"]["pageInfo"]["endCursor"];
    let answer = app.anonymous().query(page, json!({ "after": after })).await;
    assert_eq!(texts(&answer["recommend"]["nodes"], "id"), whole[10..20]);
}

#[tokio::test]
async fn a_list_goes_on_behind_a_row_that_is_gone() {
    let app = TestApp::start().await;
    app.songs(&catalogue::demo()[..30]).await;
    let page =
        "query ($after: String) { songs(orderBy: { field: TITLE }, first: 10, after: $after) {
        nodes { id } pageInfo { endCursor } } }";
    let whole = walk(&app.anonymous(), "songs(PAGE, orderBy: { field: TITLE })", 100, 100).await;
    let answer = app.anonymous().query(page, json!({})).await;
    let after = &answer["songs"]["pageInfo"]["endCursor"];
    for change in ["softDelete", "purge"] {
        let change = format!("mutation ($id: ID!) {{ {change}(ids: [$id]) {{ ids }} }}");
        app.as_admin().query(&change, json!({ "id": whole[9] })).await.data();
        let answer = app.anonymous().query(page, json!({ "after": after })).await;
        assert_eq!(texts(&answer["songs"]["nodes"], "id"), whole[10..20], "{change}");
    }
}

#[tokio::test]
async fn a_cursor_fits_only_the_query_it_came_from() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::demo()[..30]).await;
    let viewer = app.as_user("ada");
    let fields: Vec<String> = LISTS.iter().map(|list| list.replace("ID", &ids[7])).collect();
    let mut cursors = Vec::new();
    for field in &fields {
        let query = format!(
            "{{ list: {} {{ pageInfo {{ endCursor }} }} }}",
            field.replace("PAGE", "first: 1")
        );
        let answer = viewer.ask(&query).await;
        cursors.push(answer["list"]["pageInfo"]["endCursor"].as_str().map(str::to_owned));
    }
    for (own, field) in fields.iter().enumerate() {
        for (other, cursor) in cursors.iter().enumerate() {
            let Some(cursor) = cursor.as_deref().filter(|_| other != own) else { continue };
            let page = format!("first: 1, after: \"{cursor}\"");
            let query =
                format!("{{ list: {} {{ nodes {{ id }} }} }}", field.replace("PAGE", &page));
            let answer = viewer.ask(&query).await;
            answer.assert_error("INVALID_CURSOR", &["cursor"]);
        }
    }
}

#[tokio::test]
async fn a_page_must_have_from_1_to_100_rows_and_a_real_cursor() {
    let app = TestApp::with_songs().await;
    let ids = app.ingest(&catalogue::songs(), None).await;
    for list in [
        "songs(PAGE)",
        "recommend(PAGE, query: \"x\")",
        "similar(PAGE, id: \"ID\")",
        "hybridSearch(PAGE, query: \"x\", kinds: [SONG])",
    ] {
        let field = |page: &str| {
            let field = list.replace("ID", &ids[0]).replace("PAGE", page);
            format!("{{ {field} {{ nodes {{ id }} }} }}")
        };
        for first in ["0", "-1", "101", "1000000", "-2147483648", "2147483647"] {
            let answer = app.anonymous().ask(&field(&format!("first: {first}"))).await;
            assert_eq!(answer.code(), "INVALID_ARGUMENT", "{list} {first}: {}", answer.text);
            assert!(answer.message().contains("between 1 and 100"), "{}", answer.message());
        }
        for first in ["2147483648", "1e9", "\"5\"", "1.5", "[1]"] {
            let answer = app.anonymous().ask(&field(&format!("first: {first}"))).await;
            assert!(["INVALID_ARGUMENT", "VALIDATION_FAILED"].contains(&answer.code()));
        }
        let long = "A".repeat(4_000);
        for cursor in ["", "x", "AAAA", "🎵", "null", &"A".repeat(48), &long] {
            let answer =
                app.anonymous().ask(&field(&format!("first: 2, after: \"{cursor}\""))).await;
            answer.assert_error("INVALID_CURSOR", &["cursor"]);
        }
    }
}
