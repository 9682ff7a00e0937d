//! `/api/applications`.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};

use super::{every_type, refused, texts};
use crate::grant::on_both;
use crate::grant::rig::{Ask, CALLBACK, RESOURCE, Rig, SECRET, ZAPIER, ZAPIER_ID, text};
use crate::harness::Browser;

const PATH: &str = "/api/applications";

/// RFC 7517 appendix A.1, for signatures.
fn jwks() -> Value {
    json!({"keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }]})
}

fn with(mut body: Value, member: &str, value: &Value) -> Value {
    body[member] = value.clone();
    body
}

impl Rig {
    /// The path of a new application.
    async fn registered(&self, body: &Value) -> String {
        let made = self.api(Method::POST, PATH, body).await.expect(201).json();
        format!("{PATH}/{}", text(&made, "clientId"))
    }
}

on_both! {
    async fn an_application_is_registered_changed_and_removed(rig: Rig) {
        let body = json!({"name": "Reports", "redirectUris": [CALLBACK]});
        let made = rig.api(Method::POST, PATH, &body).await.expect(201).json();
        let (id, secret) = (text(&made, "clientId"), text(&made, "clientSecret"));
        assert!(id.starts_with("app_") && secret.starts_with("cvs_"), "{made}");
        assert_eq!(made["scopes"], json!(["reports.read", "reports.write"]), "all there are");
        assert_eq!((&made["requirePkce"], &made["source"]), (&json!(true), &json!("api")));
        assert!(rig.proves(id, secret).await);
        let path = format!("{PATH}/{id}");
        let read = rig.world.api(&path).await.expect(200);
        assert!(!read.body.contains(secret) && read.json().get("clientSecret").is_none(), "it is shown once");
        let mut rest = made.clone();
        rest.as_object_mut().unwrap().remove("clientSecret");
        assert_eq!(read.json(), rest);

        let change = json!({
            "name": "Reports 2", "redirectUris": [CALLBACK, "com.example.app:/cb"], "scopes": ["reports.read"],
            "grantTypes": ["authorization_code", "refresh_token", "client_credentials"], "accessTokenFormat": "jwt",
            "accessTokenTtl": 600, "refreshTokenIdle": 10, "refreshTokenTtl": 315_360_000, "refreshLeeway": 0,
            "accessTokenPrefix": "", "refreshTokenPrefix": "x_", "requirePkce": false, "redirectUriOptional": true,
            "consentText": "Makes reports.", "homepage": "https://example.com/about",
            "corsOrigins": ["https://example.com"], "serves": [RESOURCE, rig.world.url], "login": ["local"],
        });
        rig.world.pass(Duration::from_secs(5));
        let changed = rig.api(Method::PATCH, &path, &change).await.expect(200).json();
        let mut expected = rest.clone();
        expected.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        expected["updatedAt"] = changed["updatedAt"].clone();
        assert_eq!(changed, expected);
        assert_ne!(changed["updatedAt"], rest["updatedAt"]);
        let null = json!({"accessTokenTtl": null, "refreshLeeway": null, "consentText": null, "homepage": null, "login": null});
        let changed = rig.api(Method::PATCH, &path, &null).await.expect(200).json();
        for member in ["accessTokenTtl", "refreshLeeway", "consentText", "homepage", "login"] {
            assert_eq!(changed[member], Value::Null, "{member}");
        }
        assert_eq!(changed["refreshTokenIdle"], 10, "what is left out stays");
        assert_eq!(rig.world.api(&path).await.expect(200).json(), changed);

        rig.api(Method::DELETE, &path, &Value::Null).await.expect(204);
        for method in [Method::GET, Method::DELETE] {
            let answer = rig.api(method, &path, &Value::Null).await;
            assert_eq!(answer.problem(), (404, "application_not_found".to_owned()));
        }
        assert_eq!(rig.api(Method::PATCH, &path, &json!({})).await.problem().0, 404);
        assert_eq!(rig.api(Method::POST, &format!("{path}/secret"), &json!({})).await.problem().0, 404);
        assert!(!rig.proves(id, secret).await);
        for event in ["application.created", "application.changed", "application.removed"] {
            let told = rig.world.audited(event).await;
            assert_eq!((&told["target"], &told["actor"]["type"]), (&json!(id), &json!("api_key")), "{told}");
            assert!(!told.to_string().contains(secret), "{told}");
        }
    }

    async fn what_exists_elsewhere_keeps_its_identifiers(rig: Rig) {
        let id = "old/client?a=%41&b";
        let body = json!({"name": "Old", "profile": "zapier", "redirectUris": [ZAPIER], "clientId": id,
            "clientSecret": "the secret that Zapier has"});
        let made = rig.api(Method::POST, PATH, &body).await.expect(201);
        assert!(!made.body.contains("the secret"), "whoever sent it has it");
        let made = made.json();
        assert_eq!((&made["requirePkce"], &made["redirectUriOptional"]), (&json!(false), &json!(true)));
        assert_eq!((&made["accessTokenPrefix"], &made["corsOrigins"]), (&json!("zat_"), &json!(["https://zapier.com"])));
        assert!(rig.proves(id, "the secret that Zapier has").await && !rig.proves(id, SECRET).await);
        let again = rig.api(Method::POST, PATH, &body).await;
        assert_eq!(again.problem(), (409, "client_id_taken".to_owned()));
        let configured = with(body, "clientId", &json!(ZAPIER_ID));
        assert_eq!(rig.api(Method::POST, PATH, &configured).await.problem(), (409, "client_id_taken".to_owned()));
        let encoded: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let read = rig.world.api(&format!("{PATH}/{encoded}")).await.expect(200).json();
        assert_eq!(read["clientId"], id);
        rig.api(Method::DELETE, &format!("{PATH}/{encoded}"), &Value::Null).await.expect(204);
    }

    async fn two_secrets_are_good_while_one_takes_the_place_of_the_other(rig: Rig) {
        let body = json!({"name": "Reports", "redirectUris": [CALLBACK]});
        let made = rig.api(Method::POST, PATH, &body).await.expect(201).json();
        let (id, first) = (text(&made, "clientId"), text(&made, "clientSecret"));
        let path = format!("{PATH}/{id}/secret");
        let rotate = async |body: &Value| rig.api(Method::POST, &path, body).await;
        // No body at all, as curl sends it.
        let bare = rig.world.backend.send(Method::POST, &rig.path(&path), &[], Bytes::new()).await.expect(201).json();
        let second = text(&bare, "clientSecret");
        assert!(rig.proves(id, first).await && rig.proves(id, second).await);
        let secrets = bare["secrets"].as_array().unwrap();
        assert_eq!((secrets.len(), &secrets[0]["expiresAt"]), (2, &Value::Null));
        rig.world.pass(Duration::from_hours(24));
        assert!(!rig.proves(id, first).await && rig.proves(id, second).await, "a day is over");
        let read = rig.world.api(&format!("{PATH}/{id}")).await.json();
        assert_eq!(read["secrets"].as_array().unwrap().len(), 1);

        let third = rotate(&json!({"overlap": "30d"})).await.expect(201).json();
        let imported = rotate(&json!({"overlap": "90m", "clientSecret": SECRET})).await.expect(201).json();
        assert_eq!(imported.get("clientSecret"), None);
        assert!(!rig.proves(id, second).await, "never three");
        assert!(rig.proves(id, text(&third, "clientSecret")).await && rig.proves(id, SECRET).await);
        rig.world.pass(Duration::from_mins(90));
        assert!(!rig.proves(id, text(&third, "clientSecret")).await, "the shorter end counts");
        let last = rotate(&json!({"overlap": "0s"})).await.expect(201).json();
        assert!(!rig.proves(id, SECRET).await && rig.proves(id, text(&last, "clientSecret")).await);
        assert_eq!(rig.world.audited("application.secret_rotated").await["target"], id);

        for (member, value) in [
            ("overlap", json!("31d")), ("overlap", json!("a day")), ("overlap", json!("")), ("overlap", json!(24)),
            ("clientSecret", json!("short")), ("clientSecret", json!("x".repeat(256))),
            ("clientSecret", json!("õ".repeat(20))), ("clientSecret", json!(1)), ("secret", json!(SECRET)),
        ] {
            refused(&rotate(&json!({member: value})).await, member);
        }
        let unread = rig.world.backend.send(Method::POST, &rig.path(&path), &[], Bytes::from_static(b"{}")).await;
        assert_eq!(unread.problem().0, 415, "a body is never passed over");
    }

    async fn applications_are_listed_once_each_those_of_the_configuration_first(rig: Rig) {
        for number in 0..5 {
            // By any order of letters between, before and behind those of the configuration.
            let id = format!("{}{number}", ["a", "A", "m", "_", "zz"][number]);
            let body = json!({"name": "x", "redirectUris": [CALLBACK], "clientId": id});
            rig.api(Method::POST, PATH, &body).await.expect(201);
        }
        // Registered before the configuration named it: what nobody can use is not shown.
        let hidden = rig.world.server.app.grant.listed(&"a0".parse().unwrap()).await.unwrap();
        let grant::listed::Listed::Row(row) = hidden else { panic!("{hidden:?}") };
        let row = store::applications::Application { client_id: "spa".parse().unwrap(), ..row };
        assert!(rig.world.server.app.store.applications.create(&row).await.unwrap());

        let all = rig.pages(PATH, "applications", 200).await;
        let ids = |rows: &[Value]| rows.iter().map(|row| text(row, "clientId").to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&all[..7]), ["api", "app", "lax", "native", "other", "spa", ZAPIER_ID]);
        assert!(all[..7].iter().all(|row| row["source"] == "configuration" && row["createdAt"].is_null()));
        assert_eq!(all.len(), 12, "{all:?}");
        assert!(!all.iter().any(|row| row.to_string().contains(SECRET)));
        for limit in 1..=13 {
            assert_eq!(rig.pages(PATH, "applications", limit).await, all, "{limit} at a time");
        }
    }

    async fn of_changes_at_the_same_moment_none_is_lost(rig: Rig) {
        let body = json!({"name": "Reports", "redirectUris": [CALLBACK]});
        let path = rig.registered(&body).await;
        let changes = [
            json!({"name": "New"}), json!({"consentText": "New"}), json!({"accessTokenTtl": 60}),
            json!({"refreshLeeway": 1}), json!({"homepage": "https://new.example"}), json!({"serves": [RESOURCE]}),
        ];
        let [one, two, three, four, five, six] = changes.each_ref().map(|change| rig.api(Method::PATCH, &path, change));
        let answers = tokio::join!(one, two, three, four, five, six);
        for answer in [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5] {
            answer.expect(200);
        }
        let read = rig.world.api(&path).await.expect(200).json();
        for change in changes {
            let (member, value) = change.as_object().unwrap().iter().next().unwrap();
            assert_eq!(read[member], *value, "{member}");
        }
    }

    async fn what_an_application_was_given_ends_with_it(rig: Rig) {
        let body = json!({"name": "Reports", "redirectUris": [CALLBACK], "clientId": "gone", "clientSecret": SECRET});
        rig.api(Method::POST, PATH, &body).await.expect(201);
        let tokens = rig.tokens("gone").await;
        rig.userinfo(text(&tokens, "access_token")).await.expect(200);
        // A change takes nothing away.
        rig.api(Method::PATCH, &format!("{PATH}/gone"), &json!({"scopes": ["reports.write"]})).await.expect(200);
        rig.userinfo(text(&tokens, "access_token")).await.expect(200);
        rig.api(Method::DELETE, &format!("{PATH}/gone"), &Value::Null).await.expect(204);
        rig.userinfo(text(&tokens, "access_token")).await.expect(401);
        rig.authorize(&Browser::new(), &Ask::of("gone")).await.expect(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_configuration_is_shown_and_changed_only_there() {
    let rig = Rig::new().await;
    let path = format!("{PATH}/{ZAPIER_ID}");
    let shown = rig.world.api(&path).await.expect(200).json();
    assert_eq!((&shown["source"], &shown["secrets"]), (&json!("configuration"), &Value::Null));
    for (method, path, body) in [
        (Method::PATCH, path.clone(), json!({"name": "x"})),
        (Method::DELETE, path.clone(), Value::Null),
        (Method::POST, format!("{path}/secret"), json!({})),
    ] {
        let answer = rig.api(method, &path, &body).await;
        assert_eq!(answer.problem(), (409, "application_in_configuration".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_without_a_secret_gets_none() {
    let rig = Rig::new().await;
    let base = json!({"name": "x", "redirectUris": [CALLBACK]});
    for (body, authentication) in [
        (with(base.clone(), "public", &json!(true)), "none"),
        (with(base.clone(), "authentication", &json!("none")), "none"),
        (
            with(with(base.clone(), "authentication", &json!("private_key_jwt")), "jwks", &jwks()),
            "private_key_jwt",
        ),
    ] {
        let made = rig.api(Method::POST, PATH, &body).await.expect(201).json();
        assert_eq!((&made["authentication"], &made["secrets"]), (&json!(authentication), &json!([])));
        assert_eq!(made.get("clientSecret"), None);
        let path = format!("{PATH}/{}/secret", text(&made, "clientId"));
        let answer = rig.api(Method::POST, &path, &json!({})).await;
        assert_eq!(answer.problem(), (409, "application_has_no_secret".to_owned()));
        refused(
            &rig.api(Method::POST, PATH, &with(body, "clientSecret", &json!(SECRET))).await,
            "clientSecret",
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one table")]
async fn every_member_has_its_bounds() {
    let rig = Rig::new().await;
    let base = json!({"name": "x", "redirectUris": [CALLBACK]});
    let origins = |count| texts(count, |number| format!("https://{number}.example.com"));
    let uris = |count| texts(count, |number| format!("https://example.com/{number}"));
    let good = [
        ("name", json!("Õ".repeat(80))),
        ("redirectUris", uris(50)),
        ("redirectUris", json!(["http://127.0.0.1/cb", "http://localhost:3000/"])),
        ("scopes", json!([])),
        ("grantTypes", json!(["authorization_code"])),
        ("accessTokenTtl", json!(10)),
        ("refreshTokenTtl", json!(315_360_000)),
        ("refreshLeeway", json!(300)),
        ("accessTokenPrefix", json!("x".repeat(16))),
        ("consentText", json!("Õ".repeat(500))),
        ("homepage", json!("https://example.com")),
        ("corsOrigins", origins(50)),
        ("corsOrigins", json!(["http://localhost:3000"])),
        ("serves", json!([])),
    ];
    for (member, value) in &good {
        let body = with(base.clone(), member, value);
        assert_eq!(rig.api(Method::POST, PATH, &body).await.expect(201).json()[member], *value);
        let path = rig.registered(&base).await;
        let changed = rig.api(Method::PATCH, &path, &json!({*member: value})).await.expect(200).json();
        assert_eq!(changed[member], *value);
    }
    let path = rig.registered(&base).await;
    let bad = [
        ("name", json!("")),
        ("name", json!("  ")),
        ("name", json!("a\u{7}b")),
        ("name", json!("x".repeat(81))),
        ("redirectUris", json!([])),
        ("redirectUris", uris(51)),
        ("redirectUris", json!(["http://example.com/cb"])),
        ("redirectUris", json!(["https://hunter2@example.com/"])),
        ("redirectUris", json!(["https://example.com/#a"])),
        ("redirectUris", json!(["javascript:alert(1)"])),
        ("redirectUris", json!(["/cb"])),
        ("redirectUris", json!([""])),
        ("redirectUris", json!([format!("https://example.com/{}", "x".repeat(2000))])),
        ("scopes", json!(["nothing"])),
        ("scopes", json!(["openid"])),
        ("scopes", json!(["a,b"])),
        ("scopes", json!([""])),
        ("scopes", json!(["a b"])),
        ("grantTypes", json!([])),
        ("grantTypes", json!(["password"])),
        ("grantTypes", json!(["refresh_token"])),
        ("grantTypes", texts(4, |_| "authorization_code".to_owned())),
        ("jwks", jwks()),
        ("accessTokenFormat", json!("paseto")),
        ("accessTokenTtl", json!(9)),
        ("accessTokenTtl", json!(315_360_001)),
        ("accessTokenTtl", json!(-1)),
        ("accessTokenTtl", json!(4_294_967_296_u64)),
        ("refreshTokenIdle", json!(0)),
        ("refreshTokenTtl", json!(9)),
        ("refreshLeeway", json!(301)),
        ("refreshLeeway", json!(0.5)),
        ("accessTokenPrefix", json!("x".repeat(17))),
        ("accessTokenPrefix", json!("a-b")),
        ("refreshTokenPrefix", json!("õ")),
        ("refreshTokenPrefix", json!("cat_")),
        ("consentText", json!("")),
        ("consentText", json!("x".repeat(501))),
        ("consentText", json!("a\nb")),
        ("homepage", json!("")),
        ("homepage", json!("http://example.com")),
        ("homepage", json!("javascript:alert(1)")),
        ("homepage", json!(format!("https://example.com/{}", "x".repeat(2000)))),
        ("corsOrigins", origins(51)),
        ("corsOrigins", json!(["*"])),
        ("corsOrigins", json!(["null"])),
        ("corsOrigins", json!(["https://example.com/"])),
        ("corsOrigins", json!(["https://EXAMPLE.com"])),
        ("corsOrigins", json!(["https://example.com:443"])),
        ("corsOrigins", json!(["ftp://example.com"])),
        ("corsOrigins", json!([format!("https://{}.example", "x".repeat(300))])),
        ("serves", json!(["https://elsewhere.example"])),
        ("serves", json!([""])),
        ("login", json!([])),
        ("login", json!(["ldap"])),
        ("login", json!(["local", "local"])),
    ];
    for (member, value) in &bad {
        refused(&rig.api(Method::PATCH, &path, &json!({*member: value})).await, member);
        refused(&rig.api(Method::POST, PATH, &with(base.clone(), member, value)).await, member);
    }
    let only_new = [
        ("profile", json!("ifttt")),
        ("clientId", json!("")),
        ("clientId", json!("a b")),
        ("clientId", json!("õ")),
        ("clientId", json!("x".repeat(513))),
        ("clientId", json!("usr_00000000000000000000000000000000")),
        ("clientId", json!("https://example.com/client")),
        ("clientId", json!("a:b")),
        ("clientId", json!("..")),
        ("clientId", json!(".")),
        ("clientSecret", json!("fifteen letters")),
        ("clientSecret", json!("x".repeat(256))),
        ("clientSecret", json!("sixteen letters\n")),
        ("clientSecret", json!("")),
        ("authentication", json!("client_secret_basic")),
        ("jwks", json!({"keys": []})),
        ("unknown", json!(1)),
    ];
    for (member, value) in &only_new {
        refused(&rig.api(Method::POST, PATH, &with(base.clone(), member, value)).await, member);
        refused(&rig.api(Method::PATCH, &path, &json!({*member: value})).await, member);
    }
    refused(&rig.api(Method::POST, PATH, &json!({"redirectUris": [CALLBACK]})).await, "name");
    let signed = with(base.clone(), "authentication", &json!("private_key_jwt"));
    refused(&rig.api(Method::POST, PATH, &signed).await, "jwks");
    let mut private = jwks();
    private["keys"][0]["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE");
    let answer = rig.api(Method::POST, PATH, &with(signed, "jwks", &private)).await;
    refused(&answer, "jwks");
    assert!(!answer.body.contains("870MB6"), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_do_not_go_together_are_refused() {
    let rig = Rig::new().await;
    let base = json!({"name": "x", "redirectUris": [CALLBACK]});
    let public = with(base.clone(), "public", &json!(true));
    for (body, member) in [
        (with(public.clone(), "authentication", &json!("client_secret")), "public"),
        (with(with(base.clone(), "public", &json!(false)), "authentication", &json!("none")), "public"),
        (with(public.clone(), "requirePkce", &json!(false)), "requirePkce"),
        (with(public.clone(), "profile", &json!("zapier")), "requirePkce"),
        (with(public.clone(), "redirectUriOptional", &json!(true)), "redirectUriOptional"),
        (with(public, "grantTypes", &json!(["authorization_code", "client_credentials"])), "grantTypes"),
        (
            with(with(base.clone(), "accessTokenFormat", &json!("jwt")), "accessTokenTtl", &json!(86_401)),
            "accessTokenTtl",
        ),
        (with(base, "grantTypes", &json!(["client_credentials", "refresh_token"])), "grantTypes"),
    ] {
        refused(&rig.api(Method::POST, PATH, &body).await, member);
    }
    let alone = json!({"name": "Machine", "grantTypes": ["client_credentials"]});
    assert_eq!(rig.api(Method::POST, PATH, &alone).await.expect(201).json()["redirectUris"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_has_its_type() {
    let rig = Rig::new().await;
    let base = json!({"name": "x", "redirectUris": [CALLBACK]});
    let path = rig.registered(&base).await;
    // The types that a member takes; of the rest each is refused. `null` takes away, and texts have their rules besides.
    let members: [(&str, &[usize]); 20] = [
        ("name", &[3]),
        ("redirectUris", &[]),
        ("scopes", &[]),
        ("grantTypes", &[]),
        ("jwks", &[0]),
        ("accessTokenFormat", &[]),
        ("accessTokenTtl", &[0]),
        ("refreshTokenIdle", &[0]),
        ("refreshTokenTtl", &[0]),
        ("refreshLeeway", &[0]),
        ("accessTokenPrefix", &[3]),
        ("refreshTokenPrefix", &[3]),
        ("requirePkce", &[1]),
        ("redirectUriOptional", &[1]),
        ("consentText", &[0, 3]),
        ("homepage", &[0]),
        ("corsOrigins", &[]),
        ("serves", &[]),
        ("login", &[0]),
        ("hunter2", &[]),
    ];
    for (member, takes) in members {
        for (number, value) in every_type().iter().enumerate() {
            if takes.contains(&number) {
                continue;
            }
            let answer = rig.api(Method::PATCH, &path, &json!({member: value})).await;
            if member == "hunter2" {
                assert_eq!(answer.json()["errors"][0]["code"], "unknown_field");
            } else {
                refused(&answer, member);
            }
        }
    }
    for (body, code) in [("[]", 422), ("null", 422), ("{", 400), ("{\"name\":\"a\",\"name\":\"b\"}", 422)] {
        let headers = [("content-type", "application/json")];
        for (method, path) in [(Method::POST, PATH), (Method::PATCH, &*path)] {
            let answer = rig.world.backend.send(method, &rig.path(path), &headers, Bytes::from(body)).await;
            assert_eq!(answer.status.as_u16(), code, "{body}: {}", answer.body);
        }
    }
    for (query, code) in
        [("limit=0", 400), ("limit=201", 400), ("cursor=a%20b", 400), ("user=x", 400), ("limit=200", 200)]
    {
        assert_eq!(rig.world.api(&format!("{PATH}?{query}")).await.status.as_u16(), code, "{query}");
    }
}
