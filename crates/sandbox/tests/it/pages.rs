//! What a person reads, and what a hostile page can not do with it.

use axum::Router;
use axum::http::{Method, header};
use claviger_sandbox::{Sandbox, SystemClock};
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

use crate::harness::Bench;

#[tokio::test]
async fn the_consent_page_offers_accounts_and_two_buttons() {
    let bench = Bench::start(json!({})).await;
    let page = bench.get(&Bench::authorize_path(&[("scope", "profile offline_access crm.all")])).await;
    let text = page.text();
    for expected in [
        "<html lang=\"en\">",
        "Claviger asks for access to your Sandbox account",
        "<button class=\"button\" type=\"submit\" name=\"decision\" value=\"deny\">Deny</button>",
        "name=\"decision\" value=\"approve\">Approve</button>",
        "Read your name",
        "Use the permission <code>crm.all</code>",
        "<strong>127.0.0.1:8976</strong>",
        "jaan@example.com",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert_eq!(text.matches("type=\"radio\" name=\"account\"").count(), 3);
    assert_eq!(text.matches(" checked").count(), 1);
}

#[tokio::test]
async fn the_page_speaks_estonian_to_who_wants_it() {
    let bench = Bench::start(json!({})).await;
    let request = bench
        .request(Method::GET, &Bench::authorize_path(&[]))
        .header(header::ACCEPT_LANGUAGE, "et-EE,en;q=0.5");
    let page = bench.send(request, "").await;
    assert!(page.text().contains("Claviger soovib ligipääsu sinu Liivakasti kontole"));
    assert_eq!(page.header("content-language"), "et");
    assert_eq!(page.header("vary"), "Accept-Language");
}

#[tokio::test]
async fn below_a_prefix_every_link_and_every_endpoint_keeps_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let base = Url::parse(&format!("{root}/sandbox/")).unwrap();
    let sandbox = Sandbox::new(&base, SystemClock).unwrap();
    let router = Router::new().nest("/sandbox", sandbox.router());
    tokio::spawn(async { axum::serve(listener, router).await });

    let bench = Bench::at(format!("{root}/sandbox"));
    let home = Bench::at(root);
    for page in [bench.get("").await, bench.get(&Bench::authorize_path(&[])).await] {
        assert_eq!(page.status, 200);
        for link in page.text().split(" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            if !link.starts_with('#') && !link.starts_with("data:") {
                assert_eq!(home.get(link).await.status, 200, "{link}");
            }
        }
    }
    let tokens = bench.connect().await;
    assert!(bench.opens(&tokens.access).await);
    let metadata = bench.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["token_endpoint"], format!("{}/oauth/token", bench.base));
}

#[tokio::test]
async fn no_script_and_no_style_can_be_smuggled_into_a_page() {
    let change = json!({"apps": {"x": {"name": "<b>x", "clientSecret": null, "redirectUris": ["https://x.example/"]}}});
    let bench = Bench::start(change).await;
    let attack = "\"><script>alert(1)</script>";
    let path = Bench::authorize_path(&[
        ("client_id", "x"),
        ("redirect_uri", "https://x.example/"),
        ("state", attack),
        ("evil\"><script>", attack),
    ]);
    let page = bench.get(&path).await;
    assert_eq!(page.status, 200);
    assert!(
        !page.text().contains("<script") && !page.text().contains("<b>") && !page.text().contains("style=")
    );
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' https:; base-uri 'none'; frame-ancestors 'none'"
    );
}

#[tokio::test]
async fn a_request_that_can_not_go_on_is_told_with_what_it_said_of_itself() {
    let bench = Bench::start(json!({})).await;
    let long = format!("https://evil.example/{}", "x".repeat(500));
    let cases = [
        ("client_id", "<b>nobody", "This app is not known here", "<code>&#60;b&#62;nobody</code>"),
        ("redirect_uri", &long, "This app may not return there", "<code>https://evil.example/xxx"),
    ];
    for (name, value, heading, said) in cases {
        let page = bench.get(&Bench::authorize_path(&[(name, value)])).await;
        assert_eq!(page.status, 400);
        for expected in [heading, said, "Nothing was shared.", "form-action 'none'"] {
            let there =
                page.text().contains(expected) || page.header("content-security-policy").contains(expected);
            assert!(there, "{expected} in {}", page.text());
        }
        assert!(!page.text().contains("<b>") && !page.text().contains(&"x".repeat(200)), "{}", page.text());
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let bench = Bench::start(json!({})).await;
    for path in ["/", "/assets/sandbox.css", "/control", "/api/me", "/nowhere", "/oauth/authorize"] {
        let answer = bench.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
    }
}

#[tokio::test]
async fn a_decision_that_another_site_sends_is_refused() {
    let bench = Bench::start(json!({})).await;
    let path = Bench::authorize_path(&[("decision", "approve")]);
    let (_, form) = path.split_once('?').unwrap();
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let answer = bench.send(bench.form("/oauth/authorize").header(name, value), form.to_owned()).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (403, ""), "{name}");
    }
    let own =
        bench.form("/oauth/authorize").header("origin", &bench.base).header("sec-fetch-site", "same-origin");
    assert!(bench.send(own, form.to_owned()).await.redirected().contains_key("code"));
}

#[tokio::test]
async fn an_account_that_was_not_offered_can_not_consent() {
    let bench = Bench::start(json!({})).await;
    let path = Bench::authorize_path(&[("decision", "approve"), ("account", "root@example.com")]);
    let (_, form) = path.split_once('?').unwrap();
    let answer = bench.send(bench.form("/oauth/authorize"), form.to_owned()).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""));
}

#[tokio::test]
async fn the_login_hint_marks_an_account_unless_the_control_names_one() {
    let bench = Bench::start(json!({})).await;
    let path = Bench::authorize_path(&[("login_hint", "jaan@example.com")]);
    let marked =
        |text: &str| text.split(" checked>").nth(1).unwrap().split("</span>").next().unwrap().to_owned();
    assert!(marked(bench.get(&path).await.text()).ends_with("jaan@example.com"));
    bench.control(json!({"account": "new@example.com"})).await;
    let page = bench.get(&path).await;
    assert!(marked(page.text()).ends_with("new@example.com"));
    assert_eq!(page.text().matches("type=\"radio\"").count(), 4);
}
