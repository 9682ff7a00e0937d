//! `/control/stripe`: what it takes, what it refuses, and who may use it.

use axum::http::Method;
use serde_json::json;

use super::Stripe;
use crate::harness::refused;

#[tokio::test]
async fn a_change_that_makes_no_sense_names_what_is_wrong_and_changes_nothing() {
    let stripe = Stripe::start().await;
    let before = stripe.control(Method::GET, "", json!(null)).await.json();
    let cases = [
        (json!({"onbording": "ask"}), "onbording"),
        (json!({"onboarding": "sometimes"}), "incomplete"),
        (json!({"latency": 120_001}), "120000"),
        (json!({"deliver": "later"}), "manual"),
        (json!({"clockOffset": 1e300}), "clockOffset"),
        (json!({"fail": {"kind": "invalid_grant"}}), "OAuth"),
        (json!({"fail": {"kind": 500, "endpoints": ["token"]}}), "stripe.accounts"),
        (json!({"fail": {"kind": 500, "endpoints": []}}), "endpoints"),
        (json!({"fail": {"kind": 500, "time": 1}}), "time"),
        (json!({"webhook": {"url": "http://shop.example/hook"}}), "loopback"),
        (json!({"webhook": {"url": "https://127.0.0.1/hook"}}), "loopback"),
        (json!({"webhook": {"url": "http://127.0.0.1.shop.example/hook"}}), "loopback"),
        (json!({"webhook": {"url": "http://127.0.0.1/", "secret": ""}}), "secret"),
        (json!({"webhook": {"url": "http://127.0.0.1/", "platform": "acct_0"}}), "no platform"),
        (json!({"webhook": {"url": "http://127.0.0.1/", "retryDelay": 60_001}}), "60000"),
        (json!({"platforms": {"acct_new": {"name": "New"}}}), "secretKey"),
        (json!({"platforms": {"acct_new": {"name": "New", "secretKey": "pk_test_new"}}}), "sk_test_"),
        (
            json!({"platforms": {"acct_new": {"name": "New", "secretKey": "sk_test_sandbox"}}}),
            "another platform",
        ),
        (json!({"platforms": {"new": {"name": "New", "secretKey": "sk_test_new"}}}), "acct_"),
        (json!({"latency": 5, "webhook": 7}), "webhook"),
    ];
    for (change, named) in cases {
        let answer = stripe.control(Method::PUT, "", change.clone()).await;
        assert_eq!(answer.error(), refused(400, "invalid_setting"), "{change}");
        let description = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(description.contains(named), "{change}: {description}");
    }
    assert_eq!(stripe.control(Method::GET, "", json!(null)).await.json(), before);
    assert!(!before.to_string().contains("sk_test_sandbox"), "{before}");
}

#[tokio::test]
async fn a_failure_meets_the_endpoints_that_it_names() {
    let stripe = Stripe::start().await;
    let fail = json!({"kind": 429, "times": 2, "retryAfter": 7, "endpoints": ["stripe.account_links"]});
    stripe.set(json!({"fail": fail})).await;
    assert_eq!(stripe.get("/v1/accounts").await.status, 200);
    let limited = stripe.post("/v1/account_links", &[]).await;
    assert_eq!((limited.status.as_u16(), limited.header("retry-after")), (429, "7"));
    assert_eq!(limited.json()["error"]["code"], "rate_limit");
    assert_eq!(stripe.control(Method::GET, "", json!(null)).await.json()["fail"]["times"], 1);
    stripe.post("/v1/account_links", &[]).await;
    assert_eq!(stripe.post("/v1/account_links", &[]).await.status, 400);
    assert_eq!(
        stripe.bench.outcomes("stripe.account_links").await,
        ["fail:429", "fail:429", "parameter_missing"]
    );
    stripe.set(json!({"fail": {"kind": "garbage", "endpoints": ["stripe.onboarding"]}})).await;
    let account = stripe.account().await;
    let link = stripe.link(&account).await;
    assert!(serde_json::from_slice::<serde_json::Value>(&stripe.bench.get(&link).await.body).is_err());
    assert!(stripe.bench.get(&link).await.text().contains("<form"), "a failure opens no link");
}

#[tokio::test]
async fn an_account_can_be_changed_and_the_change_is_checked() {
    let stripe = Stripe::start().await;
    let account = stripe.account().await;
    let path = format!("/accounts/{account}");
    let change = json!({
        "detailsSubmitted": true, "payoutsEnabled": true,
        "requirements": {"currentlyDue": ["individual.id_number"], "disabledReason": "rejected.fraud"},
    });
    let changed = stripe.control(Method::PUT, &path, change).await.json();
    assert_eq!((&changed["details_submitted"], &changed["charges_enabled"]), (&json!(true), &json!(false)));
    assert_eq!(changed["requirements"]["currently_due"], json!(["individual.id_number"]));
    assert_eq!(changed["requirements"]["past_due"], json!([]));
    assert_eq!(stripe.get(&format!("/v1{path}")).await.json(), changed);
    let listed = stripe.control(Method::GET, "/accounts", json!(null)).await.json();
    assert_eq!(listed["accounts"][0]["account"], changed);
    assert_eq!(listed["accounts"][0]["platform"], "acct_platformsandbox");
    for bad in
        [json!({"chargesenabled": true}), json!({"requirements": {"due": []}}), json!({"chargesEnabled": 1})]
    {
        let answer = stripe.control(Method::PUT, &path, bad.clone()).await;
        assert_eq!(answer.error(), refused(400, "invalid_request"), "{bad}");
    }
    assert_eq!(
        stripe.control(Method::PUT, "/accounts/acct_0", json!({})).await.error(),
        refused(404, "not_found")
    );
    let twice = format!("{path}/deauthorize");
    assert_eq!(stripe.control(Method::POST, &twice, json!(null)).await.status, 200);
    assert_eq!(stripe.control(Method::POST, &twice, json!(null)).await.status, 404);
}

#[tokio::test]
async fn a_reset_takes_the_settings_back_and_leaves_the_accounts() {
    let stripe = Stripe::start().await;
    let before = stripe.control(Method::GET, "", json!(null)).await.json();
    stripe
        .set(json!({
            "latency": 1, "onboarding": "complete", "fail": {"kind": 500, "times": 9}, "clockOffset": 5,
            "webhook": {"url": "http://127.0.0.1:9/"},
            "platforms": {"acct_other": {"name": "Other", "secretKey": "sk_test_other"}},
        }))
        .await;
    stripe.set(json!({"fail": null})).await;
    let account = stripe.account().await;
    stripe.bench.send(stripe.bench.request(Method::POST, "/control/reset"), "").await;
    assert_eq!(stripe.control(Method::GET, "", json!(null)).await.json(), before);
    assert_eq!(stripe.get(&format!("/v1/accounts/{account}")).await.status, 200);
}

#[tokio::test]
async fn a_page_of_another_site_can_not_use_the_control() {
    let stripe = Stripe::start().await;
    let account = stripe.account().await;
    let requests = [
        (Method::GET, "/control/stripe".to_owned()),
        (Method::PUT, "/control/stripe".to_owned()),
        (Method::GET, "/control/stripe/accounts".to_owned()),
        (Method::GET, "/control/stripe/events".to_owned()),
        (Method::PUT, format!("/control/stripe/accounts/{account}")),
        (Method::POST, format!("/control/stripe/accounts/{account}/deauthorize")),
        (Method::POST, "/control/stripe/events/evt_0/send".to_owned()),
    ];
    for (method, path) in requests {
        let request = stripe.bench.request(method, &path).header("origin", "https://evil.example");
        assert_eq!(stripe.bench.send(request, "{}").await.error(), refused(403, "forbidden"), "{path}");
    }
}
