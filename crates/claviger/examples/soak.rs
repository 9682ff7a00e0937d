//! Kills replicas with SIGKILL, again and again, while many credentials of the strictest provider are refreshed every
//! few seconds; then counts what was lost, and whether each loss can be explained: `cargo xtask soak kill`.
//!
//! 1. The sandbox runs as a process of its own: refresh tokens work once, and a reuse ends the whole family.
//! 2. Each credential comes from a consent at the sandbox.
//! 3. A seeded generator chooses which replica is killed next; it is started again at once.
//! 4. Right after each kill it is read which calls the dead replica had under way whose answer it had not kept: on
//!    PostgreSQL the room in its spool, with SQLite the journal. They are what a kill may cost.
//! 5. When the kills are over everything settles. Each connection then hands out a token that the sandbox takes, or is
//!    lost. A loss is explained when the provider's answer for exactly that generation was under way at a kill.
//!
//! The last line that it prints is the verdict; an unexplained loss is an exit code of 1.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{Method, Request};
use claviger::wiring;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::{
    AccessToken, ApiKeyScope, ApiKeyScopes, Clock, CredentialId, ReconnectReason, RefreshToken, Scopes,
    SystemClock,
};
use serde_json::{Value, json};
use store::api_keys::ApiKey;
use store::connections::{ConnectionKey, NewConnection};
use store::credentials::{Credential, SealedTokens};
use store::{Options, Store};
use tokio::task::JoinSet;
use url::Url;
use vault::{Keyring, TokenHash};

const USAGE: &str = "usage: soak --binary FILE --folder DIR --database URL|sqlite --replicas N --credentials N \
                     --seconds N --every N --latency N --seed N [--hasten]";

/// 32 octets in hex, without a pattern that the vault would refuse; the store is removed after the soak.
const KEY: &str = "91c3e0a75fd2486b0e9a31d7b8f4625cc20d7e94a1f8563b7d04c9e2ab61f538";
/// How long an access token lives: each credential is refreshed about every six seconds.
const ACCESS_TOKEN_TTL: u64 = 8;
/// The longest call; a successor waits this much and for the holder to return.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// A replica that was killed is started again at once.
const HOLDER_RETURNS: Duration = Duration::from_secs(20);
/// How long a start or an answer may take; only a fault needs it.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long everything may take to settle: twice the patience.
const SETTLED_WITHIN: Duration = Duration::from_mins(4);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often some connection's token is read while replicas die.
const READ_EVERY: Duration = Duration::from_millis(50);
const SCOPES: &str = "profile offline_access";

#[tokio::main]
async fn main() -> Result<()> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let web = Web::new();
    let sandbox = Sandbox::start(&plan, &web).await?;
    sandbox.steer(&web, &json!({
        "approve": "auto", "rotation": "strict", "revokeFamilyOnReuse": true, "accessTokenTtl": ACCESS_TOKEN_TTL,
    })).await?;
    let configs = plan.configure(&sandbox.url)?;
    let seeded = seed(&plan, &configs[0], &sandbox, &web).await?;
    sandbox.steer(&web, &json!({ "latency": plan.latency })).await?;

    let addresses: Vec<String> = configs.iter().map(|config| config.url.clone()).collect();
    let started: Result<Vec<Replica>> =
        configs.into_iter().map(|config| Replica::start(&plan, config)).collect();
    let mut replicas = started?;
    for replica in &mut replicas {
        replica.is_up(&web).await?;
    }
    println!("{}: {} credentials, seed {}", plan.store(), plan.credentials, plan.seed);
    let reads = Reads::default();
    let mut tally = Tally::default();
    tokio::select! {
        done = kill(&plan, &mut replicas, &mut tally) => done?,
        never = read(&plan, &addresses, &seeded, &web, &reads) => match never {},
    }
    println!("{} kills; settling", tally.kills);
    for replica in &mut replicas {
        replica.is_up(&web).await?;
    }
    // From now on a token that works was refreshed after the last kill.
    tokio::time::sleep(Duration::from_secs(ACCESS_TOKEN_TTL)).await;
    let left = settle(&plan, &addresses, &seeded, &sandbox, &web, &tally).await?;
    let losses = plan.judge(left, &seeded, &replicas, &tally).await?;
    let totals = web.json(&format!("{}/control/totals", sandbox.url)).await?;
    report(&plan, &tally, &reads, &losses, &totals)
}

/// What is to be done.
struct Plan {
    binary: PathBuf,
    folder: PathBuf,
    /// PostgreSQL's address; `None` for the embedded store.
    database: Option<String>,
    replicas: usize,
    credentials: usize,
    duration: Duration,
    every: Duration,
    /// Milliseconds that the sandbox holds each answer back.
    latency: u64,
    seed: u64,
    /// Whether patience is shortened by moving the journal's times back.
    hasten: bool,
}

impl Plan {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let (mut values, mut hasten) = (BTreeMap::new(), false);
        while let Some(name) = arguments.next() {
            if name == "--hasten" {
                hasten = true;
                continue;
            }
            values.insert(name, arguments.next().context(USAGE)?);
        }
        let mut value =
            |name: &str| values.remove(name).with_context(|| format!("{name} is missing\n{USAGE}"));
        let database = value("--database")?;
        let plan = Self {
            binary: value("--binary")?.into(),
            folder: value("--folder")?.into(),
            database: (database != "sqlite").then_some(database),
            replicas: value("--replicas")?.parse()?,
            credentials: value("--credentials")?.parse()?,
            duration: Duration::from_secs(value("--seconds")?.parse()?),
            every: Duration::from_secs(value("--every")?.parse()?),
            latency: value("--latency")?.parse()?,
            seed: value("--seed")?.parse()?,
            hasten,
        };
        ensure!(values.is_empty(), USAGE);
        ensure!(plan.replicas > 0 && plan.credentials > 0 && !plan.every.is_zero(), USAGE);
        Ok(plan)
    }

    /// What is soaked, for people.
    fn store(&self) -> String {
        match &self.database {
            Some(_) => format!("PostgreSQL, {} replicas", self.replicas),
            None => format!("SQLite, {} process", self.replicas),
        }
    }

    /// A configuration file for each replica.
    fn configure(&self, sandbox: &str) -> Result<Vec<Configured>> {
        let ports = free_ports(self.replicas)?;
        ports
            .into_iter()
            .enumerate()
            .map(|(number, port)| self.configure_one(number, port, sandbox))
            .collect()
    }

    fn configure_one(&self, number: usize, port: u16, sandbox: &str) -> Result<Configured> {
        // One file is shared by all; on PostgreSQL each has a spool of its own.
        let name = if self.database.is_some() { format!("data-{number}") } else { "data".to_owned() };
        let data = self.folder.join(name);
        let (public, listen) = (format!("http://127.0.0.1:{port}"), format!("127.0.0.1:{port}"));
        let host = sandbox.trim_start_matches("http://");
        let url =
            self.database.as_ref().map(|url| format!("[database]\nurl = \"{url}\"\n")).unwrap_or_default();
        let text = format!(
            "public_url = \"{public}\"\nkey = \"env:CLAVIGER_KEY\"\ndata_dir = \"{}\"\n\
             [public]\nlisten = \"{listen}\"\n[backend]\nlisten = \"{listen}\"\n{url}\
             [outbound]\nallow_private = [\"{host}\"]\n\
             [connect.refresh]\ncall_limit = \"{}s\"\nholder_returns = \"{}s\"\nper_second = 1000\n\
             [log]\nlevel = \"warn\"\nformat = \"json\"\n\
             [integrations.sandbox]\nclient_id = \"claviger\"\nclient_secret = \"sandbox-secret\"\n\
             parameters = {{ sandbox_url = \"{sandbox}\" }}\n",
            data.display(),
            CALL_LIMIT.as_secs(),
            HOLDER_RETURNS.as_secs(),
        );
        let file = self.folder.join(format!("claviger-{number}.toml"));
        fs::write(&file, text).with_context(|| file.display().to_string())?;
        Ok(Configured { number, file, data, url: public })
    }

    /// The embedded database's file.
    fn file(&self) -> PathBuf {
        self.folder.join("data/claviger.db")
    }

    fn address(&self) -> String {
        self.database.clone().unwrap_or_else(|| format!("sqlite:{}", self.file().display()))
    }

    /// Lets the time pass after which calls of dead replicas are repeated: their leases, and the patience with those
    /// who have none any more.
    async fn hasten(&self, dead: &BTreeSet<Call>) -> Result<()> {
        let now = SystemClock.now().as_unix_ms();
        let mut statements: Vec<String> = dead
            .iter()
            .map(|call| {
                format!(
                    "UPDATE credentials SET lease_until = {now} - 1 WHERE id = '{}' AND fence = {} \
                     AND lease_until > {now};",
                    call.credential, call.fence
                )
            })
            .collect();
        statements.push(format!(
            "UPDATE refresh_journal SET started_at = started_at - 600000 \
             WHERE phase = 'sent' AND started_at > {now} - 600000 AND credential IN \
             (SELECT id FROM credentials WHERE lease_until IS NULL OR lease_until < {now});"
        ));
        let batch = statements.concat();
        let Some(database) = &self.database else {
            let file = rusqlite::Connection::open(self.file())?;
            file.busy_timeout(DEADLINE)?;
            return Ok(file.execute_batch(&batch)?);
        };
        let (client, connection) = tokio_postgres::connect(database, tokio_postgres::NoTls).await?;
        let connection = tokio::spawn(connection);
        client.batch_execute(&batch).await?;
        drop(client);
        Ok(connection.await??)
    }

    /// Tells the losses that a kill explains from those that nothing explains.
    async fn judge(
        &self,
        left: BTreeMap<usize, String>,
        seeded: &Seeded,
        replicas: &[Replica],
        tally: &Tally,
    ) -> Result<Losses> {
        let store = open(&self.address()).await?;
        let mut answers = BTreeSet::new();
        for replica in replicas.iter().filter(|_| self.database.is_some()) {
            answers.extend(spool(&replica.config.data)?.0);
        }
        let mut losses = Losses::default();
        for (number, last) in left {
            let id = seeded.credentials[number];
            let row = store.credentials.get(&id).await?.with_context(|| format!("{id} is gone"))?;
            let reason = row.broken.map(|(_, reason)| reason);
            let is_named = reason == Some(ReconnectReason::AnswerLost);
            let reason = reason.map_or("not broken", ReconnectReason::word);
            *losses.reasons.entry(reason.to_owned()).or_default() += 1;
            let of_this =
                |call: &&Call| call.credential == id.to_string() && call.generation == row.generation;
            let was_under_way = tally.dead.iter().any(|call| of_this(&call));
            let was_kept = answers.iter().any(|call| of_this(&call));
            if was_under_way && !was_kept && is_named {
                losses.explained += 1;
            } else {
                losses.unexplained.push(format!(
                    "{id} (soak-{number}), generation {}: {reason}, {last}; under way at a kill: {was_under_way}, \
                     its answer in a spool: {was_kept}",
                    row.generation
                ));
            }
        }
        store.close().await;
        Ok(losses)
    }
}

/// The configuration of one replica.
struct Configured {
    number: usize,
    file: PathBuf,
    data: PathBuf,
    url: String,
}

/// One call to the provider, as the journal and the spool name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    credential: String,
    generation: i64,
    fence: i64,
}

/// What happened while replicas died.
#[derive(Default)]
struct Tally {
    kills: u64,
    seconds: u64,
    /// Calls that dead replicas had under way, and whose answer they had not kept.
    dead: BTreeSet<Call>,
    /// Answers that dead replicas had in their spools, committed ones of the last minute among them.
    kept: BTreeSet<Call>,
}

/// What readers saw meanwhile.
#[derive(Default)]
struct Reads {
    tokens: AtomicU64,
    later: AtomicU64,
    reconnect: AtomicU64,
    nobody: AtomicU64,
}

#[derive(Default)]
struct Losses {
    explained: u64,
    unexplained: Vec<String>,
    reasons: BTreeMap<String, u64>,
}

/// Kills one replica after the other for as long as planned, and starts each again.
async fn kill(plan: &Plan, replicas: &mut [Replica], tally: &mut Tally) -> Result<()> {
    let mut dice = Dice(plan.seed);
    let began = Instant::now();
    while began.elapsed() < plan.duration {
        tokio::time::sleep(plan.every).await;
        let chosen = dice.below(replicas.len());
        let replica = &mut replicas[chosen];
        replica.kill_9()?;
        tally.kills += 1;
        let (kept, open) = match plan.database {
            Some(_) => spool(&replica.config.data)?,
            None => (Vec::new(), journal(plan)?),
        };
        tally.dead.extend(open);
        tally.kept.extend(kept);
        replica.child = replica.spawn(plan)?;
    }
    tally.seconds = began.elapsed().as_secs();
    Ok(())
}

/// The answers of a spool, and the room for answers that has none.
fn spool(data: &Path) -> Result<(Vec<Call>, Vec<Call>)> {
    let (mut answers, mut room) = (Vec::new(), Vec::new());
    let folder = data.join("spool");
    if !folder.exists() {
        // Killed before it made the folder.
        return Ok((answers, room));
    }
    for file in fs::read_dir(folder)? {
        let file = file?;
        let name = file.file_name().into_string().unwrap_or_default();
        let [credential, generation, fence] = name.split('.').collect::<Vec<_>>()[..] else { continue };
        let (Ok(generation), Ok(fence)) = (generation.parse(), fence.parse()) else { continue };
        let call = Call { credential: credential.to_owned(), generation, fence };
        match fs::read(file.path()) {
            Ok(text) if text.contains(&b'\n') => answers.push(call),
            Ok(_) => room.push(call),
            // A living replica tidies its own; the dead one's files stay.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((answers, room))
}

/// The calls under way by the journal of the embedded database, whose only process is dead. It is a copy that is read:
/// the restarted process is to find the file as it was left.
fn journal(plan: &Plan) -> Result<Vec<Call>> {
    let (file, copy) = (plan.file(), plan.folder.join("copy.db"));
    let wal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    fs::copy(&file, &copy)?;
    if wal(&file).exists() {
        fs::copy(wal(&file), wal(&copy))?;
    }
    let database = rusqlite::Connection::open(&copy)?;
    let mut asked =
        database.prepare("SELECT credential, generation, fence FROM refresh_journal WHERE phase = 'sent'")?;
    let rows = asked.query_map([], |row| {
        Ok(Call { credential: row.get(0)?, generation: row.get(1)?, fence: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Reads tokens, one after the other, whoever is alive.
async fn read(plan: &Plan, addresses: &[String], seeded: &Seeded, web: &Web, reads: &Reads) -> Infallible {
    let mut dice = Dice(!plan.seed);
    loop {
        tokio::time::sleep(READ_EVERY).await;
        let (address, number) = (&addresses[dice.below(addresses.len())], dice.below(plan.credentials));
        let url = format!("{}&wait=1s", token_url(address, number));
        let counted = match web.get(&url, Some(&seeded.key)).await {
            Ok(answer) => match answer.status {
                200 => &reads.tokens,
                409 => &reads.reconnect,
                _ => &reads.later,
            },
            Err(_) => &reads.nobody,
        };
        counted.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks every connection for a token until each has one that the sandbox takes, or needs the person. Answers those
/// without, by number, with what was last said.
async fn settle(
    plan: &Plan,
    addresses: &[String],
    seeded: &Seeded,
    sandbox: &Sandbox,
    web: &Web,
    tally: &Tally,
) -> Result<BTreeMap<usize, String>> {
    let deadline = Instant::now() + SETTLED_WITHIN;
    let mut open: BTreeMap<usize, String> =
        (0..plan.credentials).map(|number| (number, String::new())).collect();
    let mut lost = BTreeMap::new();
    while !open.is_empty() && Instant::now() < deadline {
        if plan.hasten {
            plan.hasten(&tally.dead).await?;
        }
        let mut asked = JoinSet::new();
        for number in open.keys().copied() {
            let url = format!("{}&wait=10s", token_url(&addresses[number % addresses.len()], number));
            let (web, key, me) = (web.clone(), seeded.key.clone(), format!("{}/api/me", sandbox.url));
            asked.spawn(async move { (number, look(&web, &url, &key, &me).await) });
        }
        while let Some(looked) = asked.join_next().await {
            let (number, looked) = looked?;
            match looked? {
                Looked::Works => drop(open.remove(&number)),
                Looked::Lost(said) => {
                    open.remove(&number);
                    lost.insert(number, said);
                }
                Looked::NotYet(said) => drop(open.insert(number, said)),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    lost.extend(open);
    Ok(lost)
}

enum Looked {
    Works,
    Lost(String),
    NotYet(String),
}

async fn look(web: &Web, url: &str, key: &str, me: &str) -> Result<Looked> {
    let answer = web.get(url, Some(key)).await?;
    let said = || format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(match answer.status {
        409 => Looked::Lost(said()),
        200 => {
            let token: Value = serde_json::from_slice(&answer.body)?;
            let token = token["access_token"].as_str().context("an answer without a token")?;
            match web.get(me, Some(token)).await?.status {
                200 => Looked::Works,
                status => Looked::NotYet(format!("the sandbox says {status} to the token")),
            }
        }
        _ => Looked::NotYet(said()),
    })
}

fn token_url(address: &str, number: usize) -> String {
    format!("{address}/api/connections/soak-{number}/sandbox/token?label=default")
}

/// The figures, and the verdict.
fn report(plan: &Plan, tally: &Tally, reads: &Reads, losses: &Losses, totals: &Value) -> Result<()> {
    let total = |name: &str| totals[name].as_u64().unwrap_or_default();
    let refreshes = total("refreshes");
    let count = losses.explained + losses.unexplained.len() as u64;
    // The same generation of a credential can be under way at a kill only once.
    let bound =
        tally.dead.iter().map(|call| (&call.credential, call.generation)).collect::<BTreeSet<_>>().len();
    let per_million = count * 1_000_000 / refreshes.max(1);
    let line = |name: &str, value: &dyn std::fmt::Display| println!("| {name} | {value} |");
    println!("\n| {} | seed {} |\n| --- | --- |", plan.store(), plan.seed);
    line("credentials", &plan.credentials);
    line("seconds", &tally.seconds);
    line("kills (SIGKILL)", &tally.kills);
    line("refreshes at the sandbox", &refreshes);
    line("rotations", &total("rotated"));
    line("spent tokens presented", &total("reuse"));
    line("families revoked", &total("familiesRevoked"));
    line("answers that the sandbox could not deliver", &total("answersLost"));
    line("answers that the spools of dead replicas had", &tally.kept.len());
    line("answers under way at the kills: the bound", &bound);
    line("losses", &count);
    line("losses per 100,000 refreshes", &format_args!("{}.{}", per_million / 10, per_million % 10));
    for (reason, times) in &losses.reasons {
        line(&format!("losses of reason {reason}"), times);
    }
    line("unexplained losses", &losses.unexplained.len());
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    line("reads meanwhile: token", &read(&reads.tokens));
    line("reads meanwhile: come later", &read(&reads.later));
    line("reads meanwhile: reconnect", &read(&reads.reconnect));
    line("reads meanwhile: replica dead", &read(&reads.nobody));
    for loss in &losses.unexplained {
        eprintln!("unexplained: {loss}");
    }
    ensure!(refreshes > 0 && tally.kills > 0, "nothing was refreshed, or nobody was killed");
    ensure!(losses.unexplained.is_empty(), "{} losses are unexplained", losses.unexplained.len());
    println!("every loss is an answer that was under way when its replica was killed");
    Ok(())
}

/// A process that ends with this one.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already, perhaps.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One replica: its process may be another one after each kill.
struct Replica {
    config: Configured,
    child: Process,
}

impl Replica {
    fn start(plan: &Plan, config: Configured) -> Result<Self> {
        let child = serve(plan, &config)?;
        Ok(Self { config, child })
    }

    fn spawn(&self, plan: &Plan) -> Result<Process> {
        serve(plan, &self.config)
    }

    fn kill_9(&mut self) -> Result<()> {
        self.has_not_ended()?;
        self.child.0.kill()?;
        self.child.0.wait()?;
        Ok(())
    }

    /// A replica that ends by itself is a fault.
    fn has_not_ended(&mut self) -> Result<()> {
        if let Some(status) = self.child.0.try_wait()? {
            let log = fs::read_to_string(self.config.file.with_extension("log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            bail!("replica {} ended by itself with {status}: {last:#?}", self.config.number);
        }
        Ok(())
    }

    async fn is_up(&mut self, web: &Web) -> Result<()> {
        let url = format!("{}/healthz", self.config.url);
        let deadline = Instant::now() + DEADLINE;
        while web.get(&url, None).await.ok().is_none_or(|answer| answer.status != 200) {
            self.has_not_ended()?;
            ensure!(Instant::now() < deadline, "replica {} does not answer", self.config.number);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

fn serve(plan: &Plan, config: &Configured) -> Result<Process> {
    let log = File::options().create(true).append(true).open(config.file.with_extension("log"))?;
    let child = Command::new(&plan.binary)
        .args(["serve", "--config"])
        .arg(&config.file)
        .env_clear()
        .env("CLAVIGER_KEY", KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(Process(child))
}

/// The third party, which outlives every kill.
struct Sandbox {
    url: String,
    _child: Process,
}

impl Sandbox {
    async fn start(plan: &Plan, web: &Web) -> Result<Self> {
        let port = free_ports(1)?[0];
        let child = Command::new(&plan.binary)
            .args(["sandbox", "--port", &port.to_string()])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let sandbox = Self { url: format!("http://127.0.0.1:{port}"), _child: Process(child) };
        let deadline = Instant::now() + DEADLINE;
        while web.json(&format!("{}/control/totals", sandbox.url)).await.is_err() {
            ensure!(Instant::now() < deadline, "the sandbox does not answer");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(sandbox)
    }

    async fn steer(&self, web: &Web, settings: &Value) -> Result<()> {
        let body = settings.to_string().into();
        let answer =
            web.send(Method::PUT, &format!("{}/control", self.url), None, "application/json", body).await?;
        ensure!(answer.status == 200, "{}", String::from_utf8_lossy(&answer.body));
        Ok(())
    }

    /// Tokens of a person who has just consented (RFC 6749 §4.1).
    async fn consent(&self, web: &Web) -> Result<(AccessToken, RefreshToken)> {
        let redirect = "http://127.0.0.1:1/callback";
        let mut asked = Url::parse(&format!("{}/oauth/authorize", self.url))?;
        asked.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", "claviger"),
            ("redirect_uri", redirect),
            ("scope", SCOPES),
        ]);
        let answer = web.get(asked.as_str(), None).await?;
        let back = Url::parse(answer.location.as_deref().context("the sandbox redirects nowhere")?)?;
        let code =
            back.query_pairs().find(|(name, _)| name == "code").context("no code came")?.1.into_owned();
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "claviger"),
            ("client_secret", "sandbox-secret"),
            ("code", &code),
            ("redirect_uri", redirect),
        ];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let url = format!("{}/oauth/token", self.url);
        let answer =
            web.send(Method::POST, &url, None, "application/x-www-form-urlencoded", form.into()).await?;
        let tokens: Value = serde_json::from_slice(&answer.body)?;
        let token = |name: &str| tokens[name].as_str().with_context(|| format!("no {name} came"));
        Ok((AccessToken::from(token("access_token")?), RefreshToken::from(token("refresh_token")?)))
    }
}

/// The connections `soak-0` … with their credentials, and an API key that reads their tokens.
struct Seeded {
    credentials: Vec<CredentialId>,
    key: String,
}

async fn seed(plan: &Plan, config: &Configured, sandbox: &Sandbox, web: &Web) -> Result<Seeded> {
    // Makes the data directory as a first start would.
    let mut migrate = Command::new(&plan.binary);
    migrate.arg("migrate").arg("--config").arg(&config.file).env_clear().env("CLAVIGER_KEY", KEY);
    ensure!(migrate.stdout(Stdio::null()).status()?.success(), "migrate failed");
    let store = open(&plan.address()).await?;
    let keyring = wiring::keyring(&store, &vault::MasterKey::parse(KEY)?, SystemClock.now()).await?;
    let mut credentials = Vec::new();
    for number in 0..plan.credentials {
        let (access_token, refresh_token) = sandbox.consent(web).await?;
        let new = connection(number, sandbox, &keyring, &access_token, &refresh_token)?;
        store.connections.connect(&new).await?;
        credentials.push(new.credential.id);
    }
    let key = format!("cvk_{}", vault::random::token().expose());
    let row = ApiKey {
        id: vault::random::id(),
        name: "soak".to_owned(),
        scopes: ApiKeyScopes::from_iter([ApiKeyScope::ConnectionsToken]),
        created_at: SystemClock.now(),
        revoked_at: None,
    };
    store.api_keys.create(&row, &TokenHash::of(&key)).await?;
    store.close().await;
    Ok(Seeded { credentials, key })
}

fn connection(
    number: usize,
    sandbox: &Sandbox,
    keyring: &Keyring,
    access_token: &AccessToken,
    refresh_token: &RefreshToken,
) -> Result<NewConnection> {
    let now = SystemClock.now();
    let id: CredentialId = vault::random::id();
    let key = ConnectionKey {
        subject: format!("soak-{number}").parse()?,
        integration: "sandbox".parse()?,
        label: "default".parse()?,
    };
    let tokens = SealedTokens {
        access_token: Some(keyring.seal(&id, access_token)),
        refresh_token: Some(keyring.seal(&id, refresh_token)),
        extra: None,
        token_type: "Bearer".to_owned(),
        scopes: Scopes::parse(SCOPES, " "),
        expires_at: Some(now + Duration::from_secs(ACCESS_TOKEN_TTL)),
        obtained_at: now,
    };
    let credential = Credential {
        id,
        subject: key.subject.clone(),
        integration: key.integration.clone(),
        provider: "sandbox".parse()?,
        client_id: "claviger".to_owned(),
        token_url: format!("{}/oauth/token", sandbox.url),
        generation: 1,
        account: None,
        tokens,
        refreshed_at: None,
        broken: None,
        last_error: None,
        failures: 0,
        due_at: Some(now),
        used_at: Some(now),
        grant_started_at: None,
        grant_ends_at: None,
        part: None,
    };
    Ok(NewConnection {
        id: vault::random::id(),
        key,
        metadata: serde_json::Map::new(),
        requested_scopes: Scopes::parse(SCOPES, " "),
        by: "system".to_owned(),
        at: now,
        credential,
        parts: Vec::new(),
    })
}

async fn open(address: &str) -> Result<Store> {
    Ok(Store::open(&Options::new(address, vault::random::id(), Arc::new(SystemClock))).await?)
}

/// An HTTP client for the sandbox and the replicas.
#[derive(Clone)]
struct Web(Client<HttpConnector, Full<Bytes>>);

struct Answered {
    status: u16,
    location: Option<String>,
    body: Bytes,
}

impl Web {
    fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Answered> {
        self.send(Method::GET, url, bearer, "application/json", Bytes::new()).await
    }

    async fn json(&self, url: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.get(url, None).await?.body)?)
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        bearer: Option<&str>,
        content_type: &str,
        body: Bytes,
    ) -> Result<Answered> {
        let mut request = Request::builder().method(method).uri(url).header(CONTENT_TYPE, content_type);
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {bearer}"));
        }
        let sent = self.0.request(request.body(Full::new(body))?);
        let (parts, body) = tokio::time::timeout(DEADLINE, sent).await??.into_parts();
        let location = parts.headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Answered { status: parts.status.as_u16(), location, body: body.collect().await?.to_bytes() })
    }
}

/// Ports of loopback that were free a moment ago, all different.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let listeners: std::io::Result<Vec<_>> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect();
    listeners?.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// Numbers that follow from a seed (`SplitMix64`), so that a soak can be repeated with the same kills.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap_or(0) % end
    }
}
