//! The product's own check.

use std::sync::{Arc, Mutex};

use model::Secret;
use serde_json::{Value, json};

use super::stand_in::Mood;
use super::{Rig, SHARED, StandIn, Visit};
use crate::grant::rig::{EMAIL, PASSWORD, hidden};
use crate::harness::third_party::Asked;
use crate::harness::{Browser, world};

const THEIRS: &str = "bert@example.com";
const RIGHT: &str = "what the product knows";

/// A product that checks signatures, and knows one person with these teams.
struct Product {
    there: StandIn,
    answer: Arc<Mutex<Value>>,
    refuses: Arc<Mutex<Option<(u16, Value)>>>,
}

impl Product {
    async fn new() -> Self {
        let answer =
            Arc::new(Mutex::new(person(&json!([{"id": "rowan", "name": "Rowan", "role": "owner"}]))));
        let refuses = Arc::new(Mutex::new(None));
        let (own, instead) = (Arc::clone(&answer), Arc::clone(&refuses));
        let there = StandIn::answering(move |asked| {
            let body: Value = serde_json::from_str(&asked.body).unwrap();
            if !is_signed(asked) {
                return (400, json!({"error": "signature"}));
            }
            if let Some(instead) = instead.lock().unwrap().clone() {
                return instead;
            }
            if body["email"] == THEIRS && body["password"] == RIGHT {
                (200, own.lock().unwrap().clone())
            } else {
                (401, json!({"error": "invalid_credentials"}))
            }
        })
        .await;
        Self { there, answer, refuses }
    }

    fn refuse(&self, status: u16, body: Value) {
        *self.refuses.lock().unwrap() = Some((status, body));
    }

    fn tell(&self, answer: Value) {
        *self.answer.lock().unwrap() = answer;
    }

    async fn rig(&self, lines: &str) -> Rig {
        self.rig_with("500ms", lines).await
    }

    async fn rig_with(&self, timeout: &str, lines: &str) -> Rig {
        let lines = format!(
            "{lines}[grant.login.http]\nurl = \"{}/check\"\nsecret = \"{SHARED}\"\ntimeout = \"{timeout}\"\n",
            self.there.url
        );
        Rig::reaching(&[self.there.host()], &lines).await
    }
}

fn person(teams: &Value) -> Value {
    json!({"user": {"id": "u-7", "email": THEIRS, "name": "Bert Kask"}, "teams": teams})
}

/// What the product does with the header, as it is documented.
fn is_signed(asked: &Asked) -> bool {
    let header = asked.headers.get("claviger-signature").unwrap().to_str().unwrap();
    let (at, tag) = header.split_once(",v1=").unwrap();
    let at = at.strip_prefix("t=").unwrap();
    let message = format!("{at}.{}", asked.body);
    at.parse::<u64>().is_ok() && vault::shared::tag(&Secret::from(SHARED), message.as_bytes()) == tag
}

#[tokio::test]
async fn whoever_the_product_knows_signs_in_with_their_teams() {
    let product = Product::new().await;
    let rig = product.rig("").await;
    let visit = Visit::begin(&rig).await;
    visit.password(THEIRS, RIGHT).await.expect(303);
    let person = visit.agree(None).await;
    assert_eq!((&person["email"], &person["name"]), (&json!(THEIRS), &json!("Bert Kask")));
    assert_eq!(person["team"], json!({"id": "rowan", "name": "Rowan"}));
    let asked = &product.there.asked()[0];
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/check"));
    assert!(body["requestId"].as_str().unwrap().starts_with("req_") && body["timestamp"].is_string());
    let event = rig.world.audited("user.signed_in").await;
    assert_eq!(event["facts"]["backend"], "http");
}

#[tokio::test]
async fn what_the_product_tells_of_teams_replaces_what_it_told_before() {
    let product = Product::new().await;
    let rig = product.rig("").await;
    let first = Visit::begin(&rig).await;
    first.password(THEIRS, RIGHT).await.expect(303);
    let sub = first.agree(None).await["sub"].clone();
    product.tell(person(&json!([{"id": "birch", "name": "Birch"}, {"id": "alder"}])));
    let second = Visit::begin(&rig).await;
    second.password(THEIRS, RIGHT).await.expect(303);
    let now = second.agree(Some("alder")).await;
    assert_eq!((&now["sub"], &now["team"]), (&sub, &json!({"id": "alder", "name": "alder"})));
    let users = rig.world.api("/api/users").await.expect(200).json();
    assert_eq!(users["users"].as_array().map_or(0, Vec::len), 2, "the local one and this one: {users}");
    // Without teams in the answer, memberships stay as they are.
    product.tell(json!({"user": {"id": "u-7"}}));
    let third = Visit::begin(&rig).await;
    third.password(THEIRS, RIGHT).await.expect(303);
    assert_eq!(third.agree(Some("birch")).await["team"]["name"], "Birch");
}

#[tokio::test]
async fn a_wrong_password_is_told_as_our_own_is_and_counted() {
    let product = Product::new().await;
    let rig = product.rig("[grant.limits]\nlogin_account = \"2 per 15m\"\n").await;
    let visit = Visit::begin(&rig).await;
    for email in [THEIRS, "nobody@example.com"] {
        let told = visit.password(email, "wrong").await.expect(200);
        assert!(told.body.contains("is not right"), "{}", told.body);
    }
    let event = rig.world.audited("user.sign_in_failed").await;
    assert_eq!((&event["outcome"], &event["facts"]["backend"]), (&json!("denied"), &json!("local http")));
    visit.password(THEIRS, "wrong").await.expect(200);
    visit.password(THEIRS, RIGHT).await.expect(429);
    assert!(!visit.is_signed_in().await);
}

#[tokio::test]
async fn a_product_that_is_down_or_talks_nonsense_is_never_a_wrong_password() {
    let product = Product::new().await;
    // Nobody says that it is wrong, so it does not count.
    let rig =
        product.rig("[grant.login]\nlocal = false\n[grant.limits]\nlogin_account = \"2 per 15m\"\n").await;
    let visit = Visit::begin(&rig).await;
    for mood in Mood::BAD {
        product.there.be(mood);
        let told = visit.password(THEIRS, RIGHT).await;
        assert_eq!(told.status, 503, "{mood:?}");
        assert!(told.header("retry-after").parse::<u32>().is_ok() && told.body.contains("not answering"));
    }
    assert!(!rig.was_audited("user.sign_in_failed").await);
    assert!(
        !product.there.asked().iter().any(|asked| asked.path.contains("else")),
        "no redirect is followed"
    );
    product.there.be(Mood::Kind);
    for answer in [
        json!({"user": {"id": ""}}),
        json!({"user": {"id": 7}}),
        json!({"user": {"id": "u-7", "email": "no address"}}),
        json!({"user": {"id": "u-7"}, "teams": [{"id": "a b"}]}),
        json!({"user": {"id": "u-7"}, "teams": [{"id": "a"}, {"id": "a"}]}),
        json!({"user": {"id": "u-7", "name": "x".repeat(101)}}),
    ] {
        product.tell(answer.clone());
        visit.password(THEIRS, RIGHT).await.expect(503);
    }
    product.tell(person(&json!([])));
    visit.password(THEIRS, RIGHT).await.expect(303);
}

/// A proxy on the way says 401 and 403 too.
#[tokio::test]
async fn a_password_is_wrong_where_the_product_says_so_in_its_own_words() {
    let product = Product::new().await;
    let rig = product.rig("[grant.login]\nlocal = false\n").await;
    let visit = Visit::begin(&rig).await;
    for status in [401, 403] {
        product.there.be(Mood::Status(status));
        visit.password(THEIRS, RIGHT).await.expect(503);
        product.there.be(Mood::Kind);
        for body in [json!({"error": "forbidden"}), json!({}), json!({"error": {"code": "x"}}), json!(null)] {
            product.refuse(status, body);
            visit.password(THEIRS, RIGHT).await.expect(503);
        }
        assert!(!rig.was_audited("user.sign_in_failed").await);
    }
    product.refuse(403, json!({"error": "invalid_credentials", "message": "No."}));
    assert!(visit.password(THEIRS, RIGHT).await.expect(200).body.contains("is not right"));
    assert_eq!(rig.world.audited("user.sign_in_failed").await["facts"]["backend"], "http");
}

#[tokio::test]
async fn what_we_refuse_ourselves_counts_also_while_the_product_does_not_answer() {
    let product = Product::new().await;
    let rig = product.rig("[grant.limits]\nlogin_account = \"2 per 15m\"\n").await;
    product.there.be(Mood::Status(500));
    let visit = Visit::begin(&rig).await;
    for guess in ["one", "two"] {
        let began = std::time::Instant::now();
        visit.password(EMAIL, guess).await.expect(503);
        assert!(began.elapsed().as_millis() >= 500, "{:?}", began.elapsed());
        let event = rig.world.audited("user.sign_in_failed").await;
        assert_eq!(event["facts"]["backend"], "local", "the product has not said anything");
    }
    visit.password(EMAIL, PASSWORD).await.expect(429);
    assert!(!visit.is_signed_in().await);
}

#[tokio::test]
async fn a_product_that_hangs_keeps_so_many_waiting_and_no_more() {
    const AT_ONCE: usize = 64;
    let product = Product::new().await;
    let limits = "[grant.limits]\nlogin_account = \"128 per 15m\"\nlogin_address = \"128 per 15m\"\n";
    let rig = product.rig_with("30s", &format!("[grant.login]\nlocal = false\n{limits}")).await;
    product.there.be(Mood::Silent);
    let visit = Visit::begin(&rig).await;
    let csrf = hidden(&visit.shown, "csrf");
    let Visit { browser, page, .. } = visit;
    let browser = Arc::new(browser);
    let send = || {
        let (browser, page, csrf) = (Arc::clone(&browser), page.clone(), csrf.clone());
        async move {
            let fields = [("csrf", &*csrf), ("email", THEIRS), ("password", RIGHT)];
            browser.bare_form(page, &fields).await
        }
    };
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        waiting.spawn(send());
    }
    while product.there.asked().len() < AT_ONCE {
        assert!(waiting.try_join_next().is_none(), "nobody is told anything yet");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let told = send().await.expect(503);
    assert!(told.header("retry-after").parse::<u32>().is_ok() && told.body.contains("not answering"));
    assert_eq!(product.there.asked().len(), AT_ONCE);
}

#[tokio::test]
async fn the_product_is_asked_about_an_address_as_its_tries_are_counted() {
    let product = Product::new().await;
    let rig = product.rig("").await;
    let visit = Visit::begin(&rig).await;
    // Another may read them as one, so that there were as many tries as spellings.
    for email in ["b\u{ea}rt@example.com", "be\u{301}rt@example.com", "\u{ff42}ert@example.com"] {
        assert!(visit.password(email, RIGHT).await.expect(200).body.contains("is not right"), "{email}");
    }
    assert!(product.there.asked().is_empty());
    visit.password(" Bert@EXAMPLE.com ", RIGHT).await.expect(303);
    let body: Value = serde_json::from_str(&product.there.asked()[0].body).unwrap();
    assert_eq!(body["email"], THEIRS);
    Visit::begin(&rig).await.password("bert@m\u{fc}nchen.example", RIGHT).await.expect(200);
    let body: Value = serde_json::from_str(&product.there.asked()[1].body).unwrap();
    assert_eq!(body["email"], "bert@xn--mnchen-3ya.example");
}

#[tokio::test]
async fn the_time_of_a_refusal_tells_nothing_of_whom_the_product_knows() {
    let product = Product::new().await;
    let rig = product.rig("").await;
    let visit = Visit::begin(&rig).await;
    for email in [THEIRS, "nobody@example.com", "b\u{ea}rt@example.com"] {
        let began = std::time::Instant::now();
        visit.password(email, "wrong").await.expect(200);
        assert!(began.elapsed().as_millis() >= 500, "{email} {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_team_that_the_product_does_not_name_keeps_its_name() {
    let product = Product::new().await;
    let rig = product.rig("").await;
    Visit::begin(&rig).await.password(THEIRS, RIGHT).await.expect(303);
    product.tell(person(&json!([{"id": "rowan"}])));
    let visit = Visit::begin(&rig).await;
    visit.password(THEIRS, RIGHT).await.expect(303);
    assert_eq!(visit.agree(None).await["team"], json!({"id": "rowan", "name": "Rowan"}));
}

#[tokio::test]
async fn our_own_passwords_work_while_the_product_is_down() {
    let product = Product::new().await;
    let rig = product.rig("").await;
    product.there.be(Mood::Status(500));
    let visit = Visit::begin(&rig).await;
    visit.password(EMAIL, PASSWORD).await.expect(303);
    assert!(product.there.asked().is_empty(), "whom we know ourselves, nobody else is asked about");
    assert!(visit.is_signed_in().await);
}

/// The same address elsewhere is somebody else.
#[tokio::test]
async fn an_account_is_never_taken_over_by_its_mail_address() {
    let product = Product::new().await;
    let rig = product.rig("").await;
    product.tell(json!({"user": {"id": "u-8", "email": EMAIL}}));
    let theirs = Visit::begin(&rig).await;
    theirs.password(THEIRS, RIGHT).await.expect(303);
    let own = Visit::begin(&rig).await;
    own.password(EMAIL, PASSWORD).await.expect(303);
    let (theirs, own) = (theirs.agree(None).await, own.agree(None).await);
    assert_eq!(theirs["email"], own["email"]);
    assert_ne!(theirs["sub"], own["sub"]);
}

#[tokio::test]
async fn an_application_that_wants_our_own_people_gets_no_others() {
    let product = Product::new().await;
    let rig = product
        .rig(
            "[applications.inner]\nclient_id = \"inner\"\nclient_secret = \"app-secret-0123456789abcdef\"\n\
        redirect_uris = [\"https://app.example.com/callback\"]\nlogin = [\"local\"]\n",
        )
        .await;
    let visit = Visit::asking(&rig, &super::Ask::of("inner")).await;
    assert!(visit.password(THEIRS, RIGHT).await.expect(200).body.contains("is not right"));
    assert!(product.there.asked().is_empty());
    visit.password(EMAIL, PASSWORD).await.expect(303);
}

#[tokio::test]
async fn whom_the_operator_has_locked_out_stays_out() {
    let product = Product::new().await;
    let rig = product.rig("").await;
    let visit = Visit::begin(&rig).await;
    visit.password(THEIRS, RIGHT).await.expect(303);
    let id = visit.agree(None).await["sub"].as_str().unwrap().parse().unwrap();
    rig.world.server.app.grant.set_disabled(&id, true, model::Actor::Operator).await.unwrap();
    let again = Visit::begin(&rig).await;
    assert!(again.password(THEIRS, RIGHT).await.expect(200).body.contains("is not right"));
}

#[tokio::test]
async fn the_page_of_applications_takes_the_same_passwords() {
    let product = Product::new().await;
    let rig = product.rig("[grant.login]\nlocal = false\n").await;
    let browser = Browser::new();
    let page = browser.get(rig.path("/oauth/access")).await.expect(200);
    let csrf = hidden(&page, "csrf");
    let fields = [("csrf", &*csrf), ("email", THEIRS), ("password", RIGHT)];
    browser.bare_form(rig.path("/oauth/access"), &fields).await.expect(303);
    assert!(browser.get(rig.path("/oauth/access")).await.expect(200).body.contains(THEIRS));
}

#[test]
fn a_check_that_could_not_work_stops_the_start() {
    for (lines, about) in [
        (
            "url = \"https://app.example.com/x?key=1\"\nsecret = \"0123456789abcdef0123456789abcdef\"",
            "login.http.url",
        ),
        (
            "url = \"http://app.example.com/x\"\nsecret = \"0123456789abcdef0123456789abcdef\"",
            "login.http.url",
        ),
        (
            "url = \"https://u:hunter2@app.example.com/x\"\nsecret = \"0123456789abcdef0123456789abcdef\"",
            "login.http.url",
        ),
        ("url = \"app.example.com\"\nsecret = \"0123456789abcdef0123456789abcdef\"", "login.http.url"),
        ("url = \"https://app.example.com/x\"\nsecret = \"short\"", "login.http.secret"),
        ("url = \"https://app.example.com/x\"\nsecret = \"env:CLAVIGER_NO_SUCH\"", "login.http.secret"),
        (
            "url = \"https://app.example.com/x\"\nsecret = \"0123456789abcdef0123456789abcdef\"\ntimeout = \"1m\"",
            "login.http.timeout",
        ),
    ] {
        let refused = world::refused(&format!("[grant.login.http]\n{lines}\n"));
        assert!(refused.contains(about) && !refused.contains("hunter2"), "{lines}: {refused}");
    }
    let unknown = "[applications.x]\nclient_id = \"x\"\npublic = true\n\
        redirect_uris = [\"https://app.example.com/callback\"]\nlogin = [\"http\"]\n";
    assert!(world::refused(unknown).contains("login"));
}
