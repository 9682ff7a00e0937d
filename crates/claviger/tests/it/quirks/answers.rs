//! Token answers with members that are no tokens.

use serde_json::{Value, json};

use crate::harness::World;
use crate::refresh::own_lines;

/// A token endpoint that gives everybody the same answer.
async fn answering(body: &Value) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = body.to_string();
    let answer = move || {
        let body = body.clone();
        async move { ([("content-type", "application/json")], body) }
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    url
}

/// A connection that was imported and whose refresh is answered like this.
async fn refreshed(answer: &Value) -> (World, u16) {
    let url = answering(answer).await;
    let folder = tempfile::tempdir().unwrap();
    let lines = own_lines(folder.path(), &url, "rotation = \"none\"", "");
    let world = World::reaching(&[url.trim_start_matches("http://")], &lines).await;
    let body = json!({"accessToken": "access-1", "refreshToken": "refresh-1"});
    world.call(axum::http::Method::PUT, "/api/connections/client-7/own", &body).await.expect(200);
    let status = super::force(&world, "own").await.status.as_u16();
    (world, status)
}

#[tokio::test]
async fn what_is_no_access_token_is_not_taken_and_the_old_one_stays() {
    let long = "a".repeat(64 * 1024 + 1);
    for wrong in [
        json!(7),
        json!(["a"]),
        json!({"a": 1}),
        json!(true),
        Value::Null,
        json!(""),
        json!("a\nb"),
        json!(long),
    ] {
        let (world, status) = refreshed(&json!({"access_token": wrong, "refresh_token": "next"})).await;
        let shown = wrong.to_string().chars().take(20).collect::<String>();
        assert_eq!(status, 503, "{shown}");
        assert_eq!(world.token_at("own/token").await, "access-1", "{shown}");
        assert_eq!(world.connection("own").await["status"], "active", "{shown}");
    }
}

#[tokio::test]
async fn a_token_of_64_kib_is_taken() {
    let longest = "a".repeat(64 * 1024);
    let (world, status) = refreshed(&json!({ "access_token": longest })).await;
    assert_eq!(status, 200);
    assert_eq!(world.token_at("own/token").await, longest);
}

#[tokio::test]
async fn nonsense_beside_a_good_token_says_nothing() {
    for nonsense in [
        json!({"expires_in": "soon"}),
        json!({"expires_in": -5}),
        json!({"expires_in": {"seconds": 5}}),
        json!({"scope": 7}),
        json!({"scope": {"a": 1}}),
        json!({"token_type": ["Bearer"]}),
        json!({"refresh_token": null}),
        json!({"refresh_token": ""}),
    ] {
        let mut answer = json!({"access_token": "fresh"});
        answer.as_object_mut().unwrap().extend(nonsense.as_object().unwrap().clone());
        let (world, status) = refreshed(&answer).await;
        assert_eq!(status, 200, "{nonsense}");
        assert_eq!(world.token_at("own/token").await, "fresh", "{nonsense}");
        assert_eq!(world.connection("own").await["hasRefreshToken"], true, "{nonsense}");
    }
}
