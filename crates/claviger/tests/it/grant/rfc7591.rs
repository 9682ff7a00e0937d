//! RFC 7591, OAuth 2.0 Dynamic Client Registration.

use std::time::Duration;

use axum::http::Method;
use grant::application::plain;
use model::{ClientAuthentication, Clock as _};
use serde_json::{Value, json};
use store::applications::{Application, Registrar};

use super::rig::{Ask, CALLBACK, EMAIL, LOOPBACK, PASSWORD, Rig, SECRET, basic, error, hidden, text};
use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser};

fn said(more: Value) -> Value {
    let mut said = json!({
        "client_name": "Foreign",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let Value::Object(more) = more else { panic!("{more} is no object") };
    let members = said.as_object_mut().unwrap();
    for (name, value) in more {
        if value.is_null() {
            members.remove(&name)
        } else {
            members.insert(name, value)
        };
    }
    said
}

/// The consent page that a person sees who comes from an application.
async fn consent(rig: &Rig, browser: &Browser, ask: &Ask) -> Answer {
    let page = rig.authorize(browser, ask).await.expect(303).location();
    let csrf = hidden(&browser.get(&page).await.expect(200), "csrf");
    let fields = [("csrf", &*csrf), ("email", EMAIL), ("password", PASSWORD)];
    let page = browser.bare_form(&page, &fields).await.expect(303).location();
    browser.get(page).await.expect(200)
}

#[tokio::test]
async fn rfc7591_registration_is_off_until_the_operator_turns_it_on() {
    for lines in ["", "[grant.mcp]\nenabled = true\nregistration = false\n"] {
        let rig = Rig::with_more(lines).await;
        rig.registers(&said(json!({}))).await.expect(404);
        let kept = if lines.is_empty() { [404, 404] } else { [401, 204] };
        for (method, status) in [Method::GET, Method::OPTIONS].into_iter().zip(kept) {
            rig.send(method, "/oauth/register/app_1", &[]).await.expect(status);
        }
        assert_eq!(rig.metadata().await.get("registration_endpoint"), None);
    }
    let rig = Rig::open("").await;
    assert_eq!(rig.metadata().await["registration_endpoint"], rig.path("/oauth/register"));
}

#[tokio::test]
async fn rfc7591_3_2_1_the_answer_is_201_and_has_everything_that_is_registered() {
    let rig = Rig::open("").await;
    let answer =
        rig.registers(&said(json!({"client_uri": "https://foreign.example/", "unknown": {"x": [1]}}))).await;
    let answer = answer.expect(201);
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let mut registered = answer.json();
    let id = text(&registered, "client_id").to_owned();
    assert_eq!(registered["registration_client_uri"], rig.path(&format!("/oauth/register/{id}")));
    assert!(text(&registered, "registration_access_token").len() > 64);
    assert_eq!(registered["client_id_issued_at"], rig.seconds());
    let members = registered.as_object_mut().unwrap();
    for name in ["client_id", "registration_client_uri", "registration_access_token", "client_id_issued_at"] {
        members.remove(name);
    }
    let expected = json!({
        "client_name": "Foreign",
        "client_uri": "https://foreign.example/",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": "openid profile email offline_access reports.read reports.write",
    });
    assert_eq!(registered, expected);
    assert!(rig.was_audited("application.registered_itself").await);
}

#[tokio::test]
async fn rfc7591_2_what_is_left_out_has_its_default() {
    let rig = Rig::open("").await;
    let registered = rig.registers(&json!({"redirect_uris": [CALLBACK]})).await.expect(201).json();
    assert_eq!(registered["grant_types"], json!(["authorization_code"]));
    assert_eq!(registered["response_types"], json!(["code"]));
    assert_eq!(registered["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(registered["client_name"], "app.example.com");
    assert_eq!(registered["client_secret_expires_at"], 0);
    // RFC 7591 §2: without refresh_token it gets none.
    let (id, secret) = (text(&registered, "client_id"), text(&registered, "client_secret"));
    let ask = Ask::of("app").with("client_id", id);
    let code = rig.code(&ask).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", super::rig::VERIFIER),
    ];
    let headers = [("authorization", &*basic(id, secret))];
    let tokens = rig.post_with("/oauth/token", &headers, &fields).await.expect(200).json();
    assert_eq!(tokens.get("refresh_token"), None);
}

#[tokio::test]
async fn rfc7591_2_a_registered_application_gets_tokens() {
    let rig = Rig::open("").await;
    for method in ["none", "client_secret_basic", "client_secret_post"] {
        let registered =
            rig.registers(&said(json!({"token_endpoint_auth_method": method}))).await.expect(201).json();
        assert_eq!(registered["token_endpoint_auth_method"], method);
        let id = text(&registered, "client_id");
        let secret = registered["client_secret"].as_str();
        assert_eq!(secret.is_some(), method != "none", "{method}");
        let code = rig.code(&Ask::of("app").with("client_id", id)).await;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", super::rig::VERIFIER),
        ];
        let header = basic(id, secret.unwrap_or_default());
        let mut headers = Vec::new();
        if method == "client_secret_basic" {
            headers.push(("authorization", &*header));
        } else {
            fields.push(("client_id", id));
            fields.extend(secret.map(|secret| ("client_secret", secret)));
        }
        let tokens = rig.post_with("/oauth/token", &headers, &fields).await.expect(200).json();
        assert!(tokens["refresh_token"].is_string(), "{method}");
    }
}

#[tokio::test]
async fn rfc7591_2_keys_are_registered_for_an_application_that_signs() {
    let rig = Rig::open("").await;
    let key = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let jwks = json!({"keys": [key]});
    let signs = |more: Value| {
        let mut said = said(more);
        said["token_endpoint_auth_method"] = json!("private_key_jwt");
        said
    };
    let registered = rig.registers(&signs(json!({"jwks": jwks}))).await.expect(201).json();
    assert_eq!(registered["jwks"], jwks);
    assert_eq!(registered.get("client_secret"), None);
    for more in [
        json!({}),
        json!({"jwks": {"keys": []}}),
        json!({"jwks": "x"}),
        json!({"jwks_uri": "https://foreign.example/jwks"}),
        json!({"jwks": jwks, "jwks_uri": "https://foreign.example/jwks"}),
    ] {
        let refused = rig.registers(&signs(more.clone())).await.expect(400);
        assert_eq!(error(&refused), "invalid_client_metadata", "{more}");
    }
}

#[tokio::test]
async fn rfc7591_3_2_2_a_redirect_uri_that_is_not_allowed_is_refused_with_its_own_code() {
    let rig = Rig::open("").await;
    for uris in [
        json!(null),
        json!([]),
        json!("https://app.example.com/cb"),
        json!([7]),
        json!(["http://example.com/cb"]),
        json!(["https://example.com/cb#fragment"]),
        json!(["https://x@example.com/cb"]),
        json!(["javascript:alert(1)"]),
        json!(["data:text/html,x"]),
        json!(["myapp:/cb"]),
        json!(["/cb"]),
        json!([CALLBACK, "http://192.168.0.1/cb"]),
        json!([format!("https://example.com/{}", "x".repeat(2000))]),
        json!((0..51).map(|n| format!("https://example.com/{n}")).collect::<Vec<_>>()),
    ] {
        let refused = rig.registers(&said(json!({"redirect_uris": uris}))).await.expect(400);
        assert_eq!(error(&refused), "invalid_redirect_uri", "{uris}");
        assert_eq!(refused.header("cache-control"), "no-store");
        let description = text(&refused.json(), "error_description").to_owned();
        assert!(description.bytes().all(|b| matches!(b, 0x20..=0x7e)), "{description}");
    }
    for uri in [LOOPBACK, "http://localhost/cb", "http://[::1]:1/cb", "com.example.app:/cb"] {
        rig.registers(&said(json!({"redirect_uris": [uri]}))).await.expect(201);
    }
}

#[tokio::test]
async fn rfc7591_3_2_2_other_metadata_that_is_not_allowed_is_refused() {
    let rig = Rig::open("scopes = [\"reports.read\"]\n").await;
    for more in [
        json!({"client_name": ""}),
        json!({"client_name": "x".repeat(81)}),
        json!({"client_name": "a\u{7}b"}),
        json!({"client_name": {"en": "x"}}),
        json!({"token_endpoint_auth_method": "client_secret_jwt"}),
        json!({"token_endpoint_auth_method": 1}),
        json!({"grant_types": ["client_credentials"]}),
        json!({"grant_types": ["refresh_token"]}),
        json!({"grant_types": []}),
        json!({"grant_types": "authorization_code"}),
        json!({"response_types": ["token"]}),
        json!({"scope": "reports.write"}),
        json!({"scope": "admin"}),
        json!({"scope": ["reports.read"]}),
    ] {
        let refused = rig.registers(&said(more.clone())).await.expect(400);
        assert_eq!(error(&refused), "invalid_client_metadata", "{more}");
    }
    let more =
        json!({"scope": "openid reports.read", "grant_types": ["authorization_code", "client_credentials"]});
    let registered = rig.registers(&said(more)).await.expect(201).json();
    assert_eq!(registered["scope"], "openid profile email offline_access reports.read");
    assert_eq!(
        registered["grant_types"],
        json!(["authorization_code"]),
        "the rest is left out, and not promised"
    );
}

#[tokio::test]
async fn rfc7591_3_1_the_request_is_a_json_object_of_at_most_16_kib() {
    let rig = Rig::open("").await;
    let whole = said(json!({"padding": "x".repeat(16 * 1024 - 300)})).to_string().into_bytes();
    let json = [("content-type", "application/json; charset=utf-8")];
    rig.raw("/oauth/register", &json, whole).await.expect(201);
    for (status, headers, body) in [
        (400, [("content-type", "application/x-www-form-urlencoded")], b"redirect_uris=x".to_vec()),
        (400, [("content-type", "text/plain")], said(json!({})).to_string().into_bytes()),
        (400, json, b"[]".to_vec()),
        (400, json, b"{".to_vec()),
        (400, json, b"\xff".to_vec()),
        (400, json, b"".to_vec()),
        (400, json, "{\"x\":".repeat(1000).into_bytes()),
        (413, json, said(json!({"padding": "x".repeat(16 * 1024)})).to_string().into_bytes()),
        (413, json, vec![b' '; 2 * 1024 * 1024]),
    ] {
        let refused = rig.raw("/oauth/register", &headers, body).await.expect(status);
        assert_eq!(error(&refused), "invalid_client_metadata");
    }
}

#[tokio::test]
async fn rfc7591_5_it_chooses_no_client_id_and_no_secret() {
    let rig = Rig::open("").await;
    let more = json!({
        "client_id": "usr_0123456789abcdef0123456789abcdef",
        "client_secret": "chosen-by-the-client",
        "registration_access_token": "chosen",
        "token_endpoint_auth_method": "client_secret_post",
    });
    let registered = rig.registers(&said(more)).await.expect(201).json();
    assert!(text(&registered, "client_id").starts_with("app_"));
    assert!(text(&registered, "client_secret").starts_with("cvs_"));
    assert!(text(&registered, "registration_access_token").starts_with("cvr_"));
}

#[tokio::test]
async fn rfc7591_5_pkce_is_required_of_whoever_registered_itself() {
    let rig = Rig::open("").await;
    for method in ["none", "client_secret_basic"] {
        let registered =
            rig.registers(&said(json!({"token_endpoint_auth_method": method}))).await.expect(201).json();
        let ask = Ask::of("lax").with("client_id", text(&registered, "client_id"));
        assert_eq!(rig.refused(&ask).await, "invalid_request", "{method}");
    }
}

#[tokio::test]
async fn rfc7591_5_the_name_is_shown_as_the_application_s_own_claim() {
    let rig = Rig::open("").await;
    let more = json!({"client_name": "Zapier", "client_uri": "https://zapier.com/"});
    let registered = rig.registers(&said(more)).await.expect(201).json();
    let ask = Ask::of("app").with("client_id", text(&registered, "client_id"));
    let page = consent(&rig, &Browser::new(), &ask).await;
    assert!(page.body.contains("It registered itself"), "{}", page.body);
    assert!(page.body.contains("The answer goes somewhere else"), "{}", page.body);
    assert!(page.body.contains("app.example.com"), "{}", page.body);
}

#[tokio::test]
async fn rfc7591_5_one_that_can_t_be_known_again_asks_every_time() {
    let rig = Rig::open("").await;
    let registered = rig.registers(&said(json!({"redirect_uris": [LOOPBACK]}))).await.expect(201).json();
    let ask = Ask::of("native").with("client_id", text(&registered, "client_id"));
    let browser = Browser::new();
    rig.agree(&browser, &ask).await;
    let again = rig.authorize(&browser, &ask).await.expect(303).location();
    assert!(again.path().starts_with("/oauth/authorize/aut_"), "{again}");
}

/// It may change where answers go, at any time: between a page and its button too.
#[tokio::test]
async fn rfc7591_5_people_are_asked_every_time_about_what_nobody_looked_at() {
    let rig = Rig::open("").await;
    for method in ["none", "client_secret_post"] {
        let said = said(json!({"token_endpoint_auth_method": method}));
        let registered = rig.registers(&said).await.expect(201).json();
        let ask = Ask::of("app").with("client_id", text(&registered, "client_id"));
        let browser = Browser::new();
        rig.agree(&browser, &ask).await;
        let asked = rig.authorize(&browser, &ask).await.expect(303).location();
        assert!(asked.path().starts_with("/oauth/authorize/aut_"), "{method}: {asked}");
    }
}

#[tokio::test]
async fn rfc7591_5_changes_are_limited_as_registrations_are() {
    let rig = Rig::open("[grant.limits]\nregister = \"3 per 10m\"\n").await;
    let registered = rig.registers(&said(json!({}))).await.expect(201).json();
    let mut change = said(json!({}));
    change["client_id"] = registered["client_id"].clone();
    let path = format!("/oauth/register/{}", text(&registered, "client_id"));
    let token = Some(text(&registered, "registration_access_token"));
    for status in [200, 200, 429] {
        rig.json(Method::PUT, &path, token, &change).await.expect(status);
    }
    let trail = rig.world.audit().await;
    assert_eq!(trail.iter().filter(|entry| entry["event"] == "application.changed").count(), 2);
    rig.json(Method::GET, &path, token, &Value::Null).await.expect(200);
}

#[tokio::test]
async fn rfc7591_5_what_a_stranger_leaves_behind_is_limited_by_address() {
    let rig = Rig::open("[grant.limits]\nauthorize = \"3 per 10s\"\n").await;
    let method = json!({"token_endpoint_auth_method": "client_secret_post"});
    let registered = rig.registers(&said(method)).await.expect(201).json();
    let (id, secret) = (text(&registered, "client_id"), text(&registered, "client_secret"));
    let ask = Ask::of("app").with("client_id", id).and("client_secret", secret);
    for status in [201, 201, 201, 429] {
        rig.post("/oauth/par", &ask.pairs()).await.expect(status);
    }
    // One that the operator knows shares the address, and not the limit.
    let own = Ask::of("app").and("client_secret", SECRET);
    rig.post("/oauth/par", &own.pairs()).await.expect(201);
}

#[tokio::test]
async fn rfc7591_what_registered_itself_gets_nothing_more_where_the_switch_is_off() {
    let rig = Rig::open("").await;
    let registered = rig.registers(&said(json!({}))).await.expect(201).json();
    let ask = Ask::of("app").with("client_id", text(&registered, "client_id"));
    rig.authorize(&Browser::new(), &ask).await.expect(303);
    let (replica, url) = rig.world.beside("[grant.mcp]\nenabled = true", "[grant.mcp]").await.unwrap();
    let path = format!("/oauth/register/{}", text(&registered, "client_id"));
    Browser::new().get(format!("{url}{path}")).await.expect(404);
    Browser::new().get(format!("{url}/oauth/authorize?{}", ask.query())).await.expect(400);
    replica.stop().await;
}

#[tokio::test]
async fn rfc7591_5_what_the_operator_allows_counts_for_those_that_came_before_too() {
    const ELSEWHERE: &str = "https://elsewhere.example/cb";
    let rig = Rig::open("redirect_hosts = [\"app.example.com\"]\nscopes = [\"reports.read\"]\n").await;
    let now = rig.world.clock.now();
    let uris = [CALLBACK, ELSEWHERE].map(|uri| uri.parse().unwrap()).to_vec();
    let mut settings = plain("Earlier", uris);
    settings.authentication = ClientAuthentication::None;
    settings.scopes = rig.world.server.app.grant.settings().all_scopes();
    let earlier = Application {
        client_id: "earlier".parse().unwrap(),
        settings,
        secrets: Vec::new(),
        registrar: Registrar::Itself,
        registration_token: None,
        auth_method: None,
        fresh_until: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    assert!(rig.world.server.app.store.applications.create(&earlier).await.unwrap());
    let ask = Ask::of("app").with("client_id", "earlier");
    rig.authorize(&Browser::new(), &ask.clone().with("redirect_uri", ELSEWHERE)).await.expect(400);
    assert_eq!(rig.refused(&ask.clone().with("scope", "reports.write")).await, "invalid_scope");
    let page = consent(&rig, &Browser::new(), &ask.without("scope")).await;
    assert!(page.body.contains("Read your team") && !page.body.contains("Create reports"), "{}", page.body);
}

#[tokio::test]
async fn rfc7591_5_the_operator_says_which_hosts_answers_may_go_to() {
    let rig = Rig::open("redirect_hosts = [\"app.example.com\", \"127.0.0.1\"]\n").await;
    for (uri, is_allowed) in [
        (CALLBACK, true),
        (LOOPBACK, true),
        ("https://app.example.com:8443/x", true),
        ("https://evil.example/cb", false),
        ("https://sub.app.example.com/cb", false),
        ("http://localhost/cb", false),
        ("com.example.app:/cb", false),
        // Its host is nobody's.
        ("com.example.app://app.example.com/cb", false),
    ] {
        let answer = rig.registers(&said(json!({"redirect_uris": [uri]}))).await;
        if is_allowed {
            answer.expect(201);
        } else {
            assert_eq!(error(&answer.expect(400)), "invalid_redirect_uri", "{uri}");
        }
    }
}

#[tokio::test]
async fn rfc7591_5_strangers_who_register_keep_no_newcomer_out() {
    let rig = Rig::open("max_unused = 3\n").await;
    let grant = &rig.world.server.app.grant;
    let register = async || {
        rig.world.pass(Duration::from_secs(1));
        let registered = rig.registers(&said(json!({}))).await.expect(201).json();
        text(&registered, "client_id").to_owned()
    };
    let (used, looked_at) = (register().await, register().await);
    rig.agree(&Browser::new(), &Ask::of("app").with("client_id", &used)).await;
    rig.authorize(&Browser::new(), &Ask::of("app").with("client_id", &looked_at)).await.expect(303);
    let mut unused = Vec::new();
    for _ in 0..5 {
        unused.push(register().await);
    }
    let mut there = Vec::new();
    for id in [&used, &looked_at].into_iter().chain(&unused) {
        there.push(grant.client(id).await.unwrap().is_some());
    }
    assert_eq!(there, [true, true, false, false, true, true, true], "the oldest that nobody wants make room");
}

#[tokio::test]
async fn rfc7591_5_registrations_are_limited_by_address() {
    let rig = Rig::open("[grant.limits]\nregister = \"5 per 10m\"\n").await;
    for _ in 0..5 {
        rig.registers(&said(json!({}))).await.expect(201);
    }
    let refused = rig.registers(&json!({})).await.expect(429);
    assert_eq!(error(&refused), "too_many_requests");
    rig.world.pass(Duration::from_mins(10));
    assert_eq!(error(&rig.registers(&json!({})).await.expect(400)), "invalid_redirect_uri");
}

#[tokio::test]
async fn rfc7591_5_a_registration_without_a_grant_goes_by_itself() {
    let rig = Rig::open("unused_for = \"1d\"\n").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let registered = rig.registers(&said(json!({}))).await.expect(201).json();
        ids.push(text(&registered, "client_id").to_owned());
    }
    rig.agree(&Browser::new(), &Ask::of("app").with("client_id", &ids[0])).await;
    let grant = &rig.world.server.app.grant;
    while grant.sweep(2).await.unwrap() {}
    assert!(grant.client(&ids[2]).await.unwrap().is_some());
    rig.world.pass(Duration::from_hours(25));
    while grant.sweep(1).await.unwrap() {}
    assert!(grant.client(&ids[0]).await.unwrap().is_some(), "somebody has agreed to it");
    for id in &ids[1..] {
        assert!(grant.client(id).await.unwrap().is_none());
        let refused = rig.authorize(&Browser::new(), &Ask::of("app").with("client_id", id)).await;
        refused.expect(400);
    }
}

#[tokio::test]
async fn rfc7591_3_scripts_of_any_origin_may_register() {
    let rig = Rig::open("").await;
    let headers = [
        ("origin", "https://inspector.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,mcp-protocol-version"),
    ];
    let answer = rig.send(Method::OPTIONS, "/oauth/register", &headers).await.expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
    assert!(allowed.contains("content-type") && allowed.contains("mcp-protocol-version"), "{allowed}");
    let answer = rig.send(Method::OPTIONS, "/oauth/register/app_1", &headers).await.expect(204);
    assert!(answer.header("access-control-allow-methods").contains("DELETE"));
}

#[tokio::test]
async fn rfc7591_5_a_code_of_one_registration_is_nothing_to_another_with_the_same_redirect_uri() {
    let rig = Rig::open("").await;
    let one = rig.registers(&said(json!({}))).await.expect(201).json();
    let other = rig.registers(&said(json!({}))).await.expect(201).json();
    let back = rig.agree(&Browser::new(), &Ask::of("app").with("client_id", text(&one, "client_id"))).await;
    let code = parameter(&back, "code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", super::rig::VERIFIER),
        ("client_id", text(&other, "client_id")),
    ];
    assert_eq!(error(&rig.post("/oauth/token", &fields).await.expect(400)), "invalid_grant");
}
