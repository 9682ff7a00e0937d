//! `[[protect]]`: what lies behind us, behind a token.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};

use super::rig::{Ask, EMAIL, OTHER_RESOURCE, Rig, error, text};
use crate::harness::{Answer, Browser};

/// A request that has come through.
#[derive(Debug, Clone)]
struct Came {
    method: String,
    uri: String,
    headers: HeaderMap,
    body: Bytes,
}

/// Something that knows nothing of tokens.
pub(crate) struct Behind {
    address: String,
    came: Arc<Mutex<Vec<Came>>>,
    /// How many streams of events nobody reads any more.
    left: watch::Receiver<usize>,
    /// How many requests wait to go on.
    waiting: watch::Receiver<usize>,
    go: Arc<Semaphore>,
}

/// A body that is given piece by piece.
struct Pieces(mpsc::Receiver<&'static str>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(hyper::body::Frame::data(piece.into()))))
    }
}

fn moved(response: axum::http::response::Builder, to: &str) -> Response<Body> {
    response.status(307).header("location", to).body(Body::empty()).unwrap()
}

impl Behind {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let came = Arc::<Mutex<Vec<Came>>>::default();
        let noted = Arc::clone(&came);
        let (leaving, left) = watch::channel(0);
        let (waits, waiting) = watch::channel(0);
        let go = Arc::new(Semaphore::new(0));
        let gate = Arc::clone(&go);
        let own = address.clone();
        let router = Router::new().fallback(move |request: Request<Body>| async move {
            let (head, body) = request.into_parts();
            let Ok(body) = body.collect().await else { return Response::new(Body::empty()) };
            let uri = head.uri.to_string();
            noted.lock().unwrap().push(Came {
                method: head.method.to_string(),
                uri: uri.clone(),
                headers: head.headers,
                body: body.to_bytes(),
            });
            let response = Response::builder()
                .header("mcp-session-id", "s1")
                .header("set-cookie", "theirs=1")
                .header("access-control-allow-origin", "https://only.example")
                .header("access-control-allow-credentials", "true")
                .header("x-own", "kept");
            match uri.split('?').next().unwrap().rsplit('/').next().unwrap() {
                "events" => {
                    let (sender, pieces) = mpsc::channel(1);
                    tokio::spawn(async move {
                        sender.send("data: 1\n\n").await.unwrap();
                        // The stream stays open until nobody reads.
                        sender.closed().await;
                        leaving.send_modify(|left| *left += 1);
                    });
                    response
                        .header("content-type", "text/event-stream")
                        .body(Body::new(Pieces(pieces)))
                        .unwrap()
                }
                "never" => std::future::pending().await,
                "slow" => {
                    waits.send_modify(|waiting| *waiting += 1);
                    gate.acquire().await.unwrap().forget();
                    response.body(Body::from("done")).unwrap()
                }
                "307" => {
                    let to = format!("http://{own}/base/mcp/there?x=1#y");
                    response.status(307).header("location", to).body(Body::empty()).unwrap()
                }
                "secure" => moved(response, "https://127.0.0.1/base/mcp/there"),
                "out" => moved(response, "/admin"),
                "beside" => moved(response, "http://127.0.0.1:1/base/mcp/there"),
                "elsewhere" => moved(response, "https://login.example/x"),
                "made" => response
                    .status(201)
                    .header("location", "7")
                    .header("content-location", "/admin")
                    .body(Body::from("made"))
                    .unwrap(),
                "public" => response
                    .header("cache-control", "public, s-maxage=600")
                    .header("cdn-cache-control", "max-age=600")
                    .body(Body::from("public"))
                    .unwrap(),
                "401" => response.status(401).body(Body::from("no")).unwrap(),
                "404" => response
                    .status(404)
                    .header("content-type", "text/plain")
                    .body(Body::from("gone"))
                    .unwrap(),
                _ => response
                    .header("content-type", "application/json")
                    .body(Body::from("{\"ok\":true}"))
                    .unwrap(),
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, came, left, waiting, go }
    }

    /// A server that stands before it.
    pub(crate) async fn rig(&self, lines: &str) -> Rig {
        self.rig_of("scopes = [\"reports.read\"]\n", lines).await
    }

    pub(crate) async fn rig_of(&self, own: &str, lines: &str) -> Rig {
        let address = &self.address;
        Rig::with_more(&format!(
            "[[protect]]\npath = \"/mcp\"\nupstream = \"http://{address}/base/mcp\"\n{own}{lines}"
        ))
        .await
    }

    fn last(&self) -> Came {
        self.came.lock().unwrap().last().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.came.lock().unwrap().len()
    }
}

/// A token that is good there.
async fn token(rig: &Rig) -> String {
    let tokens = rig.tokens_for("app", &Ask::of("app").with("resource", &rig.path("/mcp"))).await;
    text(&tokens, "access_token").to_owned()
}

async fn call(
    rig: &Rig,
    method: Method,
    path: &str,
    token: &str,
    more: &[(&str, &str)],
    body: &'static str,
) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", &*bearer), ("content-type", "application/json")];
    headers.extend(more);
    Browser::new().send(method, &rig.path(path), &headers, Bytes::from(body)).await
}

#[tokio::test]
async fn a_request_with_a_good_token_goes_on_and_its_answer_comes_back() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let token = token(&rig).await;
    let more = [("mcp-session-id", "s0"), ("mcp-protocol-version", "2025-11-25"), ("last-event-id", "7")];
    let answer = call(&rig, Method::POST, "/mcp", &token, &more, "{\"x\":1}").await.expect(200);
    assert_eq!(answer.json(), json!({"ok": true}));
    assert_eq!((answer.header("mcp-session-id"), answer.header("x-own")), ("s1", "kept"));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-expose-headers").contains("Mcp-Session-Id"));
    for name in ["set-cookie", "access-control-allow-credentials"] {
        assert!(answer.headers.get(name).is_none(), "{name}");
    }
    let came = behind.last();
    assert_eq!((&*came.method, &*came.uri, &*came.body), ("POST", "/base/mcp", &b"{\"x\":1}"[..]));
    assert_eq!(came.headers["host"], *behind.address);
    for (name, value) in more {
        assert_eq!(came.headers[name], *value, "{name}");
    }
    for (path, expected) in [
        ("/mcp/", "/base/mcp/"),
        ("/mcp/a/b?x=1&y=%2F", "/base/mcp/a/b?x=1&y=%2F"),
        ("/mcp/a%20b", "/base/mcp/a%20b"),
        ("/mcp?x", "/base/mcp?x"),
    ] {
        call(&rig, Method::DELETE, path, &token, &[], "").await.expect(200);
        assert_eq!((&*behind.last().method, &*behind.last().uri), ("DELETE", expected));
    }
    rig.send(Method::GET, "/mcpx", &[]).await.expect(404);
}

#[tokio::test]
async fn without_a_good_token_nothing_goes_on() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let at = rig.path("/.well-known/oauth-protected-resource/mcp");
    let bare = rig.send(Method::GET, "/mcp", &[("origin", "https://inspector.example")]).await.expect(401);
    assert_eq!(bare.body, "", "who brings no token is told of no error (RFC 6750 §3.1)");
    let expected = format!("Bearer resource_metadata=\"{at}\", scope=\"reports.read\"");
    assert_eq!(bare.header("www-authenticate"), expected);
    assert_eq!(bare.header("access-control-allow-origin"), "*");
    assert!(bare.header("access-control-expose-headers").contains("WWW-Authenticate"));
    let good = token(&rig).await;
    let elsewhere = rig.tokens_for("app", &Ask::of("app").with("resource", OTHER_RESOURCE)).await;
    let nowhere = rig.tokens("app").await;
    let refresh = text(&elsewhere, "refresh_token").to_owned();
    for wrong in ["x", text(&elsewhere, "access_token"), text(&nowhere, "access_token"), &*refresh] {
        let refused = call(&rig, Method::POST, "/mcp", wrong, &[], "{}").await.expect(401);
        assert_eq!(error(&refused), "invalid_token");
        let challenge = refused.header("www-authenticate");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\", resource_metadata="), "{challenge}");
    }
    // A token in the address is none.
    rig.send(Method::GET, &format!("/mcp?access_token={good}"), &[]).await.expect(401);
    rig.world.pass(Duration::from_hours(1));
    call(&rig, Method::POST, "/mcp", &good, &[], "{}").await.expect(401);
    assert_eq!(behind.count(), 0);
}

#[tokio::test]
async fn a_token_that_is_good_for_less_is_told_all_that_is_needed() {
    let behind = Behind::new().await;
    let rig = behind.rig_of("scopes = [\"reports.read\", \"reports.write\"]\n", "").await;
    let refused = call(&rig, Method::POST, "/mcp", &token(&rig).await, &[], "{}").await.expect(403);
    assert_eq!(error(&refused), "insufficient_scope");
    let at = rig.path("/.well-known/oauth-protected-resource/mcp");
    let expected = format!(
        "Bearer error=\"insufficient_scope\", resource_metadata=\"{at}\", scope=\"reports.read reports.write\""
    );
    assert_eq!(refused.header("www-authenticate"), expected);
    assert_eq!(behind.count(), 0);
}

#[tokio::test]
async fn the_upstream_is_told_who_it_is_and_nothing_that_the_caller_made_up() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let token = token(&rig).await;
    let more = [
        ("cookie", "__Host-claviger=secret"),
        ("claviger-identity", "forged"),
        ("claviger-anything", "forged"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=203.0.113.7"),
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic x"),
        ("x_forwarded_for", "203.0.113.7"),
        ("claviger_identity", "forged"),
        ("x-real-ip", "203.0.113.7"),
        ("true-client-ip", "203.0.113.7"),
        ("x-original-url", "/admin"),
        ("x-http-method-override", "DELETE"),
        ("x-forwarded", "203.0.113.7"),
        ("cf-connecting-ipv6", "2001:db8::1"),
        ("remote-user", "root"),
    ];
    call(&rig, Method::POST, "/mcp", &token, &more, "{}").await.expect(200);
    let came = behind.last();
    for name in [
        "authorization",
        "cookie",
        "claviger-anything",
        "x-forwarded-host",
        "forwarded",
        "x-hop",
        "te",
        "proxy-authorization",
        "x_forwarded_for",
        "claviger_identity",
        "x-real-ip",
        "true-client-ip",
        "x-original-url",
        "x-http-method-override",
        "x-forwarded",
        "cf-connecting-ipv6",
        "remote-user",
    ] {
        assert!(came.headers.get(name).is_none(), "{name}");
    }
    assert_eq!(came.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(came.headers.get_all("claviger-identity").iter().count(), 1);
    let identity = came.headers["claviger-identity"].to_str().unwrap();
    let verified = rig.verified(identity).await;
    assert_eq!(verified.header["typ"], "claviger-identity+jwt");
    let claims = Value::Object(verified.claims);
    let user = rig.introspect("app", &token).await["sub"].clone();
    assert_eq!(
        (&claims["sub"], &claims["client_id"], &claims["email"]),
        (&user, &json!("app"), &json!(EMAIL))
    );
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(rig.world.url), &json!(rig.path("/mcp"))));
    assert_eq!(claims["scope"], "reports.read");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    // It is nobody's access token.
    call(&rig, Method::POST, "/mcp", identity, &[], "{}").await.expect(401);
    rig.userinfo(identity).await.expect(401);
}

#[tokio::test]
async fn a_path_that_others_read_differently_goes_nowhere() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let token = token(&rig).await;
    for path in [
        "/mcp/../x",
        "/mcp/%2e%2e/x",
        "/mcp/a/..",
        "/mcp/.%2E/x",
        "/mcp/./x",
        "/mcp/..%2Fadmin",
        "/mcp/a%2F..%2F..%2Fadmin",
        "/mcp/..%5Cadmin",
        "/mcp/..\\admin",
        "/mcp/..;/admin",
        "/mcp/%2e%2e;x=1/admin",
        "/mcp/a%00",
        "/mcp/a%zz",
    ] {
        let answer = by_hand(&rig, &token, path).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    assert_eq!(behind.count(), 0);
}

#[tokio::test]
async fn a_path_and_a_query_arrive_as_they_were_written() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let token = token(&rig).await;
    for path in ["/it's?name=O'Brien&x=[1]", "/a;v=1/b%C3%B5?%27&&=", "//a?/../?", "/...?"] {
        let answer = by_hand(&rig, &token, &format!("/mcp{path}")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert_eq!(behind.last().uri, format!("/base/mcp{path}"));
    }
}

/// A request that is written by hand: clients mend paths.
async fn by_hand(rig: &Rig, token: &str, path: &str) -> String {
    written(rig, &format!("GET {path}"), token).await
}

async fn written(rig: &Rig, what: &str, token: &str) -> String {
    let host = rig.world.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    answer
}

/// It would tell the caller what the upstream was told.
#[tokio::test]
async fn nobody_can_ask_to_be_told_what_was_asked() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let token = token(&rig).await;
    for method in ["TRACE", "CONNECT", "PROPFIND"] {
        let answer = written(&rig, &format!("{method} /mcp"), &token).await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{method}: {answer}");
        assert!(answer.contains("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"), "{method}: {answer}");
    }
    assert_eq!(behind.count(), 0);
}

#[tokio::test]
async fn where_an_answer_leads_lies_below_our_own_path() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let token = token(&rig).await;
    let moved = call(&rig, Method::POST, "/mcp/307", &token, &[], "{}").await.expect(307);
    assert_eq!(moved.header("location"), rig.path("/mcp/there?x=1#y"));
    let moved = call(&rig, Method::GET, "/mcp/secure", &token, &[], "").await.expect(307);
    assert_eq!(moved.header("location"), rig.path("/mcp/there"));
    for wrong in ["out", "beside"] {
        let outside = call(&rig, Method::GET, &format!("/mcp/{wrong}"), &token, &[], "").await.expect(502);
        assert_eq!(error(&outside), "server_error");
        assert!(!outside.body.contains("127.0.0.1"), "{}", outside.body);
    }
    let elsewhere = call(&rig, Method::GET, "/mcp/elsewhere", &token, &[], "").await.expect(307);
    assert_eq!(elsewhere.header("location"), "https://login.example/x");
    // What was done is told all the same.
    let done = call(&rig, Method::POST, "/mcp/made", &token, &[], "{}").await.expect(201);
    assert!(done.headers.get("content-location").is_none());
    assert_eq!((done.header("location"), &*done.body), (&*rig.path("/mcp/7"), "made"));
}

/// The upstream does not know that it is asked with a token.
#[tokio::test]
async fn an_answer_is_for_whoever_asked_alone() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let answer = call(&rig, Method::GET, "/mcp/public", &token(&rig).await, &[], "").await.expect(200);
    let said: Vec<_> = answer.headers.get_all("cache-control").iter().collect();
    assert!(said.iter().any(|own| *own == "private"), "{said:?}");
    assert!(answer.headers.get("cdn-cache-control").is_none());
}

#[tokio::test]
async fn behind_a_proxy_the_upstream_is_told_the_whole_address() {
    let behind = Behind::new().await;
    let rig = Rig::with(&format!(
        "trusted_proxies = [\"127.0.0.1\"]\n[[protect]]\npath = \"/mcp\"\nupstream = \"http://{}\"\n",
        behind.address
    ))
    .await;
    let token = token(&rig).await;
    let more = [("x-forwarded-for", "2001:db8:1:2:3:4:5:6")];
    call(&rig, Method::GET, "/mcp", &token, &more, "").await.expect(200);
    assert_eq!(behind.last().headers["x-forwarded-for"], "2001:db8:1:2:3:4:5:6");
}

/// An answer whose first event was read.
async fn events(rig: &Rig, token: &str) -> Response<hyper::body::Incoming> {
    let request = Request::get(rig.path("/mcp/events"))
        .header("authorization", format!("Bearer {token}"))
        .header("accept", "text/event-stream")
        .body(Body::empty())
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut answer = client.request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let first = within(answer.body_mut().frame()).await;
    assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n", "though the stream goes on");
    answer
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}

#[tokio::test]
async fn a_stream_of_events_comes_through_piece_by_piece_and_ends_with_the_caller() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let answer = events(&rig, &token(&rig).await).await;
    assert_eq!(*behind.left.borrow(), 0);
    drop(answer);
    let mut left = behind.left.clone();
    within(left.wait_for(|left| *left == 1)).await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let [over, stays] = [token(&rig).await, token(&rig).await];
    let (mut first, mut second) = (events(&rig, &over).await, events(&rig, &stays).await);
    rig.world.server.app.end_streams().await.unwrap();
    rig.revoke("app", &over).await.expect(200);
    rig.world.server.app.end_streams().await.unwrap();
    let end = within(first.body_mut().frame()).await;
    assert!(end.unwrap().is_err(), "nobody takes it for the whole");
    assert_eq!(rig.world.server.app.streams.tokens().len(), 1);
    rig.world.pass(Duration::from_hours(1));
    rig.world.server.app.end_streams().await.unwrap();
    assert!(within(second.body_mut().frame()).await.unwrap().is_err());
    let mut left = behind.left.clone();
    within(left.wait_for(|left| *left == 2)).await.unwrap();
}

/// What lasts for ever ends at once; what ends by itself has the time that a stop has.
#[tokio::test]
async fn a_stream_keeps_nobody_waiting_who_stops_the_server() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let token = token(&rig).await;
    let (replica, url) = rig.world.beside("\u{0}", "\u{0}").await.unwrap();
    let ask = |path: &str| {
        let request = Request::get(format!("{url}{path}")).header("authorization", format!("Bearer {token}"));
        Client::builder(TokioExecutor::new()).build_http().request(request.body(Body::empty()).unwrap())
    };
    let mut stream = ask("/mcp/events").await.unwrap();
    stream.body_mut().frame().await.unwrap().unwrap();
    let slow = tokio::spawn(ask("/mcp/slow"));
    let mut waiting = behind.waiting.clone();
    within(waiting.wait_for(|waiting| *waiting == 1)).await.unwrap();
    let stopped = tokio::spawn(replica.stop());
    assert!(within(stream.body_mut().frame()).await.unwrap().is_err());
    behind.go.add_permits(1);
    let answer = within(slow).await.unwrap().unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "done", "it was under way");
    within(stopped).await.unwrap();
}

#[tokio::test]
async fn what_waits_for_its_answer_ends_with_its_token() {
    let behind = Behind::new().await;
    let rig = Arc::new(behind.rig("").await);
    let token = token(&rig).await;
    let slow = tokio::spawn({
        let (rig, token) = (Arc::clone(&rig), token.clone());
        async move { call(&rig, Method::POST, "/mcp/slow", &token, &[], "{}").await }
    });
    let mut waiting = behind.waiting.clone();
    within(waiting.wait_for(|waiting| *waiting == 1)).await.unwrap();
    rig.revoke("app", &token).await.expect(200);
    rig.world.server.app.end_streams().await.unwrap();
    let refused = within(slow).await.unwrap().expect(401);
    assert_eq!(error(&refused), "invalid_token");
    assert!(refused.header("www-authenticate").contains("resource_metadata="));
}

/// Whoever gets more tokens gets no more room.
#[tokio::test]
async fn the_streams_of_one_user_leave_room_for_the_others() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    rig.add_user("bert@example.com", &[]).await;
    let ask = Ask::of("app").with("resource", &rig.path("/mcp"));
    let back = rig.agree_as(&Browser::new(), &ask, "bert@example.com", None).await;
    let code = crate::harness::browser::parameter(&back, "code").unwrap();
    let other = rig.redeem("app", &code).await.expect(200).json();
    let other = text(&other, "access_token");
    let greedy = [token(&rig).await, token(&rig).await];
    let mut streams = Vec::new();
    for n in 0..50 {
        streams.push(events(&rig, &greedy[n % 2]).await);
    }
    let refused = call(&rig, Method::POST, "/mcp", &greedy[0], &[], "{}").await.expect(503);
    assert_eq!(refused.header("retry-after"), "2");
    call(&rig, Method::POST, "/mcp", other, &[], "{}").await.expect(200);
    drop(streams);
    let mut left = behind.left.clone();
    within(left.wait_for(|left| *left == 50)).await.unwrap();
    call(&rig, Method::POST, "/mcp", &greedy[0], &[], "{}").await.expect(200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let behind = Behind::new().await;
    let rig = behind.rig_of("max_body = 10\n", "").await;
    let token = token(&rig).await;
    call(&rig, Method::POST, "/mcp", &token, &[], "0123456789").await.expect(200);
    let refused = call(&rig, Method::POST, "/mcp", &token, &[], "0123456789a").await.expect(413);
    assert_eq!(error(&refused), "invalid_request");
    let (sender, pieces) = mpsc::channel(2);
    sender.send("01234567").await.unwrap();
    sender.send("89abcdef").await.unwrap();
    drop(sender);
    let request = Request::post(rig.path("/mcp"))
        .header("authorization", format!("Bearer {token}"))
        .body(Body::new(Pieces(pieces)))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    assert_eq!(client.request(request).await.unwrap().status(), 413);
    assert_eq!(behind.count(), 1);
}

#[tokio::test]
async fn an_upstream_that_is_away_or_refuses_us_is_not_the_caller_s_fault() {
    let behind = Behind::new().await;
    let rig = behind.rig("[[protect]]\npath = \"/away\"\nupstream = \"http://127.0.0.1:1\"\n").await;
    let good = token(&rig).await;
    let refused = call(&rig, Method::GET, "/mcp/401", &good, &[], "").await.expect(502);
    assert_eq!(error(&refused), "server_error");
    assert!(refused.headers.get("www-authenticate").is_none());
    // What it says otherwise stays as it is.
    let gone = call(&rig, Method::GET, "/mcp/404", &good, &[], "").await.expect(404);
    assert_eq!(gone.body, "gone");
    let tokens = rig.tokens_for("app", &Ask::of("app").with("resource", &rig.path("/away"))).await;
    // Nothing has reached it, so whoever asked may ask again.
    let away = call(&rig, Method::GET, "/away", text(&tokens, "access_token"), &[], "").await.expect(503);
    assert_eq!((error(&away).as_str(), away.header("retry-after")), ("temporarily_unavailable", "2"));
}

#[tokio::test]
async fn an_upstream_that_takes_too_long_is_504() {
    let behind = Behind::new().await;
    let rig = behind.rig_of("timeout = \"1s\"\n", "").await;
    let token = token(&rig).await;
    let late = call(&rig, Method::GET, "/mcp/never", &token, &[], "").await.expect(504);
    assert_eq!(error(&late), "temporarily_unavailable");
    // Only until its answer begins.
    call(&rig, Method::GET, "/mcp", &token, &[], "").await.expect(200);
}

#[tokio::test]
async fn a_store_that_is_away_is_503_and_never_401() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let token = token(&rig).await;
    rig.world.sql("ALTER TABLE access_tokens RENAME TO away").await;
    let answer = call(&rig, Method::POST, "/mcp", &token, &[], "{}").await.expect(503);
    assert_eq!(error(&answer), "temporarily_unavailable");
    assert!(answer.headers.get("retry-after").is_some());
    assert!(answer.headers.get("www-authenticate").is_none());
}

#[tokio::test]
async fn scripts_of_any_origin_may_ask() {
    let behind = Behind::new().await;
    let rig = behind.rig("").await;
    let headers = [
        ("origin", "https://inspector.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,mcp-protocol-version,mcp-session-id"),
    ];
    for path in ["/mcp", "/mcp/x"] {
        let answer = rig.send(Method::OPTIONS, path, &headers).await.expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(answer.headers.get("access-control-allow-credentials").is_none());
        let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
        for name in headers[2].1.split(',') {
            assert!(allowed.contains(name), "{name} in {allowed}");
        }
        assert!(answer.header("access-control-allow-methods").contains("DELETE"));
    }
    assert_eq!(behind.count(), 0);
}

#[tokio::test]
async fn the_upstream_gets_the_token_of_the_team_s_connection() {
    let behind = Behind::new().await;
    let rig = behind.rig_of(&of("team"), "").await;
    rig.add_user("bert@example.com", &[("team-7", "Seven")]).await;
    let ask = Ask::of("app").with("resource", &rig.path("/mcp"));
    let back = rig.agree_as(&Browser::new(), &ask, "bert@example.com", None).await;
    let code = crate::harness::browser::parameter(&back, "code").unwrap();
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    let token = text(&tokens, "access_token");
    let refused = call(&rig, Method::POST, "/mcp", token, &[], "{}").await.expect(403);
    assert_eq!(error(&refused), "access_denied");
    assert!(refused.body.contains("not connected"), "{}", refused.body);
    assert_eq!(behind.count(), 0);
    let imported = json!({"accessToken": "the-team-s-own"});
    rig.world.call(Method::PUT, "/api/connections/team-7/sandbox", &imported).await;
    call(&rig, Method::POST, "/mcp", token, &[], "{}").await.expect(200);
    assert_eq!(behind.last().headers["authorization"], "Bearer the-team-s-own");
    // Who has no team has no team's, and their own is not meant.
    let other = self::token(&rig).await;
    let user = rig.introspect("app", &other).await["sub"].as_str().unwrap().to_owned();
    rig.world.call(Method::PUT, &format!("/api/connections/{user}/sandbox"), &imported).await;
    call(&rig, Method::POST, "/mcp", &other, &[], "{}").await.expect(403);
}

#[tokio::test]
async fn a_connection_whose_token_is_refused_gets_another() {
    let behind = Behind::new().await;
    let rig = behind.rig_of(&of("team"), "").await;
    rig.world.connect().await;
    rig.add_user("bert@example.com", &[("client-7", "Seven")]).await;
    let ask = Ask::of("app").with("resource", &rig.path("/mcp"));
    let back = rig.agree_as(&Browser::new(), &ask, "bert@example.com", None).await;
    let code = crate::harness::browser::parameter(&back, "code").unwrap();
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    let token = text(&tokens, "access_token");
    let early = call(&rig, Method::GET, "/mcp/401", token, &[], "").await.expect(502);
    assert_eq!(error(&early), "server_error", "a new token is believed");
    rig.world.pass(Duration::from_mins(5));
    let refused = call(&rig, Method::GET, "/mcp/401", token, &[], "").await.expect(503);
    assert_eq!((error(&refused).as_str(), refused.header("retry-after")), ("temporarily_unavailable", "2"));
    let old = behind.last().headers["authorization"].clone();
    call(&rig, Method::GET, "/mcp", token, &[], "").await.expect(200);
    assert_ne!(behind.last().headers["authorization"], old);
    call(&rig, Method::GET, "/mcp/401", token, &[], "").await.expect(502);
}

#[tokio::test]
async fn the_upstream_gets_the_token_of_the_caller_s_own_connection() {
    let behind = Behind::new().await;
    let rig = behind.rig_of(&of("user"), "").await;
    let user = rig.add_user("bert@example.com", &[("team-7", "Seven")]).await;
    let ask = Ask::of("app").with("resource", &rig.path("/mcp"));
    let back = rig.agree_as(&Browser::new(), &ask, "bert@example.com", None).await;
    let code = crate::harness::browser::parameter(&back, "code").unwrap();
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    let token = text(&tokens, "access_token");
    let connect = async |subject: &str, own: &str| {
        let path = format!("/api/connections/{subject}/sandbox");
        rig.world.call(Method::PUT, &path, &json!({"accessToken": own})).await;
    };
    connect("team-7", "the-team-s-own").await;
    call(&rig, Method::POST, "/mcp", token, &[], "{}").await.expect(403);
    connect(&user.to_string(), "their-own").await;
    call(&rig, Method::POST, "/mcp", token, &[], "{}").await.expect(200);
    assert_eq!(behind.last().headers["authorization"], "Bearer their-own");
}

/// What makes an upstream get a token.
fn of(holder: &str) -> String {
    format!("scopes = [\"reports.read\"]\nconnection = \"sandbox\"\nconnection_of = \"{holder}\"\n")
}
