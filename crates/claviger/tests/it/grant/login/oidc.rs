//! OpenID providers. That it works is shown with a real one: another Claviger. What one could do wrong, a stand-in does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{AccessTokenFormat, Secret};
use serde_json::{Value, json};
use url::Url;
use vault::signing::{SigningAlgorithm, SigningKey};

use super::stand_in::Mood;
use super::{Ask, Rig, StandIn, Visit, check_at_rest};
use crate::grant::rig::{EMAIL, SECRET, hidden};
use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser, world};

const BACK: &str = "/oauth/login/callback/up";

fn up(issuer: &str, more: &str) -> String {
    format!(
        "[grant.login.oidc.up]\nissuer = \"{issuer}\"\nclient_id = \"claviger\"\nclient_secret = \"{SECRET}\"\nlabel = \"Upstream\"\n{more}"
    )
}

/// Ourselves, and another Claviger as our provider.
async fn with_another(more: &str) -> (Rig, Rig) {
    let provider = Rig::new().await;
    let host = provider.world.url.trim_start_matches("http://").to_owned();
    let rig = Rig::reaching(&[&host], &up(&provider.world.url, &format!("trust_email = true\n{more}"))).await;
    let back = rig.path(BACK).parse().unwrap();
    provider.register("claviger", |own| own.redirect_uris = vec![back]).await;
    (rig, provider)
}

impl Visit<'_> {
    /// Presses the button that leads to the provider.
    async fn depart(&self) -> Url {
        self.send(&[("way", "up"), ("email", "")]).await.expect(303).location()
    }

    /// Comes back; where the browser is sent then.
    async fn come_back(&self, back: &Url) -> Answer {
        self.browser.get(back).await
    }
}

#[tokio::test]
async fn whoever_signs_in_at_another_claviger_is_signed_in_here() {
    let (rig, provider) = with_another("claims = { teams = \"team\" }\n").await;
    let bert = provider.add_user("bert@example.com", &[("rowan", "Rowan"), ("birch", "Birch")]).await;
    let visit = Visit::begin(&rig).await;
    assert!(visit.shown.body.contains("Continue with Upstream"), "{}", visit.shown.body);
    let start = visit.depart().await;
    assert!(start.as_str().starts_with(&provider.path("/oauth/authorize?")), "{start}");
    let back = provider.go_on(&visit.browser, start, "bert@example.com", Some("rowan")).await;
    let page = visit.come_back(&back).await.expect(303).location();
    assert_eq!(page.path(), visit.page.path());
    let person = visit.agree(None).await;
    assert_eq!((&person["email"], &person["name"]), (&json!("bert@example.com"), &json!("Anna Tamm")));
    assert_eq!(person["team"], json!({"id": "rowan", "name": "Rowan"}));
    assert_eq!(rig.world.audited("user.signed_in").await["facts"]["backend"], "up");

    // They leave that team, and the provider tells of the other one.
    let there = &provider.world.server.app.grant;
    there.leave(&bert, &"rowan".parse().unwrap(), model::Actor::Operator).await.unwrap();
    let again = Visit::asking(&rig, &Ask::of("app").with("prompt", "login consent")).await;
    let start = again.depart().await;
    let passed_on = ["prompt", "max_age"].map(|name| parameter(&start, name).unwrap());
    assert_eq!(passed_on, ["login", "0"], "a new proof is known by its time");
    let back = provider.go_on(&again.browser, start, "bert@example.com", None).await;
    again.come_back(&back).await.expect(303);
    let now = again.agree(None).await;
    assert_eq!((&now["sub"], &now["team"]["id"]), (&person["sub"], &json!("birch")));
}

#[tokio::test]
async fn the_address_of_somebody_here_is_not_their_account() {
    let (rig, provider) = with_another("").await;
    let visit = Visit::begin(&rig).await;
    let back = provider.go_on(&visit.browser, visit.depart().await, EMAIL, None).await;
    visit.come_back(&back).await.expect(303);
    let elsewhere = visit.agree(None).await;
    let own = Visit::begin(&rig).await;
    own.password(EMAIL, crate::grant::rig::PASSWORD).await.expect(303);
    let own = own.agree(None).await;
    assert_eq!(own["email"], elsewhere["email"]);
    assert_ne!(own["sub"], elsewhere["sub"]);
}

#[tokio::test]
async fn what_the_application_wants_to_know_is_passed_on_and_the_age_of_the_proof_is_looked_at() {
    let (rig, provider) = with_another("").await;
    let ask = Ask::of("app").with("max_age", "60").with("login_hint", EMAIL).with("ui_locales", "et en");
    let visit = Visit::asking(&rig, &ask).await;
    let start = visit.depart().await;
    for (name, value) in [
        ("max_age", "60"),
        ("login_hint", EMAIL),
        ("ui_locales", "et en"),
        ("code_challenge_method", "S256"),
        ("scope", "openid profile email"),
    ] {
        assert_eq!(parameter(&start, name).as_deref(), Some(value), "{name}");
    }
    let back = provider.go_on(&visit.browser, start, EMAIL, None).await;
    visit.come_back(&back).await.expect(303);
    assert!(visit.is_signed_in().await);
}

#[tokio::test]
async fn whoever_refuses_at_the_provider_is_back_at_the_sign_in_page() {
    let (rig, provider) = with_another("").await;
    let visit = Visit::begin(&rig).await;
    let page = visit.browser.get(visit.depart().await).await.expect(303).location();
    let shown = visit.browser.get(&page).await.expect(200);
    let fields = [("csrf", &*hidden(&shown, "csrf")), ("decision", "cancel")];
    let back = visit.browser.bare_form(&page, &fields).await.expect(303).location();
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    let page = visit.come_back(&back).await.expect(303).location();
    let shown = visit.browser.get(&page).await.expect(200);
    assert!(shown.body.contains("did not sign you in"), "{}", shown.body);
    let event = rig.world.audited("user.sign_in_failed").await;
    assert_eq!((&event["reason"], &event["facts"]["backend"]), (&json!("access_denied"), &json!("up")));
    // And may try again.
    let back = provider.go_on(&visit.browser, visit.depart().await, EMAIL, None).await;
    visit.come_back(&back).await.expect(303);
    assert!(visit.is_signed_in().await);
}

/// The same answer again, another browser, a state that was guessed, and one of another way.
#[tokio::test]
async fn an_answer_is_good_once_in_the_browser_that_left_with_its_state() {
    let (rig, provider) = with_another("").await;
    let visit = Visit::begin(&rig).await;
    let back = provider.go_on(&visit.browser, visit.depart().await, EMAIL, None).await;
    let (code, state) = (parameter(&back, "code").unwrap(), parameter(&back, "state").unwrap());
    let told = |answer: Answer| {
        assert!(answer.header("content-type").starts_with("text/html"), "{answer:?}");
        (answer.status.as_u16(), answer.body)
    };
    let with = |code: &str, state: &str| format!("{}?code={code}&state={state}", rig.path(BACK));

    let (status, body) = told(Browser::new().get(&back).await);
    assert!(status == 400 && body.contains("another browser"), "{body}");
    let other = Visit::begin(&rig).await;
    let (status, body) = told(other.browser.get(&back).await);
    assert!(status == 400 && body.contains("another browser"), "{body}");
    let id = state.split_once('.').unwrap().0;
    for forged in [
        format!("{id}.{}", "0".repeat(64)),
        id.to_owned(),
        format!("{}.x", "aut_0"),
        state.to_uppercase(),
        String::new(),
    ] {
        let (status, body) = told(visit.browser.get(with(&code, &forged)).await);
        assert!(status == 400 && body.contains("way back"), "{forged}: {body}");
    }
    for query in [format!("code={code}&state={state}&state={state}"), String::new()] {
        visit.browser.get(format!("{}?{query}", rig.path(BACK))).await.expect(400);
    }
    let elsewhere = back.as_str().replace("callback/up", "callback/local");
    visit.browser.get(&elsewhere).await.expect(400);
    visit.browser.send(axum::http::Method::HEAD, back.as_str(), &[], Vec::new().into()).await.expect(405);
    visit.browser.bare_form(&back, &[]).await.expect(405);

    // None of that has used it up.
    visit.come_back(&back).await.expect(303);
    assert!(visit.is_signed_in().await);
    let (status, body) = told(visit.come_back(&back).await);
    assert!(status == 400 && body.contains("way back"), "{body}");
}

#[tokio::test]
async fn whoever_leaves_twice_comes_back_by_the_last_way() {
    let (rig, provider) = with_another("").await;
    let visit = Visit::begin(&rig).await;
    let first = visit.depart().await;
    let second = visit.depart().await;
    let stale = provider.go_on(&visit.browser, first, EMAIL, None).await;
    visit.come_back(&stale).await.expect(400);
    let back = provider.go_on(&visit.browser, second, EMAIL, None).await;
    visit.come_back(&back).await.expect(303);
    assert!(visit.is_signed_in().await);
}

#[tokio::test]
async fn nothing_at_rest_opens_a_sign_in_that_is_under_way() {
    let (rig, provider) = with_another("").await;
    let visit = Visit::begin(&rig).await;
    let start = visit.depart().await;
    let state = parameter(&start, "state").unwrap();
    let cookie = visit.browser.cookies_of(&rig.world.url).remove("clv_browser").unwrap();
    let verifier = vault::elsewhere::code_verifier(&Secret::from(&*cookie), &Secret::from(&*state));
    let random = state.split_once('.').unwrap().1;
    let secrets = [random, verifier.expose(), &cookie, &parameter(&start, "nonce").unwrap()];
    check_at_rest(&rig, "\"way\":\"up\"", &secrets);
    drop(provider);
}

#[tokio::test]
async fn a_form_of_another_page_sends_nobody_anywhere() {
    let (rig, _provider) = with_another("").await;
    let visit = Visit::begin(&rig).await;
    visit.browser.bare_form(&visit.page, &[("csrf", "x"), ("way", "up")]).await.expect(403);
    for way in ["nowhere", "local", "https://evil.example"] {
        visit.send(&[("way", way)]).await.expect(400);
    }
    let access = Browser::new().get(rig.path("/oauth/access")).await.expect(200);
    assert!(!access.body.contains("Upstream"), "there is no request to come back to");
    assert!(access.body.contains("name=\"password\"") && access.body.contains("come back to this page"));
    let provider = Provider::new().await;
    let rig = provider.rig("[grant.login]\nlocal = false\n").await;
    let access = Browser::new().get(rig.path("/oauth/access")).await.expect(200);
    assert!(!access.body.contains("name=\"password\"") && access.body.contains("come back to this page"));
    assert!(!Visit::begin(&rig).await.shown.body.contains("name=\"password\""));
}

/// A provider that says what it is told to say.
struct Provider {
    there: StandIn,
    says: Arc<Mutex<Says>>,
}

struct Says {
    key: SigningKey,
    id_token: String,
    userinfo: Value,
    document: Value,
    refuses: Option<(u16, Value)>,
}

fn key() -> SigningKey {
    let secret = SigningAlgorithm::Es256.generate();
    SigningKey::new(vault::random::id(), SigningAlgorithm::Es256, &secret).unwrap()
}

impl Provider {
    async fn new() -> Self {
        let says = Says {
            key: key(),
            id_token: String::new(),
            userinfo: json!({"sub": "u-9"}),
            document: json!({}),
            refuses: None,
        };
        let says = Arc::new(Mutex::new(says));
        let own = Arc::clone(&says);
        let there = StandIn::answering(move |asked| {
            let says = own.lock().unwrap();
            let base = format!("http://{}", asked.headers["host"].to_str().unwrap());
            match asked.path.as_str() {
                "/.well-known/openid-configuration" => {
                    let mut document = json!({
                        "issuer": base, "authorization_endpoint": format!("{base}/authorize?tenant=1"),
                        "token_endpoint": format!("{base}/token"), "jwks_uri": format!("{base}/jwks"),
                        "userinfo_endpoint": format!("{base}/userinfo"),
                    });
                    document.as_object_mut().unwrap().extend(says.document.as_object().unwrap().clone());
                    (200, document)
                }
                "/jwks" => (200, json!({"keys": [says.key.public_jwk()]})),
                "/token" => says.refuses.clone().unwrap_or_else(|| {
                    (200, json!({"access_token": "at", "token_type": "Bearer", "id_token": says.id_token}))
                }),
                "/userinfo" => (200, says.userinfo.clone()),
                _ => (404, json!({})),
            }
        })
        .await;
        Self { there, says }
    }

    async fn rig(&self, more: &str) -> Rig {
        Rig::reaching(&[self.there.host()], &up(&self.there.url, more)).await
    }

    fn say(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }

    /// Claims with everything that is right for somebody who left with that address.
    fn claims(&self, rig: &Rig, start: &Url) -> Value {
        json!({
            "iss": self.there.url, "sub": "u-9", "aud": "claviger", "nonce": parameter(start, "nonce").unwrap(),
            "iat": rig.seconds(), "exp": rig.seconds() + 300, "email": "bert@example.com", "email_verified": true,
            "name": "Bert Kask",
        })
    }

    /// Somebody leaves, the provider signs these claims, and they come back; the page where they land.
    async fn round(&self, rig: &Rig, visit: &Visit<'_>, change: impl FnOnce(&mut Value)) -> Url {
        let start = visit.depart().await;
        let mut claims = self.claims(rig, &start);
        change(&mut claims);
        self.say(|says| says.id_token = says.key.sign("JWT", &claims));
        self.come_back(rig, visit, &start, "").await.expect(303).location()
    }

    async fn come_back(&self, rig: &Rig, visit: &Visit<'_>, start: &Url, more: &str) -> Answer {
        let state = parameter(start, "state").unwrap();
        visit.browser.get(format!("{}?code=c0de&state={state}{more}", rig.path(BACK))).await
    }
}

#[tokio::test]
async fn an_id_token_that_is_not_right_signs_nobody_in() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let visit = Visit::begin(&rig).await;
    for (name, value) in [
        ("nonce", json!("another")),
        ("nonce", Value::Null),
        ("aud", json!("somebody-else")),
        ("aud", json!(["claviger", "somebody-else"])),
        ("azp", json!("somebody-else")),
        ("iss", json!("https://evil.example")),
        ("exp", json!(1_700_000_000)),
        ("iat", json!(4_000_000_000_i64)),
        ("sub", json!("")),
    ] {
        let page = provider.round(&rig, &visit, |claims| claims[name] = value.clone()).await;
        assert_eq!(parameter(&page, "failed").as_deref(), Some("up"), "{name} {value}");
        assert_eq!(rig.world.audited("user.sign_in_failed").await["reason"], "id_token");
    }
    assert!(!visit.is_signed_in().await && !rig.was_audited("user.signed_in").await);
    let page = provider.round(&rig, &visit, |_| ()).await;
    assert_eq!((page.query(), visit.is_signed_in().await), (None, true), "and one that is right does");
}

#[tokio::test]
async fn an_id_token_that_somebody_else_signed_or_nobody_signs_nobody_in() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let visit = Visit::begin(&rig).await;
    let part = |json: Value| data_encoding::BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    for forger in 0..3 {
        let start = visit.depart().await;
        let claims = provider.claims(&rig, &start);
        let unsigned = format!("{}.{}.", part(json!({"alg": "none"})), part(claims.clone()));
        let shared = vault::shared::sign(&Secret::from(SECRET), &claims);
        let forged = [unsigned, shared, key().sign("JWT", &claims)];
        provider.say(|says| says.id_token.clone_from(&forged[forger]));
        let page = provider.come_back(&rig, &visit, &start, "").await.expect(303).location();
        assert_eq!(parameter(&page, "failed").as_deref(), Some("up"), "{forger}");
    }
    assert!(!visit.is_signed_in().await);
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_looked_for_once() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let first = Visit::begin(&rig).await;
    provider.round(&rig, &first, |_| ()).await;
    provider.say(|says| says.key = key());
    let second = Visit::begin(&rig).await;
    provider.round(&rig, &second, |_| ()).await;
    assert!(first.is_signed_in().await && second.is_signed_in().await);
    let asked = provider.there.asked();
    let count = |path: &str| asked.iter().filter(|asked| asked.path == path).count();
    assert_eq!((count("/jwks"), count("/.well-known/openid-configuration")), (2, 1));
}

#[tokio::test]
async fn rfc9207_2_4_an_answer_of_another_issuer_is_refused_before_its_code_is_sent_anywhere() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let visit = Visit::begin(&rig).await;
    let start = visit.depart().await;
    let page =
        provider.come_back(&rig, &visit, &start, "&iss=https://evil.example").await.expect(303).location();
    assert_eq!(parameter(&page, "failed").as_deref(), Some("up"));
    assert!(!provider.there.asked().iter().any(|asked| asked.path == "/token"));

    let strict = Provider::new().await;
    strict.say(|says| says.document = json!({"authorization_response_iss_parameter_supported": true}));
    let rig = strict.rig("").await;
    let visit = Visit::begin(&rig).await;
    let start = visit.depart().await;
    strict.come_back(&rig, &visit, &start, "").await.expect(303);
    assert!(!strict.there.asked().iter().any(|asked| asked.path == "/token"), "it says that it sends iss");
    let start = visit.depart().await;
    strict.say(|says| says.id_token = says.key.sign("JWT", &strict.claims(&rig, &start)));
    strict.come_back(&rig, &visit, &start, &format!("&iss={}", strict.there.url)).await.expect(303);
    assert!(visit.is_signed_in().await);
}

#[tokio::test]
async fn a_proof_without_its_time_is_not_enough_where_its_age_matters() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let visit = Visit::asking(&rig, &Ask::of("app").with("max_age", "60")).await;
    for (auth_time, is_enough) in [(None, false), (Some(-200), false), (Some(-10), true)] {
        let now = rig.seconds();
        provider
            .round(&rig, &visit, |claims| {
                if let Some(ago) = auth_time {
                    claims["auth_time"] = json!(now + ago);
                }
            })
            .await;
        assert_eq!(visit.is_signed_in().await, is_enough, "{auth_time:?}");
    }
}

#[tokio::test]
async fn a_sign_in_elsewhere_is_only_as_fresh_as_it_was_told() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    rig.register("jwt", |own| own.access_token_format = AccessTokenFormat::Jwt).await;
    for (ago, believed) in [(None, [false, false]), (Some(100), [false, true]), (Some(-30), [true, true])] {
        let ask = Ask::of("app").with("scope", "openid reports.read").with("prompt", "consent");
        let visit = Visit::asking(&rig, &ask).await;
        let now = rig.seconds();
        provider
            .round(&rig, &visit, |claims| {
                if let Some(ago) = ago {
                    claims["auth_time"] = json!(now - ago);
                }
            })
            .await;
        let tokens = visit.tokens(None).await;
        let claims = rig.verified(tokens["id_token"].as_str().unwrap()).await.claims;
        let told = ago.map(|ago: i64| json!(now - ago.max(0)));
        assert_eq!(claims.get("auth_time"), told.as_ref());
        let back = rig.agree(&visit.browser, &Ask::of("jwt")).await;
        let tokens = rig.redeem("jwt", &parameter(&back, "code").unwrap()).await.expect(200).json();
        let claims = rig.verified(tokens["access_token"].as_str().unwrap()).await.claims;
        assert_eq!(claims.get("auth_time"), told.as_ref());
        for (max_age, is_believed) in ["60", "4000000000"].into_iter().zip(believed) {
            assert_eq!(visit.is_believed_for(max_age).await, is_believed, "{ago:?} {max_age}");
        }
        assert!(visit.is_believed().await, "who does not ask for its age gets a code");
    }
}

#[tokio::test]
async fn a_new_proof_is_one_whose_time_the_provider_tells() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let visit = Visit::asking(&rig, &Ask::of("app").with("prompt", "login")).await;
    for (auth_time, is_enough) in [(None, false), (Some(-200), false), (Some(0), true)] {
        let now = rig.seconds();
        provider
            .round(&rig, &visit, |claims| {
                if let Some(ago) = auth_time {
                    claims["auth_time"] = json!(now + ago);
                }
            })
            .await;
        assert_eq!(visit.is_signed_in().await, is_enough, "{auth_time:?}");
    }
}

#[tokio::test]
async fn a_proof_of_the_future_is_none() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let visit = Visit::begin(&rig).await;
    let now = rig.seconds();
    for (auth_time, is_enough) in [(now * 1000, false), (now + 61, false), (now + 60, true)] {
        let page = provider.round(&rig, &visit, |claims| claims["auth_time"] = json!(auth_time)).await;
        assert_eq!(parameter(&page, "failed").is_none(), is_enough, "{auth_time}");
        assert_eq!(rig.world.audited("user.sign_in_failed").await["reason"], "auth_time");
        assert_eq!(visit.is_signed_in().await, is_enough, "{auth_time}");
    }
}

#[tokio::test]
async fn whoever_comes_back_while_the_store_is_away_sees_a_page() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let visit = Visit::begin(&rig).await;
    let start = visit.depart().await;
    rig.world.server.app.store.close().await;
    let page = provider.come_back(&rig, &visit, &start, "").await.expect(503);
    assert!(page.header("content-type").starts_with("text/html") && page.body.contains("<h1>"), "{page:?}");
    assert!(page.header("retry-after").parse::<u32>().is_ok());
}

#[tokio::test]
async fn an_application_that_wants_our_own_people_sends_nobody_elsewhere() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    rig.register("inner", |own| own.login = Some(vec!["local".to_owned()])).await;
    let visit = Visit::asking(&rig, &Ask::of("inner")).await;
    assert!(!visit.shown.body.contains("Continue with Upstream"));
    visit.send(&[("way", "up")]).await.expect(400);
    assert!(provider.there.asked().is_empty());
}

#[tokio::test]
async fn a_provider_that_is_down_is_not_asked_again_at_once() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let visit = Visit::begin(&rig).await;
    provider.there.be(Mood::Status(500));
    visit.send(&[("way", "up")]).await.expect(503);
    provider.there.be(Mood::Kind);
    rig.world.pass(Duration::from_secs(4));
    visit.send(&[("way", "up")]).await.expect(503);
    assert_eq!(provider.there.asked().len(), 1);
    rig.world.pass(Duration::from_secs(1));
    visit.depart().await;
}

#[tokio::test]
async fn an_address_is_kept_where_the_provider_vouches_for_it() {
    let provider = Provider::new().await;
    let (rig, trusting) = (provider.rig("").await, provider.rig("trust_email = true\n").await);
    for (rig, verified, is_kept) in [
        (&rig, json!(true), true),
        (&rig, json!("true"), true),
        (&rig, json!(false), false),
        (&rig, json!("false"), false),
        (&rig, json!(1), false),
        (&rig, Value::Null, false),
        (&trusting, Value::Null, true),
        (&trusting, json!("false"), false),
        (&trusting, json!(false), false),
    ] {
        let visit = Visit::begin(rig).await;
        provider.round(rig, &visit, |claims| claims["email_verified"] = verified.clone()).await;
        let email = visit.agree(None).await["email"].clone();
        assert_eq!(email == "bert@example.com", is_kept, "{verified} {email}");
    }
    // Userinfo vouches for the address that it tells.
    for (told, is_kept) in [("bert@example.com", true), ("other@example.com", false)] {
        provider.say(|says| says.userinfo = json!({"sub": "u-9", "email": told, "email_verified": true}));
        let visit = Visit::begin(&rig).await;
        provider
            .round(&rig, &visit, |claims| drop(claims.as_object_mut().unwrap().remove("email_verified")))
            .await;
        assert_eq!(visit.agree(None).await["email"] == "bert@example.com", is_kept, "{told}");
    }
    // What the ID token says of no address is not said of one that userinfo doubts.
    let doubted = json!({"sub": "u-9", "email": "bert@example.com", "email_verified": false});
    provider.say(|says| says.userinfo = doubted);
    let visit = Visit::begin(&rig).await;
    provider.round(&rig, &visit, |claims| drop(claims.as_object_mut().unwrap().remove("email"))).await;
    assert_eq!(visit.agree(None).await["email"], Value::Null);
}

/// OpenID Connect Core §5.1: `email_verified` is said of `email`.
#[tokio::test]
async fn whether_an_address_is_verified_is_not_said_of_another_claim() {
    let provider = Provider::new().await;
    let rig = provider.rig("trust_email = true\nclaims = { email = \"work_mail\" }\n").await;
    let visit = Visit::begin(&rig).await;
    provider
        .round(&rig, &visit, |claims| {
            claims["work_mail"] = json!("bert@work.example");
            claims["email_verified"] = json!(false);
        })
        .await;
    assert_eq!(visit.agree(None).await["email"], "bert@work.example", "the operator vouches for it");
}

#[tokio::test]
async fn a_claim_that_stands_deep_in_userinfo_is_found() {
    let provider = Provider::new().await;
    let rig = provider.rig("claims = { teams = \"realm.teams\" }\n").await;
    let userinfo = json!({"sub": "u-9", "realm": {"teams": ["rowan"]}, "name": "Somebody Else"});
    provider.say(|says| says.userinfo = userinfo);
    for (of_token, expected) in [
        (json!({"id": 7}), "rowan"),
        (json!({"teams": null}), "rowan"),
        (Value::Null, "rowan"),
        (json!({"teams": ["birch"]}), "birch"),
    ] {
        let visit = Visit::begin(&rig).await;
        provider.round(&rig, &visit, |claims| claims["realm"] = of_token.clone()).await;
        let person = visit.agree(None).await;
        assert_eq!((&person["team"]["id"], &person["name"]), (&json!(expected), &json!("Bert Kask")));
    }
}

/// OpenID Connect Core §5.6.2.
#[tokio::test]
async fn teams_that_stand_elsewhere_are_not_none() {
    let provider = Provider::new().await;
    let rig = provider.rig("claims = { teams = \"groups\" }\n").await;
    let first = Visit::begin(&rig).await;
    provider.round(&rig, &first, |claims| claims["groups"] = json!(["rowan"])).await;
    assert_eq!(first.agree(None).await["team"]["id"], "rowan");
    let elsewhere = json!({"groups": "src1"});
    for at_userinfo in [false, true] {
        let visit = Visit::begin(&rig).await;
        let userinfo = json!({"sub": "u-9", "_claim_names": elsewhere});
        provider.say(|says| says.userinfo = if at_userinfo { userinfo } else { json!({"sub": "u-9"}) });
        let of_token = if at_userinfo { json!({"address": "src1"}) } else { elsewhere.clone() };
        let page = provider.round(&rig, &visit, |claims| claims["_claim_names"] = of_token).await;
        assert_eq!(parameter(&page, "failed").as_deref(), Some("up"));
        assert_eq!(rig.world.audited("user.sign_in_failed").await["reason"], "claims_elsewhere");
        assert!(!visit.is_signed_in().await);
    }
    assert!(first.is_believed().await, "nothing has ended");
}

#[tokio::test]
async fn what_the_id_token_leaves_out_is_asked_at_userinfo_about_the_same_person() {
    let provider = Provider::new().await;
    let rig = provider.rig("claims = { teams = \"groups\" }\n").await;
    let visit = Visit::begin(&rig).await;
    provider.say(|says| says.userinfo = json!({"sub": "somebody-else", "groups": ["rowan"]}));
    let page = provider.round(&rig, &visit, |_| ()).await;
    assert_eq!(parameter(&page, "failed").as_deref(), Some("up"));
    provider
        .say(|says| says.userinfo = json!({"sub": "u-9", "groups": ["rowan"], "email": "other@example.com"}));
    provider.round(&rig, &visit, |claims| claims["email_verified"] = json!(false)).await;
    let person = visit.agree(None).await;
    assert_eq!((&person["team"]["id"], &person["email"]), (&json!("rowan"), &Value::Null), "not verified");
}

#[tokio::test]
async fn a_provider_that_is_down_or_talks_nonsense_is_told_as_such() {
    let provider = Provider::new().await;
    let rig = provider.rig("").await;
    let visit = Visit::begin(&rig).await;
    let pause = || rig.world.pass(Duration::from_secs(5));
    for mood in Mood::BAD {
        provider.there.be(mood);
        pause();
        let shown = visit.send(&[("way", "up")]).await.expect(503);
        assert!(shown.body.contains("not answering"), "{mood:?}");
    }
    provider.there.be(Mood::Kind);
    pause();
    provider.say(|says| says.document = json!({"issuer": "https://evil.example"}));
    visit.send(&[("way", "up")]).await.expect(503);
    pause();
    provider.say(|says| says.document = json!({"authorization_endpoint": "http://evil.example/authorize"}));
    visit.send(&[("way", "up")]).await.expect(503);
    pause();
    provider.say(|says| says.document = json!({}));
    // From here on its document is known.
    for mood in Mood::BAD {
        let start = visit.depart().await;
        provider.there.be(mood);
        let page = provider.come_back(&rig, &visit, &start, "").await.expect(303).location();
        assert_eq!(parameter(&page, "unavailable").as_deref(), Some("up"), "{mood:?}");
        visit.browser.get(&page).await.expect(503);
        provider.there.be(Mood::Kind);
    }
    for (refuses, told) in [
        ((400, json!({"error": "invalid_grant"})), "failed"),
        ((401, json!({"error": "invalid_client"})), "unavailable"),
    ] {
        provider.say(|says| says.refuses = Some(refuses));
        let page = provider.round(&rig, &visit, |_| ()).await;
        assert_eq!(parameter(&page, told).as_deref(), Some("up"));
    }
    provider.say(|says| says.refuses = None);
    provider.round(&rig, &visit, |_| ()).await;
    assert!(visit.is_signed_in().await);
}

#[tokio::test]
async fn a_client_proves_itself_as_the_provider_takes_it() {
    for (methods, is_basic) in [
        (None, true),
        (Some(json!(["client_secret_post"])), false),
        (Some(json!(["client_secret_basic"])), true),
    ] {
        let provider = Provider::new().await;
        provider.say(|says| {
            says.document =
                methods.map_or(json!({}), |all| json!({"token_endpoint_auth_methods_supported": all}));
        });
        let rig = provider.rig("").await;
        let visit = Visit::begin(&rig).await;
        provider.round(&rig, &visit, |_| ()).await;
        let asked = provider.there.asked();
        let token = asked.iter().find(|asked| asked.path == "/token").unwrap();
        assert_eq!(token.headers.contains_key("authorization"), is_basic);
        assert_eq!(token.body.contains(SECRET), !is_basic);
        assert!(token.body.contains("code_verifier="));
    }
}

#[test]
fn a_provider_that_could_not_work_stops_the_start() {
    let good = "issuer = \"https://op.example\"\nclient_id = \"x\"\n";
    for (name, lines, about) in [
        ("local", good.to_owned(), "oidc.local"),
        ("link", good.to_owned(), "oidc.link"),
        ("Upper", good.to_owned(), "oidc.Upper"),
        ("up", good.replace("https", "http"), "oidc.up.issuer"),
        ("up", good.replace(".example", ".example?x"), "oidc.up.issuer"),
        ("up", format!("{good}scopes = [\"email\"]\n"), "oidc.up.scopes"),
        ("up", format!("{good}label = \"\"\n"), "oidc.up.label"),
        ("up", format!("{good}claims = {{ id = \"\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"email\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"email\", email = \"mail\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"staff\", email = \"staff\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"preferred_username\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"upn\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"unique_name\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"nickname\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"name\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"person.mail\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ id = \"https://x.example/email\" }}\n"), "oidc.up.claims.id"),
        ("up", format!("{good}claims = {{ email = \"work_mail\" }}\n"), "oidc.up.claims.email"),
        (
            "up",
            format!("{good}trust_email = false\nclaims = {{ email = \"work_mail\" }}\n"),
            "oidc.up.claims.email",
        ),
        ("up", good.replace("https://", "https://u:hunter2@"), "oidc.up.issuer"),
        ("up", format!("{good}client_secret = \"env:CLAVIGER_NO_SUCH\"\n"), "oidc.up.client_secret"),
    ] {
        let refused = world::refused(&format!("[grant.login.oidc.{name}]\n{lines}"));
        assert!(refused.contains(about) && !refused.contains("hunter2"), "{lines}: {refused}");
    }
}
