//! Keys, accounts, account links, events: what is taken and what is refused.

use axum::http::{Method, header};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{KEY, REFRESH, RETURN, Stripe, error, invalid};

#[tokio::test]
async fn only_a_platforms_secret_key_opens_the_api() {
    let stripe = Stripe::start().await;
    let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
    let cases = [
        (String::new(), 401),
        ("Bearer".to_owned(), 401),
        ("Bearer sk_test_other".to_owned(), 401),
        (format!("Digest {KEY}"), 401),
        (basic("sk_test_other:"), 401),
        ("Basic ???".to_owned(), 401),
        (basic(&format!("{KEY}:")), 200),
        (format!("Bearer {KEY}"), 200),
    ];
    for (authorization, status) in cases {
        let request = stripe.bench.request(Method::GET, "/v1/accounts");
        let request = request
            .header(header::AUTHORIZATION, &authorization)
            .header("stripe-version", "2026-10-28.endive");
        let answer = stripe.bench.send(request, "").await;
        assert_eq!(answer.status.as_u16(), status, "{authorization}");
        assert!(answer.header("request-id").starts_with("req_"));
        assert_eq!(answer.header("stripe-version"), "2026-10-28.endive");
        if status == 401 {
            assert_eq!(error(&answer), invalid(401, Value::Null));
        }
    }
}

#[tokio::test]
async fn an_account_is_created_changed_listed_and_deleted() {
    let stripe = Stripe::start().await;
    let fields = [
        ("type", "custom"),
        ("country", "EE"),
        ("email", "anna@example.com"),
        ("metadata[client]", "7"),
        ("metadata[old]", "x"),
        ("capabilities[transfers][requested]", "true"),
        ("business_profile[url]", "https://shop.example"),
    ];
    let account = stripe.post("/v1/accounts", &fields).await.json();
    assert_eq!(account["capabilities"], json!({"transfers": "inactive"}));
    assert_eq!(account["default_currency"], "eur");
    assert_eq!(account["requirements"]["disabled_reason"], "requirements.past_due");
    let path = format!("/v1/accounts/{}", account["id"].as_str().unwrap());
    assert_eq!(stripe.get(&path).await.json(), account);

    let change = [("email", "jaan@example.com"), ("metadata[old]", ""), ("metadata[new]", "y")];
    let changed = stripe.post(&path, &change).await.json();
    assert_eq!(changed["email"], "jaan@example.com");
    assert_eq!(changed["metadata"], json!({"client": "7", "new": "y"}));

    let second = stripe.account().await;
    let page = stripe.get("/v1/accounts?limit=1").await.json();
    assert_eq!((&page["data"][0]["id"], &page["has_more"]), (&json!(second), &json!(true)));
    let page = stripe.get(&format!("/v1/accounts?starting_after={second}")).await.json();
    assert_eq!((&page["data"][0]["id"], &page["has_more"]), (&account["id"], &json!(false)));

    let deleted = stripe.bench.send(stripe.authorized(stripe.bench.request(Method::DELETE, &path)), "").await;
    assert_eq!(deleted.json(), json!({"id": account["id"], "object": "account", "deleted": true}));
    assert_eq!(error(&stripe.get(&path).await), invalid(403, "account_invalid"));
}

#[tokio::test]
async fn what_an_account_can_not_be_is_refused_with_the_parameter() {
    let stripe = Stripe::start().await;
    let long = "x".repeat(501);
    let cases = [
        (("colour", "red"), json!("parameter_unknown"), "colour"),
        (("metadata[a][b]", "1"), json!("parameter_unknown"), "metadata[a][b]"),
        (
            ("capabilities[transfers][granted]", "true"),
            json!("parameter_unknown"),
            "capabilities[transfers][granted]",
        ),
        (("type", "premium"), Value::Null, "type"),
        (("type", ""), json!("parameter_invalid_empty"), "type"),
        (("country", "XX"), json!("country_unsupported"), "country"),
        (("email", "nobody"), json!("email_invalid"), "email"),
        (("metadata[a]", &long), Value::Null, "metadata"),
        (("capabilities[transfers][requested]", "yes"), Value::Null, "capabilities[transfers][requested]"),
    ];
    for (field, code, param) in cases {
        let answer = stripe.post("/v1/accounts", &[field]).await;
        assert_eq!(error(&answer), invalid(400, code), "{field:?}");
        assert_eq!(answer.json()["error"]["param"], param);
    }
    assert_eq!(stripe.get("/v1/accounts").await.json()["data"], json!([]));
    assert_eq!(error(&stripe.get("/v1/accounts?limit=0").await), invalid(400, Value::Null));
    assert_eq!(error(&stripe.get("/v1/charges").await), invalid(404, Value::Null));
    let json = stripe.authorized(stripe.bench.request(Method::POST, "/v1/accounts"));
    let json = json.header(header::CONTENT_TYPE, "application/json");
    assert_eq!(stripe.bench.send(json, "{}").await.status, 400);
    let large = stripe.authorized(stripe.bench.form("/v1/accounts"));
    assert_eq!(stripe.bench.send(large, "a".repeat(65 * 1024)).await.status, 400);
}

#[tokio::test]
async fn an_account_of_another_platform_is_out_of_reach() {
    let stripe = Stripe::start().await;
    stripe.set(json!({"platforms": {"acct_other": {"name": "Other", "secretKey": "sk_test_other"}}})).await;
    let other = Stripe { key: "sk_test_other", bench: crate::harness::Bench::at(stripe.bench.base.clone()) };
    let foreign = other.account().await;
    let own = stripe.account().await;
    assert_eq!(error(&stripe.get(&format!("/v1/accounts/{foreign}")).await), invalid(403, "account_invalid"));
    assert_eq!(
        error(&stripe.post(&format!("/v1/accounts/{foreign}"), &[]).await),
        invalid(403, "account_invalid")
    );
    let answer = stripe.post_with("/v1/payment_intents", &[], &[("stripe-account", &foreign)]).await;
    assert_eq!(error(&answer), invalid(403, "account_invalid"));
    let fields = [
        ("account", &*foreign),
        ("type", "account_onboarding"),
        ("return_url", RETURN),
        ("refresh_url", REFRESH),
    ];
    assert_eq!(error(&stripe.post("/v1/account_links", &fields).await), invalid(400, "account_invalid"));
    let listed = stripe.get("/v1/accounts").await.json();
    assert_eq!(
        listed["data"].as_array().unwrap().iter().map(|row| &row["id"]).collect::<Vec<_>>(),
        [&json!(own)]
    );
    assert_eq!(stripe.get("/v1/account").await.json()["id"], "acct_platformsandbox");
    assert_eq!(other.get("/v1/account").await.json()["id"], "acct_other");
}

#[tokio::test]
async fn an_account_link_needs_all_of_its_parameters() {
    let stripe = Stripe::start().await;
    let account = stripe.account().await;
    let all = [
        ("account", &*account),
        ("type", "account_onboarding"),
        ("return_url", RETURN),
        ("refresh_url", REFRESH),
    ];
    for (name, _) in all {
        let fields: Vec<_> = all.iter().copied().filter(|(other, _)| *other != name).collect();
        let answer = stripe.post("/v1/account_links", &fields).await;
        assert_eq!(error(&answer), invalid(400, "parameter_missing"), "{name}");
        assert_eq!(answer.json()["error"]["param"], name);
    }
    for name in ["return_url", "refresh_url"] {
        for bad in [
            "/relative",
            "ftp://shop.example/",
            "javascript:alert(1)",
            "https://shop.example/\u{f5}",
            "https://a\r\nb",
        ] {
            let fields = all.map(|(other, value)| (other, if other == name { bad } else { value }));
            let answer = stripe.post("/v1/account_links", &fields).await;
            assert_eq!(error(&answer), invalid(400, "url_invalid"), "{bad}");
        }
    }
    let link = stripe.post("/v1/account_links", &all).await.json();
    assert_eq!(link["expires_at"].as_i64().unwrap() - link["created"].as_i64().unwrap(), 300);
}

#[tokio::test]
async fn the_log_tells_every_call_with_its_endpoint_and_its_key() {
    let stripe = Stripe::start().await;
    let fields = [("type", "express"), ("country", "EE")];
    let account = stripe.post_with("/v1/accounts", &fields, &[("idempotency-key", "k1")]).await.json();
    stripe.post_with("/v1/accounts", &fields, &[("idempotency-key", "k1")]).await;
    stripe.link(account["id"].as_str().unwrap()).await;
    let log = stripe.bench.log().await;
    let endpoints: Vec<_> = log.iter().map(|row| row["endpoint"].as_str().unwrap()).collect();
    assert_eq!(endpoints, ["stripe.accounts", "stripe.accounts", "stripe.account_links"]);
    assert_eq!(
        (&log[0]["method"], &log[0]["account"], &log[0]["outcome"]),
        (&json!("POST"), &account["id"], &json!("ok"))
    );
    assert_eq!((&log[1]["replayed"], &log[1]["outcome"]), (&json!(true), &json!("replayed")));
    assert_eq!(log[0]["idempotencyKey"], log[1]["idempotencyKey"]);
    assert_eq!(log[0]["idempotencyKey"].as_str().unwrap().len(), 16);
    assert!(log[2].get("idempotencyKey").is_none());
    assert!(!json!(log).to_string().contains("k1\""));
}
