//! Applications, as an operator registers them.

use std::io::Write as _;
use std::process::Stdio;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};

use super::on_both_databases;
use super::rig::{Rig, Said};
use crate::harness::Browser;
use crate::harness::process::command;

const ZAPIER: &str = "https://zapier.com/dashboard/auth/oauth/return/App235737CLIAPI/";
const CALLBACK: &str = "https://app.example.com/callback";

impl Rig {
    /// A file in the folder of this test.
    pub(super) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("file:{}", path.display())
    }

    /// Runs a command beside the server that reads this from standard input.
    pub(super) fn fed(&self, arguments: &[&str], input: &str) -> Said {
        let arguments = [arguments, &["--config", &self.config]].concat();
        let mut child = command(&arguments, &[])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Whether an application proves who it is with this secret: then only its refresh token is wrong.
    async fn proves(&self, client: &str, secret: &str) -> bool {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "none"),
            ("client_id", client),
            ("client_secret", secret),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let url = format!("{}/oauth/token", self.url);
        let answer = Browser::new().send(Method::POST, &url, &headers, Bytes::from(body)).await;
        match answer.json()["error"].as_str() {
            Some("invalid_grant") => true,
            Some("invalid_client") => false,
            _ => panic!("{answer:?}"),
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

on_both_databases! {
    async fn an_application_is_registered_shown_rotated_and_removed(rig: Rig) {
        let create = ["app", "create", "--name", "Zapier", "--profile", "zapier", "--redirect-uri", ZAPIER, "--scope",
            "reports.read", "--consent-text", "Runs your Zaps."];
        let made = rig.through(&[&create[..], &["--json"]].concat()).json();
        let (id, first) = (text(&made, "clientId"), text(&made, "clientSecret"));
        assert!(id.starts_with("app_") && first.starts_with("cvs_"), "{made}");
        assert!(rig.proves(id, first).await);
        let shown = rig.beside(&create).expect(0);
        assert!(shown.contains("\nclient secret     cvs_") && shown.ends_with("The secret is shown this once.\n"), "{shown}");

        let shown = rig.both(&["app", "show", id]).expect(0);
        for part in ["Runs your Zaps.", "not required", ZAPIER, "good until it is rotated", "https://zapier.com"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("cvs_"), "{shown}");
        let list = rig.both(&["app", "list"]).expect(0);
        assert!(list.contains("own") && list.contains("configuration") && list.contains(id), "{list}");
        assert!(!list.contains("cvs_"), "{list}");

        let rotated = rig.beside(&["app", "rotate", id, "--json"]).json();
        let second = text(&rotated, "clientSecret");
        assert!(rig.proves(id, first).await && rig.proves(id, second).await, "a day long");
        let shown = rig.both(&["app", "show", id]).expect(0);
        assert!(shown.contains("ends in 23 h ("), "{shown}");
        let source = rig.file("third", "a third secret of its own\n");
        let rotate = ["app", "rotate", id, "--overlap", "0s", "--client-secret-from", &source];
        let said = rig.through(&rotate).expect(0);
        assert!(!said.contains("a third secret"), "{said}");
        assert!(!rig.proves(id, second).await && rig.proves(id, "a third secret of its own").await);
        rig.both(&["app", "rotate", id, "--overlap", "a day"]).expect_err_with(2, "(validation_failed)");

        let gone = rig.through(&["app", "remove", id]).expect(0);
        assert!(gone.contains("is removed, with every consent"), "{gone}");
        rig.both(&["app", "show", id]).expect_err_with(1, "(application_not_found)");
        rig.both(&["app", "remove", id]).expect_err_with(1, "(application_not_found)");
        assert!(!rig.proves(id, "a third secret of its own").await);
    }

    async fn an_application_keeps_the_identifiers_that_exist_and_no_secret_is_an_argument(rig: Rig) {
        let id = "old/zap?a=%41";
        let create = ["app", "create", "--name", "Old", "--redirect-uri", CALLBACK, "--client-id", id, "--client-secret-from"];
        rig.both(&[&create[..], &["a plain secret, for everybody"]].concat()).expect_err_with(3, "everybody on this machine");
        let made = rig.fed(&[&create[..], &["-"]].concat(), "the secret that it has\n").expect(0);
        assert!(made.contains(id) && !made.contains("the secret that it has") && !made.contains("cvs_"), "{made}");
        assert!(rig.proves(id, "the secret that it has").await);
        let source = rig.file("secret", "the secret that it has");
        rig.both(&[&create[..], &[&source]].concat()).expect_err_with(1, "(client_id_taken)");
        let short = rig.file("short", "short");
        rig.both(&[&create[..], &[&short]].concat()).expect_err_with(2, "(validation_failed)");
        let shown = rig.both(&["app", "show", id, "--json"]).json();
        assert_eq!(shown["clientId"], id);
        rig.through(&["app", "remove", id]).expect(0);
        rig.both(&["app", "show", id]).expect_err_with(1, "(application_not_found)");
    }

    async fn what_an_application_is_stands_in_options(rig: Rig) {
        let create = ["app", "create", "--redirect-uri", "http://127.0.0.1/cb", "--redirect-uri", CALLBACK, "--json"];
        let made = |more: &[&str]| rig.beside(&[&create[..], more].concat()).json();
        let public = made(&["--name", "Native", "--public"]);
        assert_eq!((&public["authentication"], public.get("clientSecret")), (&json!("none"), None));
        assert_eq!(public["redirectUris"], json!(["http://127.0.0.1/cb", CALLBACK]));
        let own = made(&["--name", "Own", "--jwt", "--require-pkce", "false", "--homepage", "https://example.com",
            "--cors-origin", "https://example.com", "--grant-type", "authorization_code", "--serves", "http://127.0.0.1:1"]);
        assert_eq!((&own["accessTokenFormat"], &own["requirePkce"]), (&json!("jwt"), &json!(false)));
        assert_eq!((&own["corsOrigins"], &own["serves"]), (&json!(["https://example.com"]), &json!(["http://127.0.0.1:1"])));
        assert_eq!((&own["grantTypes"], &own["homepage"]), (&json!(["authorization_code"]), &json!("https://example.com")));
        // RFC 7517 appendix A.1, for signatures.
        let key = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "use": "sig", "kid": "1"}]});
        let file = rig.file("jwks.json", &key.to_string());
        let signs = made(&["--name", "Signs", "--jwks", file.trim_start_matches("file:")]);
        assert_eq!((&signs["authentication"], &signs["jwks"]), (&json!("private_key_jwt"), &key));
        for id in [&public, &signs].map(|made| text(made, "clientId")) {
            rig.both(&["app", "rotate", id]).expect_err_with(1, "(application_has_no_secret)");
        }
        for (more, code, part) in [
            (&["--public", "--require-pkce", "false"][..], 2, "(validation_failed)"),
            (&["--profile", "ifttt"], 2, "(validation_failed)"),
            (&["--scope", "nothing"], 2, "(validation_failed)"),
            (&["--redirect-uri", "http://example.com/cb"], 2, "(validation_failed)"),
            (&["--require-pkce", "perhaps"], 2, "perhaps"),
            (&["--client-id", "a b"], 2, "client id"),
            (&["--public", "--jwks", "x"], 2, "--jwks"),
            (&["--jwks", "/nowhere/jwks.json"], 3, "/nowhere/jwks.json"),
            (&["--jwks", &rig.config], 3, "not JSON"),
            (&["--client-secret-from", "env:NOBODY_SET_THIS"], 3, "--client-secret-from"),
        ] {
            let create = ["app", "create", "--name", "x", "--redirect-uri", CALLBACK];
            let create = [&create[..], more].concat();
            rig.beside(&create).expect_err_with(code, part);
            rig.through(&create).expect_err_with(code, part);
        }
        assert_eq!(rig.both(&["app", "list", "--json"]).json()["applications"].as_array().unwrap().len(), 4);
    }

    async fn an_application_of_the_configuration_file_is_shown_and_stays(rig: Rig) {
        let shown = rig.both(&["app", "show", "own"]).expect(0);
        assert!(shown.contains("configuration") && shown.contains("nothing (public)"), "{shown}");
        for command in ["rotate", "remove"] {
            rig.both(&["app", command, "own"]).expect_err_with(1, "(application_in_configuration)");
        }
    }
}
