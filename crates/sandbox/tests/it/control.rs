//! The control: what it takes, what it refuses, and who may use it.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Bench, refused};

#[tokio::test]
async fn a_change_that_makes_no_sense_names_what_is_wrong() {
    let bench = Bench::start(json!({})).await;
    let before = bench.get("/control").await.json();
    let cases = [
        (json!({"rotatoin": "none"}), "rotatoin"),
        (json!({"rotation": "sometimes"}), "until_use"),
        (json!({"accessTokenTtl": "60"}), "accessTokenTtl"),
        (json!({"accessTokenTtl": -1}), "accessTokenTtl"),
        (json!({"accessTokenTtl": 1.5}), "accessTokenTtl"),
        (json!({"accessTokenTtl": 315_360_001_u64}), "315360000"),
        (json!({"latency": 120_001}), "120000"),
        (json!({"revokeFamilyOnReuse": 1}), "revokeFamilyOnReuse"),
        (json!({"sendIss": null}), "sendIss"),
        (json!({"scopeSeparator": ";"}), "a space or a comma"),
        (json!({"grantedScopes": []}), "grantedScopes"),
        (json!({"grantedScopes": ["a b"]}), "grantedScopes"),
        (json!({"account": ""}), "account"),
        (json!({"clockOffset": 1e300}), "clockOffset"),
        (json!({"fail": {"kind": "reset"}}), "reset_before"),
        (json!({"fail": {"kind": 500, "time": 1}}), "time"),
        (json!({"fail": {"kind": 500, "endpoints": []}}), "endpoints"),
        (json!({"fail": {"kind": 500, "endpoints": ["control"]}}), "userinfo"),
        (json!({"fail": "500"}), "fail"),
        (json!({"apps": {"new": {}}}), "clientSecret"),
        (json!({"apps": {"new": {"clientSecret": "x", "redirectUris": ["/relative"]}}}), "redirectUris"),
        (json!({"apps": {"new": {"clientSecret": "x", "redirectUri": "https://a.example/"}}}), "redirectUri"),
        (json!({"apps": []}), "apps"),
    ];
    for (change, named) in cases {
        let answer = bench.put_control("", change.clone()).await;
        assert_eq!(answer.error(), refused(400, "invalid_setting"), "{change}");
        let description = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(description.contains(named), "{change}: {description}");
    }
    assert_eq!(bench.get("/control").await.json(), before);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let bench = Bench::start(json!({})).await;
    for (body, status) in [("", 400), ("[]", 400), ("{", 400), ("null", 400), (&"x".repeat(65 * 1024), 413)] {
        let answer = bench.send(bench.request(Method::PUT, "/control"), body.to_owned()).await;
        assert_eq!(answer.error(), refused(status, "invalid_request"));
    }
}

#[tokio::test]
async fn an_app_can_have_a_behaviour_of_its_own() {
    let change =
        json!({"apps": {"other": {"clientSecret": "x", "redirectUris": ["https://other.example/cb"]}}});
    let bench = Bench::start(change).await;
    let own = bench.put_control("?app=other", json!({"approve": "deny", "sendIss": false})).await.json();
    assert_eq!((&own["approve"], &own["leeway"]), (&json!("deny"), &json!(60)));
    bench.control(json!({"leeway": 5, "approve": "auto"})).await;
    let own = bench.get("/control?app=other").await.json();
    assert_eq!((&own["approve"], &own["leeway"]), (&json!("deny"), &json!(5)));
    let everybody = bench.get("/control").await.json();
    assert_eq!(everybody["approve"], "auto");
    assert_eq!(everybody["apps"]["other"]["redirectUris"], json!(["https://other.example/cb"]));
    let path = Bench::authorize_path(&[("client_id", "other"), ("redirect_uri", "https://other.example/cb")]);
    let location = bench.get(&path).await.header("location").to_owned();
    assert!(location.starts_with("https://other.example/cb?error=access_denied"), "{location}");
    assert!(bench.authorize(&[]).await.contains_key("code"));

    assert_eq!(bench.get("/control?app=nobody").await.error(), refused(404, "unknown_app"));
    assert_eq!(bench.put_control("?app=nobody", json!({})).await.error(), refused(404, "unknown_app"));
    assert_eq!(bench.put_control("?ap=other", json!({})).await.error(), refused(400, "invalid_request"));
    assert_eq!(
        bench.put_control("?app=other", json!({"apps": {}})).await.error(),
        refused(400, "invalid_setting")
    );
}

#[tokio::test]
async fn a_public_app_has_no_secret_and_needs_none() {
    let change =
        json!({"apps": {"mobile": {"clientSecret": null, "redirectUris": ["com.example.app:/callback"]}}});
    let bench = Bench::start(change).await;
    bench.control(json!({"approve": "auto"})).await;
    let redirect_uri = "com.example.app:/callback";
    let path = Bench::authorize_path(&[("client_id", "mobile"), ("redirect_uri", redirect_uri)]);
    let location = url::Url::parse(bench.get(&path).await.header("location")).unwrap();
    let (_, code) = location.query_pairs().find(|(name, _)| name == "code").unwrap();
    let mut fields = crate::harness::exchange_fields(&code).to_vec();
    fields[2].1 = redirect_uri;
    fields.push(("client_id", "mobile"));
    assert_eq!(bench.post("/oauth/token", &fields).await.status, 200);
}

#[tokio::test]
async fn a_reset_forgets_the_settings_and_the_log_but_not_what_was_issued() {
    let bench = Bench::start(json!({})).await;
    let fresh = bench.get("/control").await.json();
    let tokens = bench.connect().await;
    let tokens = bench.refresh(&tokens.refresh).await.tokens();
    assert_eq!(bench.totals().await, [1, 1, 0, 0, 0]);
    bench.control(json!({"latency": 1, "fail": {"kind": 500}, "apps": {"new": {"clientSecret": "x"}}})).await;
    bench.put_control("?app=claviger", json!({"leeway": 1})).await;
    let answer = bench.send(bench.request(Method::POST, "/control/reset"), "").await;
    assert_eq!(answer.json(), fresh);
    assert_eq!(bench.get("/control?app=claviger").await.json()["leeway"], fresh["leeway"]);
    assert_eq!(Value::from(bench.log().await), json!([]));
    assert_eq!(bench.totals().await, [0; 5]);
    assert_eq!(bench.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn a_web_page_of_another_origin_can_not_use_the_control() {
    let bench = Bench::start(json!({})).await;
    let calls = [
        (Method::GET, "/control"),
        (Method::PUT, "/control"),
        (Method::GET, "/control/log"),
        (Method::GET, "/control/totals"),
        (Method::POST, "/control/reset"),
    ];
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("host", "evil.example"),
    ];
    for (method, path) in calls {
        for (name, value) in foreign {
            let request = bench.request(method.clone(), path).header(name, value);
            let answer = bench.send(request, "{}").await;
            assert_eq!(answer.error(), refused(403, "forbidden"), "{method} {path} {name}: {value}");
        }
        let own = bench.request(method.clone(), path).header("origin", &bench.base);
        let answer = bench.send(own.header("sec-fetch-site", "same-origin"), "{}").await;
        assert_eq!(answer.status, 200, "{method} {path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    }
}
