//! Supabase Auth. The stand-in answers as supabase/auth does (internal/api/token.go, logout.go and errors.go at bc32168e).

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::stand_in::Mood;
use super::{Ask, Rig, SHARED, StandIn, Visit, check_at_rest};
use crate::harness::browser::parameter;
use crate::harness::third_party::Asked;
use crate::harness::world;

const THEIRS: &str = "bert@example.com";
const RIGHT: &str = "what supabase knows";
const KEY: &str = "sb_publishable_0123456789";

struct Project {
    there: StandIn,
    user: Arc<Mutex<Value>>,
}

impl Project {
    async fn new() -> Self {
        let user = Arc::new(Mutex::new(user(
            &json!({"teams": [{"id": "rowan", "name": "Rowan", "role": "owner"}]}),
        )));
        let own = Arc::clone(&user);
        let there = StandIn::answering(move |asked| answer(asked, &own.lock().unwrap())).await;
        Self { there, user }
    }

    async fn rig(&self, lines: &str) -> Rig {
        let lines = format!(
            "[grant.login.gotrue]\nurl = \"{}/auth/v1/\"\napi_key = \"{KEY}\"\nteams = \"teams\"\n{lines}",
            self.there.url
        );
        Rig::reaching(&[self.there.host()], &lines).await
    }

    fn is(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.user.lock().unwrap());
    }
}

fn user(app_metadata: &Value) -> Value {
    json!({
        "id": "8a5b6f0e-6a3c-4b52-9f4e-0c9d6f6f1a11", "aud": "authenticated", "role": "authenticated", "email": THEIRS,
        "email_confirmed_at": "2026-01-01T00:00:00Z", "phone": "", "app_metadata": app_metadata,
        "user_metadata": {"full_name": "Bert Kask", "teams": ["not-theirs"]}, "identities": [],
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "is_anonymous": false,
    })
}

fn header<'a>(asked: &'a Asked, name: &str) -> &'a str {
    asked.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn answer(asked: &Asked, user: &Value) -> (u16, Value) {
    if header(asked, "apikey") != KEY {
        return (401, json!({"message": "Invalid API key"}));
    }
    let refused = |code: &str, message: &str| {
        // Errors have codes from this version on.
        let newer = header(asked, "x-supabase-api-version") == "2024-01-01";
        let old = json!({"code": 400, "error_code": code, "msg": message});
        (400, if newer { json!({"code": code, "message": message}) } else { old })
    };
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    if asked.path.starts_with("/auth/v1/otp?") {
        return match body["email"].as_str().unwrap() {
            THEIRS if user["limited"] == true => {
                (429, json!({"code": "over_email_send_rate_limit", "message": "only after 50 seconds"}))
            }
            THEIRS => (200, json!({})),
            _ => (422, json!({"code": "otp_disabled", "message": "Signups not allowed for otp"})),
        };
    }
    match asked.path.as_str() {
        "/auth/v1/token?grant_type=pkce" => {
            let verifier = body["code_verifier"].as_str().unwrap().to_owned();
            if body["auth_code"] != "their-code" {
                (404, json!({"code": "flow_state_not_found", "message": "invalid flow state"}))
            } else if user["challenge"] != vault::code_challenge(&verifier.into()) {
                refused("bad_code_verifier", "code challenge does not match previously saved code verifier")
            } else {
                (
                    200,
                    json!({"access_token": "their.access.token", "refresh_token": "theirrefresh", "user": user}),
                )
            }
        }
        "/auth/v1/token?grant_type=password" if user["banned"] == true => {
            refused("user_banned", "User is banned")
        }
        "/auth/v1/token?grant_type=password" if user["captcha"] == true => {
            refused("captcha_failed", "captcha protection: request disallowed")
        }
        "/auth/v1/token?grant_type=password" => {
            if body["email"] != THEIRS || body["password"] != RIGHT {
                return refused("invalid_credentials", "Invalid login credentials");
            }
            let session = json!({
                "access_token": "their.access.token", "token_type": "bearer", "expires_in": 3600,
                "refresh_token": "theirrefresh", "user": user,
            });
            (200, session)
        }
        "/auth/v1/logout?scope=local" if header(asked, "authorization") == "Bearer their.access.token" => {
            (204, Value::Null)
        }
        _ => (404, json!({"code": 404, "msg": "not found"})),
    }
}

#[tokio::test]
async fn whoever_has_a_password_at_supabase_signs_in_with_their_teams() {
    let project = Project::new().await;
    let rig = project.rig("").await;
    let visit = Visit::begin(&rig).await;
    visit.password(THEIRS, RIGHT).await.expect(303);
    let person = visit.agree(None).await;
    assert_eq!((&person["email"], &person["name"]), (&json!(THEIRS), &json!("Bert Kask")));
    assert_eq!(person["team"], json!({"id": "rowan", "name": "Rowan"}));
    assert_eq!(rig.world.audited("user.signed_in").await["facts"]["backend"], "gotrue");
    let paths: Vec<_> = project.there.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/auth/v1/token?grant_type=password", "/auth/v1/logout?scope=local"]);
}

#[tokio::test]
async fn what_app_metadata_says_now_replaces_what_it_said() {
    let project = Project::new().await;
    let rig = project.rig("").await;
    let first = Visit::begin(&rig).await;
    first.password(THEIRS, RIGHT).await.expect(303);
    let sub = first.agree(None).await["sub"].clone();
    project.is(|user| user["app_metadata"] = json!({"teams": ["birch", "alder"]}));
    let second = Visit::begin(&rig).await;
    second.password(THEIRS, RIGHT).await.expect(303);
    let person = second.agree(Some("birch")).await;
    assert_eq!((&person["sub"], &person["team"]["id"]), (&sub, &json!("birch")));
    project.is(|user| user["app_metadata"] = json!({}));
    let third = Visit::begin(&rig).await;
    third.password(THEIRS, RIGHT).await.expect(303);
    assert_eq!(third.agree(None).await["team"], Value::Null, "no claim, no team");
}

/// Where it asks nobody to confirm an address, anybody has an account with any of them.
#[tokio::test]
async fn an_address_that_nobody_confirmed_is_not_kept() {
    let project = Project::new().await;
    let rig = project.rig("").await;
    for confirmed in [json!("2026-01-01T00:00:00Z"), Value::Null, json!(""), json!(true)] {
        project.is(|user| user["email_confirmed_at"] = confirmed.clone());
        let visit = Visit::begin(&rig).await;
        visit.password(THEIRS, RIGHT).await.expect(303);
        let email = visit.agree(None).await["email"].clone();
        assert_eq!(email == THEIRS, confirmed == "2026-01-01T00:00:00Z", "{confirmed} {email}");
    }
}

#[tokio::test]
async fn whom_supabase_refuses_is_told_what_a_wrong_password_is() {
    let project = Project::new().await;
    let rig = project.rig("[grant.limits]\nlogin_account = \"3 per 15m\"\n").await;
    let visit = Visit::begin(&rig).await;
    assert!(visit.password(THEIRS, "wrong").await.expect(200).body.contains("is not right"));
    project.is(|user| user["banned"] = json!(true));
    assert!(visit.password(THEIRS, RIGHT).await.expect(200).body.contains("is not right"));
    assert_eq!(rig.world.audited("user.sign_in_failed").await["facts"]["backend"], "local gotrue");
    project.is(|user| user["banned"] = json!(false));
    project.is(|user| user["factors"] = json!([{"id": "f", "status": "verified", "factor_type": "totp"}]));
    assert!(visit.password(THEIRS, RIGHT).await.expect(200).body.contains("is not right"), "a second factor");
    assert_eq!(project.there.asked().last().unwrap().path, "/auth/v1/logout?scope=local");
    visit.password(THEIRS, RIGHT).await.expect(429);
}

#[tokio::test]
async fn a_supabase_that_is_down_limited_or_misconfigured_is_never_a_wrong_password() {
    let project = Project::new().await;
    let rig = project.rig("[grant.login]\nlocal = false\n").await;
    let visit = Visit::begin(&rig).await;
    for mood in Mood::BAD.into_iter().filter(|mood| *mood != Mood::Silent) {
        project.there.be(mood);
        visit.password(THEIRS, RIGHT).await.expect(503);
    }
    project.there.be(Mood::Kind);
    project.is(|user| user["captcha"] = json!(true));
    visit.password(THEIRS, RIGHT).await.expect(503);
    project.is(|user| user["captcha"] = json!(false));
    visit.password(THEIRS, RIGHT).await.expect(303);
    assert!(!rig.was_audited("user.sign_in_failed").await);
}

#[tokio::test]
async fn tokens_of_supabase_are_kept_nowhere() {
    let project = Project::new().await;
    let rig = project.rig("").await;
    let visit = Visit::begin(&rig).await;
    visit.password(THEIRS, RIGHT).await.expect(303);
    check_at_rest(&rig, THEIRS, &["their.access.token", "theirrefresh", RIGHT]);
}

#[test]
fn a_supabase_that_could_not_work_stops_the_start() {
    for (lines, about) in [
        ("url = \"http://x.supabase.co/auth/v1\"\napi_key = \"k\"", "gotrue.url"),
        ("url = \"https://x.supabase.co/auth/v1?x\"\napi_key = \"k\"", "gotrue.url"),
        ("url = \"https://x.supabase.co/auth/v1\"\napi_key = \"a b\"", "gotrue.api_key"),
        ("url = \"https://x.supabase.co/auth/v1\"\napi_key = \"k\"\nteams = \"\"", "gotrue.teams"),
    ] {
        let refused = world::refused(&format!("[grant.login.gotrue]\n{lines}\n"));
        assert!(refused.contains(about), "{lines}: {refused}");
    }
}

impl Project {
    async fn by_link(&self) -> Rig {
        self.rig("magic_link = true\n").await
    }

    /// Where the link that was mailed last leads back to; the project remembers the challenge that came with it.
    async fn link(&self) -> String {
        let otp = self.asked_for_mails(1).await.pop().unwrap();
        let body: Value = serde_json::from_str(&otp.body).unwrap();
        assert_eq!((&body["create_user"], &body["code_challenge_method"]), (&json!(false), &json!("s256")));
        self.is(|user| user["challenge"] = body["code_challenge"].clone());
        let asked: url::Url = format!("{}{}", self.there.url, otp.path).parse().unwrap();
        parameter(&asked, "redirect_to").unwrap()
    }
}

impl Project {
    /// What they were asked to mail, once there is that much of it.
    async fn asked_for_mails(&self, count: usize) -> Vec<Asked> {
        for _ in 0..200 {
            let mut asked = self.there.asked();
            asked.retain(|asked| asked.path.starts_with("/auth/v1/otp?"));
            if asked.len() >= count {
                return asked;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("nobody asked for {count} mails");
    }
}

async fn ask_for_link(visit: &Visit<'_>, email: &str) -> crate::harness::Answer {
    visit.send(&[("way", "link"), ("email", email), ("password", "")]).await
}

#[tokio::test]
async fn whoever_follows_the_link_that_supabase_mails_is_signed_in() {
    let project = Project::new().await;
    let rig = project.by_link().await;
    let visit = Visit::begin(&rig).await;
    assert!(visit.shown.body.contains("Email me a sign-in link"));
    let mailed = ask_for_link(&visit, THEIRS).await.expect(200);
    assert!(mailed.body.contains("Look into your mail"));
    let link = project.link().await;
    assert!(link.starts_with(&rig.path("/oauth/login/callback/gotrue?state=aut_")), "{link}");
    let page = visit.browser.get(format!("{link}&code=their-code")).await.expect(303).location();
    assert_eq!((page.path(), page.query()), (visit.page.path(), None));
    assert_eq!(visit.agree(None).await["team"]["id"], "rowan");
    assert_eq!(project.there.asked().last().unwrap().path, "/auth/v1/logout?scope=local");
    visit.browser.get(format!("{link}&code=their-code")).await.expect(400);
}

#[tokio::test]
async fn a_link_is_good_in_the_browser_that_asked_for_it() {
    let project = Project::new().await;
    let rig = project.by_link().await;
    let visit = Visit::begin(&rig).await;
    ask_for_link(&visit, THEIRS).await.expect(200);
    let link = format!("{}&code=their-code", project.link().await);
    let other = crate::harness::Browser::new().get(&link).await.expect(400);
    assert!(other.body.contains("another browser"));
    Visit::begin(&rig).await.browser.get(&link).await.expect(400);
    let forged = link.replace("state=aut_", "state=aut_0");
    visit.browser.get(&forged).await.expect(400);
    visit.browser.get(&link).await.expect(303);
    assert!(visit.is_signed_in().await);
}

#[tokio::test]
async fn a_link_that_is_over_leads_to_the_sign_in_page() {
    let project = Project::new().await;
    let rig = project.by_link().await;
    let visit = Visit::begin(&rig).await;
    for (answer, reason) in [
        ("error=access_denied&error_code=otp_expired&error_description=Email+link+is+invalid", "no_code"),
        ("code=another-code", "exchange"),
    ] {
        ask_for_link(&visit, THEIRS).await.expect(200);
        let page =
            visit.browser.get(format!("{}&{answer}", project.link().await)).await.expect(303).location();
        assert!(visit.browser.get(&page).await.expect(200).body.contains("did not work"), "{answer}");
        assert_eq!(rig.world.audited("user.sign_in_failed").await["reason"], reason);
    }
    // A code that was made for another challenge.
    ask_for_link(&visit, THEIRS).await.expect(200);
    let link = project.link().await;
    project.is(|user| user["challenge"] = json!("another"));
    visit.browser.get(format!("{link}&code=their-code")).await.expect(303);
    assert!(!visit.is_signed_in().await);
}

/// Asking again makes the link before it worthless, and people press both.
#[tokio::test]
async fn an_older_link_uses_nothing_up() {
    let project = Project::new().await;
    let rig = project.by_link().await;
    let visit = Visit::begin(&rig).await;
    for _ in 0..2 {
        ask_for_link(&visit, THEIRS).await.expect(200);
    }
    let link = project.link().await;
    let long = format!("code={}", "x".repeat(257));
    for over in ["error=access_denied&error_code=otp_expired", "code=", &long] {
        let page = visit.browser.get(format!("{link}&{over}")).await.expect(303).location();
        assert_eq!(parameter(&page, "failed").as_deref(), Some("gotrue"), "{over}");
        assert_eq!(rig.world.audited("user.sign_in_failed").await["reason"], "no_code");
    }
    visit.browser.get(format!("{link}&code=their-code")).await.expect(303);
    assert!(visit.is_signed_in().await);
}

#[tokio::test]
async fn an_application_that_wants_our_own_people_has_no_link_mailed() {
    let project = Project::new().await;
    let rig = project.by_link().await;
    rig.register("inner", |own| own.login = Some(vec!["local".to_owned()])).await;
    let visit = Visit::asking(&rig, &Ask::of("inner")).await;
    assert!(!visit.shown.body.contains("Email me a sign-in link"));
    ask_for_link(&visit, THEIRS).await.expect(400);
    assert!(project.there.asked().is_empty());
}

#[tokio::test]
async fn nobody_learns_by_a_link_who_has_an_account_and_a_link_on_its_way_stays_good() {
    let project = Project::new().await;
    let rig = project.by_link().await;
    let visit = Visit::begin(&rig).await;
    ask_for_link(&visit, THEIRS).await.expect(200);
    let link = project.link().await;
    project.is(|user| user["limited"] = json!(true));
    for email in [THEIRS, "nobody@example.com", "no address"] {
        assert!(
            ask_for_link(&visit, email).await.expect(200).body.contains("Look into your mail"),
            "{email}"
        );
    }
    assert!(ask_for_link(&visit, "").await.expect(200).body.contains("Your email is missing"));
    visit.browser.get(format!("{link}&code=their-code")).await.expect(303);
    assert!(visit.is_signed_in().await);
}

/// A sign-in elsewhere that is under way ends by asking for a link, for whomever it is asked.
#[tokio::test]
async fn what_becomes_of_the_request_does_not_tell_who_has_an_account() {
    let project = Project::new().await;
    let product = format!(
        "[grant.login.handoff]\nurl = \"https://product.example/\"\nsecret = \"{SHARED}\"\nlabel = \"Rowan\"\n"
    );
    let rig = project.rig(&format!("magic_link = true\n{product}")).await;
    for email in [THEIRS, "nobody@example.com", "no address", "b\u{ea}rt@example.com"] {
        let visit = Visit::begin(&rig).await;
        let start = visit.send(&[("way", "handoff")]).await.expect(303).location();
        let secret = model::Secret::from(SHARED);
        let challenge = parameter(&start, "challenge").unwrap();
        let challenge = vault::shared::verify(&secret, &challenge).unwrap();
        ask_for_link(&visit, email).await.expect(200);
        let verdict = json!({
            "aud": challenge["iss"], "nonce": challenge["nonce"], "exp": rig.seconds() + 60, "user": {"id": "u-3"},
        });
        let verdict = vault::shared::sign(&secret, &verdict);
        let back = format!("{}?verdict={verdict}", challenge["return_to"].as_str().unwrap());
        visit.browser.get(back).await.expect(400);
    }
}

#[tokio::test]
async fn nobody_waits_for_a_mail_or_learns_that_it_was_not_sent() {
    let project = Project::new().await;
    let rig = project.by_link().await;
    let visit = Visit::begin(&rig).await;
    let moods = [Mood::Status(500), Mood::Status(429), Mood::Garbage, Mood::Elsewhere, Mood::Silent];
    for (number, mood) in moods.into_iter().enumerate() {
        project.there.be(mood);
        let began = std::time::Instant::now();
        ask_for_link(&visit, &format!("u{number}@example.com")).await.expect(200);
        // The server itself would wait for three seconds.
        assert!(began.elapsed().as_millis() < 2500, "{mood:?}");
        project.asked_for_mails(number + 1).await;
    }
}

#[tokio::test]
async fn a_link_is_a_proof_of_now() {
    let project = Project::new().await;
    let rig = project.by_link().await;
    let visit = Visit::begin(&rig).await;
    ask_for_link(&visit, THEIRS).await.expect(200);
    let link = project.link().await;
    visit.browser.get(format!("{link}&code=their-code")).await.expect(303);
    visit.agree(None).await;
    assert!(visit.is_believed_for("60").await);
}

#[tokio::test]
async fn links_are_limited_and_mailed_only_where_they_are_on() {
    let project = Project::new().await;
    let rig = project.rig("magic_link = true\n[grant.limits]\nlogin_account = \"2 per 15m\"\n").await;
    let visit = Visit::begin(&rig).await;
    for status in [200, 200, 429] {
        ask_for_link(&visit, THEIRS).await.expect(status);
    }
    visit.send(&[("way", "gotrue")]).await.expect(400);
    let without = Project::new().await;
    let rig = without.rig("").await;
    let visit = Visit::begin(&rig).await;
    assert!(!visit.shown.body.contains("Email me"));
    ask_for_link(&visit, THEIRS).await.expect(400);
    visit.browser.get(rig.path("/oauth/login/callback/gotrue?state=x&code=y")).await.expect(400);
}
