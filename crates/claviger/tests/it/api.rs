//! The backend's API, as a newcomer and as somebody careless would call it.

use axum::body::Bytes;
use axum::http::Method;
use model::ApiKeyScope;
use serde_json::{Value, json};

use crate::harness::{Browser, World, on_both_stores};

#[tokio::test]
async fn without_a_key_that_works_everything_is_401() {
    let world = World::on_sqlite().await;
    let connections = world.path("/api/connections");
    for key in ["", "x", "cvk_", &format!("cvk_{}", "0".repeat(64)), &"cvk_x".repeat(100)] {
        let answer = Browser::with_key(key).get(&connections).await;
        assert_eq!(answer.problem(), (401, "invalid_api_key".to_owned()), "{key:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let headers = [("authorization", "Basic Y3ZrXzox")];
    let answer = Browser::new().send(Method::GET, &connections, &headers, Bytes::new()).await;
    assert_eq!(answer.problem().0, 401);
}

#[tokio::test]
async fn a_key_may_do_what_its_scope_says_and_no_more() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let operations = [
        (Method::GET, "/api/connections", Value::Null, ApiKeyScope::ConnectionsRead),
        (Method::GET, "/api/oauth/status/client-7", Value::Null, ApiKeyScope::ConnectionsRead),
        (Method::GET, "/api/integrations", Value::Null, ApiKeyScope::ConnectionsRead),
        (Method::GET, "/api/connections/client-7/sandbox/token", Value::Null, ApiKeyScope::ConnectionsToken),
        (
            Method::GET,
            "/api/oauth/authorize/client-7?provider=sandbox",
            Value::Null,
            ApiKeyScope::ConnectionsWrite,
        ),
        (
            Method::PATCH,
            "/api/connections/client-7/sandbox",
            json!({"metadata": {}}),
            ApiKeyScope::ConnectionsWrite,
        ),
        (Method::GET, "/api/applications", Value::Null, ApiKeyScope::ApplicationsWrite),
        (Method::GET, "/api/grants", Value::Null, ApiKeyScope::ApplicationsWrite),
        (Method::GET, "/api/users", Value::Null, ApiKeyScope::Admin),
        (Method::GET, "/api/api-keys", Value::Null, ApiKeyScope::Admin),
    ];
    for scope in ApiKeyScope::ALL {
        let backend = world.backend_with(*scope).await;
        for (method, path, body, needed) in &operations {
            let answer = backend.json(method.clone(), world.path(path), body).await;
            let allowed = scope == needed || *scope == ApiKeyScope::Admin;
            assert_eq!(
                answer.status.as_u16(),
                if allowed { 200 } else { 403 },
                "{scope} at {path}: {answer:?}"
            );
            if !allowed {
                assert_eq!(answer.json()["code"], "insufficient_scope");
                assert!(answer.json()["detail"].as_str().unwrap().contains(needed.word()));
            }
        }
    }
}

on_both_stores! {
    async fn an_api_key_works_until_it_is_revoked(world: World) {
        let created = world.call(Method::POST, "/api/api-keys", &json!({"name": "reports", "scopes": ["connections:read"]})).await;
        let created = created.expect(201).json();
        let reports = Browser::with_key(created["key"].as_str().unwrap());
        reports.get(world.path("/api/connections")).await.expect(200);
        let listed = world.api("/api/api-keys").await.expect(200);
        assert!(!listed.body.contains(created["key"].as_str().unwrap()), "a key is shown once");
        let id = created["id"].as_str().unwrap();
        world.call(Method::DELETE, &format!("/api/api-keys/{id}"), &Value::Null).await.expect(204);
        reports.get(world.path("/api/connections")).await.expect(401);
        let again = world.call(Method::DELETE, &format!("/api/api-keys/{id}"), &Value::Null).await;
        assert_eq!(again.problem(), (404, "api_key_not_found".to_owned()));
        assert_eq!(world.audited("api_key.revoked").await["target"], id);
    }
}

#[tokio::test]
async fn a_body_that_is_not_right_is_refused_by_name() {
    let world = World::on_sqlite().await;
    world.connect().await;
    let url = world.path("/api/connections/client-7/sandbox");
    let send = async |content_type: &str, body: &[u8]| {
        let headers = [("content-type", content_type)];
        world.backend.send(Method::PATCH, &url, &headers, Bytes::copy_from_slice(body)).await
    };
    let json = "application/json; charset=utf-8";
    let cases: [(&str, &[u8], u16, &str); 10] = [
        (json, b"{", 400, "malformed_json"),
        (json, b"", 400, "malformed_json"),
        (json, b"{\"metadata\": {}}{}", 400, "malformed_json"),
        (json, b"{\"metadata\": \xff}", 400, "malformed_json"),
        (json, b"[]", 422, "validation_failed"),
        (json, b"[{}, null]", 422, "validation_failed"),
        (json, b"{\"metadata\": {}, \"extra\": 1}", 422, "validation_failed"),
        (json, b"{\"metadata\": []}", 422, "validation_failed"),
        ("text/plain", b"{\"metadata\": {}}", 415, "unsupported_media_type"),
        (json, &vec![b' '; 2 * 1024 * 1024], 413, "payload_too_large"),
    ];
    for (content_type, body, status, code) in cases {
        let answer = send(content_type, body).await;
        assert_eq!(
            answer.problem(),
            (status, code.to_owned()),
            "{:?}",
            String::from_utf8_lossy(&body[..body.len().min(80)])
        );
    }
    let deep = format!("{{\"metadata\": {{\"x\": {}{}}}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(send(json, deep.as_bytes()).await.problem().0, 400, "nesting has an end");
    let large = json!({"metadata": {"x": "y".repeat(20_000)}}).to_string();
    assert_eq!(send(json, large.as_bytes()).await.json()["errors"][0]["field"], "metadata");
    let unknown = send(json, b"{\"metadata\": {}, \"metdata\": 1}").await.json();
    assert_eq!(
        unknown["errors"][0],
        json!({"field": "metdata", "code": "unknown_field", "message": "unknown field `metdata`, expected `metadata` or `generation`"})
    );
}

#[tokio::test]
async fn identifiers_and_parameters_that_are_not_right_are_refused_by_name() {
    let world = World::on_sqlite().await;
    let cases = [
        ("/api/oauth/status/a%00b", 400, "invalid_parameter"),
        ("/api/oauth/status/a%0ab", 400, "invalid_parameter"),
        ("/api/oauth/status/a%20b", 400, "invalid_parameter"),
        ("/api/oauth/status/%ff", 400, "invalid_parameter"),
        ("/api/oauth/status/%3Cscript%3E", 400, "invalid_parameter"),
        (&format!("/api/oauth/status/{}", "x".repeat(256)), 400, "invalid_parameter"),
        ("/api/oauth/status/a?provider=No", 400, "invalid_parameter"),
        ("/api/oauth/status/a?prvider=sandbox", 400, "invalid_parameter"),
        ("/api/oauth/status/a?provider=sandbox&provider=sandbox", 400, "invalid_parameter"),
        ("/api/connections?limit=0", 400, "invalid_parameter"),
        ("/api/connections?limit=201", 400, "invalid_parameter"),
        ("/api/connections?limit=many", 400, "invalid_parameter"),
        ("/api/connections?cursor=con_1", 400, "invalid_parameter"),
        ("/api/connections?status=odd", 400, "invalid_parameter"),
        ("/api/connections/a/sandbox/token?minValidity=soon", 400, "invalid_parameter"),
        ("/api/connections/a/sandbox/token?wait=66s", 400, "invalid_parameter"),
        ("/api/connections/a/sandbox/token", 404, "connection_not_found"),
        ("/api/connections/a/nothing/token", 404, "connection_not_found"),
        ("/api/oauth/authorize/a?provider=nothing", 404, "integration_not_found"),
        ("/api/oauth/authorize/a?provider=github", 400, "integration_not_configured"),
        ("/api/oauth/authorize/a?provider=sandbox&scopes=a%22b", 400, "invalid_parameter"),
        ("/api/oauth/authorize/a?provider=sandbox&scopes=", 400, "invalid_parameter"),
        ("/api/oauth/authorize/a?provider=sandbox&loginHint=a%0db", 400, "invalid_parameter"),
        ("/api/oauth/authorize/a?provider=sandbox&binding=perhaps", 400, "invalid_parameter"),
        (
            "/api/oauth/authorize/a?provider=sandbox&returnTo=https://evil.example/",
            400,
            "return_to_not_allowed",
        ),
        ("/api/nothing", 404, "route_not_found"),
    ];
    for (path, status, code) in cases {
        let answer = world.api(path).await;
        assert_eq!(answer.problem(), (status, code.to_owned()), "{path}: {}", answer.body);
        assert!(answer.json()["request_id"].as_str().unwrap().starts_with("req_"));
    }
    let named = world.api("/api/oauth/authorize/a?provider=github").await.json();
    assert_eq!(named["integration"], "github");
    let method = world.call(Method::DELETE, "/api/connections", &Value::Null).await;
    assert_eq!((method.problem().0, method.header("allow")), (405, "GET,HEAD"));
}

on_both_stores! {
    async fn connections_are_listed_by_pages(world: World) {
        for number in 0..5 {
            let body = json!({"accessToken": format!("imported-{number}"), "metadata": {"number": number}});
            world.call(Method::PUT, &format!("/api/connections/client-{number}/sandbox"), &body).await.expect(200);
        }
        let mut seen = Vec::new();
        let mut path = "/api/connections?limit=2".to_owned();
        loop {
            let page = world.api(&path).await.expect(200).json();
            seen.extend(page["connections"].as_array().unwrap().iter().map(|row| row["subject"].as_str().unwrap().to_owned()));
            match page["nextCursor"].as_str() {
                Some(cursor) => path = format!("/api/connections?limit=2&cursor={cursor}"),
                None => break,
            }
        }
        seen.sort();
        assert_eq!(seen, ["client-0", "client-1", "client-2", "client-3", "client-4"]);
        let one = world.api("/api/connections?subject=client-3&integration=sandbox&status=active").await.json();
        assert_eq!(one["connections"].as_array().unwrap().len(), 1);
        assert_eq!(world.api("/api/connections?status=broken").await.json()["connections"], json!([]));
    }

    async fn metadata_is_merged_and_a_stale_write_is_refused(world: World) {
        world.connect().await;
        let path = "/api/connections/client-7/sandbox";
        let first = world.call(Method::PATCH, path, &json!({"metadata": {"plan": "pro", "old": 1}})).await.expect(200).json();
        let generation = first["generation"].as_i64().unwrap();
        let second = json!({"metadata": {"old": null, "seats": 3}, "generation": generation});
        let merged = world.call(Method::PATCH, path, &second).await.expect(200).json();
        assert_eq!(merged["metadata"], json!({"plan": "pro", "seats": 3}));
        let stale = world.call(Method::PATCH, path, &second).await;
        assert_eq!(stale.problem(), (409, "generation_conflict".to_owned()));
        assert_eq!(stale.json()["generation"], merged["generation"]);
        for number in 0..5 {
            let answer = world.call(Method::PATCH, path, &json!({"metadata": {format!("n{number}"): "x".repeat(15_000)}})).await;
            assert_eq!(answer.status, if number < 4 { 200 } else { 400 }, "{number}: {}", answer.body);
        }
        let current = world.api(path).await.json()["generation"].clone();
        // A refresh does not take part in this: it has a generation of its own.
        world.call(Method::POST, &format!("{path}/refresh"), &Value::Null).await.expect(200);
        let current = json!({"metadata": {"n0": null, "after": true}, "generation": current});
        assert_eq!(world.call(Method::PATCH, path, &current).await.expect(200).json()["metadata"]["plan"], "pro");
    }

    async fn a_disconnected_connection_hands_out_nothing_and_stays_for_the_record(world: World) {
        world.connect().await;
        world.token().await.expect(200);
        world.call(Method::DELETE, "/api/connections/client-7/sandbox", &Value::Null).await.expect(200);
        assert_eq!(world.token().await.problem(), (404, "connection_not_found".to_owned()));
        let row = world.api("/api/connections/client-7/sandbox").await.expect(200).json();
        assert_eq!((row["status"].as_str(), row["hasRefreshToken"].as_bool()), (Some("disconnected"), Some(false)));
        assert!(row["disconnectedBy"].as_str().unwrap().starts_with("key_"));
        let again = world.call(Method::DELETE, "/api/connections/client-7/sandbox", &Value::Null).await;
        assert_eq!(again.problem().0, 404);
        let id = row["id"].clone();
        world.connect().await;
        let back = world.api("/api/connections/client-7/sandbox").await.json();
        assert_eq!((&back["id"], back["status"].as_str()), (&id, Some("active")), "it comes back as itself");
        world.audited("connection.disconnected").await;
        world.audited("connection.reconnected").await;
    }

    async fn an_imported_refresh_token_alone_is_enough(world: World) {
        world.connect().await;
        // The sandbox's own pair, as a product would have it from its days before.
        let browser = Browser::new();
        let query = "client_id=claviger&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&response_type=code&scope=profile%20offline_access&state=s";
        let code = browser.get(format!("{}/oauth/authorize?{query}", world.sandbox)).await.location();
        let code = crate::harness::browser::parameter(&code, "code").unwrap();
        let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "http://127.0.0.1:1/cb"),
                    ("client_id", "claviger"), ("client_secret", "sandbox-secret")];
        let pair = browser.form(format!("{}/oauth/token", world.sandbox), &form).await.expect(200).json();
        let body = json!({"refreshToken": pair["refresh_token"], "metadata": {"from": "elsewhere"}});
        let row = world.call(Method::PUT, "/api/connections/client-9/sandbox", &body).await.expect(200).json();
        assert_eq!((row["metadata"]["from"].as_str(), row["status"].as_str()), (Some("elsewhere"), Some("active")));
        let token = world.api("/api/connections/client-9/sandbox/token").await.expect(200).json();
        assert_ne!(token["access_token"], pair["access_token"]);
        let me = Browser::with_key(token["access_token"].as_str().unwrap()).get(format!("{}/api/me", world.sandbox)).await;
        me.expect(200);
    }

    async fn integrations_can_be_set_up_through_the_api_and_a_subject_can_have_its_own(world: World) {
        let body = json!({"clientId": "Iv1.abc", "clientSecret": "gh-secret", "scopes": ["repo"]});
        let made = world.call(Method::PUT, "/api/integrations/github", &body).await.expect(200).json();
        assert_eq!((made["source"].as_str(), made["available"].as_bool()), (Some("api"), Some(true)));
        let listed = world.api("/api/integrations").await.expect(200);
        assert!(!listed.body.contains("gh-secret"), "a secret is never listed");
        let own = json!({"clientId": "Iv1.own", "clientSecret": "own-secret"});
        world.call(Method::PUT, "/api/subjects/client-7/integrations/github", &own).await.expect(200);
        let client_id = async |subject: &str| {
            let answer = world.api(&format!("/api/oauth/authorize/{subject}?provider=github&binding=none")).await.expect(200);
            let url = url::Url::parse(answer.json()["authUrl"].as_str().unwrap()).unwrap();
            crate::harness::browser::parameter(&url, "client_id").unwrap()
        };
        assert_eq!(client_id("client-7").await, "Iv1.own", "the subject's own win");
        assert_eq!(client_id("client-8").await, "Iv1.abc");
        world.call(Method::DELETE, "/api/subjects/client-7/integrations/github", &Value::Null).await.expect(204);
        assert_eq!(client_id("client-7").await, "Iv1.abc");
        world.call(Method::DELETE, "/api/integrations/github", &Value::Null).await.expect(204);
        let gone = world.api("/api/oauth/authorize/client-7?provider=github").await;
        assert_eq!(gone.problem(), (400, "integration_not_configured".to_owned()));
        let fixed = world.call(Method::PUT, "/api/integrations/sandbox", &json!({"clientId": "x"})).await;
        assert_eq!(fixed.problem(), (409, "integration_in_configuration".to_owned()));
        let unknown = world.call(Method::PUT, "/api/integrations/nothing", &json!({"clientId": "x"})).await;
        assert_eq!(unknown.problem(), (404, "provider_not_found".to_owned()));
    }

    async fn a_subject_keeps_what_the_product_tells_of_it(world: World) {
        let body = json!({"name": "Õnne & <Co>", "mail": "anna@example.com", "language": "et", "metadata": {"crm": 7}});
        let made = world.call(Method::PUT, "/api/subjects/client-7", &body).await.expect(200).json();
        assert_eq!(made["name"], "Õnne & <Co>");
        assert_eq!(world.api("/api/subjects/client-7").await.expect(200).json(), made);
        assert_eq!(world.api("/api/subjects/client-8").await.problem(), (404, "subject_not_found".to_owned()));
        for (field, bad) in [("mail", json!("nobody")), ("language", json!("xx")), ("name", json!("a\u{0}b"))] {
            let answer = world.call(Method::PUT, "/api/subjects/client-7", &json!({field: bad})).await;
            assert_eq!((answer.problem().0, answer.json()["errors"][0]["field"].as_str()), (422, Some(field)));
        }
    }
}

#[tokio::test]
async fn an_import_is_checked_member_by_member() {
    let world = World::on_sqlite().await;
    for (body, field) in [
        (json!({}), "accessToken"),
        (json!({"accessToken": ""}), "accessToken"),
        (json!({"accessToken": "a b"}), "accessToken"),
        (json!({"accessToken": "x".repeat(70_000)}), "accessToken"),
        (json!({"refreshToken": "a\nb"}), "refreshToken"),
        (json!({"accessToken": "t", "tokenType": "Bea rer"}), "tokenType"),
        (json!({"accessToken": "t", "scopes": ["a b"]}), "scopes"),
        (json!({"accessToken": "t", "account": {"id": ""}}), "account"),
        (json!({"accessToken": "t", "account": {"id": "a\u{1b}[31m"}}), "account"),
        (json!({"accessToken": "t", "account": {"id": "a", "name": "n".repeat(300)}}), "account"),
        (json!({"accessToken": "t", "expiresAt": "tomorrow"}), "expiresAt"),
        (json!({"accessToken": "t", "metadata": {"x": "y".repeat(17_000)}}), "metadata"),
    ] {
        let answer = world.call(Method::PUT, "/api/connections/client-7/sandbox", &body).await;
        assert_eq!(
            (answer.problem().0, answer.json()["errors"][0]["field"].as_str()),
            (422, Some(field)),
            "{}",
            answer.body
        );
    }
    // Tokens of a data centre that is not named would look dead at another one.
    let zoho = json!({"clientId": "z", "clientSecret": "s"});
    world.call(Method::PUT, "/api/integrations/zoho_crm", &zoho).await.expect(200);
    let path = "/api/connections/client-7/zoho_crm";
    let unnamed = world.call(Method::PUT, path, &json!({"refreshToken": "1000.r"})).await;
    assert_eq!(unnamed.problem(), (400, "invalid_parameter".to_owned()));
    assert!(unnamed.body.contains("eu"), "{}", unnamed.body);
    world.call(Method::PUT, path, &json!({"refreshToken": "1000.r", "region": "eu"})).await.expect(200);
}

#[tokio::test]
async fn subjects_can_be_required_to_exist() {
    let world = World::configured("[subjects]\nmust_exist = true\n").await;
    let begin = "/api/oauth/authorize/client-7?provider=sandbox";
    assert_eq!(world.api(begin).await.problem(), (404, "subject_not_found".to_owned()));
    assert_eq!(world.api("/api/oauth/status/client-7").await.problem().0, 404);
    world.call(Method::PUT, "/api/subjects/client-7", &json!({})).await.expect(200);
    world.api(begin).await.expect(200);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let world = World::on_sqlite().await;
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/api/connections",
        "/nothing",
        "/assets/claviger.css",
        "/connect/start/x",
        "/api/oauth/callback?state=x",
    ] {
        let answer = Browser::new().get(world.path(path)).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), value, "{name} of {path}");
        }
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(answer.header("x-request-id").starts_with("req_"), "{path}");
        let cache = if path.starts_with("/assets/") { "public, max-age=300" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), cache, "{path}");
    }
}

#[tokio::test]
async fn the_openapi_document_describes_every_route_of_the_backend() {
    let world = World::on_sqlite().await;
    let document = Browser::new().get(world.path("/openapi.json")).await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["components"]["securitySchemes"]["api_key"].is_object());
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for common in ["Answer", "Body", "Create", "Page", "Patch", "Put", "Row"] {
        assert!(
            !schemas.contains_key(common),
            "of several schemas that are called {common} one is described"
        );
    }
    for reference in document.to_string().split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to and not described");
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        let concrete =
            path.replace("{subject}", "s").replace("{integration}", "sandbox").replace("{id}", "key_1");
        for method in methods.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = Browser::new().json(method.clone(), world.path(&concrete), &json!({})).await;
            assert!(
                ![404, 405].contains(&answer.status.as_u16()),
                "{method} {path} is described and not there: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn errors_speak_the_callers_language() {
    let world = World::on_sqlite().await;
    let headers = [("accept-language", "et-EE, en;q=0.5")];
    let answer = world
        .backend
        .send(Method::GET, &world.path("/api/connections/a/b/token"), &headers, Bytes::new())
        .await;
    assert_eq!(answer.header("content-language"), "et");
    assert_eq!(answer.json()["title"], "Sellist ühendust ei ole.");
    assert_eq!(answer.json()["code"], "connection_not_found");
}

#[tokio::test]
async fn metrics_name_routes_and_never_paths() {
    let world = World::on_sqlite().await;
    Browser::new().get(world.path("/connect/start/a-secret-ticket")).await;
    world.api("/api/oauth/status/a-private-subject").await;
    let text = Browser::new().get(world.path("/metrics")).await.expect(200).body;
    assert!(text.contains(r#"route="/connect/start/{ticket}",status="400""#), "{text}");
    assert!(!text.contains("a-secret-ticket") && !text.contains("a-private-subject"), "{text}");
}
