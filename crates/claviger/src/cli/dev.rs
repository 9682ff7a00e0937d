//! Everything on, on loopback, on the embedded store. Key and demo data are made at the first start and kept in the
//! data directory, and beside them the configuration that it runs with, for the other commands. The API key follows from
//! the key, so it is the same at every start and lies nowhere in clear.

mod application;
mod configuration;
mod played;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use http_plane::Demo;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use model::{ApiKeyScope, ApiKeyScopes, Clock, Secret, SubjectId, SystemClock};
use provider::client::{Call, ClientSettings, HttpClient};
use serde_json::{Value, json};
use store::Store;
use store::api_keys::ApiKey;
use url::Url;
use vault::{MasterKey, TokenHash};

use super::{End, block_on, files, told_to_stop};
use crate::server::{Listeners, Server, bind};
use crate::{logging, wiring};

const SUBJECT: &str = "demo";

/// The name of the demo's API keys.
const API_KEY: &str = "dev";

#[derive(Args)]
pub(super) struct DevArgs {
    /// Where key, database and demo data are kept
    #[arg(long, value_name = "DIR", default_value = "data/dev")]
    data_dir: PathBuf,
    /// The port on loopback; 0 for any that is free
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Use a sandbox that is already running
    #[arg(long, value_name = "URL")]
    sandbox: Option<Url>,
    /// Let the sandbox play a provider too, such as github; may be repeated
    #[arg(long = "as", value_name = "FAMILY", long_help = played_help())]
    played: Vec<played::Choice>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

fn played_help() -> String {
    format!(
        "Let the sandbox play a provider too, such as github; may be repeated\n\n{}; one name in brackets; or all",
        played::known()
    )
}

pub(super) fn run(args: &DevArgs) -> anyhow::Result<End> {
    block_on(async {
        let stop = told_to_stop()?;
        configuration::is_ours_to_write(&args.data_dir)?;
        wiring::make_data_dir(&args.data_dir)?;
        let key = files::key_file(&args.data_dir)?;
        let listener = bind("--port", SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await?;
        let public_url = format!("http://{}", listener.local_addr()?);
        let (stop_sandbox, sandbox_stopped) = tokio::sync::oneshot::channel::<()>();
        let (sandbox_url, sandbox_task) = if let Some(url) = &args.sandbox {
            (url.as_str().trim_end_matches('/').to_owned(), None)
        } else {
            let listener = bind("sandbox", SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
            let url = format!("http://{}", listener.local_addr()?);
            let stopped = async {
                // Told, or the sender is gone: both mean stop.
                let _ = sandbox_stopped.await;
            };
            (url, Some(tokio::spawn(sandbox::serve(listener, stopped))))
        };

        let catalog = played::write(&args.data_dir, &args.played, &sandbox_url)?;
        let settings = configuration::Start {
            data_dir: &args.data_dir,
            key: &key,
            catalog: catalog.as_deref(),
            integrations: played::configured(&args.played),
            public_url: &public_url,
            sandbox_url: &sandbox_url,
        };
        let settings = settings.settings()?;
        let config = configuration::load(&settings)?;
        logging::start(&config.log);
        let subject: SubjectId = SUBJECT.parse().context("the demo subject")?;
        let master = wiring::check(&config)?.master;
        configuration::write(&args.data_dir, &settings)?;
        let listeners = Listeners { public: listener, backend: None };
        let demo = Demo { subject: subject.clone() };
        let mut stop = pin!(stop);
        let server = tokio::select! {
            server = Server::start(&config, listeners, Arc::new(SystemClock), Some(demo)) => server?,
            () = &mut stop => return Ok(End::Done),
        };
        server.app.store.subjects.ensure(&subject, SystemClock.now()).await?;
        let api_key = api_key(&server.app.store, &master).await?;
        let demo = application::Demo::of(&master);
        demo.make(&server.app.grant).await?;
        receive_events(&sandbox_url, &public_url).await?;
        let printed = Printed {
            url: &public_url,
            sandbox: &sandbox_url,
            key: &api_key,
            subject: &subject,
            played: &played::integrations(&args.played),
            demo: &demo,
        };
        printed.print(args.json)?;

        stop.await;
        server.stop().await;
        // A sandbox of our own ends with us; one that has ended already needs no word.
        let _ = stop_sandbox.send(());
        if let Some(task) = sandbox_task {
            task.await??;
        }
        Ok(End::Done)
    })
}

/// Tells the sandbox's Stripe where its events go.
async fn receive_events(sandbox_url: &str, public_url: &str) -> anyhow::Result<()> {
    let allow_private = vec![sandbox_url.trim_start_matches("http://").to_owned()];
    let http = HttpClient::new(ClientSettings { allow_private, ..ClientSettings::default() })?;
    let body = json!({ "webhook": { "url": format!("{public_url}/connect/webhooks/stripe") } }).to_string();
    let call = Call::new(Method::PUT, &format!("{sandbox_url}/control/stripe"))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(body);
    let answer = http.send(call).await.context("telling the sandbox where Stripe's events go")?;
    anyhow::ensure!(
        answer.status == 200,
        "the sandbox at {sandbox_url} does not know Stripe: is it as new as this?"
    );
    Ok(())
}

/// The demo's API key: it follows from the key of the data directory, and from how many were revoked before it, since
/// a revoked key never works again.
async fn api_key(store: &Store, master: &MasterKey) -> anyhow::Result<Secret<String>> {
    let keys = store.api_keys.list().await?;
    let revoked = keys.iter().filter(|key| key.name == API_KEY && key.revoked_at.is_some()).count();
    let purpose = format!("claviger dev API key v{}", revoked + 1);
    let key = Secret::new(format!("cvk_{}", master.derive(&purpose).expose()));
    let hash = TokenHash::of(key.expose());
    if store.api_keys.find(&hash).await?.is_none() {
        let row = ApiKey {
            id: vault::random::id(),
            name: API_KEY.to_owned(),
            scopes: ApiKeyScopes::from_iter([ApiKeyScope::Admin]),
            created_at: SystemClock.now(),
            revoked_at: None,
        };
        store.api_keys.create(&row, &hash).await?;
    }
    Ok(key)
}

/// What a start says.
struct Printed<'a> {
    url: &'a str,
    sandbox: &'a str,
    key: &'a Secret<String>,
    subject: &'a SubjectId,
    played: &'a [&'a str],
    demo: &'a application::Demo,
}

impl Printed<'_> {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        let text = if json { format!("{}\n", self.line()) } else { self.words() };
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }

    fn onboarding(&self) -> String {
        format!("{}/portal/onboarding", self.url)
    }

    fn line(&self) -> Value {
        let integrations: Vec<&str> = std::iter::once("sandbox").chain(self.played.iter().copied()).collect();
        json!({
            "publicUrl": self.url, "backendUrl": self.url, "sandboxUrl": self.sandbox,
            "onboardingUrl": self.onboarding(), "apiKey": self.key.expose(),
            "subject": self.subject.as_str(), "integrations": integrations,
            "user": self.demo.user(), "application": self.demo.application(),
        })
    }

    fn words(&self) -> String {
        let Self { url, sandbox, subject, .. } = self;
        let plays = match self.played {
            [] => String::new(),
            _ => format!("  It plays:            {}\n", self.played.join(", ")),
        };
        let first = self.played.first().unwrap_or(&"sandbox");
        let (onboarding, key) = (self.onboarding(), self.key.expose());
        let asked = self.demo.words(url);
        format!(
            "\n  Connect an account:  {onboarding}\n  The API, described:  {url}/openapi.json\n  \
             The sandbox:         {sandbox}   (its behaviour: {sandbox}/control)\n{plays}\n  \
             Once connected, its token:\n\n  curl -H 'Authorization: Bearer {key}' \\\n       \
             {url}/api/connections/{subject}/{first}/token\n\n{asked}\n  Stop with Ctrl-C.\n\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use store::Options;

    use super::*;

    #[tokio::test]
    async fn a_revoked_key_is_followed_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("claviger.db").display());
        let options = Options::new(url, vault::random::id(), Arc::new(SystemClock));
        let store = Store::open(&options).await.unwrap();
        let master = MasterKey::parse(MasterKey::generate().expose()).unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let key = api_key(&store, &master).await.unwrap();
            assert_eq!(api_key(&store, &master).await.unwrap().expose(), key.expose());
            assert!(!seen.contains(key.expose()));
            let row = store.api_keys.find(&TokenHash::of(key.expose())).await.unwrap().unwrap();
            assert!(store.api_keys.revoke(&row.id, SystemClock.now()).await.unwrap());
            seen.push(key.expose().clone());
        }
        store.close().await;
    }
}
