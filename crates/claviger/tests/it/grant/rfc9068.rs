//! RFC 9068, JSON Web Tokens as access tokens; and the keys that sign them.

use std::time::Duration;

use axum::http::Method;
use model::{AccessTokenFormat, ApplicationSettings, GrantType};
use serde_json::{Value, json};

use super::on_both;
use super::rig::{ALGORITHMS, Ask, EMAIL, OTHER_RESOURCE, RESOURCE, Rig, SECRET, claims, header, text};
use crate::harness::Browser;
use crate::harness::browser::parameter;

const DAY: Duration = Duration::from_hours(24);
const PATH: &str = "/.well-known/oauth-authorization-server";

/// A server, and an application `jwt` that is like `app` but for the look of its tokens, and may act for itself.
async fn rig() -> Rig {
    with("").await
}

async fn with(lines: &str) -> Rig {
    let rig = Rig::with(lines).await;
    register(&rig).await;
    rig
}

async fn register(rig: &Rig) {
    rig.register("jwt", |own| {
        own.access_token_format = AccessTokenFormat::Jwt;
        own.grant_types.push(GrantType::ClientCredentials);
    })
    .await;
}

async fn access_token(rig: &Rig, ask: &Ask) -> String {
    text(&rig.tokens_for("jwt", ask).await, "access_token").to_owned()
}

/// A token that says who signs now.
async fn own_token(rig: &Rig) -> String {
    text(&rig.own_tokens("jwt", &[]).await.expect(200).json(), "access_token").to_owned()
}

/// The names of the keys that are published.
async fn published(rig: &Rig) -> Vec<Value> {
    rig.jwks().await["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

#[tokio::test]
async fn rfc9068_2_1_a_token_is_signed_asymmetrically_and_says_what_it_is() {
    for (lines, algorithm) in ALGORITHMS {
        let rig = with(lines).await;
        let token = access_token(&rig, &Ask::of("jwt")).await;
        let verified = rig.verified(&token).await;
        assert_eq!((&verified.header["typ"], &verified.header["alg"]), (&"at+jwt".into(), &algorithm.into()));
        assert_eq!(published(&rig).await, [verified.header["kid"].clone()]);
        let metadata = rig.metadata().await;
        assert_eq!(metadata["id_token_signing_alg_values_supported"], json!([algorithm]));
    }
}

#[tokio::test]
async fn rfc9068_2_1_rs256_is_among_the_algorithms_and_the_one_that_signs_where_nobody_chose() {
    let rig = rig().await;
    assert_eq!(header(&own_token(&rig).await)["alg"], "RS256");
}

#[tokio::test]
async fn rfc9068_2_2_the_claims_that_are_required() {
    let rig = rig().await;
    let user = rig.world.server.app.grant.user_of_email(EMAIL).await.unwrap().id.to_string();
    let now = rig.seconds();
    let token = access_token(&rig, &Ask::of("jwt")).await;
    let mut said = rig.verified(&token).await.claims;
    let jti = said.remove("jti").unwrap();
    assert_eq!(jti.as_str().map(str::len), Some(32));
    let expected = json!({
        "iss": rig.world.url,
        "sub": user,
        "aud": rig.world.url,
        "client_id": "jwt",
        "iat": now,
        "exp": now + 3600,
        "auth_time": now,
        "scope": "reports.read",
    });
    assert_eq!(Value::Object(said), expected);
    let again = claims(&access_token(&rig, &Ask::of("jwt")).await);
    assert_ne!(again["jti"], jti);
}

#[tokio::test]
async fn rfc9068_2_2_1_auth_time_stays_that_of_the_sign_in() {
    let rig = rig().await;
    let then = rig.seconds();
    let tokens = rig.tokens_for("jwt", &Ask::of("jwt")).await;
    rig.world.pass(Duration::from_mins(30));
    let next = rig.refresh("jwt", text(&tokens, "refresh_token")).await.expect(200).json();
    let claims = rig.verified(text(&next, "access_token")).await.claims;
    assert_eq!((&claims["auth_time"], &claims["iat"]), (&then.into(), &(then + 1800).into()));
}

#[tokio::test]
async fn rfc9068_2_2_3_the_scope_is_the_one_that_was_granted() {
    let rig = rig().await;
    let tokens = rig.tokens_for("jwt", &Ask::of("jwt").with("scope", "reports.write reports.read")).await;
    assert_eq!(claims(text(&tokens, "access_token"))["scope"], tokens["scope"]);
    let less = [("scope", "reports.write")];
    let less = rig.refresh_with("jwt", text(&tokens, "refresh_token"), &less).await.expect(200).json();
    assert_eq!(claims(text(&less, "access_token"))["scope"], "reports.write");
}

#[tokio::test]
async fn rfc9068_2_2_no_more_is_said_of_a_person_than_who_it_is_and_for_which_team() {
    let rig = rig().await;
    let ask = Ask::of("jwt").with("scope", "openid profile email reports.read");
    let token = access_token(&rig, &ask).await;
    let said = rig.verified(&token).await.claims;
    assert!(!said.contains_key("email") && !said.contains_key("name"), "{said:?}");
    rig.add_user("team@example.com", &[("team-1", "Rowan OÜ")]).await;
    let back = rig.agree_as(&Browser::new(), &ask, "team@example.com", None).await;
    let code = parameter(&back, "code").unwrap();
    let tokens = rig.redeem("jwt", &code).await.expect(200).json();
    assert_eq!(claims(text(&tokens, "access_token"))["team"], "team-1");
}

#[tokio::test]
async fn rfc9068_3_the_audience_is_the_resource_or_a_default() {
    let rig = rig().await;
    let both = Ask::of("jwt").and("resource", RESOURCE).and("resource", OTHER_RESOURCE);
    let issuer = rig.world.url.clone();
    for (ask, expected) in [
        (Ask::of("jwt"), json!(issuer)),
        (Ask::of("jwt").with("resource", RESOURCE), json!(RESOURCE)),
        (both, json!([RESOURCE, OTHER_RESOURCE])),
    ] {
        assert_eq!(claims(&access_token(&rig, &ask).await)["aud"], expected);
    }
}

#[tokio::test]
async fn rfc9068_3_of_an_application_that_acts_for_itself_the_subject_is_the_application() {
    let rig = rig().await;
    let claims = rig.verified(&own_token(&rig).await).await.claims;
    assert_eq!((&claims["sub"], &claims["client_id"]), (&"jwt".into(), &"jwt".into()));
    assert!(!claims.contains_key("auth_time"));
}

#[tokio::test]
async fn rfc9068_4_an_id_token_is_no_access_token() {
    let rig = rig().await;
    let tokens = rig.tokens_for("jwt", &Ask::of("jwt").with("scope", "openid")).await;
    assert_eq!(header(text(&tokens, "id_token"))["typ"], "JWT");
    rig.userinfo(text(&tokens, "id_token")).await.expect(401);
    assert!(!rig.is_active("jwt", text(&tokens, "id_token")).await);
    rig.userinfo(text(&tokens, "access_token")).await.expect(200);
}

#[tokio::test]
async fn rfc9068_4_resource_servers_find_the_keys_by_the_metadata() {
    let rig = rig().await;
    own_token(&rig).await;
    let metadata = rig.metadata().await;
    let path = metadata["jwks_uri"].as_str().unwrap().strip_prefix(&rig.world.url).unwrap();
    let answer = rig.send(Method::GET, path, &[]).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    for key in answer.json()["keys"].as_array().unwrap() {
        assert_eq!((&key["use"], &key["alg"], &key["kty"]), (&"sig".into(), &"RS256".into(), &"RSA".into()));
        assert!(["d", "p", "q"].iter().all(|private| key.get(private).is_none()), "{key}");
    }
}

#[tokio::test]
async fn rfc9068_5_no_subject_of_an_application_can_be_that_of_a_user() {
    let rig = rig().await;
    let user = rig.world.server.app.grant.user_of_email(EMAIL).await.unwrap().id.to_string();
    assert!(rig.register_with(&user, SECRET, |_| {}).await.is_err());
}

#[tokio::test]
async fn rfc9068_5_a_token_does_not_outlive_the_key_that_signed_it() {
    let rig = rig().await;
    let day = 24 * 60 * 60;
    let jwt_for = |life: u32| {
        move |own: &mut ApplicationSettings| {
            own.access_token_format = AccessTokenFormat::Jwt;
            own.access_token_ttl = Some(life);
        }
    };
    assert!(rig.register_with("long", SECRET, jwt_for(day + 1)).await.is_err());
    rig.register("long", jwt_for(day)).await;
    // An ID token is signed whatever the access token is.
    rig.register("opaque", |own| own.access_token_ttl = Some(10 * day)).await;
    let tokens = rig.tokens_for("opaque", &Ask::of("opaque").with("scope", "openid")).await;
    assert_eq!(tokens["expires_in"], 10 * day);
    let claims = rig.verified(text(&tokens, "id_token")).await.claims;
    assert!(claims["exp"].as_i64().unwrap() <= rig.seconds() + i64::from(day), "{claims:?}");
}

/// A key is published before it signs, and gone only when nothing is good any more that it has signed.
#[tokio::test]
async fn keys_rotate_and_what_they_have_signed_verifies_as_long_as_it_is_good() {
    let rig = rig().await;
    let grant = &rig.world.server.app.grant;
    let first = header(&own_token(&rig).await)["kid"].clone();
    assert_eq!(published(&rig).await, std::slice::from_ref(&first));
    rig.world.pass(DAY * 89);
    grant.rotate_signing_keys().await.unwrap();
    assert_eq!(published(&rig).await, std::slice::from_ref(&first), "it is not time yet");

    rig.world.pass(DAY);
    for _ in 0..3 {
        grant.rotate_signing_keys().await.unwrap();
    }
    let both = published(&rig).await;
    assert!(both.len() == 2 && both[0] == first, "{both:?}");
    let second = both[1].clone();
    let trail = rig.world.audit().await;
    let made: Vec<_> = trail.iter().filter(|entry| entry["event"] == "signing_key.made").collect();
    assert!(made.len() == 2 && made.iter().all(|entry| both.contains(&entry["target"])), "{made:?}");
    let old = own_token(&rig).await;
    assert_eq!(header(&old)["kid"], first, "the new key is published before it signs");

    rig.world.pass(Duration::from_mins(15));
    let new = own_token(&rig).await;
    assert_eq!(header(&new)["kid"], second);
    for token in [&old, &new] {
        rig.verified(token).await;
        assert!(rig.is_active("jwt", token).await);
    }
    grant.rotate_signing_keys().await.unwrap();
    assert_eq!(published(&rig).await, both, "the old key stays as long as its tokens may live");

    rig.world.pass(DAY + Duration::from_mins(5));
    assert_eq!(published(&rig).await, std::slice::from_ref(&second));
    grant.rotate_signing_keys().await.unwrap();
    assert_eq!(published(&rig).await, std::slice::from_ref(&second));
    assert_eq!(header(&own_token(&rig).await)["kid"], second);
}

/// A key of another algorithm comes as any next key does.
#[tokio::test]
async fn another_algorithm_is_published_before_it_signs_and_the_old_key_goes_in_the_end() {
    let rig = rig().await;
    let old = own_token(&rig).await;
    let lines = "[grant.signing]\nalgorithm = \"EdDSA\"\n[grant]\n";
    let (replica, url) = rig.world.beside("[grant]\n", lines).await.unwrap();
    let fields = [("grant_type", "client_credentials"), ("client_id", "jwt"), ("client_secret", SECRET)];
    let token = async || {
        let answer = Browser::new().bare_form(format!("{url}/oauth/token"), &fields).await.expect(200);
        text(&answer.json(), "access_token").to_owned()
    };
    let read = async |path: &str| Browser::new().get(format!("{url}{path}")).await.expect(200).json();
    let algorithms = async || read(PATH).await["id_token_signing_alg_values_supported"].clone();
    let grant = &replica.app.grant;
    grant.rotate_signing_keys().await.unwrap();
    assert_eq!(algorithms().await, json!(["EdDSA", "RS256"]), "though nobody has signed here yet");
    for _ in 0..2 {
        grant.rotate_signing_keys().await.unwrap();
    }
    assert_eq!(published(&rig).await.len(), 1, "what is known to the other one is asked for again later");
    assert_eq!(header(&token().await)["alg"], "RS256");
    assert_eq!(algorithms().await, json!(["EdDSA", "RS256"]));
    let both = read("/oauth/jwks").await;
    assert_eq!(both["keys"].as_array().unwrap().len(), 2, "{both}");

    rig.world.pass(Duration::from_mins(15));
    let new = token().await;
    assert_eq!(header(&new)["alg"], "EdDSA");
    assert_eq!(header(&own_token(&rig).await)["alg"], "EdDSA", "whatever a replica has been told");
    let keys = vault::KeySet::new(&both).unwrap();
    for token in [&old, &new] {
        vault::jws::verify(token, &keys).unwrap();
    }

    rig.world.pass(DAY + Duration::from_mins(5));
    grant.rotate_signing_keys().await.unwrap();
    assert_eq!(published(&rig).await, [header(&new)["kid"].clone()]);
    assert_eq!(algorithms().await, json!(["EdDSA"]));
    replica.stop().await;
}

#[tokio::test]
async fn a_key_set_that_nobody_has_signed_by_is_not_empty() {
    let rig = rig().await;
    let first = published(&rig).await;
    assert_eq!(first.len(), 1);
    assert_eq!(header(&own_token(&rig).await)["kid"], first[0]);
}

on_both! {
    async fn two_replicas_that_sign_for_the_first_time_agree_on_one_key(rig: Rig) {
        register(&rig).await;
        let (replica, url) = rig.world.beside("\u{0}", "\u{0}").await.unwrap();
        let fields = [("grant_type", "client_credentials"), ("client_id", "jwt"), ("client_secret", SECRET)];
        let calls: Vec<_> = (0..8)
            .map(|n| {
                let address = format!("{}/oauth/token", if n % 2 == 0 { &rig.world.url } else { &url });
                tokio::spawn(async move { Browser::new().bare_form(address, &fields).await })
            })
            .collect();
        for call in calls {
            let answer = call.await.unwrap().expect(200).json();
            let token = text(&answer, "access_token");
            rig.verified(token).await;
        }
        assert_eq!(published(&rig).await.len(), 1);
        replica.stop().await;
    }
}
