//! RFC 9207, Authorization Server Issuer Identification.

use serde_json::json;

use super::rig::{Ask, Rig, claims, hidden, text};
use crate::harness::Browser;
use crate::harness::browser::parameter;

#[tokio::test]
async fn rfc9207_2_a_successful_answer_says_who_gives_it() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let first = rig.agree(&browser, &Ask::of("app")).await;
    // The second one comes without any page.
    let second = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
    for back in [first, second] {
        assert!(parameter(&back, "code").is_some());
        assert_eq!(parameter(&back, "iss").as_deref(), Some(&*rig.world.url), "{back}");
    }
}

#[tokio::test]
async fn rfc9207_2_an_error_says_who_gives_it() {
    let rig = Rig::new().await;
    for ask in [
        Ask::of("app").with("scope", "unknown"),
        Ask::of("app").with("prompt", "none"),
        Ask::of("app").and("state", "another"),
        Ask::of("app").with("response_type", "token"),
    ] {
        let told = rig.told(&ask).await;
        assert!(parameter(&told, "error").is_some());
        assert_eq!(parameter(&told, "iss").as_deref(), Some(&*rig.world.url), "{told}");
    }
    let browser = Browser::new();
    let page = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
    let csrf = hidden(&browser.get(&page).await, "csrf");
    let told = browser.bare_form(&page, &[("csrf", &csrf), ("decision", "cancel")]).await.expect(303);
    assert_eq!(parameter(&told.location(), "iss").as_deref(), Some(&*rig.world.url));
}

#[tokio::test]
async fn rfc9207_2_a_parameter_of_that_name_in_the_request_changes_nothing() {
    let rig = Rig::new().await;
    let back = rig.agree(&Browser::new(), &Ask::of("app").with("iss", "https://evil.example")).await;
    let said: Vec<_> = back.query_pairs().filter(|(name, _)| name == "iss").collect();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].1, *rig.world.url);
}

#[tokio::test]
async fn rfc9207_2_3_the_metadata_says_so_and_has_the_same_issuer() {
    let rig = Rig::new().await;
    let metadata = rig.metadata().await;
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], json!(true));
    let back = rig.agree(&Browser::new(), &Ask::of("app")).await;
    assert_eq!(parameter(&back, "iss").as_deref(), metadata["issuer"].as_str());
}

#[tokio::test]
async fn rfc9207_2_4_an_id_token_has_the_same_issuer() {
    let rig = Rig::new().await;
    let back = rig.agree(&Browser::new(), &Ask::of("app").with("scope", "openid")).await;
    let code = parameter(&back, "code").unwrap();
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    assert_eq!(parameter(&back, "iss").as_deref(), claims(text(&tokens, "id_token"))["iss"].as_str());
}
