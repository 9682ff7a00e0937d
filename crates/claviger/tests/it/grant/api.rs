//! The backend's API: applications, users, and what users agreed to.

mod applications;
mod grants;
mod users;

use axum::http::Method;
use serde_json::{Value, json};

use super::rig::Rig;
use crate::harness::Answer;

impl Rig {
    /// Asks the backend's API with an admin key.
    async fn api(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.world.call(method, path, body).await
    }

    /// All rows of a list, page by page.
    async fn pages(&self, path: &str, member: &str, limit: u32) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.world.api(&format!("{path}?limit={limit}{cursor}")).await.expect(200).json();
            let found = page[member].as_array().unwrap();
            assert!(found.len() <= limit as usize, "{page}");
            rows.extend(found.iter().cloned());
            let Some(next) = page["nextCursor"].as_str() else { return rows };
            assert_eq!(found.len(), limit as usize, "only the last page has fewer: {page}");
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            cursor = format!("&cursor={next}");
        }
    }

    /// Whether an application proves who it is with this secret: then only its refresh token is wrong.
    async fn proves(&self, client: &str, secret: &str) -> bool {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "none"),
            ("client_id", client),
            ("client_secret", secret),
        ];
        let answer = self.post("/oauth/token", &form).await;
        match (answer.status.as_u16(), answer.json()["error"].as_str()) {
            (400, Some("invalid_grant")) => true,
            (401, Some("invalid_client")) => false,
            _ => panic!("{answer:?}"),
        }
    }
}

/// That a member is refused by its name, and no value comes back.
#[track_caller]
fn refused(answer: &Answer, field: &str) {
    assert_eq!(answer.problem(), (422, "validation_failed".to_owned()), "{field}: {}", answer.body);
    let named = answer.json()["errors"][0]["field"].as_str().unwrap_or_default().to_owned();
    assert!(named == field || named.starts_with(&format!("{field}[")), "{field}: {}", answer.body);
    assert!(!answer.body.contains("hunter2"), "{}", answer.body);
}

/// One value of each type of JSON.
fn every_type() -> [Value; 6] {
    [json!(null), json!(true), json!(-1.5), json!("hunter2"), json!([7]), json!({"hunter2": 1})]
}

fn texts(count: usize, of: impl Fn(usize) -> String) -> Value {
    (0..count).map(|number| Value::from(of(number))).collect()
}
