//! A fresh database with two replicas on it, and records to put there.

use std::sync::Arc;
use std::time::Duration;

use model::{
    Account, Binding, ConnectionId, CredentialId, FixedClock, Label, Origin, ReconnectReason, Scopes,
    SystemClock, Timestamp, WriterId,
};
use serde_json::{Map, Value as Json};
use store::attempts::Attempt;
use store::connections::{ConnectionKey, NewConnection};
use store::credentials::{Credential, SealedTokens};
use store::refreshes::{Ending, NewClaim, Settlement};
use store::{Options, Store, testing};
use tokio::sync::Barrier;
use vault::{Sealed, TokenHash, random};

use crate::behind;

pub(crate) struct World {
    pub(crate) one: Store,
    pub(crate) two: Store,
    pub(crate) url: String,
    pub(crate) directory: tempfile::TempDir,
    /// The time of a world that was opened with one of its own.
    pub(crate) clock: Arc<FixedClock>,
}

pub(crate) fn options(url: &str) -> Options {
    let mut options = Options::new(url, random::id::<WriterId>(), Arc::new(SystemClock));
    options.connections = Some(4);
    // A machine that is busy with other tests is not one whose server is away.
    options.limits_patience = Duration::from_secs(20);
    options
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("claviger.db").display());
        Self::open(url, directory).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let url = testing::fresh_postgres().await?;
        Some(Self::open(url, tempfile::tempdir().unwrap()).await)
    }

    async fn open(url: String, directory: tempfile::TempDir) -> Self {
        let one = Store::open(&options(&url)).await.unwrap();
        let two = Store::open(&options(&url)).await.unwrap();
        Self { one, two, url, directory, clock: Arc::new(FixedClock::at(at(0))) }
    }

    /// An address where there is no schema yet.
    pub(crate) async fn elsewhere(&self) -> String {
        if self.is_sqlite() {
            return format!("sqlite:{}", self.directory.path().join("another.db").display());
        }
        testing::fresh_postgres().await.unwrap()
    }

    /// The same with replicas that go by the world's own clock.
    pub(crate) async fn at_a_time_of_its_own(self) -> Self {
        self.end().await;
        let mut options = options(&self.url);
        options.clock = self.clock.clone();
        let one = Store::open(&options).await.unwrap();
        options.writer = random::id();
        let two = Store::open(&options).await.unwrap();
        Self { one, two, ..self }
    }

    pub(crate) async fn end(&self) {
        self.one.close().await;
        self.two.close().await;
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// Runs SQL behind the store's back.
    pub(crate) async fn sql(&self, sql: &str) {
        behind::run(&self.url, sql).await;
    }

    /// Reads the one text column of a query behind the store's back.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        behind::texts(&self.url, sql).await
    }

    /// Counts the rows of a table behind the store's back.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        behind::count(&self.url, table).await
    }

    /// Does a deed on both replicas, so many times at once; the answers in the order of the callers.
    pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        callers: usize,
        deed: impl Fn(Store, usize) -> F,
    ) -> Vec<T> {
        let barrier = Arc::new(Barrier::new(callers));
        let called: Vec<_> = (0..callers)
            .map(|caller| {
                let replica = if caller % 2 == 0 { self.one.clone() } else { self.two.clone() };
                let (barrier, deed) = (Arc::clone(&barrier), deed(replica, caller));
                tokio::spawn(async move {
                    barrier.wait().await;
                    deed.await
                })
            })
            .collect();
        let mut answers = Vec::new();
        for answer in called {
            answers.push(answer.await.unwrap());
        }
        answers
    }
}

/// Waits until `condition` holds, which on PostgreSQL takes as long as a notice does.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let reached = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), reached).await.is_ok(), "never came true: {what}");
}

pub(crate) const fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_795_000_000_000 + second * 1000)
}

pub(crate) fn sealed<T: vault::Sealable>(octets: &str) -> Sealed<T> {
    Sealed::from_row(octets.as_bytes().to_vec())
}

pub(crate) fn octets<T: vault::Sealable>(sealed: Option<&Sealed<T>>) -> Option<&str> {
    sealed.map(|sealed| std::str::from_utf8(sealed.as_bytes()).unwrap())
}

pub(crate) fn object(json: Json) -> Map<String, Json> {
    serde_json::from_value(json).unwrap()
}

pub(crate) fn key(subject: &str, integration: &str) -> ConnectionKey {
    ConnectionKey {
        subject: subject.parse().unwrap(),
        integration: integration.parse().unwrap(),
        label: Label::default(),
    }
}

pub(crate) fn tokens(name: &str, second: i64) -> SealedTokens {
    SealedTokens {
        access_token: Some(sealed(&format!("access of {name}"))),
        refresh_token: Some(sealed(&format!("refresh of {name}"))),
        extra: Some(sealed(&format!("extra of {name}"))),
        token_type: "Bearer".to_owned(),
        scopes: Scopes::parse("read write", " "),
        expires_at: Some(at(second + 3600)),
        obtained_at: at(second),
    }
}

pub(crate) fn credential(key: &ConnectionKey, name: &str, second: i64) -> Credential {
    Credential {
        id: random::id(),
        subject: key.subject.clone(),
        integration: key.integration.clone(),
        provider: "github".parse().unwrap(),
        client_id: "our app".to_owned(),
        token_url: "https://provider.example/token".to_owned(),
        generation: 1,
        account: Some(Account { id: "17".to_owned(), name: Some("anna@example.com".to_owned()) }),
        tokens: tokens(name, second),
        refreshed_at: None,
        broken: None,
        last_error: None,
        failures: 0,
        due_at: Some(at(second + 3300)),
        used_at: Some(at(second)),
        grant_started_at: Some(at(second)),
        grant_ends_at: None,
        part: None,
    }
}

pub(crate) fn new_connection(key: &ConnectionKey, name: &str, second: i64) -> NewConnection {
    NewConnection {
        id: random::id::<ConnectionId>(),
        key: key.clone(),
        metadata: Map::new(),
        requested_scopes: Scopes::parse("read write admin", " "),
        by: "operator".to_owned(),
        at: at(second),
        credential: credential(key, name, second),
        parts: Vec::new(),
    }
}

pub(crate) fn new_claim(id: &CredentialId, generation: i64) -> NewClaim {
    let lease = Duration::from_secs(30);
    NewClaim { credential: *id, generation, fence: 0, again: false, holder: random::id(), lease, step: 1 }
}

/// A call that the provider did not process, for this reason.
pub(crate) fn failed(error: &str) -> Settlement {
    let error = Some(error.to_owned());
    Settlement { ending: Ending::NotProcessed, keep_lease: false, due_at: None, error }
}

/// Puts new tokens in place of those of `generation`, in one call and without a claim.
pub(crate) async fn put_tokens(
    store: &Store,
    id: &CredentialId,
    generation: i64,
    set: &SealedTokens,
) -> bool {
    store.refreshes.adopt(id, generation, generation, set, None).await.unwrap()
}

/// Says that the grant is dead, as a refresh of its own finds out.
pub(crate) async fn break_grant(store: &Store, id: &CredentialId, generation: i64, at: Timestamp) -> bool {
    let fence = store.refreshes.look(id).await.unwrap().unwrap().fence;
    let seen = NewClaim { fence, ..new_claim(id, generation) };
    let claim = store.refreshes.claim(&seen).await.unwrap().unwrap();
    store.refreshes.mark_broken(&claim, BROKEN, None, at).await.unwrap()
}

pub(crate) fn attempt(second: i64) -> Attempt {
    Attempt {
        id: random::id(),
        subject: "anna".parse().unwrap(),
        integration: "github".parse().unwrap(),
        label: Label::default(),
        provider: "github".parse().unwrap(),
        origin: Origin::Settings,
        return_to: Some("https://app.example/back?x=1".to_owned()),
        binding: Binding::Cookie,
        scopes: Scopes::parse("repo read:user", " "),
        client_id: "our app".to_owned(),
        redirect_uri: "https://us.example/callback".to_owned(),
        token_url: "https://provider.example/token".to_owned(),
        issuer: Some("https://provider.example".to_owned()),
        authorize_url: "https://provider.example/authorize?client_id=our+app".to_owned(),
        code_verifier: Some(sealed("verifier")),
        started_by: "operator".to_owned(),
        issued_at: at(second),
        expires_at: at(second + 600),
        consumed_at: None,
        binding_hash: None,
        members: Vec::new(),
    }
}

pub(crate) fn hash(text: &str) -> TokenHash {
    TokenHash::of(text)
}

pub(crate) const BROKEN: ReconnectReason = ReconnectReason::GrantRevoked;
