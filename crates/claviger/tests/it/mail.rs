//! Letters, handed to a real mail server: what arrives, and what each way of failing is called.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use http_plane::letters::{Invitation, InvitationKind, invitation};
use http_plane::messages::Language;
use provider::mail::{Letter, MailAddress, MailCredentials, MailError, MailSettings, MailTls, Mailer};
use tokio::task::JoinSet;

use crate::harness::smtp::Heard;
use crate::harness::{Smtp, SmtpOptions};

const LINK: &str = "https://auth.rowan.example/onboard-client?token=0123456789abcdef0123456789abcdef&page=1";
const SIGN_IN: (&str, &str) = ("rowan", "pärl hunter2");
const TO: &str = "anna.tamm@õunapuu.example";

fn settings(port: u16, tls: MailTls) -> MailSettings {
    MailSettings {
        from: "Õun & Rowan <hello@rowan.example>".parse().unwrap(),
        reply_to: Some("support@rowan.example".parse().unwrap()),
        host: "127.0.0.1".to_owned(),
        port,
        tls,
        credentials: None,
        authorities: None,
        timeout: Duration::from_mins(1),
    }
}

fn trusting(smtp: &Smtp, tls: MailTls) -> MailSettings {
    MailSettings { authorities: Some(smtp.authority.clone()), ..settings(smtp.port, tls) }
}

fn with(credentials: (&str, &str), settings: MailSettings) -> MailSettings {
    let credentials = MailCredentials { username: credentials.0.into(), password: credentials.1.into() };
    MailSettings { credentials: Some(credentials), ..settings }
}

fn letter(language: Language) -> Letter {
    let names = ["GitHub".to_owned(), "Zoho CRM".to_owned()];
    let expires_at = "2026-11-28T14:05:00Z".parse().unwrap();
    let kind = InvitationKind::Tools { names: &names };
    invitation(language, &Invitation { product: "Rowan Õ", name: Some("Õie"), kind, link: LINK, expires_at })
}

async fn send(settings: &MailSettings) -> Result<(), MailError> {
    let to: MailAddress = TO.parse().unwrap();
    Mailer::new(settings).unwrap().send("mail_1", &to, &letter(Language::Estonian)).await
}

/// The word and the code of the failure; and that nothing that it says tells a secret or an address.
#[track_caller]
fn told(result: Result<(), MailError>) -> (&'static str, Option<u16>) {
    let error = result.expect_err("sent");
    let printed = format!("{error} {error:?}").to_lowercase();
    for secret in ["hunter2", "pärl", "anna", "unapuu", "hello@", "0123456789abcdef"] {
        assert!(!printed.contains(secret), "{secret:?} in {printed}");
    }
    (error.word(), error.failure().code)
}

fn contains(heard: &[Heard], word: &str) -> bool {
    heard.iter().any(|heard| heard.text.to_uppercase().contains(word))
}

#[tokio::test]
async fn a_letter_arrives_over_starttls_with_a_password_and_in_one_piece() {
    let options = SmtpOptions { credentials: Some(SIGN_IN), ..SmtpOptions::default() };
    let Some(mut smtp) = Smtp::start(options).await else { return };
    let settings = with(SIGN_IN, trusting(&smtp, MailTls::Required));
    send(&settings).await.unwrap();

    let letter = letter(Language::Estonian);
    let mail = smtp.next_mail().await;
    assert_eq!((mail.from(), mail.user()), ("hello@rowan.example", Some("rowan")));
    assert_eq!(mail.to(), ["anna.tamm@xn--unapuu-oxa.example"]);
    assert_eq!(mail.header("from"), Some("Õun & Rowan <hello@rowan.example>"));
    assert_eq!(mail.header("to"), Some("anna.tamm@xn--unapuu-oxa.example"));
    assert_eq!(mail.header("reply-to"), Some("support@rowan.example"));
    assert_eq!(mail.header("subject"), Some("Rowan Õ kutsub sind: ühenda GitHub ja Zoho CRM"));
    assert_eq!(mail.header("content-language"), Some("et"));
    assert_eq!(mail.header("auto-submitted"), Some("auto-generated"));
    assert!(mail.header("date").unwrap().ends_with("+0000"), "{mail:?}");
    let id = mail.header("message-id").unwrap();
    assert_eq!(id, "<mail_1@rowan.example>", "the same at every try");
    assert_eq!(*mail.kinds(), serde_json::json!(["text/plain", "text/html"]));
    assert_eq!(mail.text(), letter.text());
    assert_eq!(mail.html(), letter.html().trim_end());
    assert!(mail.text().contains("Tere, Õie\n") && mail.text().contains(&format!("\n{LINK}\n")), "{mail:?}");
    assert_eq!(*mail.defects(), serde_json::json!([]));

    let heard = smtp.conversation().await;
    let clear: String = heard.iter().filter(|heard| !heard.tls).map(|heard| &*heard.text).collect();
    assert_eq!(clear, "EHLO rowan.example\r\nSTARTTLS\r\n", "nothing else is said in clear");
    assert!(contains(heard, "QUIT"), "it leaves politely: {heard:?}");
}

#[tokio::test]
async fn a_letter_arrives_over_tls_from_the_first_octet() {
    let Some(mut smtp) = Smtp::start(SmtpOptions { tls: "implicit", ..SmtpOptions::default() }).await else {
        return;
    };
    let by_name = MailSettings { host: "localhost".to_owned(), ..trusting(&smtp, MailTls::Implicit) };
    send(&by_name).await.unwrap();
    assert_eq!(smtp.next_mail().await.text(), letter(Language::Estonian).text());
    assert!(smtp.conversation().await.iter().all(|heard| heard.tls));
}

#[tokio::test]
async fn without_tls_a_letter_goes_to_this_machine_alone() {
    let options = SmtpOptions { tls: "none", credentials: Some(SIGN_IN), ..SmtpOptions::default() };
    let Some(mut smtp) = Smtp::start(options).await else { return };
    send(&with(SIGN_IN, settings(smtp.port, MailTls::None))).await.unwrap();
    assert_eq!(smtp.next_mail().await.user(), Some("rowan"));
    for host in ["mail.rowan.example", "192.0.2.7", "10.0.0.1", "0.0.0.0", "localhost.rowan.example", "::2"] {
        let elsewhere = MailSettings { host: host.to_owned(), ..settings(25, MailTls::None) };
        assert!(Mailer::new(&elsewhere).is_err(), "{host}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_a_matter_of_the_configuration() {
    for (tls, ours) in [("starttls", MailTls::Required), ("implicit", MailTls::Implicit)] {
        let Some(mut smtp) = Smtp::start(SmtpOptions { tls, ..SmtpOptions::default() }).await else { return };
        let result = send(&with(SIGN_IN, settings(smtp.port, ours))).await;
        assert_eq!(told(result), ("configuration", None), "{tls}");
        if ours == MailTls::Required {
            let heard = smtp.conversation().await;
            assert!(!contains(heard, "AUTH") && !contains(heard, "MAIL"), "{heard:?}");
        }
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_letter_nor_password() {
    let Some(mut smtp) = Smtp::start(SmtpOptions { tls: "none", ..SmtpOptions::default() }).await else {
        return;
    };
    let result = send(&with(SIGN_IN, trusting(&smtp, MailTls::Required))).await;
    assert_eq!(told(result), ("configuration", None));
    let heard = smtp.conversation().await;
    assert_eq!(*heard, [Heard { text: "EHLO rowan.example\r\n".to_owned(), tls: false }]);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_on_its_port_is_a_matter_of_the_configuration() {
    let Some(smtp) = Smtp::start(SmtpOptions { tls: "none", ..SmtpOptions::default() }).await else { return };
    assert_eq!(told(send(&trusting(&smtp, MailTls::Implicit)).await), ("configuration", None));
}

#[tokio::test]
async fn a_password_that_is_wrong_or_not_asked_for_is_a_matter_of_the_configuration() {
    let options = SmtpOptions { credentials: Some(SIGN_IN), ..SmtpOptions::default() };
    let Some(smtp) = Smtp::start(options).await else { return };
    let wrong = with(("rowan", "hunter2 pärl"), trusting(&smtp, MailTls::Required));
    assert_eq!(told(send(&wrong).await), ("configuration", Some(535)));
    // The server wants one, and there is none.
    assert_eq!(told(send(&trusting(&smtp, MailTls::Required)).await), ("configuration", Some(530)));

    let Some(mut smtp) = Smtp::start(SmtpOptions { sign_in: false, ..SmtpOptions::default() }).await else {
        return;
    };
    let result = send(&with(SIGN_IN, trusting(&smtp, MailTls::Required))).await;
    assert_eq!(told(result), ("configuration", None));
    let heard = smtp.conversation().await;
    assert!(!contains(heard, "AUTH") && !contains(heard, "MAIL"), "{heard:?}");
}

#[tokio::test]
async fn a_no_is_for_good_or_for_now_as_its_code_says() {
    let cases: [(&[(&str, &str)], _); 9] = [
        (
            &[("RCPT", "550 5.1.1 <anna.tamm@xn--unapuu-oxa.example>: no such user Anna.Tamm")],
            ("refused", 550),
        ),
        (&[("RCPT", "451 4.7.1 Greylisted, come back later")], ("unavailable", 451)),
        (&[("MAIL", "553 5.7.1 hello@rowan.example is not yours")], ("configuration", 553)),
        (&[("MAIL", "452 4.3.1 Out of space")], ("unavailable", 452)),
        (&[("DATA", "554 5.7.1 Refused")], ("refused", 554)),
        (&[("CONTENT", "550 5.7.1 Looks like spam")], ("refused", 550)),
        (&[("CONTENT", "421 4.3.2 Going down")], ("unavailable", 421)),
        (&[("AUTH", "454 4.7.0 Temporary failure; you sent AHJvd2Fu hunter2")], ("unavailable", 454)),
        (&[("STARTTLS", "454 4.7.0 No TLS just now")], ("unavailable", 454)),
    ];
    for (refuse, (word, code)) in cases {
        let options = SmtpOptions { refuse, ..SmtpOptions::default() };
        let Some(smtp) = Smtp::start(options).await else { return };
        let settings = trusting(&smtp, MailTls::Required);
        let signs_in = refuse[0].0 == "AUTH";
        let result = send(&if signs_in { with(SIGN_IN, settings) } else { settings }).await;
        assert_eq!(told(result), (word, Some(code)), "{refuse:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(told(send(&settings(port, MailTls::Required)).await), ("unavailable", None));
    let nowhere = MailSettings { host: "mail.invalid".to_owned(), ..settings(port, MailTls::Required) };
    assert_eq!(told(send(&nowhere).await), ("unavailable", None));
}

#[tokio::test]
async fn a_server_that_goes_silent_at_any_step_is_left_at_the_deadline() {
    let steps = ["CONNECT", "EHLO", "STARTTLS", "HANDSHAKE", "AUTH", "MAIL", "RCPT", "DATA", "CONTENT"];
    let mut waiting = JoinSet::new();
    for step in steps {
        let Some(smtp) = Smtp::start(SmtpOptions { hang: Some(step), ..SmtpOptions::default() }).await else {
            return;
        };
        waiting.spawn(async move { (step, left_at_the_deadline(step, smtp).await) });
    }
    // Beside each other, since each of them waits.
    for (step, heard) in waiting.join_all().await {
        let said = match step {
            "CONNECT" => heard.iter().all(String::is_empty),
            // Its handshake is heard as what it is.
            "HANDSHAKE" => heard.len() > 2,
            "CONTENT" => heard.iter().any(|heard| heard.ends_with("\r\n.\r\n")),
            command => heard.last().is_some_and(|heard| heard.starts_with(command)),
        };
        assert!(said, "{step}: {heard:?}");
    }
}

async fn left_at_the_deadline(step: &str, mut smtp: Smtp) -> Vec<String> {
    let deadline = Duration::from_secs(3);
    let settings = MailSettings { timeout: deadline, ..trusting(&smtp, MailTls::Required) };
    let settings = if step == "AUTH" { with(SIGN_IN, settings) } else { settings };
    let began = Instant::now();
    // Whoever has the whole letter may have taken it.
    let word = if step == "CONTENT" { "unanswered" } else { "unavailable" };
    assert_eq!(told(send(&settings).await), (word, None), "{step}");
    assert!(began.elapsed() >= deadline, "{step} failed before the deadline");
    assert!(began.elapsed() < deadline * 4, "{step}: {:?}", began.elapsed());
    smtp.conversation().await.iter().map(|heard| heard.text.clone()).collect()
}

#[tokio::test]
async fn a_server_that_says_no_goodbye_has_the_letter_all_the_same() {
    let Some(mut smtp) = Smtp::start(SmtpOptions { hang: Some("QUIT"), ..SmtpOptions::default() }).await
    else {
        return;
    };
    send(&trusting(&smtp, MailTls::Required)).await.unwrap();
    smtp.next_mail().await;
}

#[test]
fn settings_and_addresses_do_not_print_what_is_secret() {
    let settings = with(SIGN_IN, settings(587, MailTls::Required));
    let to: MailAddress = TO.parse().unwrap();
    let printed = format!("{settings:?} {to:?}");
    for secret in ["hunter2", "\"rowan\"", "hello", "support", "anna", "unapuu"] {
        assert!(!printed.contains(secret), "{secret:?} in {printed}");
    }
}
