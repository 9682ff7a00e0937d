//! The way out: what is not called, and what every kind of broken answer becomes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use claviger_provider::client::{Call, ClientError, ClientSettings, HttpClient};
use tokio::net::TcpListener;

use crate::provider::{Provider, Rudeness, client, client_with, counting, held, impatient, rude};

async fn error_of(http: &HttpClient, url: &str) -> ClientError {
    match http.send(Call::post(url, "grant_type=refresh_token")).await {
        Ok(response) => panic!("{url} answered {}", response.status),
        Err(error) => error,
    }
}

#[tokio::test]
async fn our_own_network_is_out_of_reach_however_it_is_written() {
    let inside = Provider::answering(200, &[], "inside").await;
    let port = inside.origin.rsplit(':').next().unwrap();
    let http = client_with(impatient());
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "[::]",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "LOCALHOST",
        "127.0.0.1.",
        "169.254.169.254",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "[fd00::1]",
        "[fe80::1]",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "[2001:db8::1]",
    ] {
        for scheme in ["http", "https"] {
            let error = error_of(&http, &format!("{scheme}://{host}:{port}/token")).await;
            assert!(matches!(error, ClientError::Forbidden { .. }), "{scheme}://{host}: {error:?}");
            assert!(error.is_certainly_not_sent());
        }
    }
    assert!(inside.received().is_empty());
}

#[tokio::test]
async fn the_operator_opens_one_host_and_one_port_at_a_time() {
    let inside = Provider::answering(200, &[], "inside").await;
    let authority = inside.origin.strip_prefix("http://").unwrap().to_owned();
    let open =
        |host: &str| client_with(ClientSettings { allow_private: vec![host.to_owned()], ..impatient() });

    let response = open(&authority).send(Call::get(&inside.url("/a?b=c"))).await.unwrap();
    assert_eq!((response.status, response.body.as_ref()), (200, b"inside".as_slice()));
    let received = inside.last();
    assert_eq!(received.path, "/a?b=c");
    assert_eq!(received.headers["host"], authority);
    assert!(received.headers["user-agent"].to_str().unwrap().starts_with("claviger/"));

    for other in ["127.0.0.1:1", "127.0.0.2", "localhost"] {
        let error = error_of(&open(other), &inside.url("/")).await;
        assert!(matches!(error, ClientError::Forbidden { .. }), "{other}: {error:?}");
    }
}

#[tokio::test]
async fn a_public_address_is_called_over_tls_only() {
    let http = client_with(ClientSettings { allow_private: vec!["8.8.8.8".to_owned()], ..impatient() });
    assert!(matches!(error_of(&http, "http://8.8.8.8/").await, ClientError::Forbidden { .. }));
}

#[tokio::test]
async fn what_is_no_address_is_not_called() {
    for url in [
        "",
        "/token",
        "token",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://user@127.0.0.1/",
        "https://user:secret@127.0.0.1/",
        "data:,x",
        "https://",
    ] {
        let error = error_of(&client(), url).await;
        assert!(matches!(error, ClientError::NotCallable { .. }), "{url}: {error:?}");
        assert!(!error.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Provider::answering(200, &[], "elsewhere").await;
    for status in [301, 302, 303, 307, 308] {
        let provider = Provider::answering(status, &[("location", &elsewhere.origin)], "").await;
        let response = client().send(Call::post(&provider.url("/token"), "code=c")).await.unwrap();
        assert_eq!(response.status, status);
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_cut_off_with_and_without_a_length() {
    let huge = Provider::answering(200, &[], vec![b'x'; 10 * 1024 * 1024]).await;
    assert!(matches!(
        error_of(&client(), &huge.origin).await,
        ClientError::TooLarge { limit: 1_048_576, .. }
    ));

    let settings = ClientSettings { max_body: 4, allow_private: vec!["127.0.0.1".to_owned()], ..impatient() };
    let http = client_with(settings);
    let fits = Provider::answering(200, &[], "four").await;
    assert_eq!(http.send(Call::get(&fits.origin)).await.unwrap().body.as_ref(), b"four");
    let longer = Provider::answering(200, &[], "five!").await;
    assert!(matches!(error_of(&http, &longer.origin).await, ClientError::TooLarge { limit: 4, .. }));
    let endless = rude(Rudeness::EndlessBody).await;
    assert!(matches!(error_of(&client(), &endless).await, ClientError::TooLarge { .. }));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_the_outcome_open() {
    for rudeness in [
        Rudeness::ClosesAfterReading,
        Rudeness::ClosesInTheMidst,
        Rudeness::SpeaksOtherwise,
        Rudeness::EndlessHead,
    ] {
        let error = error_of(&client(), &rude(rudeness).await).await;
        assert!(matches!(error, ClientError::Broken { .. }), "{rudeness:?}: {error:?}");
        assert!(!error.is_certainly_not_sent());
    }
    // Whether the request was out when the other side closed is a race; both outcomes tell the truth.
    let error = error_of(&client(), &rude(Rudeness::ClosesAtOnce).await).await;
    assert!(matches!(error, ClientError::Broken { .. } | ClientError::NotSent { .. }), "{error:?}");
}

#[tokio::test]
async fn silence_ends_at_the_deadline_in_head_and_body() {
    let settings = ClientSettings {
        total_timeout: Duration::from_millis(200),
        allow_private: vec!["127.0.0.1".to_owned()],
        ..impatient()
    };
    let http = client_with(settings);
    for rudeness in [Rudeness::Hangs, Rudeness::Trickles] {
        let error = error_of(&http, &rude(rudeness).await).await;
        assert!(matches!(error, ClientError::Timeout { .. }), "{rudeness:?}: {error:?}");
        assert!(!error.is_certainly_not_sent());
    }
}

#[tokio::test]
async fn what_never_connected_was_certainly_not_sent() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = error_of(&client(), &format!("http://{free}/")).await;
    assert!(matches!(refused, ClientError::Connect { .. }), "{refused:?}");

    let unknown = error_of(&client(), "https://no-such-host.invalid/").await;
    assert!(matches!(unknown, ClientError::Resolve { .. }), "{unknown:?}");

    // A TLS handshake that is never answered.
    let settings = ClientSettings {
        connect_timeout: Duration::from_millis(200),
        allow_private: vec!["127.0.0.1".to_owned()],
        ..impatient()
    };
    let silent = rude(Rudeness::Hangs).await.replace("http:", "https:");
    let slow = error_of(&client_with(settings), &silent).await;
    assert!(matches!(slow, ClientError::ConnectTimeout { .. }), "{slow:?}");

    for error in [refused, unknown, slow] {
        assert!(error.is_certainly_not_sent());
    }
}

#[tokio::test]
async fn a_closed_gate_keeps_every_octet_back() {
    let (origin, octets) = counting().await;
    let Err(error) = client().send(Call::post(&origin, "secret").gate(&|| false)).await else {
        panic!("answered")
    };
    assert!(matches!(error, ClientError::Withheld { .. }), "{error:?}");
    assert!(error.is_certainly_not_sent());
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    assert_eq!(octets.await.unwrap(), 0);
}

#[tokio::test]
async fn a_gate_is_asked_once_and_only_where_somebody_listens() {
    let asked = AtomicUsize::new(0);
    let gate = || asked.fetch_add(1, Ordering::SeqCst) == 0;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for unreachable in [format!("http://{free}/"), "https://10.0.0.1/".to_owned(), "token".to_owned()] {
        assert!(client().send(Call::get(&unreachable).gate(&gate)).await.is_err());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);

    let provider = Provider::answering(200, &[], "open").await;
    let response = client().send(Call::get(&provider.origin).gate(&gate)).await.unwrap();
    assert_eq!(response.body.as_ref(), b"open");
    assert_eq!((asked.load(Ordering::SeqCst), provider.received().len()), (1, 1));
}

#[tokio::test]
async fn a_calls_own_timeout_replaces_the_clients() {
    let hurried = ClientSettings {
        total_timeout: Duration::from_millis(200),
        allow_private: vec!["127.0.0.1".to_owned()],
        ..impatient()
    };
    let (origin, hold) = held("slow").await;
    let http = client_with(hurried);
    let patient = http.send(Call::get(&origin).timeout(Duration::from_mins(1)));
    let hurried = async {
        // By the time that this gives up, the other call has waited as long.
        let error = error_of(&http, &origin).await;
        hold.close();
        error
    };
    let (answered, error) = tokio::join!(patient, hurried);
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    assert_eq!(answered.unwrap().body.as_ref(), b"slow");

    let patient = ClientSettings {
        total_timeout: Duration::from_hours(1),
        allow_private: vec!["127.0.0.1".to_owned()],
        ..impatient()
    };
    let hurried = rude(Rudeness::Hangs).await;
    let hurried = Call::get(&hurried).timeout(Duration::from_millis(200));
    let Err(error) = client_with(patient).send(hurried).await else { panic!("answered") };
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
}

#[test]
fn a_host_that_can_not_be_read_is_named() {
    let settings = ClientSettings { allow_private: vec!["http://localhost".to_owned()], ..impatient() };
    let Err(error) = HttpClient::new(settings) else { panic!("must be refused") };
    assert!(error.to_string().contains("`http://localhost`"), "{error}");
}
