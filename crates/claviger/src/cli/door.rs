//! The way to what a command works on: the store beside us, or a server elsewhere.
//!
//! Both speak the backend's API. For the store beside us the same router answers in this process, with the operator in
//! place of a key; so a command does the same and shows the same, wherever it works.

use std::fmt;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use axum::Router;
use axum::body::Body;
use clap::Args;
use http_body_util::BodyExt as _;
use http_plane::extract::Operator;
use http_plane::router;
use hyper::header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use model::{Secret, SystemClock};
use provider::client::{Call, ClientSettings, HttpClient};
use serde_json::Value;
use tower::ServiceExt as _;
use url::Url;

use super::ConfigArgs;
use crate::config::SecretSource;
use crate::wiring::{self, Wired};

/// How long work may take that tells its steps.
const LONG_WORK: Duration = Duration::from_hours(24);

/// How long any other call may take; a refresh that is waited for takes 65 seconds at most.
const CALL: Duration = Duration::from_mins(2);

/// The largest answer that is read, in octets.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// The longest secret that is read from standard input, in octets.
const MAX_SECRET: u64 = 64 * 1024;

/// Where the command works.
#[derive(Args)]
pub(super) struct DoorArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Work on a running server: the address of its backend listener
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "data_dir"])]
    url: Option<Url>,
    /// Where the API key for --url is: env:NAME, file:PATH, or - for standard input
    #[arg(long, value_name = "SOURCE", default_value = "env:CLAVIGER_API_KEY", requires = "url")]
    api_key: String,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Tell more, and every request on standard error
    #[arg(long, short)]
    pub(super) verbose: bool,
}

/// An open door.
pub(super) struct Door {
    pub(super) way: Way,
    /// Whether every request is told on standard error.
    tells: bool,
}

/// Where it leads.
pub(super) enum Way {
    /// To the store beside us.
    Here(Box<Here>),
    /// To a server elsewhere.
    There(There),
}

pub(super) struct Here {
    router: Router,
    pub(super) wired: Wired,
}

pub(super) struct There {
    http: HttpClient,
    base: String,
    key: Secret<String>,
}

/// A request that was not done.
#[derive(Debug)]
pub(super) struct Refused {
    /// The problem document (RFC 9457).
    pub(super) problem: Value,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let member = |name: &str| self.problem[name].as_str().map(super::answer::visible).unwrap_or_default();
        write!(f, "{} ({})", member("detail"), member("code"))
    }
}

impl std::error::Error for Refused {}

impl Refused {
    pub(super) fn code(&self) -> &str {
        self.problem["code"].as_str().unwrap_or_default()
    }

    fn status(&self) -> u64 {
        self.problem["status"].as_u64().unwrap_or_default()
    }

    /// Whether the request itself was wrong, whether nobody could work on it, or whether this is the answer to it.
    pub(super) fn exit_code(&self) -> u8 {
        match (self.status(), self.code()) {
            (
                503,
                "provider_unavailable" | "refreshing_held" | "refresh_under_way" | "stripe_unavailable",
            ) => 1,
            (401 | 403 | 429 | 500.., _) => 3,
            (400 | 422, "invalid_parameter" | "validation_failed" | "malformed_json") => 2,
            _ => 1,
        }
    }
}

impl Door {
    pub(super) async fn open(args: &DoorArgs) -> anyhow::Result<Self> {
        let way = match &args.url {
            Some(url) => Way::There(There::open(url, &args.api_key)?),
            None => Way::Here(Box::new(Here::open(&args.config).await?)),
        };
        Ok(Self { way, tells: args.verbose && !args.json })
    }

    /// What was begun is finished, and the store closed.
    pub(super) async fn close(self) {
        let Way::Here(here) = self.way else { return };
        let Wired { connect, store, .. } = here.wired;
        connect.stop();
        connect.drain().await;
        store.close().await;
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// One request, one answer.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let heard = |_: &[u8]| ();
        let (status, answer) = self.send(method, path, body, false, &heard).await?;
        match status {
            400.. => Err(refused(path, status, &answer)),
            _ if answer.is_empty() => Ok(Value::Null),
            _ => serde_json::from_slice(&answer).map_err(|_| stranger(path, status)),
        }
    }

    /// A request for long work, whose steps are told as they happen.
    pub(super) async fn follow(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        step: impl FnMut(&Value) + Send,
    ) -> anyhow::Result<Value> {
        let lines = Mutex::new(Lines { pending: Vec::new(), last: None, step });
        let heard = |data: &[u8]| lines.lock().unwrap_or_else(PoisonError::into_inner).take_in(data);
        let (status, answer) = self.send(method, path, body, true, &heard).await?;
        if status >= 400 {
            return Err(refused(path, status, &answer));
        }
        let last = lines.into_inner().unwrap_or_else(PoisonError::into_inner).last;
        let mut last = last.ok_or_else(|| anyhow!("the answer ended before the work did"))?;
        match last.get_mut("problem").map(Value::take) {
            Some(problem) => Err(Refused { problem }.into()),
            None => Ok(last["result"].take()),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        long: bool,
        heard: &(dyn Fn(&[u8]) + Send + Sync),
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let accept = HeaderValue::from_static(if long { "application/jsonl" } else { "application/json" });
        let body = body.map(Value::to_string);
        let (began, told) = (Instant::now(), format!("{method} {path}"));
        let answer = match &self.way {
            Way::Here(here) => here.send(method, path, body, accept, heard).await,
            Way::There(there) => {
                let limit = if long { LONG_WORK } else { CALL };
                there.send(method, path, body, accept, limit, heard).await
            }
        };
        if let (true, Ok((status, _))) = (self.tells, &answer) {
            // Nobody may be reading.
            let _ = writeln!(std::io::stderr(), "{told}: {status} after {} ms", began.elapsed().as_millis());
        }
        answer
    }
}

/// A request that was not done, with the problem document that says why.
fn refused(path: &str, status: u16, answer: &[u8]) -> anyhow::Error {
    match serde_json::from_slice::<Value>(answer) {
        Ok(problem) if problem["code"].is_string() => Refused { problem }.into(),
        _ => stranger(path, status),
    }
}

fn stranger(path: &str, status: u16) -> anyhow::Error {
    anyhow!("the answer to {path} (status {status}) is none of Claviger's: is this its backend listener?")
}

impl Here {
    async fn open(args: &ConfigArgs) -> anyhow::Result<Self> {
        let config = args.load()?;
        let wired = wiring::operate(&config, Arc::new(SystemClock)).await?;
        // What an earlier command could not put back, because it was killed.
        wired.connect.end_drills().await.context("ending abandoned drills")?;
        Ok(Self { router: router::all(&wired.app), wired })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        accept: HeaderValue,
        heard: &(dyn Fn(&[u8]) + Send + Sync),
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(ACCEPT, accept)
            .header(ACCEPT_LANGUAGE, "en")
            .extension(Operator);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from))?;
        let response = self.router.clone().oneshot(request).await?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut octets = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            let data: &[u8] = frame.data_ref().map_or(&[], |data| data);
            heard(data);
            octets.extend_from_slice(data);
        }
        Ok((status, octets))
    }
}

impl There {
    fn open(url: &Url, key: &str) -> anyhow::Result<Self> {
        let host = url.host_str().context("--url: it has no host")?;
        let has_more = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || has_more || url.password().is_some() {
            // Not repeated: what is too much may be a secret.
            bail!("--url: it is not the bare http or https address of a listener");
        }
        // The operator's own server may well be in a private network. Without TLS it must be: the key goes with every
        // request.
        let port = url.port_or_known_default().unwrap_or_default();
        let settings = ClientSettings {
            allow_private: vec![format!("{host}:{port}")],
            max_body: MAX_ANSWER,
            ..ClientSettings::default()
        };
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http: HttpClient::new(settings)?, base, key: api_key(key)? })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        accept: HeaderValue,
        limit: Duration,
        heard: &(dyn Fn(&[u8]) + Send + Sync),
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.key.expose()))
            .map_err(|_| anyhow!("--api-key: what is there is no API key"))?;
        bearer.set_sensitive(true);
        let url = format!("{}{path}", self.base);
        let mut call = Call::new(method, &url)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, accept)
            .header(ACCEPT_LANGUAGE, HeaderValue::from_static("en"))
            .timeout(limit)
            .listener(heard);
        if let Some(body) = body {
            call = call.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
        }
        let answer = self.http.send(call).await?;
        Ok((answer.status, answer.body.to_vec()))
    }
}

/// The lines of an answer, told one by one.
struct Lines<F> {
    pending: Vec<u8>,
    last: Option<Value>,
    step: F,
}

impl<F: FnMut(&Value)> Lines<F> {
    fn take_in(&mut self, data: &[u8]) {
        self.pending.extend_from_slice(data);
        while let Some(end) = self.pending.iter().position(|octet| *octet == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let Ok(line) = serde_json::from_slice::<Value>(&line) else { continue };
            if line.get("result").is_some() || line.get("problem").is_some() {
                self.last = Some(line);
            } else {
                (self.step)(&line);
            }
        }
    }
}

/// The API key, from where the operator says; a person at a terminal is asked for it.
fn api_key(source: &str) -> anyhow::Result<Secret<String>> {
    let found = secret_from("--api-key", source);
    if found.is_err() && source == "env:CLAVIGER_API_KEY" && std::io::stdin().is_terminal() {
        return super::prompt::secret("API key: ").map(Secret::new);
    }
    found
}

/// A secret from where an option says: `env:NAME`, `file:PATH`, `cmd:PROGRAM`, or `-` for standard input.
pub(super) fn secret_from(option: &str, source: &str) -> anyhow::Result<Secret<String>> {
    if source == "-" {
        return secret_from_input(option).map(Secret::new);
    }
    let source: SecretSource = serde_json::from_value(Value::String(source.to_owned()))
        .map_err(|error| anyhow!("{option}: {error}"))?;
    let resolved = source.resolve().map_err(|error| anyhow!("{option}: it {error}"))?;
    if resolved.literal {
        bail!("{option}: everybody on this machine can read a command line; name env:NAME, file:PATH or -");
    }
    Ok(resolved.secret)
}

/// One secret from standard input, without the end of its line.
fn secret_from_input(option: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(MAX_SECRET).read_to_string(&mut text).with_context(|| option.to_owned())?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("{option}: standard input is empty");
    }
    Ok(text.to_owned())
}
