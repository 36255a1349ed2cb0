//! `softDelete`, `restore` and `purge`.

use serde_json::{Value, json};

use crate::support::{TestApp, catalogue, texts};

fn change(name: &str) -> String {
    format!(
        "mutation ($ids: [ID!]!, $most: Int! = 1) {{ {name}(ids: $ids, atMost: $most) {{ ids }} }}"
    )
}

/// Everything in which a song can show up.
async fn sightings(app: &TestApp, id: &str, like: &str) -> Vec<bool> {
    let query = "query ($id: ID!, $like: ID!) {
        node(id: $id) { id }
        songs(first: 100) { nodes { id } totalCount }
        recommend(query: \"demons of war heavy metal\", first: 100) { nodes { id } }
        similar(id: $like, first: 100) { nodes { id } }
        hybridSearch(query: \"demons metal\", kinds: [SONG], first: 100) { nodes { id } } }";
    let answer = app.as_admin().query(query, json!({ "id": id, "like": like })).await;
    let holds = |list: &Value| texts(&list["nodes"], "id").contains(&id.to_owned());
    vec![
        !answer["node"].is_null(),
        holds(&answer["songs"]),
        holds(&answer["recommend"]),
        holds(&answer["similar"]),
        holds(&answer["hybridSearch"]),
    ]
}

#[tokio::test]
async fn a_deleted_song_is_gone_everywhere_and_a_restored_one_is_back_everywhere() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    assert_eq!(sightings(&app, &ids[2], &ids[3]).await, [true; 5]);
    let one = json!({ "ids": [ids[2]] });
    let answer = app.as_admin().query(&change("softDelete"), one.clone()).await;
    assert_eq!(answer["softDelete"]["ids"], json!([ids[2]]));
    assert_eq!(sightings(&app, &ids[2], &ids[3]).await, [false; 5]);
    let similar = "query ($id: ID!) { similar(id: $id) { nodes { id } } }";
    let answer = app.anonymous().query(similar, json!({ "id": ids[2] })).await;
    answer.assert_error("NOT_FOUND", &[&ids[2]]);
    let answer = app.as_admin().query(&change("restore"), one).await;
    assert_eq!(answer["restore"]["ids"], json!([ids[2]]));
    assert_eq!(sightings(&app, &ids[2], &ids[3]).await, [true; 5]);
}

#[tokio::test]
async fn a_purged_song_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let feedback = "mutation ($id: ID!) { recordFeedback(id: $id, action: LIKE) }";
    app.as_user("ada").query(feedback, json!({ "id": ids[2] })).await.data();
    app.ingest(&[json!({ "externalId": "metal", "title": "Edited" })], None).await;
    let answer = app.as_admin().query(&change("purge"), json!({ "ids": [ids[2]] })).await;
    assert_eq!(answer["purge"]["ids"], json!([ids[2]]));
    let answer = app.as_admin().query(&change("restore"), json!({ "ids": [ids[2]] })).await;
    assert_eq!(answer["restore"]["ids"], json!([]));
    let left = app
        .rows(
            "SELECT (SELECT count(*) FROM content) AS content, (SELECT count(*) FROM song) AS song,
                (SELECT count(*) FROM embedding) AS embedding,
                (SELECT count(*) FROM embedding_task) AS task,
                (SELECT count(*) FROM feedback) AS feedback",
        )
        .await;
    let expected = json!({ "content": 7, "song": 7, "embedding": 7, "task": 0, "feedback": 0 });
    assert_eq!(left, [expected]);
}

#[tokio::test]
async fn nothing_changes_unless_you_mean_that_many_rows() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    for name in ["softDelete", "restore", "purge"] {
        let two = json!({ "ids": [ids[0], ids[1]] });
        let answer = app.as_admin().query(&change(name), two).await;
        answer.assert_error("INVALID_ARGUMENT", &["`atMost`", "is 1", "2 rows"]);
        for most in [0, -1] {
            let one = json!({ "ids": [ids[0]], "most": most });
            let answer = app.as_admin().query(&change(name), one).await;
            answer.assert_error("INVALID_ARGUMENT", &["`atMost`"]);
        }
        let answer = app.as_admin().query(&change(name), json!({ "ids": [] })).await;
        answer.assert_error("INVALID_ARGUMENT", &["`ids`"]);
    }
    let answer = app.anonymous().ask("{ songs { totalCount } }").await;
    assert_eq!(answer["songs"]["totalCount"], 8);
    // The same row twice is one row.
    let twice = json!({ "ids": [ids[0], ids[0]] });
    let answer = app.as_admin().query(&change("softDelete"), twice).await;
    assert_eq!(answer["softDelete"]["ids"], json!([ids[0]]));
}

#[tokio::test]
async fn a_row_that_is_so_already_is_not_listed() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let unknown = "song:00000000-0000-0000-0000-000000000000";
    let both = json!({ "ids": [ids[0], unknown], "most": 2 });
    let answer = app.as_admin().query(&change("softDelete"), both.clone()).await;
    assert_eq!(answer["softDelete"]["ids"], json!([ids[0]]));
    let answer = app.as_admin().query(&change("softDelete"), both).await;
    assert_eq!(answer["softDelete"]["ids"], json!([]));
}

#[tokio::test]
async fn an_id_of_another_kind_changes_nothing() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    for name in ["softDelete", "purge"] {
        let wrong = json!({ "ids": [ids[0].replace("song:", "job:")] });
        let answer = app.as_admin().query(&change(name), wrong).await;
        assert_eq!(answer[name]["ids"], json!([]));
        let answer = app.anonymous().ask("{ songs { totalCount } }").await;
        assert_eq!(answer["songs"]["totalCount"], 8, "{name} with an id of another kind");
    }
}

#[tokio::test]
async fn a_restored_song_is_queued_for_the_spaces_that_lack_it() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let one = json!({ "ids": [ids[2]] });
    app.as_admin().query(&change("softDelete"), one.clone()).await.data();
    // As after a space was made and filled meanwhile.
    app.sql("DELETE FROM embedding WHERE content_id IN (SELECT id FROM content WHERE deleted_at IS NOT NULL)")
        .await;
    app.as_admin().query(&change("restore"), one).await.data();
    assert_eq!(app.rows("SELECT id FROM embedding_task").await.len(), 1);
    app.run_queue().await;
    assert_eq!(sightings(&app, &ids[2], &ids[3]).await, [true; 5]);
}
