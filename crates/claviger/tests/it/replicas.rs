//! Several replicas of the program and one rotating refresh token: one call whatever stops, dies, sleeps or fills up.
//!
//! Leases and patience are minutes of the database's clock. Where a test would wait for them, it moves the times of the
//! rows instead.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use url::Url;

use crate::harness::browser::parameter;
use crate::harness::process::run;
use crate::harness::world::{configuration, start_sandbox};
use crate::harness::{Answer, Browser, Program};
use crate::processes::add_key;

mod drills;

/// How long something may take that must happen; only a fault needs it.
const DEADLINE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Where a catalog entry of the sandbox's that keeps its refresh token comes from.
const SANDBOX_ENTRY: &str = include_str!("../../../provider/catalog/sandbox.toml");

/// Nothing is refreshed but on demand, and a call may take as long as it does by default.
const ON_DEMAND: &str =
    "[connect.refresh]\nbackground = false\nfirst_retry = \"10ms\"\ncall_limit = \"60s\"\n";

/// What several replicas share: the sandbox, the database, the key.
struct Scene {
    sandbox: String,
    _stop: oneshot::Sender<()>,
    folder: TempDir,
    /// The configuration of a replica, but for its own folder.
    text: String,
    /// PostgreSQL, or nothing for one file that all replicas open.
    database: Option<String>,
    steer: Browser,
}

/// One process of the program.
struct Replica {
    program: Program,
    url: String,
    data: PathBuf,
    key: String,
    backend: Browser,
}

impl Scene {
    /// A sandbox as strict as it gets, and a configuration with these lines.
    async fn new(database: Option<String>, lines: &str) -> Self {
        let (sandbox, stop) = start_sandbox().await;
        let folder = tempfile::tempdir().unwrap();
        let catalog = folder.path().join("catalog");
        fs::create_dir(&catalog).unwrap();
        let free = SANDBOX_ENTRY
            .replace("id = \"sandbox\"", "id = \"free\"")
            .replace("rotation = \"strict\"", "rotation = \"none\"");
        fs::write(catalog.join("free.toml"), free).unwrap();
        let app = |name: &str| {
            format!(
                "[integrations.{name}]\nclient_id = \"{name}\"\nclient_secret = \"secret\"\n\
                 parameters = {{ sandbox_url = \"{sandbox}\" }}\n"
            )
        };
        let slow = app("slow") + "provider = \"sandbox\"\n";
        let slower = app("slower") + "provider = \"sandbox\"\n";
        let more = format!(
            "[log]\nformat = \"json\"\nlevel = \"debug\"\n[catalog]\ndirectory = \"{}\"\n{slow}{slower}{}",
            catalog.display(),
            app("free")
        );
        let lines = format!("{lines}{more}");
        let text = configuration("http://127.0.0.1:1", &sandbox, "DATA", database.as_deref(), &lines)
            .replace("listen = \"127.0.0.1:1\"", "listen = \"127.0.0.1:0\"")
            .replace("timeout = \"3s\"", "timeout = \"30s\"");
        let scene = Self { sandbox, _stop: stop, folder, text, database, steer: Browser::with_key("none") };
        let client = json!({"clientSecret": "secret", "anyLoopback": true});
        let apps = json!({"slow": client, "slower": client, "free": client});
        let strict =
            json!({"approve": "auto", "rotation": "strict", "revokeFamilyOnReuse": true, "apps": apps});
        scene.control(None, &strict).await;
        scene.control(Some("free"), &json!({"rotation": "none"})).await;
        scene
    }

    /// On PostgreSQL, or nothing where there is none.
    async fn on_postgresql(lines: &str) -> Option<Self> {
        Some(Self::new(Some(store::testing::fresh_postgres().await?), lines).await)
    }

    /// A replica; on PostgreSQL with a folder of its own, so that it has a spool of its own.
    async fn replica(&self, name: &str) -> Replica {
        let data = self.folder.path().join(if self.database.is_some() { name } else { "data" });
        self.replica_in(name, data, &self.text).await
    }

    async fn replica_in(&self, name: &str, data: PathBuf, text: &str) -> Replica {
        let path = self.config(name, &data, text);
        let program = Program::start(&["serve", "--config", &path], &[]);
        let line = program.line_with("public");
        let url = format!("http://{}", line["public"].as_str().unwrap());
        let database =
            self.database.clone().unwrap_or_else(|| format!("sqlite:{}", data.join("claviger.db").display()));
        let key = add_key(&database).await;
        let backend = Browser::with_key(&key);
        Replica { program, url, data, key, backend }
    }

    fn config(&self, name: &str, data: &Path, text: &str) -> String {
        let path = self.folder.path().join(format!("{name}.toml"));
        fs::write(&path, text.replace("DATA", data.to_str().unwrap())).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Steers the sandbox, for everybody or for one app.
    async fn control(&self, app: Option<&str>, settings: &Value) {
        let query = app.map(|app| format!("?app={app}")).unwrap_or_default();
        self.steer.json(Method::PUT, format!("{}/control{query}", self.sandbox), settings).await.expect(200);
    }

    async fn latency(&self, app: Option<&str>, milliseconds: u64) {
        self.control(app, &json!({"latency": milliseconds})).await;
    }

    /// Tokens of a person who has just consented to this app.
    async fn consent(&self, app: &str) -> Value {
        let redirect = "http://127.0.0.1:1/callback";
        let asked = format!(
            "{}/oauth/authorize?response_type=code&client_id={app}&redirect_uri={redirect}&scope=profile",
            self.sandbox
        );
        let back = Browser::new().get(asked).await.expect(303).location();
        let code = parameter(&back, "code").unwrap();
        let secret = if app == "claviger" { "sandbox-secret" } else { "secret" };
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", app),
            ("client_secret", secret),
            ("code", &code),
            ("redirect_uri", redirect),
        ];
        Browser::new().form(format!("{}/oauth/token", self.sandbox), &fields).await.expect(200).json()
    }

    /// A connection whose access token is over: the next read needs a refresh.
    async fn import_expired(&self, at: &Replica, subject: &str, integration: &str) {
        let tokens = self.consent(client_of(integration)).await;
        let body = json!({
            "accessToken": tokens["access_token"], "refreshToken": tokens["refresh_token"],
            "expiresAt": "2020-01-01T00:00:00Z",
        });
        at.put(subject, integration, &body).await.expect(200);
    }

    /// A connection whose access token is good for long.
    async fn import_live(&self, at: &Replica, subject: &str) -> String {
        let tokens = self.consent("claviger").await;
        let body = json!({
            "accessToken": tokens["access_token"], "refreshToken": tokens["refresh_token"],
            "expiresAt": "2099-01-01T00:00:00Z",
        });
        at.put(subject, "sandbox", &body).await.expect(200);
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    async fn totals(&self) -> Value {
        self.steer.get(format!("{}/control/totals", self.sandbox)).await.expect(200).json()
    }

    /// How often a refresh token was presented, and how often a spent one.
    async fn refreshes(&self) -> (u64, u64) {
        let totals = self.totals().await;
        (totals["refreshes"].as_u64().unwrap(), totals["reuse"].as_u64().unwrap())
    }

    /// Waits until the sandbox has been called so often; it may hold the answers back.
    async fn called(&self, times: u64) {
        let deadline = Instant::now() + DEADLINE;
        while self.refreshes().await.0 < times {
            assert!(Instant::now() < deadline, "{times} calls, but {:?}", self.refreshes().await);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        assert_eq!(self.refreshes().await.0, times);
    }

    /// The refreshes that one app made.
    async fn refreshes_of(&self, app: &str) -> usize {
        let log = self.steer.get(format!("{}/control/log", self.sandbox)).await.expect(200).json();
        let of_app = |row: &&Value| row["grantType"] == "refresh_token" && row["clientId"] == app;
        log.as_array().unwrap().iter().filter(of_app).count()
    }

    /// Whether the provider's API takes this token.
    async fn accepts(&self, token: &str) -> bool {
        Browser::with_key(token).get(format!("{}/api/me", self.sandbox)).await.status == 200
    }

    async fn sql(&self, statement: &str) {
        let Some(database) = &self.database else {
            let path = self.folder.path().join("data/claviger.db");
            let file = rusqlite::Connection::open(path).unwrap();
            file.busy_timeout(DEADLINE).unwrap();
            file.execute_batch(statement).unwrap();
            return;
        };
        let (client, connection) = tokio_postgres::connect(database, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(statement).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }

    /// The lease runs out, as it does when nobody renews it.
    async fn lease_runs_out(&self) {
        self.sql("UPDATE credentials SET lease_until = lease_until - 60000").await;
    }

    /// The time after which a strict provider's call of unknown fate is repeated goes by.
    async fn patience_ends(&self) {
        self.sql("UPDATE refresh_journal SET started_at = started_at - 600000").await;
    }

    /// The generation of the only credential.
    async fn generation(&self) -> i64 {
        let asked = "SELECT generation FROM credentials";
        let Some(database) = &self.database else {
            let file = rusqlite::Connection::open(self.folder.path().join("data/claviger.db")).unwrap();
            return file.query_row(asked, [], |row| row.get(0)).unwrap();
        };
        let (client, connection) = tokio_postgres::connect(database, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let generation = client.query_one(asked, &[]).await.unwrap().get(0);
        drop(client);
        connection.await.unwrap().unwrap();
        generation
    }
}

fn client_of(integration: &str) -> &str {
    if integration == "sandbox" { "claviger" } else { integration }
}

impl Replica {
    fn path(&self, subject: &str, integration: &str) -> String {
        format!("{}/api/connections/{subject}/{integration}", self.url)
    }

    async fn put(&self, subject: &str, integration: &str, body: &Value) -> Answer {
        self.backend.json(Method::PUT, self.path(subject, integration), body).await
    }

    async fn token(&self, subject: &str, integration: &str) -> Answer {
        self.backend.get(format!("{}/token", self.path(subject, integration))).await
    }

    /// A read that goes on by itself.
    fn reading(&self, subject: &'static str, integration: &'static str) -> tokio::task::JoinHandle<Answer> {
        let (url, backend) = (self.path(subject, integration) + "/token", Browser::with_key(&self.key));
        tokio::spawn(async move { backend.get(url).await })
    }

    /// What lies in its spool: the names of answers, and of room for answers.
    fn spooled(&self) -> (Vec<String>, Vec<String>) {
        let files = fs::read_dir(self.data.join("spool")).unwrap().map(|file| file.unwrap());
        let name = |file: fs::DirEntry| file.file_name().into_string().unwrap();
        let (answers, room): (Vec<_>, Vec<_>) =
            files.partition(|file| fs::read(file.path()).unwrap_or_default().contains(&b'\n'));
        (answers.into_iter().map(name).collect(), room.into_iter().map(name).collect())
    }

    fn ended_well(self) {
        let (status, printed) = self.program.terminate();
        assert!(status.success(), "{printed}");
    }
}

fn access_token(answer: Answer) -> String {
    answer.expect(200).json()["access_token"].as_str().unwrap().to_owned()
}

/// Both replicas are asked at once for a token that is over.
async fn one_call(scene: &Scene, one: &Replica, two: &Replica, integration: &'static str) {
    let (first, second) = (one.reading("client-7", integration), two.reading("client-7", integration));
    let (first, second) = (access_token(first.await.unwrap()), access_token(second.await.unwrap()));
    assert_eq!(first, second, "{integration}");
    scene.latency(Some(client_of(integration)), 0).await;
    assert!(scene.accepts(&first).await, "{integration}");
    assert_eq!(scene.refreshes_of(client_of(integration)).await, 1, "{integration}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_call_a_provider_once_that_takes_a_second_twelve_or_forty() {
    let Some(scene) = Scene::on_postgresql(ON_DEMAND).await else { return };
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    for (integration, milliseconds) in [("sandbox", 800), ("slow", 12_000), ("slower", 40_000)] {
        scene.import_expired(&one, "client-7", integration).await;
        scene.latency(Some(client_of(integration)), milliseconds).await;
    }
    tokio::join!(
        one_call(&scene, &one, &two, "sandbox"),
        one_call(&scene, &one, &two, "slow"),
        one_call(&scene, &one, &two, "slower"),
    );
    assert_eq!(scene.refreshes().await, (3, 0));
    for replica in [one, two] {
        assert_eq!(replica.spooled().1, [""; 0], "room that nobody needs is given back");
        replica.ended_well();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_sqlite_file_call_once() {
    let scene = Scene::new(None, ON_DEMAND).await;
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    scene.import_expired(&one, "client-7", "sandbox").await;
    scene.latency(None, 800).await;
    one_call(&scene, &one, &two, "sandbox").await;
    assert_eq!(scene.refreshes().await, (1, 0));
    one.ended_well();
    two.ended_well();
}

/// A strict provider: the successor has patience, because the sleeper may have the only copy.
async fn a_sleeper_comes_back(scene: Scene) {
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    scene.import_expired(&one, "client-7", "sandbox").await;
    scene.latency(None, 1000).await;
    let sleeping = one.reading("client-7", "sandbox");
    scene.called(1).await;
    one.program.signal("STOP");
    scene.lease_runs_out().await;
    let waiting = two.reading("client-7", "sandbox");
    two.program.said(&["refresh.waiting"]).await;
    one.program.signal("CONT");
    let token = access_token(sleeping.await.unwrap());
    assert_eq!(access_token(waiting.await.unwrap()), token);
    assert!(scene.accepts(&token).await);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((1, 0), 2));
    one.ended_well();
    two.ended_well();
}

/// A provider that keeps its refresh token: the successor does not wait, and the sleeper can't write over it.
async fn a_sleeper_is_succeeded(scene: Scene) {
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    scene.import_expired(&one, "client-7", "free").await;
    scene.latency(Some("free"), 1000).await;
    let sleeping = one.reading("client-7", "free");
    scene.called(1).await;
    one.program.signal("STOP");
    scene.lease_runs_out().await;
    let token = access_token(two.token("client-7", "free").await);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((2, 0), 2));
    one.program.signal("CONT");
    assert_eq!(access_token(sleeping.await.unwrap()), token, "the sleeper hands out its successor's token");
    assert_eq!(access_token(one.token("client-7", "free").await), token);
    assert_eq!(access_token(two.token("client-7", "free").await), token);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((2, 0), 2));
    one.ended_well();
    two.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_replica_that_wakes_up_in_time_brings_its_strict_answer() {
    a_sleeper_comes_back(Scene::new(None, ON_DEMAND).await).await;
    if let Some(scene) = Scene::on_postgresql(ON_DEMAND).await {
        a_sleeper_comes_back(scene).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_replica_that_wakes_up_does_not_write_over_its_successor() {
    a_sleeper_is_succeeded(Scene::new(None, ON_DEMAND).await).await;
    if let Some(scene) = Scene::on_postgresql(ON_DEMAND).await {
        a_sleeper_is_succeeded(scene).await;
    }
}

async fn drained(scene: Scene) {
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    scene.import_expired(&one, "client-7", "sandbox").await;
    scene.latency(None, 2000).await;
    let reading = one.reading("client-7", "sandbox");
    scene.called(1).await;
    one.ended_well();
    let token = access_token(reading.await.unwrap());
    assert_eq!(access_token(two.token("client-7", "sandbox").await), token);
    assert!(scene.accepts(&token).await);
    assert_eq!(scene.refreshes().await, (1, 0));
    two.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_waits_for_a_refresh_under_way() {
    drained(Scene::new(None, ON_DEMAND).await).await;
    if let Some(scene) = Scene::on_postgresql(ON_DEMAND).await {
        drained(scene).await;
    }
}

/// The refresh goes on although its caller has gone away before SIGTERM.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_waits_for_a_refresh_that_nobody_waits_for() {
    let Some(scene) = Scene::on_postgresql(ON_DEMAND).await else { return };
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    scene.import_expired(&one, "client-7", "sandbox").await;
    scene.latency(None, 2000).await;
    let reading = one.reading("client-7", "sandbox");
    scene.called(1).await;
    reading.abort();
    one.ended_well();
    let token = access_token(two.token("client-7", "sandbox").await);
    assert!(scene.accepts(&token).await);
    assert_eq!(scene.refreshes().await, (1, 0));
    two.ended_well();
}

async fn disconnected(scene: Scene) {
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    let live = scene.import_live(&one, "client-7").await;
    assert_eq!(access_token(one.token("client-7", "sandbox").await), live);
    assert_eq!(access_token(two.token("client-7", "sandbox").await), live, "now it is in both caches");
    let path = one.path("client-7", "sandbox");
    one.backend.send(Method::DELETE, &path, &[], "".into()).await.expect(200);
    let gone = Instant::now();
    loop {
        let asked = gone.elapsed();
        let answer = two.token("client-7", "sandbox").await;
        if answer.status == 404 {
            break;
        }
        answer.expect(200);
        assert!(asked < Duration::from_secs(1), "asked {asked:?} after the disconnect, the token came");
    }
    assert_eq!(one.token("client-7", "sandbox").await.status, 404);
    one.ended_well();
    two.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_stops_the_cached_token_of_the_other_replica_within_a_second() {
    disconnected(Scene::new(None, ON_DEMAND).await).await;
    if let Some(scene) = Scene::on_postgresql(ON_DEMAND).await {
        disconnected(scene).await;
    }
}

/// A call during which its process was killed: the sandbox has worked, and nobody gets its answer.
async fn killed_during_the_call(scene: &Scene, integration: &'static str) -> Replica {
    let (one, two) = (scene.replica("one").await, scene.replica("two").await);
    scene.import_expired(&one, "client-7", integration).await;
    scene.latency(Some(client_of(integration)), 30_000).await;
    let reading = one.reading("client-7", integration);
    scene.called(1).await;
    one.program.kill_9();
    reading.abort();
    scene.latency(Some(client_of(integration)), 0).await;
    let deadline = Instant::now() + DEADLINE;
    while scene.totals().await["answersLost"] != 1 {
        assert!(Instant::now() < deadline, "{}", scene.totals().await);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    two
}

async fn killed_at_a_strict_provider(scene: Scene) {
    let two = killed_during_the_call(&scene, "sandbox").await;
    scene.lease_runs_out().await;
    let early = two.backend.get(two.path("client-7", "sandbox") + "/token?wait=1s").await;
    assert_eq!(early.problem(), (503, "provider_unavailable".to_owned()), "patience: somebody may be asleep");
    assert_eq!(scene.refreshes().await, (1, 0));
    scene.patience_ends().await;
    let refused = two.token("client-7", "sandbox").await;
    assert_eq!(refused.problem(), (409, "reconnect_required".to_owned()));
    assert_eq!(refused.json()["reason"], "answer_lost", "{refused:?}");
    assert_eq!(scene.refreshes().await, (2, 1));
    two.ended_well();
}

async fn killed_at_a_free_provider(scene: Scene) {
    let two = killed_during_the_call(&scene, "free").await;
    scene.lease_runs_out().await;
    let token = access_token(two.token("client-7", "free").await);
    assert!(scene.accepts(&token).await);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((2, 0), 2));
    two.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_during_a_call_to_a_strict_provider_loses_the_answer_and_says_so() {
    killed_at_a_strict_provider(Scene::new(None, ON_DEMAND).await).await;
    if let Some(scene) = Scene::on_postgresql(ON_DEMAND).await {
        killed_at_a_strict_provider(scene).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_during_a_call_is_mended_where_the_refresh_token_stays() {
    killed_at_a_free_provider(Scene::new(None, ON_DEMAND).await).await;
    if let Some(scene) = Scene::on_postgresql(ON_DEMAND).await {
        killed_at_a_free_provider(scene).await;
    }
}

/// The road between a replica and PostgreSQL, which the test cuts and mends.
pub(crate) struct Road {
    address: SocketAddr,
    open: watch::Sender<bool>,
}

impl Road {
    pub(crate) async fn to(database: &str) -> Self {
        let database = Url::parse(database).unwrap();
        let there = (database.host_str().unwrap().to_owned(), database.port().unwrap_or(5432));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, is_open) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                let (mut is_open, there) = (is_open.clone(), there.clone());
                tokio::spawn(async move {
                    if !*is_open.borrow_and_update() {
                        return;
                    }
                    let Ok(mut database) = TcpStream::connect(there).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut here, &mut database) => {}
                        _ = is_open.changed() => {}
                    }
                });
            }
        });
        Self { address, open }
    }

    /// The database's address by this road.
    pub(crate) fn by(&self, database: &str) -> String {
        let mut url = Url::parse(database).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.into()
    }

    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}

/// The provider has answered, and the store is away: the answer lies in the spool.
async fn answered_while_the_store_is_away(
    scene: &Scene,
) -> (Road, Replica, String, tokio::task::JoinHandle<Answer>) {
    let database = scene.database.as_deref().unwrap();
    let road = Road::to(database).await;
    let text = scene.text.replace(database, &road.by(database));
    let one = scene.replica_in("one", scene.folder.path().join("one"), &text).await;
    scene.import_expired(&one, "client-7", "sandbox").await;
    scene.latency(None, 2000).await;
    let reading = one.reading("client-7", "sandbox");
    scene.called(1).await;
    assert_eq!((one.spooled().0.len(), one.spooled().1.len()), (0, 1), "room was made before the call");
    road.cut();
    one.program.said(&["refresh.waiting", "\"on\":\"store\""]).await;
    assert_eq!((one.spooled().0.len(), one.spooled().1.len()), (1, 0));
    assert_eq!(scene.generation().await, 1);
    (road, one, text, reading)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_while_postgresql_is_away_is_committed_when_it_is_back() {
    let Some(scene) = Scene::on_postgresql(ON_DEMAND).await else { return };
    let (road, one, _, reading) = answered_while_the_store_is_away(&scene).await;
    assert!(!reading.is_finished(), "nobody gets what is not durable");
    road.mend();
    let token = access_token(reading.await.unwrap());
    assert!(scene.accepts(&token).await);
    let two = scene.replica("two").await;
    assert_eq!(access_token(two.token("client-7", "sandbox").await), token);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((1, 0), 2));
    one.ended_well();
    two.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_the_spool_survives_kill_9_and_is_adopted_at_the_next_start() {
    let Some(scene) = Scene::on_postgresql(ON_DEMAND).await else { return };
    let (road, one, text, reading) = answered_while_the_store_is_away(&scene).await;
    let data = one.data.clone();
    one.program.kill_9();
    reading.abort();
    road.mend();
    let again = scene.replica_in("again", data, &text).await;
    let token = access_token(again.token("client-7", "sandbox").await);
    again.program.said(&["refresh.adopted"]).await;
    assert!(scene.accepts(&token).await);
    let two = scene.replica("two").await;
    assert_eq!(access_token(two.token("client-7", "sandbox").await), token);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((1, 0), 2));
    again.ended_well();
    two.ended_well();
}

/// A file system of its own, of a limited size; only root may have one.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"])
            .arg(at)
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at.to_owned()));
        }
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Not eprintln!: `cargo test` would swallow it.
        let _ = writeln!(std::io::stderr(), "skipped: {test} (this user may not mount a file system)");
        None
    }

    fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.0).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// Fills it to the last octet.
    fn fill(&self) {
        let mut ballast = fs::File::options().create(true).append(true).open(self.0.join("ballast")).unwrap();
        for size in [64 * 1024, 4096, 1] {
            let piece = vec![1; size];
            while ballast.write(&piece).is_ok_and(|written| written > 0) {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open keeps it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Nothing is spent while the answer could not be kept, and what is good is handed out.
async fn spends_nothing(scene: &Scene, one: &Replica, live: &str, broken: &str) {
    for _ in 0..3 {
        let refused = one.backend.get(one.path("expired", "sandbox") + "/token?wait=10s").await;
        assert_eq!(refused.status, 503, "{broken}: {refused:?}");
        assert_eq!(scene.refreshes().await, (0, 0), "{broken}");
        assert_ne!(refused.header("retry-after"), "", "{broken}");
        assert_eq!(access_token(one.token("live", "sandbox").await), live, "{broken}");
    }
}

/// After the mend somebody who insists gets a token. The failures may have left the credential at rest.
async fn works_again(scene: &Scene, one: &Replica) {
    let path = one.path("expired", "sandbox");
    one.backend.json(Method::POST, format!("{path}/refresh"), &json!({})).await.expect(200);
    let token = access_token(one.token("expired", "sandbox").await);
    assert!(scene.accepts(&token).await);
    assert_eq!(scene.refreshes().await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_is_away_lets_no_refresh_token_be_spent() {
    let Some(scene) = Scene::on_postgresql(ON_DEMAND).await else { return };
    let one = scene.replica("one").await;
    scene.import_expired(&one, "expired", "sandbox").await;
    let live = scene.import_live(&one, "live").await;
    let spool = one.data.join("spool");
    fs::remove_dir(&spool).unwrap();
    fs::write(&spool, "a file where a folder was").unwrap();
    spends_nothing(&scene, &one, &live, "no folder").await;
    one.program.said(&["spool.unwritable"]).await;
    fs::remove_file(&spool).unwrap();
    fs::create_dir(&spool).unwrap();
    works_again(&scene, &one).await;
    one.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_is_read_only_or_full_lets_no_refresh_token_be_spent() {
    let Some(scene) = Scene::on_postgresql(ON_DEMAND).await else { return };
    let data = scene.folder.path().join("one");
    fs::create_dir(&data).unwrap();
    let Some(disk) = Disk::mount(&data.join("spool"), "1m") else { return };
    let one = scene.replica("one").await;
    scene.import_expired(&one, "expired", "sandbox").await;
    let live = scene.import_live(&one, "live").await;
    disk.remount("ro");
    spends_nothing(&scene, &one, &live, "read-only").await;
    disk.remount("rw");
    disk.fill();
    spends_nothing(&scene, &one, &live, "full").await;
    disk.empty();
    assert_eq!(one.spooled().1, [""; 0], "room that could not be made is given back");
    works_again(&scene, &one).await;
    one.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_fills_up_during_the_call_has_made_room_before() {
    let Some(scene) = Scene::on_postgresql(ON_DEMAND).await else { return };
    let data = scene.folder.path().join("one");
    fs::create_dir(&data).unwrap();
    let Some(disk) = Disk::mount(&data.join("spool"), "1m") else { return };
    let one = scene.replica("one").await;
    scene.import_expired(&one, "client-7", "sandbox").await;
    scene.latency(None, 1500).await;
    let reading = one.reading("client-7", "sandbox");
    scene.called(1).await;
    disk.fill();
    let token = access_token(reading.await.unwrap());
    assert!(scene.accepts(&token).await);
    assert_eq!(one.spooled().0.len(), 1, "the answer went where room had been made");
    assert_eq!(scene.refreshes().await, (1, 0));
    one.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_can_not_be_written_stops_the_start() {
    let Some(scene) = Scene::on_postgresql(ON_DEMAND).await else { return };
    let data = scene.folder.path().join("one");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("spool"), "a file where a folder should be").unwrap();
    let config = scene.config("one", &data, &scene.text);
    let ended = run(&["serve", "--config", &config], &[], scene.folder.path());
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    for part in ["connect.refresh.spool", "mend"] {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_lets_no_refresh_token_be_spent() {
    let scene = Scene::new(None, ON_DEMAND).await;
    let Some(disk) = Disk::mount(&scene.folder.path().join("data"), "16m") else { return };
    let one = scene.replica("one").await;
    scene.import_expired(&one, "expired", "sandbox").await;
    let live = scene.import_live(&one, "live").await;
    disk.fill();
    spends_nothing(&scene, &one, &live, "full").await;
    disk.empty();
    works_again(&scene, &one).await;
    one.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_finds_the_disk_full_is_committed_when_there_is_space() {
    let scene = Scene::new(None, ON_DEMAND).await;
    let Some(disk) = Disk::mount(&scene.folder.path().join("data"), "16m") else { return };
    let one = scene.replica("one").await;
    scene.import_expired(&one, "client-7", "sandbox").await;
    scene.latency(None, 2000).await;
    let reading = one.reading("client-7", "sandbox");
    scene.called(1).await;
    disk.fill();
    one.program.said(&["refresh.waiting", "\"on\":\"store\""]).await;
    assert!(!reading.is_finished(), "nobody gets what is not durable");
    assert_eq!(scene.generation().await, 1);
    disk.empty();
    let token = access_token(reading.await.unwrap());
    assert!(scene.accepts(&token).await);
    assert_eq!((scene.refreshes().await, scene.generation().await), ((1, 0), 2));
    one.ended_well();
}
