//! The demo application that asks the demo user for access. Secret and password follow from the key of the data directory, so they
//! are the same at every start and lie nowhere in clear.

use anyhow::Context as _;
use grant::application::{NewApplication, plain};
use grant::users::NewUser;
use grant::{Error, Grant};
use model::{Actor, ProblemCode, RedirectUri, Secret};
use serde_json::{Value, json};
use vault::MasterKey;

const CLIENT_ID: &str = "demo";
const EMAIL: &str = "demo@example.com";
/// Nobody listens there: the code stands in the browser's address line. Any other port is as good (RFC 8252 §7.3).
const REDIRECT_URI: &str = "http://127.0.0.1:8976/callback";
const SCOPES: [&str; 2] = ["reports.read", "reports.write"];

/// The verifier and the challenge of RFC 7636 appendix B: good for looking, not for anything else.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// How many characters of what follows from the key make a password that can be typed.
const PASSWORD_LENGTH: usize = 20;

pub(super) struct Demo {
    secret: Secret<String>,
    password: Secret<String>,
}

impl Demo {
    pub(super) fn of(master: &MasterKey) -> Self {
        let secret = format!("cvs_{}", master.derive("claviger dev application secret v1").expose());
        let mut password = master.derive("claviger dev password v1").expose().clone();
        password.truncate(PASSWORD_LENGTH);
        Self { secret: Secret::new(secret), password: Secret::new(password) }
    }

    /// Registers application and user, unless they are there.
    pub(super) async fn make(&self, grant: &Grant) -> anyhow::Result<()> {
        let redirect_uri: RedirectUri = REDIRECT_URI.parse().context("the demo redirect URI")?;
        let mut settings = plain("Demo application", vec![redirect_uri]);
        settings.scopes = SCOPES.into_iter().map(str::to_owned).collect();
        let new = NewApplication {
            client_id: Some(CLIENT_ID.parse().context("the demo client id")?),
            secret: Some(self.secret.clone()),
            settings,
        };
        there(grant.register(new, Actor::System).await.map(drop), ProblemCode::ClientIdTaken)?;
        let user = NewUser {
            email: EMAIL.to_owned(),
            name: Some("Demo User".to_owned()),
            password: self.password.clone(),
            teams: Vec::new(),
        };
        there(grant.create_user(user, Actor::System).await.map(drop), ProblemCode::UserExists)
    }

    pub(super) fn user(&self) -> Value {
        json!({"email": EMAIL, "password": self.password.expose()})
    }

    pub(super) fn application(&self) -> Value {
        json!({
            "clientId": CLIENT_ID, "clientSecret": self.secret.expose(), "redirectUri": REDIRECT_URI, "scopes": SCOPES,
        })
    }

    /// What a person can do with it.
    pub(super) fn words(&self, url: &str) -> String {
        let (secret, password) = (self.secret.expose(), self.password.expose());
        format!(
            "  An application asks for access (sign in as {EMAIL}, {password}):\n\n  \
             {url}/oauth/authorize?response_type=code&client_id={CLIENT_ID}&redirect_uri={REDIRECT_URI}\
             &scope=openid+email+reports.read&code_challenge={CHALLENGE}&code_challenge_method=S256&state=x\n\n  \
             The code that the browser comes back with, for tokens:\n\n  \
             curl -u '{CLIENT_ID}:{secret}' {url}/oauth/token -d grant_type=authorization_code \\\n       \
             -d redirect_uri={REDIRECT_URI} -d code_verifier={VERIFIER} -d code=CODE\n"
        )
    }
}

/// What was there before is as good.
fn there(made: grant::Result<()>, before: ProblemCode) -> anyhow::Result<()> {
    match made {
        Err(Error::Problem { code, .. }) if code == before => Ok(()),
        made => Ok(made?),
    }
}
