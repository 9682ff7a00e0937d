//! Invitations by mail, through a real mail server: what arrives, in whose words, and how often.

use axum::http::Method;
use model::Clock as _;
use serde_json::{Value, json};

use super::*;
use crate::harness::SmtpOptions;
use crate::harness::smtp::Received;

/// A friendly server on this machine, without TLS.
pub(super) const FRIENDLY: SmtpOptions =
    SmtpOptions { tls: "none", credentials: None, sign_in: true, refuse: &[], hang: None };

/// Tells one test to both databases, with a mail server.
macro_rules! with_post_on_both_stores {
    ($($(#[$meta:meta])* async fn $name:ident($world:ident: World, $smtp:ident: Smtp) $body:block)*) => {$(
        $(#[$meta])*
        async fn $name($world: World, mut $smtp: Smtp) $body

        mod $name {
            use super::*;

            #[tokio::test]
            async fn on_sqlite() {
                let Some(smtp) = Smtp::start(FRIENDLY).await else { return };
                super::$name(World::knowing(None, "", &post_office(&smtp)).await, smtp).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                let Some(database) = store::testing::fresh_postgres().await else { return };
                let Some(smtp) = Smtp::start(FRIENDLY).await else { return };
                super::$name(World::knowing(Some(database), "", &post_office(&smtp)).await, smtp).await;
            }
        }
    )*};
}
pub(super) use with_post_on_both_stores;

/// The link that a letter carries, the same in both of its parts.
pub(super) fn link_in(mail: &Received) -> String {
    let link = mail.text().lines().find(|line| line.starts_with("http")).unwrap().to_owned();
    assert!(mail.html().contains(&format!("href=\"{link}\"")), "{mail:?}");
    link
}

/// What the timer does, after this time, and the end of all that follows from it.
pub(super) async fn round_after(world: &World, time: Duration) {
    world.pass(time);
    world.server.app.connect.send_mails().await.unwrap();
    world.server.app.connect.drain().await;
}

/// What became of the mail.
pub(super) async fn mail_of(world: &World, session: &Value) -> String {
    inspect(world, session).await["mail"].as_str().unwrap().to_owned()
}

with_post_on_both_stores! {
    async fn a_mail_arrives_with_the_link_that_works(world: World, smtp: Smtp) {
        let session = invite(&world, &json!({"email": ANNA, "integrations": ["sandbox"]})).await;
        assert_eq!(session["mail"], "sent");
        let mail = smtp.next_mail().await;
        assert_eq!((mail.from(), mail.to(), mail.header("to")), ("hello@rowan.example", vec![ANNA], Some(ANNA)));
        assert_eq!(mail.header("from"), Some("Rowan <hello@rowan.example>"));
        assert_eq!(mail.header("subject"), Some("Claviger invites you to connect Sandbox"));
        assert_eq!((link_in(&mail), mail.header("bcc")), (link(&session), None));
        onboarding(&world, &accept(&link_in(&mail)).await).await.expect(200);
        let event = world.audited("invitation.mailed").await;
        assert_eq!((&event["target"], &event["subject"]), (&session["id"], &json!("client-7")));
        assert_eq!((&event["outcome"], &event["reason"]), (&json!("success"), &json!("sent")));
        let trail = Value::from(world.audit().await).to_string();
        let token = link(&session).rsplit('/').next().unwrap().to_owned();
        assert!(!trail.contains("anna") && !trail.contains(&token), "{trail}");
        round_after(&world, HOUR * 2).await;
        assert_eq!(told(&world, "invitation.mailed").await, 1, "it is sent once");
    }

    async fn a_letter_speaks_the_language_that_was_asked_for_else_the_subjects(world: World, smtp: Smtp) {
        world.call(Method::PUT, "/api/subjects/client-7", &json!({"name": "Õie", "language": "et"})).await.expect(200);
        for (more, language, greeting) in [
            (json!({}), "et", "Tere, Õie"), (json!({"language": "en"}), "en", "Hello Õie,"),
            (json!({"subject": "client-8"}), "en", "Hello,"), (json!({"subject": "client-8", "language": "et"}), "et", "Tere"),
        ] {
            let mut body = more.clone();
            body["email"] = ANNA.into();
            invite(&world, &body).await;
            let mail = smtp.next_mail().await;
            assert_eq!(mail.header("content-language"), Some(language), "{more}");
            assert!(mail.text().starts_with(greeting), "{more}: {}", mail.text());
        }
    }

    async fn a_domain_of_another_script_arrives_as_the_dns_knows_it(world: World, smtp: Smtp) {
        for (address, expected) in [
            ("mari@õunapuu.example", "mari@xn--unapuu-oxa.example"), ("info@пример.рф", "info@xn--e1afmkfd.xn--p1ai"),
        ] {
            assert_eq!(invite(&world, &json!({"email": address})).await["mail"], "sent");
            let mail = smtp.next_mail().await;
            assert_eq!((mail.to(), mail.header("to")), (vec![expected], Some(expected)));
        }
    }

    async fn a_mail_that_is_sent_again_has_another_link(world: World, smtp: Smtp) {
        let session = invite(&world, &json!({"email": ANNA, "expiresIn": "2d"})).await;
        smtp.next_mail().await;
        world.pass(HOUR);
        let again = resend(&world, &session).await.expect(200).json();
        assert_eq!((&again["id"], &again["mail"]), (&session["id"], &json!("sent")));
        assert_eq!(again["expiresAt"], (world.clock.now() + DAY * 2).to_string());
        let second = link_in(&smtp.next_mail().await);
        assert_eq!((second == link(&again), second == link(&session)), (true, false));
        assert!(Browser::new().get(link(&session)).await.expect(400).body.contains("invalid_link"));
        assert!(Browser::new().form(link(&session), &[]).await.expect(400).body.contains("newer one was sent"));
        onboarding(&world, &accept(&second).await).await.expect(200);
        let renewed = world.audited("portal_session.renewed").await;
        assert_eq!((&renewed["target"], told(&world, "invitation.mailed").await), (&session["id"], 2));
    }

    async fn the_button_of_an_expired_invitation_brings_a_mail(world: World, smtp: Smtp) {
        let session = invite(&world, &json!({"email": ANNA})).await;
        let old = link_in(&smtp.next_mail().await);
        world.pass(DAY * 7);
        let page = read_in("et", &old).await.expect(400);
        assert!(page.body.contains("See link on aegunud") && page.body.contains("Saada mulle uus link"), "{}", page.body);
        Browser::new().form(format!("{old}/again"), &[]).await.expect(200);
        let mail = smtp.next_mail().await;
        assert_eq!(mail.to(), [ANNA]);
        onboarding(&world, &accept(&link_in(&mail)).await).await.expect(200);
        Browser::new().form(&old, &[]).await.expect(400);
        assert_eq!(mail_of(&world, &session).await, "sent");
    }

    async fn a_subject_is_sent_five_mails_in_an_hour(world: World, smtp: Smtp) {
        let session = invite(&world, &json!({"email": ANNA})).await;
        world.pass(MINUTE * 20);
        resend(&world, &session).await.expect(200);
        for _ in 0..3 {
            invite(&world, &json!({"email": ANNA, "page": "onboarding"})).await;
        }
        let made = told(&world, "portal_session.created").await;
        for answer in [ask(&world, &json!({"email": "bert@rowan.example"})).await, resend(&world, &session).await] {
            assert_eq!((answer.problem(), answer.header("retry-after")), ((429, "too_many_mails".to_owned()), "2400"));
        }
        assert_eq!(told(&world, "portal_session.created").await, made, "nothing was written");
        invite(&world, &json!({"subject": "client-8", "email": ANNA})).await;
        invite(&world, &json!({})).await;
        world.pass(just_before(MINUTE * 40));
        resend(&world, &session).await.expect(429);
        world.pass(MOMENT);
        assert_eq!(resend(&world, &session).await.expect(200).json()["mail"], "sent");
        // The other four count for twenty minutes more.
        assert_eq!(resend(&world, &session).await.expect(429).header("retry-after"), "1200");
        for _ in 0..7 {
            smtp.next_mail().await;
        }
    }
}

#[tokio::test]
async fn a_letter_speaks_the_language_of_the_instance_where_nobody_says_another() {
    let Some(mut smtp) = Smtp::start(FRIENDLY).await else { return };
    let world = World::configured(&format!("[locale]\ndefault = \"et\"\n{}", post_office(&smtp))).await;
    invite(&world, &json!({"email": ANNA})).await;
    assert_eq!(smtp.next_mail().await.header("subject"), Some("Claviger kutsub sind: ühenda Sandbox"));
}

#[tokio::test]
async fn a_mail_goes_through_tls_to_a_server_whose_authority_is_named() {
    for (tls, setting) in [("starttls", "required"), ("implicit", "implicit")] {
        let options = SmtpOptions { tls, credentials: Some(("rowan", "hunter2")), ..FRIENDLY };
        let Some(mut smtp) = Smtp::start(options).await else { return };
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        std::fs::write(&authority, &smtp.authority).unwrap();
        let lines = post_office(&smtp).replace("\"none\"", &format!("\"{setting}\""));
        let sign_in = "username = \"rowan\"\npassword = \"hunter2\"\n";
        let world =
            World::configured(&format!("{lines}{sign_in}ca_file = \"{}\"\n", authority.display())).await;
        assert_eq!(invite(&world, &json!({"email": ANNA})).await["mail"], "sent", "{tls}");
        assert_eq!(smtp.next_mail().await.user(), Some("rowan"));
        let clear = smtp.conversation().await.iter().filter(|heard| !heard.tls);
        let clear: String = clear.map(|heard| &*heard.text).collect();
        assert!(!clear.contains("AUTH") && !clear.contains("MAIL"), "{clear}");
    }
}
