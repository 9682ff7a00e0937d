//! Planes, store and vault are put together here and nowhere else. Everything that must stop a start stops it here,
//! with the setting, what is wrong, and how to mend it.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use connect::integrations::ConfiguredIntegration;
use connect::keys::Keys;
use connect::mail::{Letters, Post};
use connect::refresh::RefreshSettings;
use connect::refresh::spool::Spool;
use connect::return_to::{AllowList, check_redirect_uri, is_loopback};
use connect::stripe::StripeSettings;
use connect::{Connect, Parts, Settings};
use grant::Grant;
use grant::signing::Seal;
use http_plane::brand::Brand;
use http_plane::letters::Scribe;
use http_plane::messages::Language;
use http_plane::metrics::Metrics;
use http_plane::protect::Upstream;
use http_plane::{App, Demo};
use ipnet::IpNet;
use model::{
    Actor, ClientSecret, Clock, IntegrationId, ProviderId, Scopes, Secret, SigningKeyId, SigningKeySecret,
    Timestamp,
};
use provider::catalog::Catalog;
use provider::client::{ClientSettings, HttpClient, SettingsError};
use provider::endpoints::EndpointsError;
use provider::mail::Mailer;
use store::keyring::KeyRow;
use store::{Migrate, Options, Store};
use tracing::warn;
use url::Url;
use vault::{Keyring, LimitKeys, MasterKey, Sealed, WrappedKey};

use crate::config::groups::with_groups;
use crate::config::layers::embedded_database;
use crate::config::{Config, ConfigError, Integration, LocaleTag, Outbound, Refresh, SecretSource};
use crate::config::{grant as config_grant, mail, portal, protect, stripe};
use crate::documents::{self, DocumentReader};
use crate::restored::TrailMark;

/// More calls at once, or a second, than any provider likes.
const MOST_AT_ONCE: usize = 10_000;

/// How long portal sessions are kept, at least.
const SHORTEST_RETENTION: Duration = Duration::from_hours(24);

/// How many times a start looks for the keyring's first key, which another process may be adding.
const KEYRING_ATTEMPTS: usize = 2;

/// The checks that need neither network nor store: what `config check` runs.
pub struct Checked {
    /// The key of the vault.
    pub master: MasterKey,
    settings: Settings,
    catalog: Catalog,
    http: HttpClient,
    mailer: Option<Mailer>,
    stripe: Option<StripeSettings>,
    grant: grant::Settings,
    documents: DocumentReader,
    upstreams: Vec<Upstream>,
    trusted_proxies: Vec<IpNet>,
    brand: Brand,
    database: Addresses,
    /// What deserves the operator's attention although it works.
    pub warnings: Vec<String>,
}

/// Checks everything that can be checked before anything is opened.
pub fn check(config: &Config) -> Result<Checked, ConfigError> {
    let mut warnings = Vec::new();
    let master = master_key(config, &mut warnings)?;
    let public_url = public_url(config)?;
    let catalog = Catalog::load(config.catalog.directory.as_deref()).map_err(|error| {
        ConfigError::setting(
            "catalog.directory",
            error,
            "correct the entry; docs/adding-a-provider.md lists every field",
        )
    })?;
    let mut return_to =
        AllowList::parse(config.connect.return_to.iter().map(String::as_str)).map_err(|error| {
            ConfigError::setting(
                "connect.return_to",
                error,
                "list addresses such as https://app.example.com/settings",
            )
        })?;
    // The pages of the portal are places to return to.
    if let Ok(portal) = Url::parse(&format!("{public_url}/portal")) {
        return_to.push(portal);
    }
    not_zero("connect.attempt_ttl", config.connect.attempt_ttl.0)?;
    let frontend_url = config.frontend_url.as_deref().map(frontend_url).transpose()?;
    let mut integrations = BTreeMap::new();
    for (name, integration) in &with_groups(&config.integrations, &config.groups, &catalog)? {
        let (id, configured) = check_integration(name, integration, &catalog, &mut warnings)?;
        integrations.insert(id, configured);
    }
    if let Some(default) = &config.connect.default_provider
        && !integrations.contains_key(default)
    {
        let mend = format!("add [integrations.{default}], or name one that is there");
        return Err(ConfigError::setting(
            "connect.default_provider",
            format!("no integration is named {default}"),
            mend,
        ));
    }
    if config.shutdown_grace.0 < config.connect.refresh.call_limit.0 {
        warnings.push(
            "shutdown_grace is shorter than connect.refresh.call_limit: a stop may cut off a refresh whose answer is the \
             only copy of a token"
                .to_owned(),
        );
    }
    if config.portal.retention.0 < SHORTEST_RETENTION {
        let problem = "is shorter than a day, in which mails are counted and onboardings end";
        return Err(ConfigError::setting("portal.retention", problem, "write \"1d\" or longer"));
    }
    let announced = portal::announced(&config.portal, &integrations, &catalog)?;
    let brand = portal::brand(config)?;
    let http = http_client(&config.outbound)?;
    let mailer = mail::mailer(config, &mut warnings)?;
    let stripe = stripe::settings(config, &http, &mut warnings)?;
    let upstreams = protect::upstreams(
        &config.protect,
        &public_url,
        |scope| config.grant.scopes.contains_key(scope),
        |integration| integrations.contains_key(integration),
    )?;
    let protected: Vec<_> = upstreams.iter().map(|own| own.protected.clone()).collect();
    let grant = config_grant::settings(config, &public_url, &protected, &mut warnings)?;
    let documents = documents::reader(&config.grant.mcp)?;
    let trusted_proxies = trusted_proxies(config)?;
    if public_url.starts_with("https:") && trusted_proxies.is_empty() {
        // Nothing here speaks TLS, so somebody in front of us does.
        warnings.push(
            "trusted_proxies is empty, so all clients count as one, the proxy in front; list its address"
                .to_owned(),
        );
    }
    Ok(Checked {
        master,
        settings: Settings {
            public_url,
            frontend_url,
            return_to,
            default_provider: config.connect.default_provider.clone(),
            attempt_ttl: config.connect.attempt_ttl.0,
            refresh_before: config.connect.refresh_before.0,
            refresh: refresh_settings(&config.connect.refresh)?,
            subjects_must_exist: config.subjects.must_exist,
            announced,
            integrations,
        },
        grant,
        documents,
        upstreams,
        trusted_proxies,
        brand,
        catalog,
        http,
        mailer,
        stripe,
        database: Addresses::of(config)?,
        warnings,
    })
}

fn trusted_proxies(config: &Config) -> Result<Vec<IpNet>, ConfigError> {
    let read = |text: &String| {
        let network = text.parse::<IpNet>().ok();
        network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).ok_or_else(|| {
            let mend = "write networks or addresses, such as \"10.0.0.0/8\"";
            ConfigError::setting("trusted_proxies", format!("{text:?} is none"), mend)
        })
    };
    config.trusted_proxies.iter().map(read).collect()
}

fn refresh_settings(refresh: &Refresh) -> Result<RefreshSettings, ConfigError> {
    not_zero("connect.refresh.first_retry", refresh.first_retry.0)?;
    not_zero("connect.refresh.call_limit", refresh.call_limit.0)?;
    not_zero("connect.refresh.idle_after", refresh.idle_after.0)?;
    for (key, value) in [
        ("connect.refresh.at_once", refresh.at_once),
        ("connect.refresh.per_second", refresh.per_second as usize),
    ] {
        if !(1..=MOST_AT_ONCE).contains(&value) {
            let rule = format!("is {value}");
            return Err(ConfigError::setting(key, rule, format!("write a number from 1 to {MOST_AT_ONCE}")));
        }
    }
    Ok(RefreshSettings {
        first_retry: refresh.first_retry.0,
        call_limit: refresh.call_limit.0,
        holder_returns: refresh.holder_returns.0,
        idle_after: refresh.idle_after.0,
        at_once: refresh.at_once,
        per_second: refresh.per_second,
    })
}

/// The spool, where the database is not a file beside us: there the commit itself is the spool.
fn spool(config: &Config, database: &str) -> Result<Option<Spool>, ConfigError> {
    if database.starts_with("sqlite:") {
        return Ok(None);
    }
    let directory = match &config.connect.refresh.spool {
        Some(directory) => directory.clone(),
        None => config.data_dir.join("spool"),
    };
    let spool = Spool::open(&directory).map_err(|error| {
        let mend =
            "make it writable for this user on a disk that survives a restart, or name another directory";
        ConfigError::setting("connect.refresh.spool", format!("{}: {error}", directory.display()), mend)
    })?;
    Ok(Some(spool))
}

fn not_zero(key: &str, duration: Duration) -> Result<(), ConfigError> {
    if duration.is_zero() {
        return Err(ConfigError::setting(
            key,
            "is zero, so that nothing would ever be in time",
            "write a longer one",
        ));
    }
    Ok(())
}

pub(crate) fn http_client(outbound: &Outbound) -> Result<HttpClient, ConfigError> {
    not_zero("outbound.connect_timeout", outbound.connect_timeout.0)?;
    not_zero("outbound.timeout", outbound.timeout.0)?;
    let settings = ClientSettings {
        connect_timeout: outbound.connect_timeout.0,
        total_timeout: outbound.timeout.0,
        allow_private: outbound.allow_private.clone(),
        ..ClientSettings::default()
    };
    HttpClient::new(settings).map_err(|error| match error {
        SettingsError::Host(host) => {
            ConfigError::setting("outbound.allow_private", host, "list hosts as \"name\" or \"name:port\"")
        }
        SettingsError::Root(_) | SettingsError::Tls(_) => {
            ConfigError::setting("outbound", error, "this is a fault of the program; please report it")
        }
    })
}

pub(crate) fn master_key(config: &Config, warnings: &mut Vec<String>) -> Result<MasterKey, ConfigError> {
    let mend = "make one with `openssl rand -base64 32`, and name its place: key = \"env:CLAVIGER_KEY\" or \"file:PATH\"";
    let resolved = config.key.resolve().map_err(|error| ConfigError::setting("key", error, mend))?;
    if resolved.literal {
        warnings.push(
            "key stands in the configuration itself; move it to an environment variable or a file".to_owned(),
        );
    }
    MasterKey::parse(resolved.secret.expose()).map_err(|error| ConfigError::setting("key", error, mend))
}

/// What makes a good `public_url`.
const PUBLIC_URL_MEND: &str =
    "set it to the https address under which browsers reach the public listener, without path";

pub(crate) fn public_url(config: &Config) -> Result<String, ConfigError> {
    let text = config.public_url.as_deref();
    good_public_url(text.ok_or_else(|| ConfigError::setting("public_url", "is not set", PUBLIC_URL_MEND))?)
}

/// The address as it is used: without a slash at its end.
pub(crate) fn good_public_url(text: &str) -> Result<String, ConfigError> {
    let (key, mend) = ("public_url", PUBLIC_URL_MEND);
    let url =
        Url::parse(text).map_err(|error| ConfigError::setting(key, format!("{text:?}: {error}"), mend))?;
    let bare =
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() || !bare {
        return Err(ConfigError::setting(key, format!("{text:?} is not a bare https address"), mend));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(ConfigError::setting(key, format!("{text:?} is http outside loopback"), mend));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn frontend_url(text: &str) -> Result<String, ConfigError> {
    let mend = "set it to the address of the product's front end, such as https://app.example.com";
    AllowList::parse([text]).map_err(|error| ConfigError::setting("frontend_url", error, mend))?;
    Ok(text.trim_end_matches('/').to_owned())
}

pub(crate) fn check_integration(
    name: &str,
    integration: &Integration,
    catalog: &Catalog,
    warnings: &mut Vec<String>,
) -> Result<(IntegrationId, ConfiguredIntegration), ConfigError> {
    let key = |field: &str| format!("integrations.{name}{field}");
    let id: IntegrationId = name.parse().map_err(|error| {
        ConfigError::setting(&key(""), error, "rename it, for example to the catalog entry's name")
    })?;
    let provider = match &integration.provider {
        Some(provider) => provider.clone(),
        None => name
            .parse::<ProviderId>()
            .map_err(|error| ConfigError::setting(&key(""), error, "name a provider"))?,
    };
    let entry = catalog.get(&provider).ok_or_else(|| {
        let mend = "name an entry of the catalog, or add your own under catalog.directory";
        ConfigError::setting(&key(".provider"), format!("the catalog has no entry {provider}"), mend)
    })?;
    match entry.endpoints(&integration.parameters, None) {
        Ok(_) => {}
        // Without app credentials nothing is called yet, and parameters may still be to come.
        Err(EndpointsError::Address { .. } | EndpointsError::NotACodeFlow { .. })
            if integration.client_id.is_none() => {}
        Err(error) => {
            let (field, mend) = match error {
                EndpointsError::NotACodeFlow { .. } => {
                    (".provider", "name an entry whose flow is oauth2_code")
                }
                _ => (".parameters", "give exactly the parameters that the catalog entry describes"),
            };
            return Err(ConfigError::setting(&key(field), error, mend));
        }
    }
    if let Some(ttl) = integration.attempt_ttl {
        not_zero(&key(".attempt_ttl"), ttl.0)?;
    }
    if let Some(uri) = &integration.redirect_uri {
        check_redirect_uri(uri).map_err(|rule| {
            ConfigError::setting(&key(".redirect_uri"), rule, "use https, or http on loopback")
        })?;
    }
    let scopes = integration.scopes.clone().map(Scopes::from);
    if scopes.as_ref().is_some_and(|scopes| !scopes.is_well_formed() || scopes.is_empty()) {
        let mend = "list scope tokens of RFC 6749 §3.3, or leave it out";
        return Err(ConfigError::setting(&key(".scopes"), "is empty or holds what is no scope", mend));
    }
    let mut resolve = |field: &str, source: &SecretSource, secret: bool| {
        let resolved = source
            .resolve()
            .map_err(|error| ConfigError::setting(&key(field), error, "provide it, or remove the setting"))?;
        if secret && resolved.literal {
            warnings
                .push(format!("{} stands in the configuration itself; move it to env: or file:", key(field)));
        }
        Ok::<_, ConfigError>(resolved.secret.expose().clone())
    };
    let client_id = integration.client_id.as_ref().map(|id| resolve(".client_id", id, false)).transpose()?;
    let client_secret =
        integration.client_secret.as_ref().map(|s| resolve(".client_secret", s, true)).transpose()?;
    let configured = ConfiguredIntegration {
        provider,
        client_id,
        client_secret: client_secret.map(ClientSecret::from),
        scopes,
        redirect_uri: integration.redirect_uri.clone(),
        parameters: integration.parameters.clone(),
        attempt_ttl: integration.attempt_ttl.map(|ttl| ttl.0),
    };
    Ok((id, configured))
}

/// The addresses of databases that the operator gave; they may hold passwords.
struct Addresses {
    url: Option<Secret<String>>,
    migrate_url: Option<Secret<String>>,
    limits: Option<Secret<String>>,
}

impl Addresses {
    fn of(config: &Config) -> Result<Self, ConfigError> {
        let database = &config.database;
        let resolve = |key: &str, source: &SecretSource, known: &[&str], mend: &str| {
            let secret = source
                .resolve()
                .map_err(|error| ConfigError::setting(key, error, "provide it, or remove it"))?
                .secret;
            if !known.iter().any(|scheme| secret.expose().starts_with(scheme)) {
                return Err(ConfigError::setting(
                    key,
                    "is the address of no database that is known here",
                    mend,
                ));
            }
            Ok(secret)
        };
        let store = |key: &str, source: &SecretSource| {
            let known = ["sqlite:", "postgres://", "postgresql://"];
            resolve(key, source, &known, "write sqlite:PATH or postgres://USER@HOST/DATABASE")
        };
        let counters = |source: &SecretSource| {
            let known = ["redis://", "rediss://", "valkey://", "valkeys://", "unix://"];
            resolve("limit_store", source, &known, "write redis://HOST, rediss://HOST or unix:///PATH")
        };
        Ok(Self {
            url: database.url.as_ref().map(|url| store("database.url", url)).transpose()?,
            migrate_url: database
                .migrate_url
                .as_ref()
                .map(|url| store("database.migrate_url", url))
                .transpose()?,
            limits: config.limit_store.as_ref().map(counters).transpose()?,
        })
    }
}

/// Where the rows are, as the store wants to know it.
pub fn store_options(config: &Config, clock: Arc<dyn Clock>) -> Result<Options, ConfigError> {
    options_of(&Addresses::of(config)?, config, clock)
}

/// The same, with nothing made: for whoever only looks.
pub fn address_options(config: &Config, clock: Arc<dyn Clock>) -> Result<Options, ConfigError> {
    Addresses::of(config).map(|addresses| plain_options(&addresses, config, clock))
}

fn options_of(addresses: &Addresses, config: &Config, clock: Arc<dyn Clock>) -> Result<Options, ConfigError> {
    if addresses.url.is_none() {
        make_data_dir(&config.data_dir)?;
    }
    Ok(plain_options(addresses, config, clock))
}

fn plain_options(addresses: &Addresses, config: &Config, clock: Arc<dyn Clock>) -> Options {
    let url = match &addresses.url {
        Some(url) => url.expose().clone(),
        None => format!("sqlite:{}", embedded_database(&config.data_dir).display()),
    };
    Options {
        migrate_url: addresses.migrate_url.as_ref().map(|url| url.expose().clone()),
        migrate: if config.database.migrate { Migrate::AtStart } else { Migrate::Never },
        cache_entries: config.database.cache_entries,
        limits: addresses.limits.as_ref().map(|url| url.expose().clone()),
        ..Options::new(url, vault::random::id(), clock)
    }
}

/// Makes the data directory for its owner alone, and proves that it can be written.
pub fn make_data_dir(path: &Path) -> Result<(), ConfigError> {
    let mend = format!("make {} writable for this user, or name another with --data-dir", path.display());
    let fail = |error: std::io::Error| {
        ConfigError::setting("data_dir", format!("{}: {error}", path.display()), &mend)
    };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fail)?;
    let probe = path.join(".write-probe");
    fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(fail)
}

/// Opens the keyring of the store; the very first start makes its first key.
pub async fn keyring(store: &Store, master: &MasterKey, now: Timestamp) -> anyhow::Result<Keyring> {
    let mut rows = store.keyring.all().await?;
    for _ in 0..KEYRING_ATTEMPTS {
        if rows.is_empty() {
            store.keyring.add(&WrappedKey::generate(1, master), now).await?;
            // Read again: another process may have been first.
            rows = store.keyring.all().await?;
        }
    }
    open_keyring(master, rows)
}

fn open_keyring(master: &MasterKey, rows: Vec<KeyRow>) -> anyhow::Result<Keyring> {
    let wrapped: Vec<_> = rows.into_iter().map(|row| row.key).collect();
    Keyring::open_keys(master, &wrapped).context("key")
}

/// Everything that serves requests.
pub struct Wired {
    /// What the routers share.
    pub app: App,
    /// The plane, for jobs and for the end.
    pub connect: Connect,
    /// The rows, for jobs and for the end.
    pub store: Store,
    /// How far the audit trail has come, beside the store.
    pub mark: Arc<TrailMark>,
}

/// Opens the store and puts everything together, to serve.
pub async fn wire(config: &Config, clock: Arc<dyn Clock>, demo: Option<Demo>) -> anyhow::Result<Wired> {
    let checked = check(config)?;
    // The demonstration writes its own configuration; nobody could act on a warning.
    for warning in checked.warnings.iter().filter(|_| demo.is_none()) {
        warn!(warning, "config.warning");
    }
    let options = options_of(&checked.database, config, clock.clone())?;
    make_data_dir(&config.data_dir)?;
    let store = Store::open(&options).await?;
    let keyring = keyring(&store, &checked.master, clock.now()).await?;
    let wired = put_together(config, checked, &options, (store, keyring), clock, demo)?;
    wired.mark.check(&wired.store, &wired.connect).await?;
    if config.connect.refresh.hold_at_start {
        wired.connect.hold_refreshing("connect.refresh.hold_at_start is set", &Actor::Operator).await?;
    }
    Ok(wired)
}

/// Opens a store that is there already, for one command beside whoever serves it: no store is made and none migrated, and
/// whether the store has gone back in time is the servers' to notice.
pub async fn operate(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Wired> {
    let checked = check(config)?;
    let options =
        Options { migrate: Migrate::Never, ..plain_options(&checked.database, config, clock.clone()) };
    if let Some(database) = options.url.strip_prefix("sqlite:") {
        let what = match Path::new(database).try_exists() {
            Ok(true) => None,
            Ok(false) => Some(format!("there is no store at {database}")),
            Err(error) => Some(format!("{database}: {error}")),
        };
        if let Some(what) = what {
            let key = if checked.database.url.is_some() { "database.url" } else { "data_dir" };
            let mend = "name the right place with --data-dir or --config; `claviger serve` or `claviger dev` makes a store";
            return Err(ConfigError::setting(key, what, mend).into());
        }
    }
    let store = Store::open(&options).await?;
    let rows = store.keyring.all().await?;
    if rows.is_empty() {
        let mend = "start `claviger serve` once; the first start makes the store's first key";
        return Err(ConfigError::setting("database", "nobody has served from this store yet", mend).into());
    }
    let keyring = open_keyring(&checked.master, rows)?;
    put_together(config, checked, &options, (store, keyring), clock, None)
}

fn put_together(
    config: &Config,
    checked: Checked,
    options: &Options,
    (store, keyring): (Store, Keyring),
    clock: Arc<dyn Clock>,
    demo: Option<Demo>,
) -> anyhow::Result<Wired> {
    let spool = spool(config, &options.url)?;
    let public_url = checked.settings.public_url.clone();
    let default_language = match config.locale.default {
        LocaleTag::En => Language::English,
        LocaleTag::Et => Language::Estonian,
    };
    let scribe = Scribe { product: config.product_name.clone(), language: default_language };
    let letters: Arc<dyn Letters> = Arc::new(scribe);
    let per_subject_and_hour = config.mail.per_subject_and_hour;
    let post = checked.mailer.map(|mailer| Post { mailer, letters, per_subject_and_hour });
    let limit_keys = LimitKeys::of(&checked.master);
    let keys = Arc::new(Keys::new(keyring, checked.master, store.keyring.clone()));
    let http = checked.http.clone();
    let connect = Connect::new(Parts {
        settings: checked.settings,
        catalog: checked.catalog,
        http: checked.http,
        store: store.clone(),
        keys: Arc::clone(&keys),
        post,
        stripe: checked.stripe,
        spool,
        clock: clock.clone(),
    });
    let grant = Grant::new(grant::Parts {
        settings: checked.grant,
        store: store.clone(),
        http,
        seal: Arc::new(SealedBy(keys)),
        documents: Arc::new(checked.documents),
        limit_keys,
        clock: clock.clone(),
    });
    let app = App::new(http_plane::Parts {
        connect: connect.clone(),
        grant: grant.clone(),
        upstreams: checked.upstreams,
        trusted_proxies: checked.trusted_proxies,
        store: store.clone(),
        clock,
        public_url,
        brand: checked.brand,
        default_language,
        metrics: Metrics::new(|registry| {
            connect.refresh_metrics().register(registry);
            connect.revocation_metrics().register(registry);
            grant.metrics().register(registry);
        }),
        demo,
        streams: Arc::default(),
        stopping: AtomicBool::new(false),
    });
    let mark = Arc::new(TrailMark::new(&config.data_dir, options.writer));
    Ok(Wired { app, connect, store, mark })
}

/// The vault's keys, which the connect plane looks after, seal the signing keys too.
struct SealedBy(Arc<Keys>);

#[async_trait]
impl Seal for SealedBy {
    fn seal(&self, id: SigningKeyId, key: &SigningKeySecret) -> grant::Result<Sealed<SigningKeySecret>> {
        self.0.seal(&id, key).map_err(|error| grant::Error::Keys(error.into()))
    }

    async fn open(
        &self,
        id: SigningKeyId,
        sealed: &Sealed<SigningKeySecret>,
    ) -> grant::Result<SigningKeySecret> {
        self.0.open(&id, sealed).await.map_err(|error| grant::Error::Keys(error.into()))
    }
}
