//! What only a server of counters does: it goes away, keeps silent, comes back, and is spoken to over TLS.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use model::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use store::limits::{Limits, Verdict};
use store::{Error, Store, testing};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::behind;
use crate::limits::{at_redis, new_key, quota};
use crate::world::{World, at, options};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to the server of the tests.
async fn connect(address: &str) -> Box<dyn Stream> {
    let url = url::Url::parse(address).unwrap();
    match url.host_str() {
        Some(host) => Box::new(TcpStream::connect((host, url.port().unwrap_or(6379))).await.unwrap()),
        None => Box::new(UnixStream::connect(url.path()).await.unwrap()),
    }
}

/// A wire to that server; it is cut when this is dropped.
struct Wire {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Wire {
    /// `None` leads nowhere: whoever connects hears nothing.
    fn new(path: &Path, address: Option<&str>) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let address = address.map(str::to_owned);
        let task = tokio::spawn(async move {
            let mut ends = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let address = address.clone();
                ends.spawn(async move {
                    match address {
                        Some(address) => {
                            let _ended = copy_bidirectional(&mut near, &mut connect(&address).await).await;
                        }
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { path: path.to_owned(), task }
    }

    async fn cut(mut self) {
        self.task.abort();
        let _aborted = (&mut self.task).await;
        std::fs::remove_file(&self.path).unwrap();
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn count(&self, event: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(event).count()
    }
}

async fn is_allowed(limits: &dyn Limits, key: &vault::LimitKey, now: Timestamp) -> bool {
    limits.hit(key, &quota(2, 3600), now).await.unwrap().is_allowed()
}

#[tokio::test]
async fn while_redis_is_away_the_same_quota_holds_in_memory() {
    let Some(address) = testing::redis() else { return };
    let log = Log::default();
    let lines = log.clone();
    let _guard = tracing::subscriber::set_default(
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || lines.clone()).finish(),
    );
    let world = World::sqlite().await;
    let path = world.directory.path().join("redis.sock");
    let wire = Wire::new(&path, Some(&address));
    let limits = at_redis(&world, &format!("unix://{}", path.display())).await;
    let (before, during, free) = (new_key(), new_key(), new_key());
    assert!(is_allowed(&*limits, &before, at(0)).await);
    wire.cut().await;

    // Neither open nor locked, and each caller has an answer.
    for second in 1..60 {
        assert_eq!(is_allowed(&*limits, &during, at(second)).await, second <= 2, "{second}");
    }
    assert!(is_allowed(&*limits, &free, at(60)).await);
    limits.give_back(&[free], at(60)).await.unwrap();
    assert_eq!((log.count("limits.counted_locally"), log.count("limits.shared_again")), (1, 0));

    let wire = Wire::new(&path, Some(&address));
    // It is asked again once a second; the first to do so finds the connection lost, and has it made anew.
    let direct = at_redis(&world, &address).await;
    for second in 70..80 {
        is_allowed(&*limits, &new_key(), at(second)).await;
        if log.count("limits.shared_again") > 0 {
            break;
        }
    }
    assert_eq!((log.count("limits.counted_locally"), log.count("limits.shared_again")), (1, 1));
    assert!(is_allowed(&*limits, &before, at(80)).await);
    assert!(!is_allowed(&*direct, &before, at(80)).await, "what was counted before the outage still counts");
    wire.cut().await;
    world.end().await;
}

#[tokio::test]
async fn a_redis_that_keeps_silent_holds_up_one_caller_and_not_the_next() {
    let world = World::sqlite().await;
    let path = world.directory.path().join("redis.sock");
    let wire = Wire::new(&path, None);
    let mut options = options(&world.url);
    options.limits = Some(format!("unix://{}", path.display()));
    options.limits_patience = Duration::from_millis(300);
    let limits = Store::open(&options).await.unwrap().limits;
    let (key, began) = (new_key(), Instant::now());
    assert!(is_allowed(&*limits, &key, at(0)).await);
    assert!(began.elapsed() >= options.limits_patience);
    let began = Instant::now();
    for hit in 0..1000 {
        assert_eq!(is_allowed(&*limits, &key, at(0)).await, hit == 0);
    }
    assert!(began.elapsed() < options.limits_patience * 1000, "none of them waited");
    wire.cut().await;
    world.end().await;
}

#[tokio::test]
async fn a_postgresql_that_is_away_leaves_the_same_quota_in_memory() {
    let Some(world) = World::postgres().await else { return };
    let (key, limits) = (new_key(), world.one.limits.clone());
    world.end().await;
    for hit in 0..10 {
        assert_eq!(is_allowed(&*limits, &key, at(hit)).await, hit < 2);
    }
}

#[tokio::test]
async fn redis_keeps_a_key_as_long_as_its_window_and_takes_the_scripts_again_after_it_lost_them() {
    let Some(address) = testing::redis() else { return };
    let world = World::sqlite().await;
    let (limits, key) = (at_redis(&world, &address).await, new_key());
    let server = redis::Client::open(address).unwrap();
    let mut server = server.get_multiplexed_async_connection().await.unwrap();
    let name = format!("claviger:limit:{}", key.to_hex());
    let mut lives = async |quota| {
        redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut server).await.unwrap();
        let verdict = limits.hit(&key, &quota, at(0)).await.unwrap();
        let ms: i64 = redis::cmd("PTTL").arg(&name).query_async(&mut server).await.unwrap();
        (verdict.is_allowed(), ms)
    };
    let (allowed, ms) = lives(quota(2, 900)).await;
    assert!(allowed && (800_000..=900_000).contains(&ms), "{ms}");
    let (allowed, ms) = lives(quota(2, 3600)).await;
    assert!(allowed && (3_500_000..=3_600_000).contains(&ms), "{ms}");
    limits.give_back(&[key], at(0)).await.unwrap();
    let ms: i64 = redis::cmd("PTTL").arg(&name).query_async(&mut server).await.unwrap();
    assert!((3_500_000..=3_600_000).contains(&ms), "{ms}");
    limits.give_back(&[key], at(0)).await.unwrap();
    let is_there: bool = redis::cmd("EXISTS").arg(&name).query_async(&mut server).await.unwrap();
    assert!(!is_there);
    world.end().await;
}

#[tokio::test]
async fn redis_is_spoken_to_over_tls_if_its_certificate_is_good() {
    let Some(address) = testing::redis() else { return };
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = BASE64.encode(authority.self_signed(&authority_key).unwrap().der());
    let root = format!("-----BEGIN CERTIFICATE-----\n{root}\n-----END CERTIFICATE-----\n");
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let far = address.clone();
    let task = tokio::spawn(async move {
        let mut ends = JoinSet::new();
        while let Ok((near, _)) = listener.accept().await {
            let (acceptor, far) = (acceptor.clone(), far.clone());
            ends.spawn(async move {
                if let Ok(mut near) = acceptor.accept(near).await {
                    let _ended = copy_bidirectional(&mut near, &mut connect(&far).await).await;
                }
            });
        }
    });

    let world = World::sqlite().await;
    let file = world.directory.path().join("authority.pem");
    std::fs::write(&file, root).unwrap();
    let direct = at_redis(&world, &address).await;
    for (host, query, is_trusted) in [
        ("localhost", format!("?sslrootcert={}", file.display()), true),
        ("localhost", String::new(), false),
        ("127.0.0.1", format!("?sslrootcert={}", file.display()), false),
    ] {
        let (key, limits) = (new_key(), at_redis(&world, &format!("rediss://{host}:{port}{query}")).await);
        assert!(is_allowed(&*limits, &key, at(0)).await);
        // What could not be asked has counted nothing.
        let verdict = direct.hit(&key, &quota(2, 3600), at(0)).await.unwrap();
        let left = u32::from(!is_trusted);
        assert!(matches!(verdict, Verdict::Allowed { left: found, .. } if found == left), "{host} {query}");
    }
    task.abort();
    world.end().await;
}

#[tokio::test]
async fn an_address_that_is_none_stops_the_opening() {
    let world = World::sqlite().await;
    let mut options = options(&world.url);
    options.limits = Some("memcached://u:hunter2@127.0.0.1".to_owned());
    let error = Store::open(&options).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::LimitsAddress(_)), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_hit_writes_nothing_and_rows_that_are_over_are_swept_in_batches() {
    let Some(world) = World::postgres().await else { return };
    let limits = &world.one.limits;
    let (full, free) = ((new_key(), quota(1, 60)), (new_key(), quota(1, 60)));
    assert!(limits.hit_all(&[full], at(0)).await.unwrap().is_allowed());
    let versions = "SELECT xmin::text || ' ' || ctid::text FROM limits";
    let before = behind::texts(&world.url, versions).await;
    for second in 0..10 {
        assert!(!limits.hit_all(&[full, free], at(second)).await.unwrap().is_allowed());
    }
    assert_eq!(behind::texts(&world.url, versions).await, before);

    for second in 0..5 {
        assert!(limits.hit(&new_key(), &quota(1, 600), at(second)).await.unwrap().is_allowed());
    }
    assert_eq!(limits.sweep(at(59), 10).await.unwrap(), 0);
    assert_eq!(
        limits.sweep(at(180), 10).await.unwrap(),
        1,
        "a row stays for a minute at most when it is over"
    );
    for (batch, rest) in [(2, 3), (2, 1), (1, 0), (0, 0)] {
        assert_eq!(limits.sweep(at(720), 2).await.unwrap(), batch);
        assert_eq!(world.count("limits").await, rest);
    }
    world.end().await;
}
