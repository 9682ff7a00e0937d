//! `/api/portal-sessions`: what the product asks for, what it gets, and what it is refused for.

use axum::http::Method;
use model::ApiKeyScope;
use serde_json::{Value, json};

use super::*;
use crate::harness::on_both_stores;

const STRIPE: &str = "[stripe]\nsecret_key = \"sk_test_of_nobody\"\n";

const STRANGERS_STAY_OUT: &str = "[subjects]\nmust_exist = true\n";

fn lines() -> String {
    format!("[connect]\nreturn_to = [\"https://app.example.com/settings\"]\n{NO_POST}{STRIPE}")
}

/// No session was made, and nobody became a subject or was told of in the audit trail.
async fn nothing_was_written(world: &World) {
    let all = world.api("/api/portal-sessions").await.expect(200).json();
    assert_eq!(all, json!({"portalSessions": []}));
    assert_eq!(told(world, "portal_session.created").await, 0);
    assert_eq!(world.api("/api/subjects/client-7").await.problem(), (404, "subject_not_found".to_owned()));
}

configured_on_both_stores! { lines();
    async fn a_session_is_made_with_its_link_and_shown_without_it(world: World) {
        let (now, minutes) = (model::Clock::now(&*world.clock), MINUTE * 5);
        let session = invite(&world, &json!({})).await;
        let (id, url) = (session["id"].as_str().unwrap(), link(&session));
        let token = url.strip_prefix(&world.path("/portal/start/")).unwrap();
        assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{url}");
        assert_eq!(session, json!({
            "id": id, "subject": "client-7", "page": "onboarding", "url": url,
            "expiresAt": (now + minutes).to_string(), "createdAt": now.to_string(), "createdBy": session["createdBy"],
            "status": "open", "mail": null, "integrations": null, "returnTo": null,
            "openedAt": null, "completedAt": null, "withdrawnAt": null,
        }));
        assert!(session["createdBy"].as_str().unwrap().starts_with("key_"), "{session}");
        let mut shown = session.clone();
        shown.as_object_mut().unwrap().remove("url");
        assert_eq!(inspect(&world, &session).await, shown);
        let list = world.api("/api/portal-sessions?subject=client-7").await.expect(200);
        assert_eq!(list.json(), json!({"portalSessions": [shown]}));
        assert!(!list.body.contains(token));
        let created = world.audited("portal_session.created").await;
        assert_eq!((&created["target"], &created["subject"]), (&json!(id), &json!("client-7")));
        assert_eq!((&created["outcome"], &created["facts"]["page"]), (&json!("success"), &json!("onboarding")));
        world.api("/api/subjects/client-7").await.expect(200);
    }

    async fn what_is_asked_for_is_kept(world: World) {
        let more = json!({
            "integrations": ["sandbox"], "returnTo": "https://app.example.com/settings/tools", "email": ANNA,
            "language": "et", "expiresIn": "2d",
        });
        let now = model::Clock::now(&*world.clock);
        let session = invite(&world, &more).await;
        assert_eq!((&session["integrations"], &session["returnTo"]), (&more["integrations"], &more["returnTo"]));
        assert_eq!(session["expiresAt"], (now + DAY * 2).to_string());
        assert_eq!(session["mail"], "pending", "its server is not there");
        let shown = world.api(&path(&session)).await.expect(200);
        assert!(!shown.body.contains(ANNA), "{}", shown.body);
        let usual = invite(&world, &json!({"email": ANNA})).await;
        assert_eq!(usual["expiresAt"], (now + DAY * 7).to_string());
        let stripe = invite(&world, &json!({"page": "stripe"})).await;
        let token = link(&stripe).strip_prefix(&world.path("/onboard-client?token=")).map(str::len);
        assert_eq!((stripe["page"].as_str(), token), (Some("stripe"), Some(64)));
    }

    async fn sessions_are_listed_page_by_page(world: World) {
        let mut made = Vec::new();
        for number in 0..5 {
            let subject = if number == 2 { "client-8" } else { "client-7" };
            made.push(invite(&world, &json!({"subject": subject})).await["id"].as_str().unwrap().to_owned());
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        for expected in [2, 2, 1] {
            let page = world.api(&format!("/api/portal-sessions?limit=2{cursor}")).await.expect(200).json();
            let rows = page["portalSessions"].as_array().unwrap();
            assert_eq!(rows.len(), expected, "{page}");
            seen.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
            assert_eq!(page["nextCursor"].is_string(), expected == 2, "{page}");
            cursor = format!("&cursor={}", page["nextCursor"].as_str().unwrap_or_default());
        }
        made.sort();
        assert_eq!(seen, made, "each once, in the order of the ids");
        let own = world.api("/api/portal-sessions?subject=client-8").await.json();
        assert_eq!(own["portalSessions"].as_array().unwrap().len(), 1);
        for query in ["limit=0", "limit=201", "limit=x", "cursor=x", "subject=a%20b", "what=x", "limit=1&limit=2"] {
            let refused = world.api(&format!("/api/portal-sessions?{query}")).await;
            assert_eq!(refused.problem(), (400, "invalid_parameter".to_owned()), "{query}");
        }
    }

    async fn what_is_wrong_is_refused_by_its_name_and_nothing_is_written(world: World) {
        let many: Vec<String> = (0..51).map(|number| format!("tool_{number}")).collect();
        let long = format!("https://app.example.com/settings?{}", "x".repeat(2048));
        let cases = [
            (json!({"page": "console"}), 422, "validation_failed"),
            (json!({"page": null}), 422, "validation_failed"),
            (json!({"page": 7}), 422, "validation_failed"),
            (json!({"page": ["stripe"]}), 422, "validation_failed"),
            (json!({"page": {"stripe": null}, "email": true}), 422, "validation_failed"),
            (json!({"subject": ""}), 422, "validation_failed"),
            (json!({"subject": "a b"}), 422, "validation_failed"),
            (json!({"subject": "õun"}), 422, "validation_failed"),
            (json!({"subject": "x".repeat(256)}), 422, "validation_failed"),
            (json!({"subject": 7}), 422, "validation_failed"),
            (json!({"integrations": []}), 400, "invalid_parameter"),
            (json!({"integrations": many}), 400, "invalid_parameter"),
            (json!({"integrations": "sandbox"}), 422, "validation_failed"),
            (json!({"integrations": ["Sand box"]}), 422, "validation_failed"),
            (json!({"integrations": ["sandbox", "github"]}), 404, "integration_not_found"),
            (json!({"returnTo": "https://evil.example/"}), 400, "return_to_not_allowed"),
            (json!({"returnTo": "https://app.example.com.evil.example/settings"}), 400, "return_to_not_allowed"),
            (json!({"returnTo": "https://app.example.com/other"}), 400, "return_to_not_allowed"),
            (json!({"returnTo": "javascript:alert(1)"}), 400, "return_to_not_allowed"),
            (json!({"returnTo": "/settings"}), 400, "return_to_not_allowed"),
            (json!({"returnTo": long}), 400, "return_to_not_allowed"),
            (json!({"expiresIn": "59s"}), 400, "invalid_parameter"),
            (json!({"expiresIn": "61m"}), 400, "invalid_parameter"),
            (json!({"expiresIn": "0s", "email": ANNA}), 400, "invalid_parameter"),
            (json!({"expiresIn": "31d", "email": ANNA}), 422, "validation_failed"),
            (json!({"expiresIn": "-5m"}), 422, "validation_failed"),
            (json!({"expiresIn": "5 minutes"}), 422, "validation_failed"),
            (json!({"expiresIn": ""}), 422, "validation_failed"),
            (json!({"expiresIn": 300}), 422, "validation_failed"),
            (json!({"language": "de"}), 422, "validation_failed"),
            (json!({"language": ""}), 422, "validation_failed"),
            (json!({"language": "en\r\nBcc: x@y.example", "email": ANNA}), 422, "validation_failed"),
            (json!({"page": "stripe", "integrations": ["sandbox"]}), 400, "invalid_parameter"),
            (json!({"page": "stripe", "returnTo": "https://app.example.com/settings"}), 400, "invalid_parameter"),
            (json!({"email": 7}), 422, "validation_failed"),
        ];
        for (more, status, code) in cases {
            assert_eq!(ask(&world, &more).await.problem(), (status, code.to_owned()), "{more}");
        }
        for (more, code) in [
            (json!({"isAdmin": true}), "unknown_field"),
            (json!({"return_to": "x"}), "unknown_field"),
            (json!({"opened_at\r\n": 1}), "unknown_field"),
        ] {
            let refused = ask(&world, &more).await.expect(422).json();
            let name = more.as_object().unwrap().keys().next().unwrap();
            assert_eq!((&refused["errors"][0]["code"], &refused["errors"][0]["field"]), (&json!(code), &json!(name)));
        }
        for body in [json!({"page": "onboarding"}), json!({"subject": "client-7"}), json!([]), json!(null)] {
            let refused = world.call(Method::POST, "/api/portal-sessions", &body).await;
            assert_eq!(refused.problem(), (422, "validation_failed".to_owned()), "{body}");
        }
        nothing_was_written(&world).await;
    }

    async fn an_address_that_carries_more_than_an_address_is_refused(world: World) {
        let long = format!("{}@rowan.example", "a".repeat(10 * 1024));
        for address in [
            "a@b.example\r\nBcc: x@y.example", "a@b.example\nRCPT TO:<x@y.example>", "a\0@b.example", "a@b.exa\0mple",
            "a@b.example\u{202e}", "a\u{2066}b@rowan.example", "a@ro\u{202e}wan.example", "õie@rowan.example",
            "анна@rowan.example", "a@b.example, x@y.example", "Anna <a@b.example>", "a@[127.0.0.1]", "a@localhost", "", &long,
        ] {
            let refused = ask(&world, &json!({"email": address})).await.expect(422);
            let document = refused.json();
            assert_eq!(document["errors"][0]["code"], "invalid_email", "{address:?}: {document}");
            assert_eq!(document["errors"][0]["field"], "email");
            assert!(address.is_empty() || !refused.body.contains(address), "{}", refused.body);
        }
        nothing_was_written(&world).await;
    }

    async fn a_session_that_does_not_exist_is_not_found(world: World) {
        for (id, refusal) in [
            (format!("ps_{}", "0".repeat(32)), (404, "portal_session_not_found")),
            (format!("con_{}", "0".repeat(32)), (400, "invalid_parameter")),
            ("ps_0".to_owned(), (400, "invalid_parameter")),
        ] {
            let (path, again) = (format!("/api/portal-sessions/{id}"), format!("/api/portal-sessions/{id}/resend"));
            for (method, path) in [(Method::GET, &path), (Method::DELETE, &path), (Method::POST, &again)] {
                let (status, code) = world.call(method, path, &Value::Null).await.problem();
                assert_eq!((status, &*code), refusal, "{path}");
            }
        }
    }

    async fn a_session_without_a_mail_has_nothing_to_send_again(world: World) {
        let session = invite(&world, &json!({})).await;
        assert_eq!(resend(&world, &session).await.problem(), (409, "nothing_to_mail".to_owned()));
        Browser::new().get(link(&session)).await.expect(303);
    }

    async fn the_key_must_be_allowed_to_make_sessions(world: World) {
        let session = invite(&world, &json!({})).await;
        let (one, again) = (path(&session), format!("{}/resend", path(&session)));
        let initiate = json!({"clientId": "client-9", "name": "Õie", "email": ANNA});
        let calls = [
            (Method::POST, "/api/portal-sessions", wanted(&json!({}))),
            (Method::GET, "/api/portal-sessions", Value::Null),
            (Method::GET, &one, Value::Null),
            (Method::POST, &again, Value::Null),
            (Method::POST, "/onboard-client/initiate", initiate),
            (Method::DELETE, &one, Value::Null),
        ];
        for scope in [
            ApiKeyScope::ConnectionsRead, ApiKeyScope::ConnectionsToken, ApiKeyScope::ConnectionsWrite, ApiKeyScope::AuditRead,
        ] {
            let other = world.backend_with(scope).await;
            for (method, path, body) in &calls {
                let refused = other.json(method.clone(), world.path(path), body).await;
                assert_eq!(refused.problem(), (403, "insufficient_scope".to_owned()), "{scope:?} {method} {path}");
            }
        }
        for (method, path, body) in &calls {
            let refused = Browser::with_key("cvk_guessed").json(method.clone(), world.path(path), body).await;
            assert_eq!(refused.problem(), (401, "invalid_api_key".to_owned()), "{method} {path}");
        }
        assert_eq!((told(&world, "portal_session.created").await, inspect(&world, &session).await["status"].as_str()), (1, Some("open")));
        let allowed = world.backend_with(ApiKeyScope::PortalWrite).await;
        for ((method, path, body), status) in calls.iter().zip([201, 200, 200, 409, 201, 200]) {
            allowed.json(method.clone(), world.path(path), body).await.expect(status);
        }
    }
}

on_both_stores! {
    async fn without_a_mail_server_an_address_is_refused_and_nothing_is_written(world: World) {
        let refused = ask(&world, &json!({"email": ANNA})).await;
        assert_eq!(refused.problem(), (400, "mail_not_configured".to_owned()));
        nothing_was_written(&world).await;
    }

    async fn without_stripe_its_page_is_refused_and_nothing_is_written(world: World) {
        for more in [json!({"page": "stripe"}), json!({"page": "stripe", "email": ANNA})] {
            assert_eq!(ask(&world, &more).await.problem(), (400, "stripe_not_configured".to_owned()));
        }
        let client = json!({"clientId": "client-7", "name": "Õie", "email": ANNA});
        let refused = world.call(Method::POST, "/onboard-client/initiate", &client).await;
        assert_eq!(refused.problem(), (400, "stripe_not_configured".to_owned()));
        nothing_was_written(&world).await;
    }
}

configured_on_both_stores! { STRANGERS_STAY_OUT;
    async fn where_subjects_must_exist_an_unknown_one_gets_no_session(world: World) {
        assert_eq!(ask(&world, &json!({})).await.problem(), (404, "subject_not_found".to_owned()));
        nothing_was_written(&world).await;
        world.call(Method::PUT, "/api/subjects/client-7", &json!({})).await.expect(200);
        invite(&world, &json!({})).await;
    }
}
