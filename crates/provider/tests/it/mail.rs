//! Mail servers that no mail server would be: what somebody on the way could say in its place.

use std::time::Duration;

use claviger_provider::mail::{Letter, MailError, MailSettings, MailSettingsError, MailTls, Mailer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

fn settings(port: u16, tls: MailTls) -> MailSettings {
    MailSettings {
        from: "hello@rowan.example".parse().unwrap(),
        reply_to: None,
        host: "127.0.0.1".to_owned(),
        port,
        tls,
        credentials: None,
        authorities: None,
        timeout: Duration::from_secs(20),
    }
}

/// Answers each line that comes with the next of these, and says the first at once. What was heard is the second value.
async fn send_to(answers: &'static [&'static [u8]], tls: MailTls) -> (MailError, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut heard = Vec::new();
        for answer in answers {
            // The client may have had enough.
            let _ = stream.get_mut().write_all(answer).await;
            if !matches!(stream.read_until(b'\n', &mut heard).await, Ok(1..)) {
                break;
            }
        }
        String::from_utf8_lossy(&heard).into_owned()
    });
    let letter = Letter::new("Hi", "Hi".to_owned(), "<p>Hi</p>".to_owned(), "en");
    let to = "anna@tamm.example".parse().unwrap();
    let error =
        Mailer::new(&settings(port, tls)).unwrap().send("mail_1", &to, &letter).await.expect_err("sent");
    (error, server.await.unwrap())
}

#[tokio::test]
async fn what_is_said_in_clear_before_the_handshake_does_not_count_after_it() {
    let injected: &[&[u8]] =
        &[b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n250-hi\r\n250 AUTH PLAIN\r\n"];
    let (error, heard) = send_to(injected, MailTls::Required).await;
    assert_eq!(error.word(), "unavailable");
    assert!(error.to_string().contains("spoke in clear"), "{error}");
    assert_eq!(heard, "EHLO rowan.example\r\nSTARTTLS\r\n", "not even a handshake is begun");
}

#[tokio::test]
async fn a_greeting_that_sends_us_away_is_told_with_its_code() {
    let cases: [(&[u8], _, _); 3] = [
        (b"554 no service here\r\n", "configuration", Some(554)),
        (b"421 too busy\r\n", "unavailable", Some(421)),
        (b"HTTP/1.1 400 Bad Request\r\n", "unavailable", None),
    ];
    for (greeting, word, code) in cases {
        for tls in [MailTls::Required, MailTls::None] {
            let answers: &'static [&'static [u8]] = Box::leak(Box::new([greeting]));
            let (error, heard) = send_to(answers, tls).await;
            assert_eq!((error.word(), error.failure().code), (word, code), "{tls:?}: {error}");
            assert!(!heard.contains("MAIL"), "{heard}");
        }
    }
}

#[tokio::test]
async fn a_server_that_talks_without_end_is_not_listened_to() {
    let endless: &'static [u8] = Box::leak(vec![b'2'; 1024 * 1024].into_boxed_slice());
    let chatty: &'static [u8] = Box::leak("220-hello\r\n".repeat(100_000).into_bytes().into_boxed_slice());
    for tls in [MailTls::Required, MailTls::None] {
        for answer in [endless, chatty] {
            let answers: &'static [&'static [u8]] = Box::leak(Box::new([answer]));
            let (error, _) = send_to(answers, tls).await;
            assert_eq!((error.word(), error.failure().code), ("unavailable", None), "{tls:?}: {error}");
            assert!(!error.to_string().contains("in time"), "{error}");
        }
    }
}

#[test]
fn settings_with_which_no_letter_could_be_sent_are_refused() {
    let refused = |settings: MailSettings| Mailer::new(&settings).err().expect("refused");
    let with_host = |host: &str| MailSettings { host: host.to_owned(), ..settings(587, MailTls::Required) };
    for host in ["", "mail rowan", "mail.rowan.example:587", "https://mail.rowan.example", "[::1]"] {
        assert!(matches!(refused(with_host(host)), MailSettingsError::Host), "{host}");
    }
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "nothing", garbage] {
        let authorities = Some(pem.to_owned());
        let settings = MailSettings { authorities, ..settings(587, MailTls::Required) };
        assert!(matches!(refused(settings), MailSettingsError::Authorities), "{pem}");
    }
    let outside = MailSettings { host: "mail.rowan.example".to_owned(), ..settings(25, MailTls::None) };
    assert!(matches!(refused(outside), MailSettingsError::PlainOutsideLoopback));
    assert!(Mailer::new(&with_host("::1")).is_ok());
}
