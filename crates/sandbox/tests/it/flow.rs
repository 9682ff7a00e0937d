//! From the authorization request to the code, and from the code to the tokens.

use axum::http::Method;
use serde_json::json;

use crate::harness::{BASIC, Bench, CALLBACK, VERIFIER, encode, exchange_fields, refused};

#[tokio::test]
async fn a_person_consents_and_the_app_gets_tokens_that_work() {
    let bench = Bench::start(json!({})).await;
    let page = bench.get(&Bench::authorize_path(&[])).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("name=\"decision\" value=\"approve\""));

    let decided = [
        ("response_type", "code"),
        ("client_id", "claviger"),
        ("redirect_uri", CALLBACK),
        ("scope", "profile notes:read"),
        ("state", "xyz"),
        ("code_challenge", crate::harness::CHALLENGE),
        ("code_challenge_method", "S256"),
        ("account", "jaan@example.com"),
        ("decision", "approve"),
    ];
    let back = bench.post("/oauth/authorize", &decided).await.redirected();
    assert_eq!(back["state"], "xyz");
    assert_eq!(back["iss"], bench.base);

    let answer = bench.exchange(&back["code"]).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["scope"], "profile notes:read");

    let tokens = answer.tokens();
    let userinfo = bench.open("/oauth/userinfo", &tokens.access).await.json();
    assert_eq!(userinfo["email"], "jaan@example.com");
    assert_eq!(userinfo["name"], "Jaan Kask");
    assert_eq!(bench.open("/api/me", &tokens.access).await.json()["id"], userinfo["sub"]);
    assert_eq!(bench.open("/api/notes", &tokens.access).await.json()["notes"].as_array().unwrap().len(), 2);
    assert!(bench.refresh(&tokens.refresh).await.tokens().refresh != tokens.refresh);

    let told: Vec<_> =
        bench.log().await.iter().map(|row| (row["endpoint"].clone(), row["outcome"].clone())).collect();
    let expected = [
        ("authorize", "asked"),
        ("authorize", "approved"),
        ("token", "ok"),
        ("userinfo", "ok"),
        ("api", "ok"),
        ("api", "ok"),
        ("token", "ok"),
    ];
    assert_eq!(told, expected.map(|(endpoint, outcome)| (json!(endpoint), json!(outcome))));
}

#[tokio::test]
async fn a_person_who_denies_sends_the_app_away_without_a_code() {
    let bench = Bench::start(json!({})).await;
    let path = Bench::authorize_path(&[("decision", "deny")]);
    let (_, query) = path.split_once('?').unwrap();
    let back = bench.send(bench.form("/oauth/authorize"), query.to_owned()).await.redirected();
    assert_eq!((back["error"].as_str(), back["state"].as_str()), ("access_denied", "xyz"));
    assert!(!back.contains_key("code"));
    bench.control(json!({"approve": "deny"})).await;
    assert_eq!(bench.get(&Bench::authorize_path(&[])).await.redirected()["error"], "access_denied");
}

#[tokio::test]
async fn the_control_chooses_who_consents() {
    let bench = Bench::start(json!({"account": "mari@example.com"})).await;
    let mari = bench.connect().await;
    bench.control(json!({"account": "a.stranger"})).await;
    let stranger = bench.connect().await;
    let email = async |token: &str| bench.open("/oauth/userinfo", token).await.json()["email"].clone();
    assert_eq!(email(&mari.access).await, "mari@example.com");
    assert_eq!(email(&stranger.access).await, "a.stranger@example.com");
}

#[tokio::test]
async fn an_unknown_app_or_address_is_told_on_a_page_and_never_by_a_redirect() {
    let bench = Bench::start(json!({"approve": "auto"})).await;
    for fields in [
        [("client_id", "nobody")],
        [("client_id", "")],
        [("redirect_uri", "https://evil.example/callback")],
        [("redirect_uri", "")],
        [("redirect_uri", "http://127.0.0.1:1/#x")],
    ] {
        let answer = bench.get(&Bench::authorize_path(&fields)).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{fields:?}");
        assert!(answer.header("content-type").starts_with("text/html"));
    }
    let twice = format!("{}&redirect_uri=http://127.0.0.1:1/", Bench::authorize_path(&[]));
    assert_eq!(bench.get(&twice).await.status, 400);
    let long = Bench::authorize_path(&[("state", &"x".repeat(20_000))]);
    assert_eq!(bench.get(&long).await.status, 400);
}

#[tokio::test]
async fn other_mistakes_of_an_authorization_request_go_back_to_the_app() {
    let bench = Bench::start(json!({"pkce": "required"})).await;
    let cases = [
        ([("response_type", "token")], "unsupported_response_type"),
        ([("response_type", "")], "invalid_request"),
        ([("code_challenge", "")], "invalid_request"),
        ([("code_challenge_method", "plain")], "invalid_request"),
        ([("code_challenge_method", "")], "invalid_request"),
        ([("scope", "a\"b")], "invalid_scope"),
    ];
    for (fields, code) in cases {
        let back = bench.authorize(&fields).await;
        assert_eq!((back["error"].as_str(), back["state"].as_str()), (code, "xyz"), "{fields:?}");
        assert_eq!(back["iss"], bench.base);
    }
    let twice = format!("{}&scope=profile", Bench::authorize_path(&[]));
    assert_eq!(bench.get(&twice).await.redirected()["error"], "invalid_request");
}

#[tokio::test]
async fn the_issuer_is_left_out_when_the_control_says_so() {
    let bench = Bench::start(json!({"sendIss": false})).await;
    assert!(!bench.authorize(&[]).await.contains_key("iss"));
    let metadata = bench.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], false);
    assert_eq!(metadata["issuer"], bench.base);
    assert_eq!(metadata["token_endpoint"], format!("{}/oauth/token", bench.base));
}

#[tokio::test]
async fn a_code_that_comes_back_ends_what_it_yielded() {
    let bench = Bench::start(json!({})).await;
    let code = bench.code().await;
    let tokens = bench.exchange(&code).await.tokens();
    assert!(bench.opens(&tokens.access).await);
    assert_eq!(bench.exchange(&code).await.error(), refused(400, "invalid_grant"));
    assert!(!bench.opens(&tokens.access).await);
    assert_eq!(bench.refresh(&tokens.refresh).await.error(), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn a_code_expires() {
    let bench = Bench::start(json!({"codeTtl": 10})).await;
    let (in_time, late) = (bench.code().await, bench.code().await);
    bench.advance(9);
    assert_eq!(bench.exchange(&in_time).await.status, 200);
    bench.advance(1);
    assert_eq!(bench.exchange(&late).await.error(), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn a_stolen_code_without_the_verifier_is_refused_and_spent() {
    let bench = Bench::start(json!({})).await;
    let code = bench.code().await;
    for verifier in [VERIFIER.replace('d', "e"), String::new(), VERIFIER.to_owned()] {
        let mut fields = exchange_fields(&code);
        fields[3].1 = &verifier;
        let answer = bench.client_post("/oauth/token", &fields).await;
        assert_eq!(answer.error(), refused(400, "invalid_grant"), "{verifier}");
    }
}

#[tokio::test]
async fn a_code_belongs_to_its_redirect_uri_and_its_app() {
    let bench = Bench::start(json!({"apps": {"other": {"clientSecret": "other-secret"}}})).await;
    let code = bench.code().await;
    let mut fields = exchange_fields(&code).to_vec();
    fields.extend([("client_id", "other"), ("client_secret", "other-secret")]);
    assert_eq!(bench.post("/oauth/token", &fields).await.error(), refused(400, "invalid_grant"));
    // The thief did not spend it; the owner's mistake does.
    let mut elsewhere = exchange_fields(&code);
    elsewhere[2].1 = "http://127.0.0.1:8976/other";
    assert_eq!(bench.client_post("/oauth/token", &elsewhere).await.error(), refused(400, "invalid_grant"));
    assert_eq!(bench.exchange(&code).await.error(), refused(400, "invalid_grant"));
}

#[tokio::test]
async fn a_provider_without_pkce_ignores_it() {
    let bench = Bench::start(json!({"pkce": "unsupported"})).await;
    let code = bench.code().await;
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)];
    assert_eq!(bench.client_post("/oauth/token", &fields).await.status, 200);
    let metadata = bench.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata.get("code_challenge_methods_supported"), None);
}

#[tokio::test]
async fn a_client_authenticates_as_the_control_wants_it() {
    let bench = Bench::start(json!({})).await;
    let cases = [
        ("basic", [200, 401, 401]),
        ("post", [401, 200, 401]),
        ("any", [200, 200, 401]),
        ("none", [401, 401, 200]),
    ];
    for (client_auth, expected) in cases {
        bench.control(json!({"clientAuth": client_auth})).await;
        let mut statuses = Vec::new();
        for way in ["basic", "post", "none"] {
            let code = bench.code().await;
            let mut fields = exchange_fields(&code).to_vec();
            if way != "basic" {
                fields.push(("client_id", "claviger"));
            }
            if way == "post" {
                fields.push(("client_secret", "sandbox-secret"));
            }
            let answer = match way {
                "basic" => bench.client_post("/oauth/token", &fields).await,
                _ => bench.post("/oauth/token", &fields).await,
            };
            if answer.status == 401 {
                assert_eq!(answer.error().1, "invalid_client");
                assert!(answer.header("www-authenticate").starts_with("Basic "));
            }
            statuses.push(answer.status.as_u16());
        }
        assert_eq!(statuses, expected, "{client_auth}");
    }
}

#[tokio::test]
async fn credentials_in_two_places_or_with_a_wrong_secret_are_refused() {
    let bench = Bench::start(json!({})).await;
    let code = bench.code().await;
    let mut fields = exchange_fields(&code).to_vec();
    fields.extend([("client_id", "claviger"), ("client_secret", "sandbox-secret")]);
    assert_eq!(bench.client_post("/oauth/token", &fields).await.error(), refused(400, "invalid_request"));
    fields[5].1 = "wrong";
    assert_eq!(bench.post("/oauth/token", &fields).await.error(), refused(401, "invalid_client"));
    fields[4].1 = "nobody";
    assert_eq!(bench.post("/oauth/token", &fields).await.error(), refused(401, "invalid_client"));
    // None of these reached the code.
    assert_eq!(bench.exchange(&code).await.status, 200);
}

#[tokio::test]
async fn a_malformed_token_request_is_an_invalid_request() {
    let bench = Bench::start(json!({})).await;
    let cases = [
        (encode(&[("code", "x")]), refused(400, "invalid_request")),
        (encode(&[("grant_type", "authorization_code")]), refused(400, "invalid_request")),
        (encode(&[("grant_type", "refresh_token")]), refused(400, "invalid_request")),
        (encode(&[("grant_type", "password")]), refused(400, "unsupported_grant_type")),
        ("grant_type=refresh_token&grant_type=refresh_token".to_owned(), refused(400, "invalid_request")),
        ("grant_type=%ff".to_owned(), refused(400, "invalid_request")),
        ("a=&".repeat(65), refused(400, "invalid_request")),
        ("x".repeat(64 * 1024 + 1), refused(413, "invalid_request")),
        (
            encode(&[("grant_type", "refresh_token"), ("refresh_token", "nonsense")]),
            refused(400, "invalid_grant"),
        ),
    ];
    for (body, expected) in cases {
        let request = bench.form("/oauth/token").header("authorization", BASIC);
        let short: String = body.chars().take(60).collect();
        assert_eq!(bench.send(request, body).await.error(), expected, "{short}");
    }
    let json = bench.request(Method::POST, "/oauth/token").header("content-type", "application/json");
    assert_eq!(bench.send(json, "{}").await.error(), refused(400, "invalid_request"));
    assert_eq!(bench.get("/oauth/token").await.status, 405);
}
