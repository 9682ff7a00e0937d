//! `/api/grants`.

use axum::http::Method;
use serde_json::{Value, json};

use crate::grant::on_both;
use crate::grant::rig::{Ask, EMAIL, text};
use crate::harness::Browser;

on_both! {
    async fn what_people_agreed_to_is_listed_and_withdrawn(rig: Rig) {
        let bert = rig.add_user("bert@example.com", &[("rowan", "Rowan")]).await;
        for (client, email) in [("app", EMAIL), ("other", EMAIL), ("app", "bert@example.com")] {
            rig.agree_as(&Browser::new(), &Ask::of(client), email, None).await;
        }
        let tokens = rig.tokens("app").await;
        let all = rig.pages("/api/grants", "grants", 200).await;
        assert_eq!(all.len(), 3, "{all:?}");
        for limit in [1, 2, 3] {
            assert_eq!(rig.pages("/api/grants", "grants", limit).await, all, "{limit} at a time");
        }
        let found = async |query: &str| {
            let page = rig.world.api(&format!("/api/grants?{query}")).await.expect(200).json();
            page["grants"].as_array().unwrap().clone()
        };
        assert_eq!(found("application=app").await.len(), 2);
        assert_eq!(found("application=lax").await.len(), 0);
        let of_bert = found(&format!("user={bert}&application=app")).await;
        assert_eq!((of_bert.len(), &of_bert[0]["team"]), (1, &json!("rowan")));
        assert_eq!((&of_bert[0]["user"], &of_bert[0]["scopes"]), (&json!(bert), &json!(["reports.read"])));

        let anna = all.iter().find(|grant| grant["application"] == "app" && grant["user"] != json!(bert)).unwrap();
        let path = format!("/api/grants/{}", text(anna, "id"));
        rig.userinfo(text(&tokens, "access_token")).await.expect(200);
        rig.api(Method::DELETE, &path, &Value::Null).await.expect(204);
        rig.userinfo(text(&tokens, "access_token")).await.expect(401);
        rig.refresh("app", text(&tokens, "refresh_token")).await.expect(400);
        let again = rig.api(Method::DELETE, &path, &Value::Null).await;
        assert_eq!(again.problem(), (404, "grant_not_found".to_owned()));
        assert_eq!(rig.pages("/api/grants", "grants", 200).await.len(), 2);
        let told = rig.world.audited("grant.withdrawn").await;
        assert_eq!((&told["facts"]["application"], &told["actor"]["type"]), (&json!("app"), &json!("api_key")));
        assert_eq!(rig.world.api("/api/grants/x").await.status, 405, "they are only listed");
    }
}
