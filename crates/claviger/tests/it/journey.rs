//! Somebody is invited by mail, follows the link in a real Chromium, and ends with an account or a connection.

use std::time::Duration;

use axum::http::Method;
use data_encoding::BASE64;
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use url::Url;

use crate::harness::browser::parameter;
use crate::harness::chromium::{click, is_sound, nothing_was_blocked, picture, says, shape, status, window};
use crate::harness::smtp::Received;
use crate::harness::{Browser, Smtp, SmtpOptions, World};

const MAIL: &str = "anna@õunapuu.example";

/// How long an invitation lives.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// A server with a mail server, the sandbox's Stripe, and the page of the product that people return to.
async fn world() -> Option<(World, Smtp)> {
    let smtp = Smtp::start(SmtpOptions::default()).await?;
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, &smtp.authority).unwrap();
    let lines = format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {}\nca_file = \"{}\"\nfrom = \"Rowan <hello@rowan.example>\"\n\
         [stripe]\nsecret_key = \"sk_test_sandbox\"\napi_base = \"{{sandbox}}\"\n\
         [connect]\nreturn_to = [\"{{sandbox}}\"]\n",
        smtp.port,
        authority.display()
    );
    Some((World::configured(&lines).await, smtp))
}

/// Invites a client to Stripe, who reads this language. Answers the portal session.
async fn initiate(world: &World, subject: &str, language: &str) -> Value {
    let path = format!("/api/subjects/{subject}");
    world.call(Method::PUT, &path, &json!({ "language": language })).await.expect(200);
    let body = json!({ "clientId": subject, "name": "Õunapuu OÜ", "email": MAIL });
    world.call(Method::POST, "/onboard-client/initiate", &body).await.expect(201).json()
}

/// The link of a letter, which both of its parts have.
fn link_in(letter: &Received) -> String {
    let link = letter.text().lines().find(|line| line.starts_with("http://")).unwrap().to_owned();
    let hrefs: Vec<&str> =
        letter.html().split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(hrefs, [&*link, &*link], "{letter:?}");
    link
}

/// Reads the letter as a mail program shows it, and follows its button.
async fn follow(window: &WebDriver, letter: &Received, name: &str) {
    let shown = format!("data:text/html;charset=utf-8;base64,{}", BASE64.encode(letter.html().as_bytes()));
    window.goto(shown).await.unwrap();
    picture(window, name).await;
    click(window, "p > a").await;
}

async fn arrives(window: &WebDriver, path: &str, words: &str) {
    says(window, words).await;
    assert_eq!(window.current_url().await.unwrap().path(), path);
}

/// The accounts that Stripe has, newest first.
async fn accounts(world: &World) -> Vec<Value> {
    let url = format!("{}/control/stripe/accounts", world.sandbox);
    Browser::with_key("none").get(url).await.expect(200).json()["accounts"].as_array().unwrap().clone()
}

async fn calls_at_stripe(world: &World) -> usize {
    let log = Browser::with_key("none").get(format!("{}/control/log", world.sandbox)).await.json();
    let rows = log.as_array().or_else(|| log["log"].as_array()).unwrap();
    rows.iter().filter(|row| row["endpoint"].as_str().unwrap().starts_with("stripe.")).count()
}

async fn session_of(world: &World, session: &Value) -> Value {
    let path = format!("/api/portal-sessions/{}", session["id"].as_str().unwrap());
    world.api(&path).await.expect(200).json()
}

async fn stripe_of(world: &World, subject: &str) -> Value {
    world.api(&format!("/api/subjects/{subject}/stripe")).await.expect(200).json()
}

/// What the pages say in one language.
struct Words {
    language: &'static str,
    invites: &'static str,
    addressed: &'static str,
    set_up: &'static str,
    done: &'static str,
}

const WORDS: [Words; 2] = [
    Words {
        language: "en",
        invites: "Claviger invites you to connect Stripe",
        addressed: "For Õunapuu OÜ",
        set_up: "Set up payments with Sandbox platform",
        done: "Stripe is connected",
    },
    Words {
        language: "et",
        invites: "Claviger kutsub sind Stripe’i ühendama",
        addressed: "Kellele: Õunapuu OÜ",
        set_up: "Seadista maksed: Sandbox platform",
        done: "Stripe on ühendatud",
    },
];

async fn is_invited_and_gets_an_account(words: &Words, width: u32, dark: bool) {
    let Some(window) = window(words.language).await else { return };
    let Some((world, mut smtp)) = world().await else { return };
    let name = |page: &str| format!("{page}-{}-{width}", words.language);
    shape(&window, width, dark).await;
    let session = initiate(&world, "client-7", words.language).await;
    assert_eq!((&session["status"], &session["mail"]), (&json!("open"), &json!("sent")), "{session}");
    let letter = smtp.next_mail().await;
    let link = link_in(&letter);
    assert_eq!((session["url"].as_str(), letter.header("subject")), (Some(&*link), Some(words.invites)));

    follow(&window, &letter, &name("mail-stripe")).await;
    arrives(&window, "/onboard-client", words.invites).await;
    says(&window, words.addressed).await;
    assert_eq!(status(&window).await, 200);
    is_sound(&window, words.language).await;
    picture(&window, &name("invitation-stripe")).await;
    assert_eq!((calls_at_stripe(&world).await, accounts(&world).await.len()), (0, 0), "only a look");
    assert_eq!(session_of(&world, &session).await["openedAt"], Value::Null);

    click(&window, "main form button").await;
    says(&window, words.set_up).await;
    assert!(window.current_url().await.unwrap().as_str().starts_with(&world.sandbox));
    picture(&window, &name("stripe")).await;
    assert_eq!(stripe_of(&world, "client-7").await["status"], "onboarding");
    click(&window, "button[name=outcome][value=complete]").await;
    arrives(&window, "/onboard-client/done", words.done).await;
    is_sound(&window, words.language).await;
    picture(&window, &name("stripe-done")).await;

    let made = accounts(&world).await;
    let linked = stripe_of(&world, "client-7").await;
    assert_eq!((made.len(), &linked["status"]), (1, &json!("linked")), "{linked}");
    assert_eq!(linked["stripeAccountId"], made[0]["account"]["id"]);
    assert_eq!(linked["chargesEnabled"], true);
    assert_eq!(session_of(&world, &session).await["status"], "completed");

    let before = calls_at_stripe(&world).await;
    window.goto("about:blank").await.unwrap();
    window.goto(&link).await.unwrap();
    arrives(&window, "/onboard-client/done", words.done).await;
    assert_eq!(calls_at_stripe(&world).await, before, "who is done is not sent to Stripe again");
    nothing_was_blocked(&window).await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn a_client_is_invited_by_mail_and_ends_with_an_account_at_stripe() {
    is_invited_and_gets_an_account(&WORDS[0], 1280, false).await;
}

#[tokio::test]
async fn a_client_is_invited_in_estonian_on_a_phone_and_ends_with_an_account_at_stripe() {
    is_invited_and_gets_an_account(&WORDS[1], 390, true).await;
}

#[tokio::test]
async fn who_leaves_stripe_early_or_comes_too_late_gets_a_fresh_page_for_the_same_account() {
    let Some(window) = window("en").await else { return };
    let Some((world, mut smtp)) = world().await else { return };
    initiate(&world, "client-7", "en").await;
    follow(&window, &smtp.next_mail().await, "mail-stripe").await;
    click(&window, "main form button").await;
    let mut pages = Vec::new();
    for outcome in ["incomplete", "expired", "pending"] {
        says(&window, "Set up payments").await;
        // Until the page is another: the words are the same.
        let others: Vec<_> = pages.iter().map(|action| format!(":not([action='{action}'])")).collect();
        let others = others.concat();
        let form = window.query(By::Css(format!("form.panel{others}"))).first().await.unwrap();
        pages.push(form.attr("action").await.unwrap().unwrap());
        assert_eq!(stripe_of(&world, "client-7").await["status"], "onboarding");
        click(&window, &format!("form.panel{others} button[value={outcome}]")).await;
    }
    // Everything is sent in; that Stripe still looks at it keeps nobody here.
    arrives(&window, "/onboard-client/done", "Stripe is connected").await;
    let linked = stripe_of(&world, "client-7").await;
    assert_eq!((&linked["status"], &linked["chargesEnabled"]), (&json!("linked"), &json!(false)));
    assert_eq!(accounts(&world).await.len(), 1);
    window.quit().await.unwrap();
}

/// Another client, who has an account. Answers it.
async fn somebody_else(world: &World) -> String {
    let stripe = format!("{}/control/stripe", world.sandbox);
    let control = Browser::with_key("none");
    control.json(Method::PUT, &stripe, &json!({ "onboarding": "complete" })).await.expect(200);
    let body = json!({ "subject": "client-8", "page": "stripe" });
    let session = world.call(Method::POST, "/api/portal-sessions", &body).await.expect(201).json();
    let browser = Browser::new();
    let stripe_page = browser.get(session["url"].as_str().unwrap()).await.expect(303).location();
    let back = browser.get(stripe_page).await.expect(303).location();
    browser.get(back).await.expect(303);
    control.json(Method::PUT, &stripe, &json!({ "onboarding": "ask" })).await.expect(200);
    stripe_of(world, "client-8").await["stripeAccountId"].as_str().unwrap().to_owned()
}

/// Finishes at Stripe's page beside the browser. Answers where Stripe sends the browser.
async fn finish_beside(window: &WebDriver) -> Url {
    let attribute = async |css: &str, name: &str| {
        window.query(By::Css(css)).first().await.unwrap().attr(name).await.unwrap().unwrap()
    };
    let action = attribute("form.panel", "action").await;
    let visit = attribute("input[name=visit]", "value").await;
    let action = window.current_url().await.unwrap().join(&action).unwrap();
    let fields = [("visit", &*visit), ("outcome", "complete")];
    Browser::new().form(action, &fields).await.expect(303).location()
}

#[tokio::test]
async fn somebody_elses_account_in_the_callback_is_refused_in_estonian() {
    let Some(window) = window("et").await else { return };
    let Some((world, mut smtp)) = world().await else { return };
    shape(&window, 390, false).await;
    let stolen = somebody_else(&world).await;
    let session = initiate(&world, "client-7", "et").await;
    window.goto(link_in(&smtp.next_mail().await)).await.unwrap();
    click(&window, "main form button").await;
    says(&window, "Seadista maksed").await;
    let back = finish_beside(&window).await;
    let (state, account) = (parameter(&back, "state").unwrap(), parameter(&back, "account").unwrap());
    assert_ne!(account, stolen);

    let (calls, before) = (calls_at_stripe(&world).await, stripe_of(&world, "client-7").await);
    assert_eq!((&before["status"], &before["stripeAccountId"]), (&json!("onboarding"), &Value::Null));
    let swapped = world.path(&format!("/connect/callback?state={state}&account={stolen}"));
    window.goto(&swapped).await.unwrap();
    says(&window, "See on teine konto").await;
    says(&window, "Vastuses on teine Stripe’i konto kui see, mis sinu jaoks tehti").await;
    says(&window, "Midagi ei muudetud. Ava oma kutse uuesti.").await;
    says(&window, "account_mismatch").await;
    assert_eq!(status(&window).await, 400);
    is_sound(&window, "et").await;
    picture(&window, "account-mismatch-et").await;

    assert_eq!(calls_at_stripe(&world).await, calls, "Stripe is not even asked");
    assert_eq!(stripe_of(&world, "client-7").await, before);
    assert_eq!(stripe_of(&world, "client-8").await["stripeAccountId"], *stolen);
    assert_eq!(session_of(&world, &session).await["status"], "open");
    let refused = world.audited("stripe.refused").await;
    assert_eq!((&refused["reason"], &refused["outcome"]), (&json!("account_mismatch"), &json!("denied")));
    assert_eq!((&refused["subject"], &refused["target"]), (&json!("client-7"), &json!(account)), "{refused}");

    window.goto(back.as_str()).await.unwrap();
    arrives(&window, "/onboard-client/done", "Stripe on ühendatud").await;
    assert_eq!(stripe_of(&world, "client-7").await["stripeAccountId"], *account);
    nothing_was_blocked(&window).await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn two_browsers_with_one_link_link_once() {
    let (Some(first), Some(second)) = (window("en").await, window("en").await) else { return };
    let Some((world, mut smtp)) = world().await else { return };
    initiate(&world, "client-7", "en").await;
    let link = link_in(&smtp.next_mail().await);
    for window in [&first, &second] {
        window.goto(&link).await.unwrap();
        click(window, "main form button").await;
        says(window, "Set up payments").await;
    }
    let finish = "button[name=outcome][value=complete]";
    tokio::join!(click(&first, finish), click(&second, finish));
    let mut ends = Vec::new();
    for window in [&first, &second] {
        says(window, "Keys kept by Claviger").await;
        is_sound(window, "en").await;
        ends.push((status(window).await, window.find(By::Css("h1")).await.unwrap().text().await.unwrap()));
    }
    ends.sort();
    let expected = [(200, "Stripe is connected"), (400, "This sign-in is not valid any more")];
    assert_eq!(ends, expected.map(|(status, title)| (status, title.to_owned())));
    let made = accounts(&world).await;
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(stripe_of(&world, "client-7").await["stripeAccountId"], made[0]["account"]["id"]);
    let linked = world.audit().await.iter().filter(|entry| entry["event"] == "stripe.linked").count();
    assert_eq!(linked, 1);
    for window in [first, second] {
        nothing_was_blocked(&window).await;
        window.quit().await.unwrap();
    }
}

#[tokio::test]
async fn tools_are_connected_by_invitation() {
    let Some(window) = window("en").await else { return };
    let Some((world, mut smtp)) = world().await else { return };
    world.control(&json!({ "approve": "ask" })).await;
    let product = format!("{}/", world.sandbox);
    for (subject, return_to, width, dark) in
        [("client-7", None, 1280, false), ("client-8", Some(&product), 390, true)]
    {
        shape(&window, width, dark).await;
        let body = json!({ "subject": subject, "page": "onboarding", "email": MAIL, "returnTo": return_to, "language": "en" });
        let session = world.call(Method::POST, "/api/portal-sessions", &body).await.expect(201).json();
        let letter = smtp.next_mail().await;
        let link = link_in(&letter);
        follow(&window, &letter, &format!("mail-tools-{width}")).await;
        says(&window, "Claviger invites you to connect Sandbox").await;
        is_sound(&window, "en").await;
        picture(&window, &format!("invitation-tools-{width}")).await;

        click(&window, "main form button").await;
        arrives(&window, "/portal/onboarding", "Connect one tool to go on.").await;
        assert_eq!(window.current_url().await.unwrap().query(), None, "the address is clean");
        is_sound(&window, "en").await;
        picture(&window, &format!("onboarding-next-disabled-{width}")).await;
        let next = window.find(By::Css(".advance button")).await.unwrap();
        assert!(!next.is_enabled().await.unwrap(), "nothing is connected yet");
        click(&window, "#row-sandbox form.row-action button").await;
        says(&window, "asks for access").await;
        click(&window, "button[name=decision][value=approve]").await;
        says(&window, "Connected as anna@example.com").await;
        is_sound(&window, "en").await;
        picture(&window, &format!("onboarding-next-{width}")).await;
        let connected = format!("/api/connections/{subject}/sandbox");
        assert_eq!(world.api(&connected).await.expect(200).json()["status"], "active");

        assert_eq!(session_of(&world, &session).await["status"], "open");
        click(&window, ".advance button:enabled").await;
        if let Some(product) = return_to {
            window.query(By::Css("a[href='/control']")).first().await.unwrap();
            assert_eq!(window.current_url().await.unwrap().as_str(), product);
        } else {
            arrives(&window, "/portal/done", "You are done").await;
            is_sound(&window, "en").await;
            picture(&window, &format!("onboarding-done-{width}")).await;
        }
        assert_eq!(session_of(&world, &session).await["status"], "completed");
        window.goto(world.path("/portal/onboarding")).await.unwrap();
        says(&window, "portal_session_needed").await;
        window.goto(&link).await.unwrap();
        says(&window, "This is done").await;
        is_sound(&window, "en").await;
    }
    nothing_was_blocked(&window).await;
    window.quit().await.unwrap();
}

#[tokio::test]
async fn an_expired_invitation_mails_a_new_link_which_works() {
    let Some(window) = window("et").await else { return };
    let Some((world, mut smtp)) = world().await else { return };
    for (page, path, words, width) in [
        ("onboarding", "/portal/onboarding", "Ühenda oma tööriistad", 390),
        ("stripe", "/setup/e/", "Seadista maksed", 1280),
    ] {
        shape(&window, width, false).await;
        let body = json!({ "subject": "client-7", "page": page, "email": MAIL, "language": "et" });
        let session = world.call(Method::POST, "/api/portal-sessions", &body).await.expect(201).json();
        let old = link_in(&smtp.next_mail().await);
        world.pass(WEEK);
        assert_eq!(session_of(&world, &session).await["status"], "expired");
        window.goto(&old).await.unwrap();
        says(&window, "See link on aegunud").await;
        says(&window, "invitation_expired").await;
        assert_eq!(status(&window).await, 400);
        is_sound(&window, "et").await;
        picture(&window, &format!("invitation-expired-et-{width}")).await;
        click(&window, "main form button").await;
        says(&window, "Uus link on teel").await;
        assert_eq!(status(&window).await, 200);
        is_sound(&window, "et").await;
        picture(&window, &format!("invitation-sent-et-{width}")).await;

        let letter = smtp.next_mail().await;
        assert_eq!(letter.to(), ["anna@xn--unapuu-oxa.example"]);
        let new = link_in(&letter);
        assert_ne!(new, old);
        window.goto(&old).await.unwrap();
        says(&window, "invalid_link").await;
        follow(&window, &letter, &format!("mail-again-et-{width}")).await;
        click(&window, "main form button").await;
        says(&window, words).await;
        assert!(window.current_url().await.unwrap().path().starts_with(path));
    }
    nothing_was_blocked(&window).await;
    window.quit().await.unwrap();
}
