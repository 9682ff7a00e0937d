//! Mails that can't be sent: which are tried again, when, and until when.

use std::time::Instant;

use model::Clock as _;
use serde_json::json;

use super::mails::{FRIENDLY, link_in, mail_of, round_after, with_post_on_both_stores};
use super::*;
use crate::harness::SmtpOptions;

const FULL: &[(&str, &str)] = &[("RCPT", "452 4.3.1 Out of space")];

/// Takes the whole letter, and says something that is no reply.
const SILENT: &[(&str, &str)] = &[("CONTENT", "what?")];

/// Whether a mail is due.
async fn something_is_due(world: &World) -> bool {
    let now = world.clock.now();
    !world.server.app.store.portal.take_mails(now, now + MINUTE, 20).await.unwrap().is_empty()
}

with_post_on_both_stores! {
    async fn a_session_that_is_withdrawn_first_is_never_mailed(world: World, smtp: Smtp) {
        smtp.refuse(FULL).await;
        let session = invite(&world, &json!({"email": ANNA})).await;
        assert_eq!(session["mail"], "pending");
        withdraw(&world, &session).await.expect(200);
        smtp.refuse(&[]).await;
        for _ in 0..3 {
            round_after(&world, HOUR).await;
        }
        invite(&world, &json!({"email": "bert@rowan.example"})).await;
        assert_eq!(smtp.next_mail().await.to(), ["bert@rowan.example"], "and nothing before it");
        assert_eq!(told(&world, "invitation.mailed").await, 1);
    }

    async fn a_mail_that_is_replaced_before_it_is_sent_goes_with_the_new_link_alone(world: World, smtp: Smtp) {
        smtp.refuse(FULL).await;
        let session = invite(&world, &json!({"email": ANNA})).await;
        let again = resend(&world, &session).await.expect(200).json();
        smtp.refuse(&[]).await;
        round_after(&world, HOUR).await;
        assert_eq!(link_in(&smtp.next_mail().await), link(&again));
        assert_eq!(told(&world, "invitation.mailed").await, 1);
    }

    async fn an_address_that_is_refused_for_good_is_not_tried_again(world: World, smtp: Smtp) {
        smtp.refuse(&[("RCPT", "550 5.1.1 No such user")]).await;
        let session = invite(&world, &json!({"email": ANNA})).await;
        assert_eq!(session["mail"], "refused");
        let event = world.audited("invitation.mailed").await;
        assert_eq!((&event["outcome"], &event["reason"]), (&json!("failure"), &json!("refused")));
        smtp.refuse(&[]).await;
        for _ in 0..30 {
            world.pass(HOUR);
            assert!(!something_is_due(&world).await);
        }
        assert_eq!(mail_of(&world, &session).await, "refused");
        // Somebody has emptied the mailbox.
        assert_eq!(resend(&world, &session).await.expect(200).json()["mail"], "sent");
        smtp.next_mail().await;
    }

    async fn a_server_that_is_full_is_tried_again_after_growing_pauses(world: World, smtp: Smtp) {
        smtp.refuse(FULL).await;
        let session = invite(&world, &json!({"email": ANNA})).await;
        smtp.conversation().await;
        for minutes in [1, 5, 15, 60, 60, 60] {
            assert_eq!(mail_of(&world, &session).await, "pending");
            world.pass(just_before(MINUTE * minutes));
            assert!(!something_is_due(&world).await, "not before {minutes} minutes");
            round_after(&world, MOMENT).await;
            smtp.conversation().await;
        }
        assert_eq!(told(&world, "invitation.mailed").await, 0);
        smtp.refuse(&[]).await;
        round_after(&world, HOUR).await;
        assert_eq!(link_in(&smtp.next_mail().await), link(&session), "the same link, while it works");
        assert_eq!(mail_of(&world, &session).await, "sent");
        assert_eq!(world.audited("invitation.mailed").await["reason"], "sent");
        assert!(!something_is_due(&world).await);
    }

    async fn a_letter_that_may_have_been_taken_is_sent_once_more_and_no_third_time(world: World, smtp: Smtp) {
        smtp.refuse(FULL).await;
        let session = invite(&world, &json!({"email": ANNA})).await;
        smtp.refuse(SILENT).await;
        round_after(&world, MINUTE).await;
        smtp.refuse(FULL).await;
        round_after(&world, MINUTE * 5).await;
        assert_eq!(mail_of(&world, &session).await, "pending", "it was handed over once");
        smtp.refuse(SILENT).await;
        round_after(&world, MINUTE * 15).await;
        assert_eq!(mail_of(&world, &session).await, "abandoned");
        smtp.refuse(&[]).await;
        world.pass(DAY);
        assert!(!something_is_due(&world).await);
    }

    async fn after_a_day_a_mail_is_given_up(world: World, smtp: Smtp) {
        smtp.refuse(FULL).await;
        let session = invite(&world, &json!({"email": ANNA})).await;
        round_after(&world, just_before(DAY)).await;
        assert_eq!(mail_of(&world, &session).await, "pending");
        round_after(&world, HOUR).await;
        assert_eq!(mail_of(&world, &session).await, "abandoned");
        let event = world.audited("invitation.mailed").await;
        assert_eq!((&event["outcome"], &event["reason"]), (&json!("failure"), &json!("abandoned")));
        smtp.refuse(&[]).await;
        world.pass(DAY);
        assert!(!something_is_due(&world).await);
        // The link itself still works, for whoever has it from the API.
        Browser::new().get(link(&session)).await.expect(200);
    }

    async fn a_mail_whose_link_has_ended_is_not_sent(world: World, smtp: Smtp) {
        smtp.refuse(FULL).await;
        let session = invite(&world, &json!({"email": ANNA, "expiresIn": "10m"})).await;
        smtp.refuse(&[]).await;
        round_after(&world, MINUTE * 10).await;
        assert_eq!(mail_of(&world, &session).await, "abandoned");
        invite(&world, &json!({"email": "bert@rowan.example"})).await;
        assert_eq!(smtp.next_mail().await.to(), ["bert@rowan.example"], "and nothing before it");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing_and_the_mail_waits() {
    let Some(mut smtp) = Smtp::start(FRIENDLY).await else { return };
    let world = World::configured(&post_office(&smtp).replace("\"none\"", "\"required\"")).await;
    let session = invite(&world, &json!({"email": ANNA})).await;
    assert_eq!(session["mail"], "pending");
    let heard: String = smtp.conversation().await.iter().map(|heard| &*heard.text).collect();
    assert_eq!(heard, "EHLO rowan.example\r\n");
    round_after(&world, MINUTE).await;
    assert_eq!(mail_of(&world, &session).await, "pending");
}

#[tokio::test]
async fn a_server_that_hangs_keeps_nobody_waiting_for_long() {
    let Some(smtp) = Smtp::start(SmtpOptions { hang: Some("RCPT"), ..FRIENDLY }).await else { return };
    let world = World::configured(&post_office(&smtp)).await;
    let began = Instant::now();
    let session = invite(&world, &json!({"email": ANNA})).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "the mail server may take 30 s, the caller waits 10 s: {took:?}");
    assert_eq!(session["mail"], "pending");
    Browser::new().get(link(&session)).await.expect(200);
}
