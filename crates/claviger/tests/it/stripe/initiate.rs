//! `POST /onboard-client/initiate`: a new client's first contact.

use axum::http::Method;
use model::{ApiKeyScope, Clock};
use serde_json::{Value, json};

use crate::harness::stripe::{stranger, stripe_lines, stripe_on_both_stores};
use crate::harness::{Smtp, SmtpOptions, World};

const INITIATE: &str = "/onboard-client/initiate";

fn client() -> Value {
    json!({"clientId": "client-7", "name": "Rowan OÜ", "email": "anna@rowan.example"})
}

async fn nothing_is_written(world: &World, subject: &str) {
    assert_eq!(world.api(&format!("/api/subjects/{subject}")).await.status, 404, "{subject}");
    let sessions = world.api("/api/portal-sessions").await.expect(200).json();
    assert_eq!(sessions["portalSessions"], json!([]));
    assert_eq!(world.audit_count("portal_session.created").await, 0);
}

stripe_on_both_stores! {
    async fn a_client_is_written_down_and_invited(world: World) {
        let invited = world.call(Method::POST, INITIATE, &client()).await.expect(201).json();
        assert_eq!((&invited["subject"], &invited["page"]), (&json!("client-7"), &json!("stripe")));
        assert_eq!((&invited["status"], &invited["mail"]), (&json!("open"), &json!("pending")));
        let prefix = world.path("/onboard-client?token=");
        let token = invited["url"].as_str().unwrap().strip_prefix(&prefix).unwrap();
        assert!(token.len() == 64 && token.bytes().all(|octet| octet.is_ascii_hexdigit()));
        let created = world.clock.now();
        assert_eq!(invited["createdAt"], created.to_string());
        assert_eq!(invited["expiresAt"], (created + std::time::Duration::from_hours(7 * 24)).to_string());
        let subject = world.api("/api/subjects/client-7").await.expect(200).json();
        assert_eq!((&subject["name"], &subject["mail"]), (&json!("Rowan OÜ"), &json!("anna@rowan.example")));
        assert_eq!(world.audited("portal_session.created").await["subject"], "client-7");
        assert!(world.at_stripe().await.is_empty(), "Stripe hears of it when the person comes");
    }

    async fn bad_input_names_the_member_and_writes_nothing(world: World) {
        let with = |member: &str, value: Value| {
            let mut body = client();
            body[member] = value;
            body
        };
        for (member, value) in [
            ("clientId", json!("")),
            ("clientId", json!("client 7")),
            ("clientId", json!("a".repeat(256))),
            ("clientId", Value::Null),
            ("name", json!("")),
            ("name", json!(" \u{a0} ")),
            ("name", json!("x".repeat(201))),
            ("name", json!("Rowan\r\nBcc: everybody@rowan.example")),
            ("name", json!(7)),
            ("email", json!("")),
            ("email", json!("nobody")),
            ("email", json!("a@b@rowan.example")),
            ("email", json!("anna@rowan.example\r\nBcc: b@rowan.example")),
            ("email", json!("õie@rowan.example")),
            ("email", json!(format!("{}@rowan.example", "a".repeat(65)))),
            ("nickname", json!("Rowan")),
        ] {
            let answer = world.call(Method::POST, INITIATE, &with(member, value.clone())).await;
            assert_eq!(answer.problem(), (422, "validation_failed".to_owned()), "{member} {value}: {answer:?}");
            assert!(answer.body.contains(member), "{member} {value}: {answer:?}");
        }
        nothing_is_written(&world, "client-7").await;
        let longest = with("name", json!("õ".repeat(200)));
        world.call(Method::POST, INITIATE, &longest).await.expect(201);
    }

    async fn a_known_client_keeps_its_language_and_metadata(world: World) {
        let known = json!({"name": "Before", "mail": "before@rowan.example", "language": "et", "metadata": {"plan": "gold"}});
        world.call(Method::PUT, "/api/subjects/client-7", &known).await.expect(200);
        world.call(Method::POST, INITIATE, &client()).await.expect(201);
        let subject = world.api("/api/subjects/client-7").await.json();
        assert_eq!((&subject["language"], &subject["metadata"]), (&json!("et"), &json!({"plan": "gold"})));
        assert_eq!((&subject["name"], &subject["mail"]), (&json!("Rowan OÜ"), &json!("anna@rowan.example")));
    }

    async fn what_went_to_another_address_is_withdrawn(world: World) {
        let mistyped = json!({"clientId": "client-7", "name": "Rowan OÜ", "email": "ana@rowan.example"});
        let mistyped = world.call(Method::POST, INITIATE, &mistyped).await.expect(201).json();
        let right = world.call(Method::POST, INITIATE, &client()).await.expect(201).json();
        let again = world.call(Method::POST, INITIATE, &client()).await.expect(201).json();
        let status = async |session: &Value| {
            let path = format!("/api/portal-sessions/{}", session["id"].as_str().unwrap());
            world.api(&path).await.json()["status"].as_str().unwrap().to_owned()
        };
        let all = [status(&mistyped).await, status(&right).await, status(&again).await];
        assert_eq!(all, ["withdrawn", "open", "open"]);
    }

    async fn a_sixth_mail_within_an_hour_is_too_many(world: World) {
        for _ in 0..5 {
            world.call(Method::POST, INITIATE, &client()).await.expect(201);
        }
        let answer = world.call(Method::POST, INITIATE, &client()).await;
        assert_eq!(answer.problem(), (429, "too_many_mails".to_owned()));
        assert_eq!(answer.header("retry-after"), "3600");
        let sessions = world.api("/api/portal-sessions?subject=client-7").await.json();
        assert_eq!(sessions["portalSessions"].as_array().unwrap().len(), 5);
        let other = json!({"clientId": "client-7", "name": "Other", "email": "other@rowan.example"});
        world.call(Method::POST, INITIATE, &other).await.expect(429);
        assert_eq!(world.api("/api/subjects/client-7").await.json()["name"], "Rowan OÜ", "nothing is changed");
        world.pass(std::time::Duration::from_hours(1));
        world.call(Method::POST, INITIATE, &client()).await.expect(201);
    }
}

#[tokio::test]
async fn only_a_key_that_may_make_portal_sessions_invites() {
    let world = World::with_stripe(None, "").await;
    assert_eq!(stranger().json(Method::POST, world.path(INITIATE), &client()).await.problem().0, 401);
    for scope in [ApiKeyScope::ConnectionsRead, ApiKeyScope::ConnectionsWrite, ApiKeyScope::AuditRead] {
        let backend = world.backend_with(scope).await;
        let answer = backend.json(Method::POST, world.path(INITIATE), &client()).await;
        assert_eq!(answer.problem(), (403, "insufficient_scope".to_owned()), "{scope:?}");
    }
    nothing_is_written(&world, "client-7").await;
    let backend = world.backend_with(ApiKeyScope::PortalWrite).await;
    backend.json(Method::POST, world.path(INITIATE), &client()).await.expect(201);
}

#[tokio::test]
async fn without_a_mail_server_or_stripe_nobody_is_invited_and_nothing_is_written() {
    let both = stripe_lines("");
    let (mail, stripe) = both.split_at(both.find("[stripe]").unwrap());
    for (lines, code) in [(stripe, "mail_not_configured"), (mail, "stripe_not_configured")] {
        let world = World::knowing(None, "", lines).await;
        let answer = world.call(Method::POST, INITIATE, &client()).await;
        assert_eq!(answer.problem(), (400, code.to_owned()));
        nothing_is_written(&world, "client-7").await;
    }
}

#[tokio::test]
async fn the_mail_that_arrives_leads_to_stripe() {
    let Some(mut smtp) = Smtp::start(SmtpOptions { tls: "none", ..SmtpOptions::default() }).await else {
        return;
    };
    let lines = stripe_lines("").replace("port = 1\n", &format!("port = {}\ntls = \"none\"\n", smtp.port));
    let world = World::with_stripe_by(None, &lines).await;
    let invited = world.call(Method::POST, INITIATE, &client()).await.expect(201).json();
    assert_eq!(invited["mail"], "sent");
    let mail = smtp.next_mail().await;
    assert_eq!(mail.to(), ["anna@rowan.example"]);
    let link = invited["url"].as_str().unwrap();
    assert!(mail.text().contains(link) && mail.text().contains("Rowan OÜ"), "{mail:?}");
    let page = stranger().form(link, &[]).await.expect(303).location();
    let callback = world.through_stripe(&page).await;
    stranger().get(callback).await.expect(303);
    assert_eq!(world.stripe_of("client-7").await["status"], "linked");
}
