//! The pages in a real Chromium: a person signs in, chooses, agrees, cancels, withdraws.

use axum::Router;
use axum::routing::get;
use grant::application::{NewApplication, plain};
use model::{Actor, Secret};
use thirtyfour::prelude::*;
use tokio::net::TcpListener;

use super::rig::{CHALLENGE, EMAIL, PASSWORD, Rig, SECRET};
use crate::harness::chromium::{click, is_sound, nothing_was_blocked, says, window};

/// An application that listens, and a person in front of a browser.
struct Scene {
    rig: Rig,
    window: WebDriver,
    address: String,
}

impl Scene {
    /// `None` where there is no Chromium.
    async fn new(teams: &[(&str, &str)]) -> Option<Self> {
        let window = window("en").await?;
        let rig = Rig::new().await;
        rig.add_user("bert@example.com", teams).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let redirect_uri = format!("http://{}/callback", listener.local_addr().unwrap());
        let application = Router::new().route("/callback", get(async || "The application has you back."));
        tokio::spawn(async move { axum::serve(listener, application).await });
        let grant = &rig.world.server.app.grant;
        let mut settings = plain("Reporter", vec![redirect_uri.parse().unwrap()]);
        settings.scopes = grant.settings().all_scopes();
        let new = NewApplication {
            client_id: Some("reporter".parse().unwrap()),
            secret: Some(Secret::from(SECRET)),
            settings,
        };
        grant.register(new, Actor::Operator).await.unwrap();
        let address = format!(
            "{}/oauth/authorize?response_type=code&client_id=reporter&redirect_uri={redirect_uri}&scope=reports.read\
             &state=x&code_challenge={CHALLENGE}&code_challenge_method=S256",
            rig.world.url
        );
        Some(Self { rig, window, address })
    }

    async fn arrive(&self) {
        self.window.goto(&self.address).await.unwrap();
    }

    async fn sign_in(&self, email: &str, password: &str) {
        for (id, text) in [("email", email), ("password", password)] {
            let field = self.window.find(By::Id(id)).await.unwrap();
            field.clear().await.unwrap();
            field.send_keys(text).await.unwrap();
        }
        click(&self.window, "button.button-primary").await;
    }

    async fn end(self) {
        nothing_was_blocked(&self.window).await;
        self.window.quit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_chooses_a_team_and_agrees_and_the_application_has_them_back() {
    let teams = [("northwind", "Northwind OÜ"), ("tamm", "Tamm Consulting")];
    let Some(scene) = Scene::new(&teams).await else { return };
    scene.arrive().await;
    says(&scene.window, "Then you decide what").await;
    is_sound(&scene.window, "en").await;
    scene.sign_in("bert@example.com", "wrong password").await;
    says(&scene.window, "is not right").await;
    scene.sign_in("bert@example.com", PASSWORD).await;
    says(&scene.window, "will be able to").await;
    says(&scene.window, "Read your team’s reports").await;
    is_sound(&scene.window, "en").await;
    click(&scene.window, "input[name=team][value=tamm]").await;
    click(&scene.window, "button[value=authorize]").await;
    says(&scene.window, "The application has you back.").await;
    let grants = scene.rig.world.server.app.grant.consents(None, None, None, 10).await.unwrap();
    assert_eq!(grants[0].team.as_ref().unwrap().as_str(), "tamm");
    // Which team it is for is theirs to say the second time too.
    scene.arrive().await;
    click(&scene.window, "input[name=team][value=northwind]").await;
    click(&scene.window, "button[value=authorize]").await;
    says(&scene.window, "The application has you back.").await;
    let grants = scene.rig.world.server.app.grant.consents(None, None, None, 10).await.unwrap();
    assert_eq!(grants.len(), 2);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_agreed_before_is_not_asked_again() {
    let Some(scene) = Scene::new(&[("northwind", "Northwind OÜ")]).await else { return };
    scene.arrive().await;
    scene.sign_in("bert@example.com", PASSWORD).await;
    click(&scene.window, "button[value=authorize]").await;
    says(&scene.window, "The application has you back.").await;
    scene.arrive().await;
    says(&scene.window, "The application has you back.").await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_leads_back_from_both_pages_and_somebody_else_can_sign_in() {
    let Some(scene) = Scene::new(&[]).await else { return };
    scene.arrive().await;
    click(&scene.window, "button[value=cancel]").await;
    says(&scene.window, "The application has you back.").await;
    let at = scene.window.current_url().await.unwrap();
    assert!(at.as_str().contains("error=access_denied"), "{at}");
    scene.arrive().await;
    scene.sign_in(EMAIL, PASSWORD).await;
    says(&scene.window, "signed in as").await;
    click(&scene.window, "button[value=switch]").await;
    says(&scene.window, "Then you decide what").await;
    scene.sign_in("bert@example.com", PASSWORD).await;
    says(&scene.window, "bert@example.com").await;
    click(&scene.window, "button[value=cancel]").await;
    says(&scene.window, "The application has you back.").await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_what_applications_may_do_and_withdraws_it() {
    let Some(scene) = Scene::new(&[]).await else { return };
    scene.window.goto(scene.rig.path("/oauth/access")).await.unwrap();
    scene.sign_in(EMAIL, PASSWORD).await;
    says(&scene.window, EMAIL).await;
    is_sound(&scene.window, "en").await;
    scene.arrive().await;
    click(&scene.window, "button[value=authorize]").await;
    says(&scene.window, "The application has you back.").await;
    scene.window.goto(scene.rig.path("/oauth/access")).await.unwrap();
    says(&scene.window, "Reporter").await;
    is_sound(&scene.window, "en").await;
    click(&scene.window, "a[data-opens]").await;
    click(&scene.window, "button[name=withdraw]").await;
    says(&scene.window, "No application has access").await;
    let left = scene.rig.world.server.app.grant.consents(None, None, None, 10).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    click(&scene.window, "button[value=sign_out]").await;
    says(&scene.window, "Sign in").await;
    scene.end().await;
}
