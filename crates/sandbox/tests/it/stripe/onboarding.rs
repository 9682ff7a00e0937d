//! The page behind an account link, and the link that works once.

use axum::http::{Method, header};
use serde_json::json;

use super::{REFRESH, RETURN, Stripe};
use crate::harness::{Answer, encode};

fn redirected(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.header("location"))
}

fn visit(page: &Answer) -> String {
    assert_eq!(page.status, 200, "{page:?}");
    page.text().split("name=\"visit\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

async fn decide(stripe: &Stripe, link: &str, visit: &str, outcome: &str) -> Answer {
    stripe.bench.send(stripe.bench.form(link), encode(&[("visit", visit), ("outcome", outcome)])).await
}

#[tokio::test]
async fn each_button_leads_back_exactly_as_asked_and_the_account_tells_the_outcome() {
    let stripe = Stripe::start().await;
    let cases = [
        ("complete", RETURN, [true, true, true]),
        ("pending", RETURN, [true, false, false]),
        ("incomplete", RETURN, [false, false, false]),
        ("expired", REFRESH, [false, false, false]),
    ];
    for (outcome, expected, flags) in cases {
        let account = stripe.account().await;
        let link = stripe.link(&account).await;
        let page = stripe.bench.get(&link).await;
        assert!(page.text().contains(&format!("name=\"outcome\" value=\"{outcome}\"")), "{outcome}");
        assert_eq!(redirected(&decide(&stripe, &link, &visit(&page), outcome).await), (303, expected));
        let account = stripe.get(&format!("/v1/accounts/{account}")).await.json();
        let told =
            ["details_submitted", "charges_enabled", "payouts_enabled"].map(|name| account[name] == true);
        assert_eq!(told, flags, "{outcome}");
        let open = &account["requirements"];
        assert_eq!(open["currently_due"] == json!([]), flags[0], "{outcome}");
        assert_eq!(open["pending_verification"] != json!([]), outcome == "pending", "{outcome}");
    }
}

#[tokio::test]
async fn a_link_works_once_and_for_five_minutes() {
    let stripe = Stripe::start().await;
    let account = stripe.account().await;
    let link = stripe.link(&account).await;
    // A look that is no visit opens nothing.
    assert_eq!(stripe.bench.send(stripe.bench.request(Method::HEAD, &link), "").await.status, 200);
    stripe.bench.advance(299);
    let page = stripe.bench.get(&link).await;
    let proof = visit(&page);
    assert_eq!(redirected(&stripe.bench.get(&link).await), (303, REFRESH), "a second visit");
    // The second visit ended the first.
    assert_eq!(redirected(&decide(&stripe, &link, &proof, "complete").await), (303, REFRESH));

    let late = stripe.link(&account).await;
    stripe.bench.advance(300);
    assert_eq!(redirected(&stripe.bench.get(&late).await), (303, REFRESH));
    let guessed = stripe.link(&account).await;
    stripe.bench.get(&guessed).await;
    assert_eq!(redirected(&decide(&stripe, &guessed, "guess", "complete").await), (303, REFRESH));
    let told = stripe.get(&format!("/v1/accounts/{account}")).await.json();
    assert_eq!(told["details_submitted"], false);
    let other = stripe.account().await;
    let foreign = stripe.link(&account).await.replace(&account, &other);
    assert_eq!(stripe.bench.get(&foreign).await.status, 404);
    assert_eq!(stripe.bench.get("/setup/e/acct_0/x").await.status, 404);
}

#[tokio::test]
async fn the_control_can_decide_in_the_persons_place() {
    let stripe = Stripe::start().await;
    for (outcome, expected) in
        [("complete", RETURN), ("pending", RETURN), ("incomplete", RETURN), ("expired", REFRESH)]
    {
        stripe.set(json!({"onboarding": outcome})).await;
        let account = stripe.account().await;
        let link = stripe.link(&account).await;
        assert_eq!(redirected(&stripe.bench.get(&link).await), (303, expected), "{outcome}");
        assert_eq!(redirected(&stripe.bench.get(&link).await), (303, REFRESH), "{outcome}");
        let account = stripe.get(&format!("/v1/accounts/{account}")).await.json();
        assert_eq!(account["details_submitted"] == true, ["complete", "pending"].contains(&outcome));
    }
    assert_eq!(
        stripe.bench.outcomes("stripe.onboarding").await,
        [
            "complete",
            "link_expired",
            "pending",
            "link_expired",
            "incomplete",
            "link_expired",
            "expired",
            "link_expired"
        ]
    );
}

#[tokio::test]
async fn the_page_speaks_estonian_escapes_what_it_shows_and_takes_no_foreign_form() {
    let stripe = Stripe::start().await;
    let platform = json!({"acct_platformsandbox": {"name": "<b>Kauplus"}});
    stripe.set(json!({"platforms": platform})).await;
    let account = stripe.account().await;
    let link = stripe.link(&account).await;
    let request = stripe.bench.request(Method::GET, &link).header(header::ACCEPT_LANGUAGE, "et");
    let page = stripe.bench.send(request, "").await;
    assert!(page.text().contains("<html lang=\"et\">") && page.text().contains("Seadista maksed: "));
    assert!(!page.text().contains("<b>") && !page.text().contains("<script"));
    assert!(page.text().contains("<strong>shop.example</strong>"));
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'"
    );
    let form = stripe.bench.form(&link).header("origin", "https://evil.example");
    let proof = visit(&page);
    let attack = stripe.bench.send(form, encode(&[("visit", &proof), ("outcome", "complete")])).await;
    assert_eq!(attack.status, 403);
    let own = stripe.bench.form(&link).header("origin", &stripe.bench.base);
    let own = stripe.bench.send(own, encode(&[("visit", &proof), ("outcome", "complete")])).await;
    assert_eq!(redirected(&own), (303, RETURN));
    assert_eq!(decide(&stripe, &link, &proof, "nonsense").await.status, 400);
}

#[tokio::test]
async fn a_link_of_an_account_that_went_away_leads_to_the_refresh_address() {
    let stripe = Stripe::start().await;
    let account = stripe.account().await;
    let link = stripe.link(&account).await;
    stripe.control(Method::POST, &format!("/accounts/{account}/deauthorize"), json!(null)).await;
    assert_eq!(redirected(&stripe.bench.get(&link).await), (303, REFRESH));
}
