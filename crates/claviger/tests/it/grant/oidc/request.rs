//! Core §3.1.2: the authentication request, and how the person is asked.

use std::time::Duration;

use url::Url;

use super::{id_claims, openid};
use crate::grant::rig::{Ask, EMAIL, PASSWORD, Rig, hidden, text};
use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser};

const SIGN_IN: &str = "name=\"password\"";
const CONSENT: &str = "value=\"authorize\"";

/// A server, and a browser in which somebody has signed in and agreed.
async fn agreed() -> (Rig, Browser) {
    let rig = Rig::new().await;
    let browser = Browser::new();
    rig.agree(&browser, &openid()).await;
    (rig, browser)
}

/// The page that is shown.
async fn page(rig: &Rig, browser: &Browser, ask: &Ask) -> (Url, Answer) {
    let page = rig.authorize(browser, ask).await.expect(303).location();
    assert!(page.as_str().starts_with(&rig.world.url), "{page}");
    let shown = browser.get(&page).await.expect(200);
    (page, shown)
}

/// Signs in at a page; answers where the browser is sent next.
async fn sign_in(browser: &Browser, page: &Url, shown: &Answer) -> Answer {
    let csrf = hidden(shown, "csrf");
    let fields = [("csrf", &*csrf), ("email", EMAIL), ("password", PASSWORD)];
    browser.bare_form(page, &fields).await.expect(303);
    browser.get(page).await
}

async fn answered(rig: &Rig, browser: &Browser, ask: &Ask) -> Url {
    rig.authorize(browser, ask).await.expect(303).location()
}

fn error(told: &Url) -> Option<String> {
    parameter(told, "error")
}

#[tokio::test]
async fn oidc_core_3_1_2_1_get_and_post_are_both_taken() {
    let (rig, browser) = agreed().await;
    let by_get = answered(&rig, &browser, &openid()).await;
    let by_post =
        browser.bare_form(rig.path("/oauth/authorize"), &openid().pairs()).await.expect(303).location();
    for back in [by_get, by_post] {
        assert!(parameter(&back, "code").is_some(), "{back}");
    }
}

#[tokio::test]
async fn oidc_core_3_1_2_1_prompt_none_shows_nothing() {
    let (rig, browser) = agreed().await;
    let silent = openid().with("prompt", "none");
    // Nobody is signed in.
    let told = rig.told(&silent).await;
    assert_eq!(error(&told).as_deref(), Some("login_required"));
    assert_eq!(parameter(&told, "state").as_deref(), Some("some state & more"));
    // Nobody has agreed to that.
    let more = silent.clone().with("scope", "openid reports.write");
    assert_eq!(error(&answered(&rig, &browser, &more).await).as_deref(), Some("consent_required"));
    // It is too long ago.
    rig.world.pass(Duration::from_secs(61));
    let fresh = silent.clone().with("max_age", "60");
    assert_eq!(error(&answered(&rig, &browser, &fresh).await).as_deref(), Some("login_required"));
    // Somebody is signed in and has agreed.
    assert!(parameter(&answered(&rig, &browser, &silent).await, "code").is_some());
}

#[tokio::test]
async fn oidc_core_3_1_2_1_prompt_none_goes_with_no_other() {
    let (rig, browser) = agreed().await;
    for prompt in ["none login", "consent none", "none none login"] {
        let told = answered(&rig, &browser, &openid().with("prompt", prompt)).await;
        assert_eq!(error(&told).as_deref(), Some("invalid_request"), "{prompt}");
    }
}

#[tokio::test]
async fn oidc_core_3_1_2_1_prompt_login_asks_who_is_there_again() {
    let (rig, browser) = agreed().await;
    rig.world.pass(Duration::from_mins(10));
    let now = rig.seconds();
    let (url, shown) = page(&rig, &browser, &openid().with("prompt", "login")).await;
    assert!(shown.body.contains(SIGN_IN));
    let back = sign_in(&browser, &url, &shown).await.expect(303).location();
    let code = parameter(&back, "code").expect("it was agreed to before");
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    assert_eq!(id_claims(&rig, &tokens).await["auth_time"], now);
}

#[tokio::test]
async fn oidc_core_3_1_2_1_prompt_consent_asks_for_consent_again() {
    let (rig, browser) = agreed().await;
    let (url, shown) = page(&rig, &browser, &openid().with("prompt", "consent")).await;
    assert!(shown.body.contains(CONSENT) && !shown.body.contains(SIGN_IN));
    // Also after a sign-in that was asked for besides.
    let (login, shown_first) = page(&rig, &browser, &openid().with("prompt", "login consent")).await;
    assert!(shown_first.body.contains(SIGN_IN));
    assert!(sign_in(&browser, &login, &shown_first).await.expect(200).body.contains(CONSENT));
    assert!(browser.get(&url).await.expect(200).body.contains(CONSENT), "the first page is still there");
}

#[tokio::test]
async fn oidc_core_3_1_2_1_prompt_select_account_lets_the_person_choose() {
    let (rig, browser) = agreed().await;
    let (url, shown) = page(&rig, &browser, &openid().with("prompt", "select_account")).await;
    assert!(shown.body.contains(SIGN_IN));
    // And so does the button of the consent page.
    let (url_of_consent, shown) = page(&rig, &browser, &openid().with("prompt", "consent")).await;
    let csrf = hidden(&shown, "csrf");
    let next =
        browser.bare_form(&url_of_consent, &[("csrf", &csrf), ("decision", "switch")]).await.expect(303);
    assert!(browser.get(next.location()).await.expect(200).body.contains(SIGN_IN));
    browser.get(&url).await.expect(200);
}

#[tokio::test]
async fn oidc_core_3_1_2_1_an_unknown_prompt_is_refused() {
    let rig = Rig::new().await;
    for prompt in ["Login", "create", "ä"] {
        assert_eq!(rig.refused(&openid().with("prompt", prompt)).await, "invalid_request", "{prompt}");
    }
}

#[tokio::test]
async fn oidc_core_3_1_2_1_max_age_asks_again_when_it_is_too_long_ago() {
    let (rig, browser) = agreed().await;
    let then = rig.seconds();
    rig.world.pass(Duration::from_mins(1));
    for (max_age, is_fresh) in [("60", true), ("3600", true), ("59", false), ("0", false)] {
        let next = answered(&rig, &browser, &openid().with("max_age", max_age)).await;
        assert_eq!(parameter(&next, "code").is_some(), is_fresh, "{max_age}: {next}");
        if let Some(code) = parameter(&next, "code") {
            let tokens = rig.redeem("app", &code).await.expect(200).json();
            assert_eq!(id_claims(&rig, &tokens).await["auth_time"], then, "auth_time is required then");
        } else {
            assert!(browser.get(&next).await.expect(200).body.contains(SIGN_IN));
        }
    }
    for bad in ["-1", "1.5", "+1", "soon", "99999999999"] {
        assert_eq!(rig.refused(&openid().with("max_age", bad)).await, "invalid_request", "{bad}");
    }
}

#[tokio::test]
async fn oidc_core_3_1_2_1_login_hint_stands_in_the_field() {
    let rig = Rig::new().await;
    let ask = openid().with("login_hint", "anna+<b>@example.com");
    let (_, shown) = page(&rig, &Browser::new(), &ask).await;
    assert!(shown.body.contains("value=\"anna+&#60;b&#62;@example.com\""), "{}", shown.body);
}

#[tokio::test]
async fn oidc_core_3_1_2_1_ui_locales_choose_the_language() {
    let rig = Rig::new().await;
    for (locales, language) in
        [("et", "et"), ("fr et-EE en", "et"), ("en et", "en"), ("fr", "en"), ("", "en")]
    {
        let (_, shown) = page(&rig, &Browser::new(), &openid().with("ui_locales", locales)).await;
        assert_eq!(shown.header("content-language"), language, "{locales}");
    }
    // The page of the decision too.
    let browser = Browser::new();
    rig.agree(&browser, &openid()).await;
    let ask = openid().with("ui_locales", "et").with("prompt", "consent");
    assert_eq!(page(&rig, &browser, &ask).await.1.header("content-language"), "et");
}

#[tokio::test]
async fn oidc_core_3_1_2_1_redirect_uris_are_compared_exactly() {
    let rig = Rig::new().await;
    let ask = openid().with("redirect_uri", "https://app.example.com/callback/");
    rig.authorize(&Browser::new(), &ask).await.expect(400);
}

#[tokio::test]
async fn oidc_core_3_1_2_2_parameters_that_are_not_understood_are_ignored() {
    let rig = Rig::new().await;
    let ask = openid().with("x_unknown", "x").with("scope", "openid profile");
    assert!(parameter(&rig.agree(&Browser::new(), &ask).await, "code").is_some());
}

#[tokio::test]
async fn oidc_core_3_1_2_3_who_is_signed_in_is_not_asked_again_without_a_reason() {
    let (rig, browser) = agreed().await;
    assert!(parameter(&answered(&rig, &browser, &openid()).await, "code").is_some());
    // For as long as the browser is believed.
    rig.world.pass(Duration::from_hours(12));
    assert!(page(&rig, &browser, &openid()).await.1.body.contains(SIGN_IN));
}

#[tokio::test]
async fn oidc_core_3_1_2_4_nothing_is_released_without_consent() {
    let (rig, browser) = agreed().await;
    // To this application, or to another one; each for what it asks.
    for ask in [openid().with("scope", "openid email"), Ask::of("other").with("scope", "openid")] {
        let shown = page(&rig, &browser, &ask).await.1;
        assert!(shown.body.contains(CONSENT) && !shown.body.contains(SIGN_IN));
    }
}

#[tokio::test]
async fn oidc_core_3_1_2_6_errors_go_back_with_state() {
    let rig = Rig::new().await;
    for (ask, expected) in [
        (openid().with("prompt", "none"), "login_required"),
        (openid().with("request", "e30.e30."), "request_not_supported"),
        (openid().with("request_uri", "https://app.example.com/request.jwt"), "request_uri_not_supported"),
        (openid().with("registration", "{}"), "registration_not_supported"),
    ] {
        let told = rig.told(&ask).await;
        assert_eq!(error(&told).as_deref(), Some(expected));
        assert_eq!(parameter(&told, "state").as_deref(), Some("some state & more"));
    }
}

#[tokio::test]
async fn oidc_core_5_5_the_claims_parameter_changes_nothing() {
    let rig = Rig::new().await;
    let ask = openid().with("claims", r#"{"id_token":{"email":{"essential":true}}}"#);
    let tokens = rig.tokens_for("app", &ask).await;
    assert!(id_claims(&rig, &tokens).await["email"].is_null());
}

#[tokio::test]
async fn oidc_core_6_1_and_6_2_request_objects_are_refused_by_name() {
    let rig = Rig::new().await;
    assert_eq!(rig.refused(&openid().with("request", "x")).await, "request_not_supported");
    for uri in ["https://app.example.com/request.jwt", "urn:x", "x"] {
        assert_eq!(
            rig.refused(&openid().with("request_uri", uri)).await,
            "request_uri_not_supported",
            "{uri}"
        );
    }
    // Not even then is anybody sent where nobody is registered.
    let ask =
        openid().with("request_uri", "https://evil.example/").with("redirect_uri", "https://evil.example/");
    rig.authorize(&Browser::new(), &ask).await.expect(400);
}

#[tokio::test]
async fn oidc_core_15_1_what_every_provider_has_to_bear_with() {
    let rig = Rig::new().await;
    let ask = openid()
        .with("display", "popup")
        .with("claims_locales", "et en")
        .with("acr_values", "urn:mace:incommon:iap:silver")
        .with("max_age", "3600")
        .with("ui_locales", "et")
        .with("nonce", "n");
    let tokens = rig.tokens_for("app", &ask).await;
    assert!(text(&tokens, "id_token").len() > 100);
}
