//! What others know of Stripe: its published description, and its own libraries.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use axum::http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Stripe, error};

/// Runs a script of `tests/foreign/stripe`, or says on a line that the test is skipped.
async fn run(program: &str, script: &str, argument: &str, input: String) -> Option<Output> {
    let variables = [program, "CLAVIGER_TEST_FOREIGN"].map(std::env::var);
    let [Ok(interpreter), Ok(folder)] = variables else {
        let required = std::env::var("CLAVIGER_TEST_REQUIRE").as_deref() == Ok("1");
        assert!(!required, "CLAVIGER_TEST_REQUIRE=1, but {program} or CLAVIGER_TEST_FOREIGN is missing");
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "skipped: {test} (no {program}; run `cargo xtask test`)");
        return None;
    };
    let mut command = Command::new(interpreter);
    command.arg(PathBuf::from(folder).join("stripe").join(script)).arg(argument);
    let running = tokio::task::spawn_blocking(move || {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    Some(running.await.unwrap())
}

/// A library has a clock of its own, by which it judges signatures.
async fn library(program: &str, script: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(claviger_sandbox::serve(listener, std::future::pending()));
    let Some(output) = run(program, script, &base, String::new()).await else { return };
    let printed = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success() && printed[0] == "done\n", "{printed:?}");
}

#[tokio::test]
async fn stripes_library_for_node_gets_along_with_the_sandbox() {
    library("CLAVIGER_TEST_NODE", "sdk.mjs").await;
}

#[tokio::test]
async fn stripes_library_for_python_gets_along_with_the_sandbox() {
    library("CLAVIGER_TEST_PYTHON", "sdk.py").await;
}

#[tokio::test]
async fn every_answer_is_as_stripes_published_description_says() {
    let stripe = Stripe::start().await;
    let mut lines = Vec::new();
    let mut note =
        |schema: &str, value: Value| lines.push(json!({"schema": schema, "value": value}).to_string());

    let fields = [
        ("type", "express"),
        ("country", "EE"),
        ("email", "anna@example.com"),
        ("metadata[client]", "7"),
        ("business_profile[name]", "Anna"),
    ];
    let account = stripe.post("/v1/accounts", &fields).await.json();
    let id = account["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/accounts/{id}");
    note("account", account);
    note("account", stripe.get("/v1/account").await.json());
    let fields = [
        ("account", &*id),
        ("type", "account_onboarding"),
        ("return_url", super::RETURN),
        ("refresh_url", super::REFRESH),
    ];
    let link = stripe.post("/v1/account_links", &fields).await.json();
    note("account_link", link);
    for outcome in ["pending", "complete"] {
        stripe.set(json!({"onboarding": outcome})).await;
        let link = stripe.link(&id).await;
        assert_eq!(stripe.bench.get(&link).await.status, 303);
        note("account", stripe.get(&path).await.json());
    }
    note("account[]", stripe.get("/v1/accounts?limit=1").await.json());

    let payment = [
        ("amount", "1250"),
        ("currency", "eur"),
        ("capture_method", "manual"),
        ("application_fee_amount", "50"),
        ("transfer_data[destination]", &id),
        ("automatic_payment_methods[enabled]", "true"),
    ];
    let intent = stripe.post("/v1/payment_intents", &payment).await.json();
    let intent_path = format!("/v1/payment_intents/{}", intent["id"].as_str().unwrap());
    note("payment_intent", intent);
    for (deed, method) in
        [("confirm", "pm_card_chargeDeclined"), ("confirm", "pm_card_visa"), ("capture", "")]
    {
        let fields: &[_] = if method.is_empty() { &[] } else { &[("payment_method", method)] };
        let answer = stripe.post(&format!("{intent_path}/{deed}"), fields).await;
        note(if answer.status == 200 { "payment_intent" } else { "error" }, answer.json());
        note("payment_intent", stripe.get(&intent_path).await.json());
    }
    let direct =
        stripe.post_with("/v1/payment_intents", &payment[..2], &[("stripe-account", &id)]).await.json();
    let cancel = format!("/v1/payment_intents/{}/cancel", direct["id"].as_str().unwrap());
    note("payment_intent", stripe.post_with(&cancel, &[], &[("stripe-account", &id)]).await.json());
    note("payment_intent[]", stripe.get("/v1/payment_intents").await.json());

    for (path, fields) in [
        ("/v1/accounts", &[("colour", "red")][..]),
        ("/v1/accounts/acct_0", &[]),
        ("/v1/payment_intents/pi_0", &[]),
        (&cancel, &[]),
        (&format!("{intent_path}/cancel"), &[]),
        ("/v1/nothing", &[]),
    ] {
        let answer = stripe.post(path, fields).await;
        assert!(answer.status.is_client_error(), "{path}: {:?}", error(&answer));
        note("error", answer.json());
    }
    for kind in [500, 429, 409] {
        stripe.set(json!({"fail": {"kind": kind}})).await;
        note("error", stripe.get("/v1/accounts").await.json());
    }
    note("error", stripe.bench.get("/v1/accounts").await.json());

    stripe.control(Method::POST, &format!("/accounts/{id}/deauthorize"), json!(null)).await;
    let events = stripe.control(Method::GET, "/events", json!(null)).await.json();
    for row in events["events"].as_array().unwrap() {
        let (event, object) = (&row["event"], &row["event"]["data"]["object"]);
        note("event", event.clone());
        note(object["object"].as_str().unwrap(), object.clone());
    }
    note("event[]", stripe.get("/v1/events").await.json());
    let second = stripe.account().await;
    let delete = stripe.authorized(stripe.bench.request(Method::DELETE, &format!("/v1/accounts/{second}")));
    note("deleted_account", stripe.bench.send(delete, "").await.json());

    let Some(output) = run("CLAVIGER_TEST_NODE", "validate.mjs", "", lines.join("\n")).await else { return };
    let printed = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{}{}", printed[0], printed[1]);
    let seen: Value = serde_json::from_str(printed[0].trim()).unwrap();
    assert!(seen["event"].as_u64().unwrap() >= 8 && seen["application"] == 1, "{seen}");
}
