//! Who signs in: the login back ends beside our own passwords, each with a stand-in that speaks as it is documented, and that can
//! misbehave on command.

mod gotrue;
mod handoff;
mod http;
mod oidc;
mod stand_in;

use serde_json::Value;
use url::Url;

use super::rig::{Ask, Rig, hidden};
use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser};
use stand_in::StandIn;

const SHARED: &str = "a-shared-secret-of-32-characters";

/// Nothing in the data directory has these secrets. What is known to lie there has to be found: or it was looked for elsewhere.
fn check_at_rest(rig: &Rig, known: &str, secrets: &[&str]) {
    let files = std::fs::read_dir(rig.world.data()).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.is_file()).collect();
    let has = |secret: &str| {
        let found = files.iter().find(|file| {
            std::fs::read(file).unwrap().windows(secret.len()).any(|part| part == secret.as_bytes())
        });
        found.cloned()
    };
    assert!(has(known).is_some(), "{known} in {files:?}");
    for secret in secrets {
        assert_eq!(has(secret), None);
    }
}

/// A browser at the sign-in page of a request.
struct Visit<'a> {
    rig: &'a Rig,
    browser: Browser,
    page: Url,
    shown: Answer,
}

impl<'a> Visit<'a> {
    async fn begin(rig: &'a Rig) -> Self {
        // Nobody's earlier consent counts, so that every visit sees the page of it.
        Self::asking(rig, &Ask::of("app").with("prompt", "consent")).await
    }

    async fn asking(rig: &'a Rig, ask: &Ask) -> Self {
        let browser = Browser::new();
        let page = rig.authorize(&browser, ask).await.expect(303).location();
        let shown = browser.get(&page).await.expect(200);
        Self { rig, browser, page, shown }
    }

    /// Sends the form of the page.
    async fn send(&self, fields: &[(&str, &str)]) -> Answer {
        let csrf = hidden(&self.shown, "csrf");
        self.browser.bare_form(&self.page, &[&[("csrf", &*csrf)], fields].concat()).await
    }

    async fn password(&self, email: &str, password: &str) -> Answer {
        self.send(&[("email", email), ("password", password)]).await
    }

    /// Agrees, once signed in; what userinfo says of the person then.
    async fn agree(&self, team: Option<&str>) -> Value {
        let tokens = self.tokens(team).await;
        self.rig.userinfo(tokens["access_token"].as_str().unwrap()).await.expect(200).json()
    }

    /// Agrees, once signed in; what the application gets then.
    async fn tokens(&self, team: Option<&str>) -> Value {
        let consent = self.browser.get(&self.page).await.expect(200);
        let csrf = hidden(&consent, "csrf");
        let mut fields = vec![("csrf", &*csrf), ("decision", "authorize")];
        fields.extend(team.map(|team| ("team", team)));
        let back = self.browser.bare_form(&self.page, &fields).await.expect(303).location();
        let code = parameter(&back, "code").unwrap_or_else(|| panic!("no code in {back}"));
        self.rig.redeem("app", &code).await.expect(200).json()
    }

    /// Whether the browser is signed in well enough for an application that wants a proof of that age at most.
    async fn is_believed_for(&self, max_age: &str) -> bool {
        self.gets_a_code(&Ask::of("app").with("max_age", max_age).with("prompt", "none")).await
    }

    /// Whether it is signed in at all, and what was agreed to goes on.
    async fn is_believed(&self) -> bool {
        self.gets_a_code(&Ask::of("app").with("prompt", "none")).await
    }

    async fn gets_a_code(&self, ask: &Ask) -> bool {
        let told = self.rig.authorize(&self.browser, ask).await.expect(303).location();
        parameter(&told, "code").is_some()
    }

    /// Whether the page asks for consent by now.
    async fn is_signed_in(&self) -> bool {
        let page = self.browser.get(&self.page).await;
        page.body.contains("value=\"authorize\"") || page.status == 303
    }
}
