//! Every page that people see, in a real Chromium at 320, 390 and 1280 pixels, light and dark: nothing for axe-core to
//! find, nothing on the console, nothing from elsewhere, nothing cut off, and light. Their pictures are in
//! `docs/screenshots` (`cargo xtask screenshots`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::harness::Stage;
use crate::harness::chromium::says;
use crate::harness::look::{loaded, noise};
use crate::harness::stage::pictures;

/// Whether the docs have the pictures of a page.
const PICTURED: bool = true;
const UNPICTURED: bool = false;

/// One page a line: its name, what it says, and how a person gets there.
macro_rules! pages {
    ($($name:ident, $pictured:ident, $words:literal, |$stage:ident| $steps:expr;)*) => {
        const PAGES: &[(&str, bool)] = &[$((stringify!($name), $pictured)),*];

        // A browser of a test that failed is closed on another thread.
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
        async fn $name() {
            let Some($stage) = Stage::start().await else { return };
            $steps;
            $stage.shows(stringify!($name), $words, $pictured).await;
        })*
    };
}

pages! {
    onboarding_empty, PICTURED, "Connect one tool to go on.", |stage| stage.onboarding().await;
    onboarding_one_connected, PICTURED, "Connected as anna@example.com", |stage| connected(&stage).await;
    onboarding_to_come, UNPICTURED, "Coming soon", |stage| stage.onboarding_to_all().await;
    onboarding_disconnect, UNPICTURED, "Disconnect Atlassian?", |stage| {
        connected(&stage).await;
        stage.open("/portal/onboarding#disconnect-atlassian").await;
    };
    onboarding_error, PICTURED, "You chose not to allow it", |stage| {
        connected(&stage).await;
        stage.ask("microsoft").await;
        stage.decide("deny").await;
    };
    settings_empty, UNPICTURED, "What you connect stands here", |stage| stage.settings().await;
    settings, PICTURED, "Disconnect GitHub?", |stage| {
        stage.settings().await;
        stage.connect("atlassian", ANNA).await;
        stage.connect("microsoft", ANNA).await;
        stage.connect("github", ANNA).await;
        stage.loses("outlook").await;
        stage.pass(Duration::from_mins(18));
        stage.open("/portal/settings?tab=integrations").await;
        stage.press("#row-github a[data-opens]").await;
    };
    account_question, PICTURED, "You just signed in to Atlassian as", |stage| {
        connected(&stage).await;
        stage.world.control_app("atlassian", &json!({"account": "jaan@example.com"})).await;
        let link = stage.world.auth_url("group=atlassian").await;
        stage.open(&link).await;
        stage.decide("approve").await;
    };
    invitation, PICTURED, "invites you to connect", |stage| {
        let link = stage.invite(Some(ANNA)).await;
        stage.open(&link).await;
    };
    invitation_expired, UNPICTURED, "Email me a new link", |stage| {
        let link = stage.invite(Some(ANNA)).await;
        stage.pass(WEEK);
        stage.open(&link).await;
    };
    done, UNPICTURED, "You are done", |stage| {
        connected(&stage).await;
        stage.press(".advance button:enabled").await;
    };
    stripe_done, UNPICTURED, "Stripe is connected", |stage| stage.open("/onboard-client/done").await;
    sign_in, PICTURED, "Then you decide what", |stage| stage.zapier().await;
    sign_in_by_itself, UNPICTURED, "Sign in", |stage| stage.open("/oauth/access").await;
    consent, PICTURED, "will be able to", |stage| {
        stage.anna().await;
        stage.zapier().await;
        stage.sign_in().await;
    };
    access, PICTURED, "Withdraw", |stage| {
        stage.anna().await;
        stage.agree().await;
        stage.pass(Duration::from_mins(2));
        stage.open("/oauth/access").await;
        stage.press("a[data-opens]").await;
    };
    access_empty, UNPICTURED, "No application has access", |stage| {
        stage.anna().await;
        stage.open("/oauth/access").await;
        stage.sign_in().await;
    };
    cookies_needed, UNPICTURED, "Your browser keeps no cookies", |stage| {
        stage.open("/portal/onboarding?entered=true").await;
    };
    error, PICTURED, "invalid_state", |stage| stage.open("/api/oauth/callback?state=x").await;
    sandbox_consent, PICTURED, "access to your account at GitHub (played by the sandbox)", |stage| {
        stage.onboarding().await;
        stage.ask("github").await;
    };
    sandbox_consent_microsoft, UNPICTURED, "Send mail in your name", |stage| {
        let link = stage.world.auth_url("group=microsoft").await;
        stage.open(&link).await;
    };
    sandbox_stripe, UNPICTURED, "Set up payments with Rowan", |stage| {
        stage.stripe(&json!({"platforms": {"acct_platformsandbox": {"name": "Rowan"}}})).await;
        let link = stage.invite_to_stripe().await;
        stage.open(&link).await;
    };
    sandbox_error, UNPICTURED, "This app may not return there", |stage| {
        let query = "client_id=claviger&response_type=code&redirect_uri=https%3A%2F%2Felsewhere.example%2Fcallback";
        stage.open(&stage.sandbox(&format!("/oauth/authorize?{query}"))).await;
    };
    sandbox_home, UNPICTURED, "Providers that are played", |stage| stage.open(&stage.sandbox("/")).await;
}

/// The address of an invitation.
const ANNA: &str = "anna@example.com";

/// How long an invitation lives.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Anna has connected Atlassian, two minutes ago.
async fn connected(stage: &Stage) {
    stage.onboarding().await;
    stage.connect("atlassian", ANNA).await;
    stage.pass(Duration::from_mins(2));
    stage.open("/portal/onboarding").await;
    says(&stage.window, "Connected as anna@example.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn theme() {
    let folder = tempfile::tempdir().unwrap();
    let logo = folder.path().join("logo.svg");
    let picture = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 80 28'><rect width='80' height='28' fill='#7a2048'/></svg>";
    std::fs::write(&logo, picture).unwrap();
    // As pale and as dark as the page takes them.
    let theme = format!(
        "[portal.theme]\nlogo = \"{}\"\n[portal.theme.light]\naccent = \"#7f63b5\"\n\
         [portal.theme.dark]\naccent = \"#8c78b6\"\naccent_ink = \"#0c0812\"\n",
        logo.display()
    );
    let Some(stage) = Stage::with(&theme).await else { return };
    connected(&stage).await;
    stage.ask("microsoft").await;
    stage.decide("deny").await;
    stage.shows("theme", "You chose not to allow it", UNPICTURED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_page_that_is_wrong_is_found_out() {
    let Some(stage) = Stage::start().await else { return };
    let (window, css) = (&stage.window, stage.sandbox("/assets/sandbox.css"));
    stage
        .open(&format!(
            "data:text/html,<link rel=stylesheet href={css}><script>nowhere()</script><img id=x src=y>"
        ))
        .await;
    let found = stage.findings().await.join("\n");
    for expected in
        ["image-alt: Images must have alternative text", "at #x: ", "html-has-lang", "landmark-one-main"]
    {
        assert!(found.contains(expected), "{expected} in {found}");
    }
    assert!(noise(window).await.iter().any(|message| message.contains("nowhere is not defined")));
    let loaded = loaded(window).await;
    assert!(loaded.foreign.contains(&css) && loaded.weight > 0, "{loaded:?}");
    stage.window.quit().await.unwrap();
}

#[test]
fn the_docs_have_the_picture_of_every_page_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screenshots");
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let pictures_there = files.filter(|path| path.extension().is_some_and(|extension| extension == "png"));
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let there: BTreeSet<String> = pictures_there.map(name).collect();
    let listed = PAGES
        .iter()
        .filter(|(_, pictured)| *pictured)
        .flat_map(|(page, _)| pictures(page))
        .map(|name| format!("{name}.png"))
        .collect();
    assert_eq!(there, listed, "write them with `cargo xtask screenshots`");
}
