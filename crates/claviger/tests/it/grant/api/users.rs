//! `/api/users`.

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};

use super::{every_type, refused};
use crate::grant::on_both;
use crate::grant::rig::{Ask, EMAIL, PASSWORD, Rig, hidden, text};
use crate::harness::Browser;

const PATH: &str = "/api/users";
const NOBODY: &str = "usr_00000000000000000000000000000000";

impl Rig {
    /// The path of whoever signs in with this address.
    async fn user(&self, email: &str) -> String {
        let email: String = url::form_urlencoded::byte_serialize(email.as_bytes()).collect();
        let found = self.world.api(&format!("{PATH}?email={email}")).await.expect(200).json();
        format!("{PATH}/{}", text(&found["users"][0], "id"))
    }

    /// Signs in at a person's own page; whether that went well.
    async fn signs_in(&self, browser: &Browser, email: &str, password: &str) -> bool {
        let page = browser.get(self.path("/oauth/access")).await.expect(200);
        let fields = [("csrf", &*hidden(&page, "csrf")), ("email", email), ("password", password)];
        browser.bare_form(self.path("/oauth/access"), &fields).await.status == 303
    }

    async fn is_signed_in(&self, browser: &Browser) -> bool {
        !browser.get(self.path("/oauth/access")).await.expect(200).body.contains("name=\"password\"")
    }
}

on_both! {
    async fn a_user_is_made_changed_and_removed(rig: Rig) {
        let body = json!({
            "email": "Bert@Example.com", "name": "Bert Kask", "password": "correct horse battery",
            "teams": [{"id": "rowan", "name": "Rowan", "role": "owner"}, {"id": "birch", "name": "Birch"}],
        });
        let made = rig.api(Method::POST, PATH, &body).await.expect(201);
        assert!(!made.body.contains("argon2") && !made.body.contains("horse"), "{}", made.body);
        let made = made.json();
        assert_eq!((&made["email"], &made["backend"]), (&json!("Bert@Example.com"), &json!("local")));
        let teams = json!([{"id": "birch", "name": "Birch", "role": null}, {"id": "rowan", "name": "Rowan", "role": "owner"}]);
        assert_eq!(made["teams"], teams);
        let path = format!("{PATH}/{}", text(&made, "id"));
        assert_eq!(rig.world.api(&path).await.expect(200).json(), made);
        assert!(rig.signs_in(&Browser::new(), " bert@example.COM", "correct horse battery").await, "in whatever case");

        let change = json!({"name": null, "email": "albert@example.com"});
        let changed = rig.api(Method::PATCH, &path, &change).await.expect(200).json();
        assert_eq!((&changed["name"], &changed["email"]), (&Value::Null, &json!("albert@example.com")));
        assert!(rig.signs_in(&Browser::new(), "albert@example.com", "correct horse battery").await);
        assert!(!rig.signs_in(&Browser::new(), "bert@example.com", "correct horse battery").await, "no longer");
        rig.api(Method::PATCH, &path, &json!({"name": "Albert", "email": "ALBERT@example.com"})).await.expect(200);
        let same = rig.api(Method::PATCH, &path, &json!({})).await.expect(200).json();
        assert_eq!((&same["name"], &same["email"]), (&json!("Albert"), &json!("ALBERT@example.com")));
        assert!(rig.world.audited("user.changed").await["target"] == made["id"]);

        rig.api(Method::DELETE, &path, &Value::Null).await.expect(204);
        for (method, rest, body) in [
            (Method::GET, "", Value::Null), (Method::DELETE, "", Value::Null), (Method::PATCH, "", json!({})),
            (Method::PATCH, "", json!({"name": "x"})), (Method::PATCH, "", json!({"disabled": true})),
            (Method::PUT, "/password", json!({"password": PASSWORD})), (Method::POST, "/sign-out", Value::Null),
            (Method::PUT, "/teams/rowan", json!({"name": "Rowan"})), (Method::DELETE, "/teams/rowan", Value::Null),
        ] {
            let answer = rig.api(method.clone(), &format!("{path}{rest}"), &body).await;
            assert_eq!(answer.problem(), (404, "user_not_found".to_owned()), "{method} {rest}");
        }
        assert!(!rig.signs_in(&Browser::new(), "albert@example.com", "correct horse battery").await);
        rig.api(Method::POST, PATH, &body).await.expect(201);
    }

    async fn an_address_is_one_users(rig: Rig) {
        let body = json!({"email": "ANNA@example.com ", "password": PASSWORD});
        assert_eq!(rig.api(Method::POST, PATH, &body).await.problem(), (409, "user_exists".to_owned()));
        let bert = rig.api(Method::POST, PATH, &json!({"email": "bert@example.com", "password": PASSWORD})).await;
        let bert = format!("{PATH}/{}", text(&bert.expect(201).json(), "id"));
        let answer = rig.api(Method::PATCH, &bert, &json!({"email": "Anna@Example.com", "name": "Anna"})).await;
        assert_eq!(answer.problem(), (409, "user_exists".to_owned()));
        let read = rig.world.api(&bert).await.json();
        assert_eq!((&read["email"], &read["name"]), (&json!("bert@example.com"), &Value::Null), "nothing is changed");
    }

    async fn users_are_found_by_their_address_and_listed_by_pages(rig: Rig) {
        for number in 0..5 {
            rig.add_user(&format!("user{number}@example.com"), &[]).await;
        }
        let all = rig.pages(PATH, "users", 200).await;
        assert_eq!(all.len(), 6);
        for limit in [1, 2, 5, 6, 7] {
            assert_eq!(rig.pages(PATH, "users", limit).await, all, "{limit} at a time");
        }
        let found = async |email: &str| {
            let page = rig.world.api(&format!("{PATH}?email={email}")).await.expect(200).json();
            page["users"].as_array().unwrap().iter().map(|user| text(user, "email").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("USER3%40example.com").await, ["user3@example.com"]);
        for nobody in ["user3", "", "%00", "%25", "user_%40example.com", "õ%40example.com"] {
            assert_eq!(found(nobody).await, Vec::<String>::new(), "{nobody:?}");
        }
    }

    async fn a_new_password_and_signing_out_end_what_was_begun(rig: Rig) {
        let path = rig.user(EMAIL).await;
        for (method, rest, body) in [
            (Method::POST, "/sign-out", Value::Null),
            (Method::PUT, "/password", json!({"password": "another password"})),
        ] {
            let (browser, tokens) = (Browser::new(), rig.tokens("app").await);
            assert!(rig.signs_in(&browser, EMAIL, PASSWORD).await);
            let ended = rig.api(method, &format!("{path}{rest}"), &body).await.expect(200).json();
            assert_eq!(ended, json!({"signIns": 2, "families": 1}), "{rest}");
            assert!(!rig.is_signed_in(&browser).await);
            rig.userinfo(text(&tokens, "access_token")).await.expect(401);
            rig.refresh("app", text(&tokens, "refresh_token")).await.expect(400);
            let grants = rig.pages("/api/grants", "grants", 200).await;
            assert_eq!(grants.len(), 1, "what they agreed to stays");
        }
        let browser = Browser::new();
        assert!(!rig.signs_in(&browser, EMAIL, PASSWORD).await && rig.signs_in(&browser, EMAIL, "another password").await);
        rig.world.audited("user.password_changed").await;
        rig.world.audited("user.signed_out_everywhere").await;
    }

    async fn who_is_disabled_signs_in_no_more_until_enabled(rig: Rig) {
        let path = rig.user(EMAIL).await;
        let (browser, tokens) = (Browser::new(), rig.tokens("app").await);
        assert!(rig.signs_in(&browser, EMAIL, PASSWORD).await);
        let disabled = rig.api(Method::PATCH, &path, &json!({"disabled": true})).await.expect(200).json();
        assert!(disabled["disabledAt"].is_string(), "{disabled}");
        rig.userinfo(text(&tokens, "access_token")).await.expect(401);
        assert!(!rig.is_signed_in(&browser).await && !rig.signs_in(&browser, EMAIL, PASSWORD).await);
        let enabled = rig.api(Method::PATCH, &path, &json!({"disabled": false})).await.expect(200).json();
        assert!(enabled["disabledAt"].is_null() && rig.signs_in(&browser, EMAIL, PASSWORD).await);
        rig.world.audited("user.disabled").await;
        rig.world.audited("user.enabled").await;
    }

    async fn a_user_joins_and_leaves_teams(rig: Rig) {
        let path = rig.user(EMAIL).await;
        let put = async |team: &str, body: &Value| rig.api(Method::PUT, &format!("{path}/teams/{team}"), body).await;
        let joined = put("a:7@x", &json!({"name": "Seven", "role": "owner"})).await.expect(200).json();
        assert_eq!(joined, json!({"id": "a:7@x", "name": "Seven", "role": "owner"}));
        put("a:7@x", &json!({"name": "Seven OÜ"})).await.expect(200);
        let read = rig.world.api(&path).await.json();
        assert_eq!(read["teams"], json!([{"id": "a:7@x", "name": "Seven OÜ", "role": null}]), "written anew");
        rig.api(Method::DELETE, &format!("{path}/teams/a:7@x"), &Value::Null).await.expect(204);
        let again = rig.api(Method::DELETE, &format!("{path}/teams/a:7@x"), &Value::Null).await;
        assert_eq!(again.problem(), (404, "membership_not_found".to_owned()));
        assert_eq!(rig.world.api(&path).await.json()["teams"], json!([]));
        assert_eq!(rig.world.audited("membership.written").await["facts"]["team"], "a:7@x");
        rig.world.audited("membership.ended").await;
    }

    async fn what_a_user_agreed_to_ends_with_the_membership_and_with_the_user(rig: Rig) {
        let bert = rig.add_user("bert@example.com", &[("rowan", "Rowan"), ("birch", "Birch")]).await;
        for team in ["rowan", "birch"] {
            let ask = Ask::of("app").with("prompt", "consent");
            rig.agree_as(&Browser::new(), &ask, "bert@example.com", Some(team)).await;
        }
        let grants = async || {
            let page = rig.world.api(&format!("/api/grants?user={bert}")).await.expect(200).json();
            page["grants"].as_array().unwrap().iter().map(|grant| text(grant, "team").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(grants().await.len(), 2);
        rig.api(Method::DELETE, &format!("{PATH}/{bert}/teams/birch"), &Value::Null).await.expect(204);
        assert_eq!(grants().await, ["rowan"]);
        rig.api(Method::DELETE, &format!("{PATH}/{bert}"), &Value::Null).await.expect(204);
        assert_eq!(grants().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_has_its_bounds_and_its_type() {
    let rig = Rig::new().await;
    let path = rig.user(EMAIL).await;
    let base = json!({"email": "bert@example.com", "password": PASSWORD});
    let long = format!("{}@{}.example", "x".repeat(64), "y".repeat(200));
    let emails = [
        "",
        "x",
        "@example.com",
        "anna@",
        "a@b@c",
        "a b@example.com",
        "a\n@example.com",
        "<a@example.com>",
        "a,b@c.example",
        &long,
    ];
    let names = ["", "  ", "a\u{7}b", &"x".repeat(101)];
    let mut bad: Vec<(&str, Value)> = Vec::new();
    bad.extend(emails.iter().map(|email| ("email", json!(email))));
    bad.extend(names.iter().map(|name| ("name", json!(name))));
    for (member, value) in &bad {
        refused(&rig.api(Method::PATCH, &path, &json!({*member: value})).await, member);
    }
    let team = |id: &str, name: &str| json!({"id": id, "name": name});
    let teams = |count: usize| (0..count).map(|number| team(&format!("t{number}"), "T")).collect::<Value>();
    let role = json!([{"id": "t", "name": "T", "role": ""}]);
    bad.extend([
        ("password", json!("seven 7")),
        ("password", json!("x".repeat(129))),
        ("password", json!("")),
        ("teams", teams(51)),
        ("teams", json!([team("t", "")])),
        ("teams", json!([team("t", &"x".repeat(101))])),
        ("teams", role),
        ("teams", json!([team("a b", "T")])),
        ("teams", json!([{"id": "t"}])),
        ("teams", json!([{"id": "t", "name": "T", "hunter": 2}])),
        ("unknown", json!(1)),
        ("disabled", json!(true)),
    ]);
    for (member, value) in &bad {
        let mut body = base.clone();
        body[*member] = value.clone();
        refused(&rig.api(Method::POST, PATH, &body).await, member);
    }
    for (member, takes) in [
        ("email", vec![]),
        ("name", vec![0, 3]),
        ("disabled", vec![1]),
        ("password", vec![]),
        ("teams", vec![]),
    ] {
        for (number, value) in every_type().iter().enumerate() {
            if !takes.contains(&number) {
                let answer = rig.api(Method::PATCH, &path, &json!({member: value})).await;
                refused(&answer, member);
            }
        }
    }
    for body in
        [json!({}), json!({"password": "short"}), json!({"password": 12_345_678}), json!({"password": null})]
    {
        refused(&rig.api(Method::PUT, &format!("{path}/password"), &body).await, "password");
    }
    for (body, member) in [
        (json!({}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "T", "role": "x".repeat(101)}), "role"),
        (json!({"name": "T", "role": ""}), "role"),
        (json!({"name": "T", "id": "t"}), "id"),
    ] {
        refused(&rig.api(Method::PUT, &format!("{path}/teams/t"), &body).await, member);
    }
    let mut largest =
        json!({"email": "carl@example.com", "password": "õ".repeat(128), "name": "Õ".repeat(100)});
    largest["teams"] = teams(50);
    let made = rig.api(Method::POST, PATH, &largest).await.expect(201).json();
    assert_eq!(made["teams"].as_array().unwrap().len(), 50);
    let headers = [("content-type", "text/plain")];
    let answer = rig.world.backend.send(Method::POST, &rig.path(PATH), &headers, Bytes::from("{}")).await;
    assert_eq!(answer.problem().0, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_parameters_that_are_not_right_are_refused_by_name() {
    let rig = Rig::new().await;
    for path in [
        "/api/users/x",
        "/api/users/anna@example.com",
        "/api/users?limit=0",
        "/api/users?limit=201",
        "/api/users?cursor=x",
        "/api/users?mail=x",
        "/api/users?email=a&email=b",
        "/api/grants?user=x",
        "/api/grants?application=a%20b",
        "/api/grants?cursor=x",
        "/api/grants?limit=0",
        "/api/applications/a%20b",
    ] {
        let answer = rig.world.api(path).await;
        assert_eq!(answer.problem(), (400, "invalid_parameter".to_owned()), "{path}: {}", answer.body);
    }
    let team = rig.api(Method::PUT, &format!("{PATH}/{NOBODY}/teams/a%20b"), &json!({"name": "x"})).await;
    assert_eq!(team.problem(), (400, "invalid_parameter".to_owned()));
}
