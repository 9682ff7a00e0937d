//! How often anybody may try.

use std::time::Duration;

use url::Url;

use crate::grant::on_both;
use crate::grant::rig::{Ask, EMAIL, PASSWORD, Rig, error, hidden, proof};
use crate::harness::{Answer, Browser};

const WINDOW: Duration = Duration::from_mins(15);

/// A browser that looks at a sign-in page.
struct Visitor {
    browser: Browser,
    page: Url,
    csrf: String,
}

impl Visitor {
    async fn to(rig: &Rig) -> Self {
        let browser = Browser::new();
        let page = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
        let csrf = hidden(&browser.get(&page).await.expect(200), "csrf");
        Self { browser, page, csrf }
    }

    async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let fields = [("csrf", &*self.csrf), ("email", email), ("password", password)];
        self.browser.bare_form(&self.page, &fields).await
    }

    async fn wrong(&self, email: &str) {
        let again = self.sign_in(email, "a wrong password").await.expect(200);
        assert!(again.body.contains("is not right"), "{}", again.body);
    }

    async fn locked(&self, email: &str, password: &str) {
        let answer = self.sign_in(email, password).await.expect(429);
        assert!(answer.body.contains("Too many attempts"), "{}", answer.body);
        let after: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=WINDOW.as_secs() + 1).contains(&after), "{after}");
    }
}

on_both! {
    async fn ten_wrong_passwords_lock_an_account_until_the_window_is_over_and_no_other_account(rig: Rig) {
        rig.add_user("other@example.com", &[]).await;
        let visitor = Visitor::to(&rig).await;
        for _ in 0..10 {
            visitor.wrong(EMAIL).await;
        }
        visitor.locked(EMAIL, PASSWORD).await;
        // However it is written, and from wherever.
        visitor.locked(" ANNA@Example.com ", PASSWORD).await;
        Visitor::to(&rig).await.locked(EMAIL, PASSWORD).await;
        Visitor::to(&rig).await.sign_in("other@example.com", PASSWORD).await.expect(303);
        rig.world.pass(WINDOW.checked_sub(Duration::from_millis(1)).unwrap());
        visitor.locked(EMAIL, PASSWORD).await;
        rig.world.pass(Duration::from_millis(1));
        visitor.sign_in(EMAIL, PASSWORD).await.expect(303);
    }
}

#[tokio::test]
async fn an_account_that_nobody_has_is_locked_like_any_other() {
    let rig = Rig::new().await;
    let visitor = Visitor::to(&rig).await;
    for _ in 0..10 {
        visitor.wrong("nobody@example.com").await;
    }
    visitor.locked("nobody@example.com", "a wrong password").await;
}

#[tokio::test]
async fn the_page_of_applications_with_access_counts_with_the_others() {
    let rig = Rig::new().await;
    let visitor = Visitor::to(&rig).await;
    let browser = Browser::new();
    let url = rig.path("/oauth/access");
    let csrf = hidden(&browser.get(&url).await.expect(200), "csrf");
    let fields = [("csrf", &*csrf), ("email", EMAIL), ("password", "a wrong password")];
    for _ in 0..5 {
        visitor.wrong(EMAIL).await;
        browser.bare_form(&url, &fields).await.expect(200);
    }
    visitor.locked(EMAIL, PASSWORD).await;
    browser.bare_form(&url, &fields).await.expect(429);
}

#[tokio::test]
async fn who_knows_the_password_is_never_locked_out_by_signing_in() {
    let rig =
        Rig::with("[grant.limits]\nlogin_account = \"2 per 15m\"\nlogin_address = \"3 per 15m\"\n").await;
    for _ in 0..5 {
        Visitor::to(&rig).await.sign_in(EMAIL, PASSWORD).await.expect(303);
    }
}

#[tokio::test]
async fn many_accounts_from_one_address_are_limited_too() {
    let rig = Rig::with("[grant.limits]\nlogin_address = \"3 per 15m\"\n").await;
    let visitor = Visitor::to(&rig).await;
    for n in 0..3 {
        visitor.wrong(&format!("nobody-{n}@example.com")).await;
    }
    visitor.locked(EMAIL, PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_the_same_time_do_not_pass_together() {
    let rig = Rig::with("[grant.limits]\nlogin_account = \"3 per 15m\"\n").await;
    let mut visitors = Vec::new();
    for _ in 0..12 {
        visitors.push(Visitor::to(&rig).await);
    }
    let guesses: Vec<_> = visitors
        .into_iter()
        .map(|visitor| tokio::spawn(async move { visitor.sign_in(EMAIL, "a wrong password").await }))
        .collect();
    let mut statuses = Vec::new();
    for guess in guesses {
        statuses.push(guess.await.unwrap().status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200; 3][..], &[429; 9]].concat());
}

#[tokio::test]
async fn arrivals_and_introspections_are_limited_as_the_operator_says() {
    let rig = Rig::with("[grant.limits]\nauthorize = \"3 per 10s\"\nintrospect = \"3 per 1s\"\n").await;
    for _ in 0..3 {
        rig.authorize(&Browser::new(), &Ask::of("app")).await.expect(303);
        assert!(!rig.is_active("app", "x").await);
    }
    let page = rig.authorize(&Browser::new(), &Ask::of("app")).await.expect(429);
    assert!(page.body.contains("<h1>") && page.headers.get("location").is_none());
    assert!(
        page.header("retry-after").parse::<u64>().is_ok_and(|after| (1..=11).contains(&after)),
        "{page:?}"
    );
    let fields = [&[("token", "x")], &proof("app")[..]].concat();
    let answer = rig.post("/oauth/introspect", &fields).await.expect(429);
    assert_eq!(error(&answer), "too_many_requests");
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|after| after >= 1), "{answer:?}");
    rig.world.pass(Duration::from_secs(10));
    rig.authorize(&Browser::new(), &Ask::of("app")).await.expect(303);
    assert!(!rig.is_active("app", "x").await);
}
