//! The one way out.
//!
//! 1. The address must be one that may be called at all.
//! 2. The host is resolved once, and only addresses that `reach` permits are kept. A host that is written as an
//!    address goes the same way.
//! 3. We connect to exactly one of these, then speak TLS where the address says so.
//! 4. The call's gate is asked, if it has one; then the request is sent, once. Redirects are answers like others: none
//!    is followed. No proxy of the environment is asked.
//! 5. The body is read up to a limit, and everything ends at the deadline.
//!
//! Each call has a connection of its own. A kept one that the provider closes in the same moment would turn a refresh
//! that certainly was not processed into one that may have been, and with strict rotation that costs the connection.
//! Hence hyper's connection API instead of a pooling client; it also tells exactly whether a request went out.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

pub use crate::client_error::{ClientError, InvalidHost, SettingsError};
use crate::format::address;
use crate::reach::{AllowedHosts, is_public};

/// A head of an answer has at most this size, in octets.
const MAX_HEAD: usize = 64 * 1024;

/// How long an answer that lies in the socket may take to be read after the deadline.
const LAST_LOOK: Duration = Duration::from_millis(500);

const UNWRITABLE: ClientError =
    ClientError::NotCallable { rule: "the address can't be written into a request" };

/// Whether an address could never be called, whoever allows it: plain http leads nowhere in the public internet.
pub fn is_public_without_tls(url: &Url) -> bool {
    let is_public = match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        _ => false,
    };
    url.scheme() == "http" && is_public
}

/// What the operator decides about calls to providers.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// How long resolving, connecting and TLS may take together. Ten seconds.
    pub connect_timeout: Duration,
    /// How long a call that does not say so itself may take from its beginning to the last octet of the answer. A
    /// minute: giving up on a provider that rotates strictly throws the only copy of the new tokens away.
    pub total_timeout: Duration,
    /// The largest answer that is read, in octets. 1 MiB.
    pub max_body: usize,
    /// Hosts (`host` or `host:port`) on which private and loopback addresses may be called, also without TLS.
    pub allow_private: Vec<String>,
    /// Certification authorities that are trusted besides the public ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_mins(1),
            max_body: 1024 * 1024,
            allow_private: Vec::new(),
            extra_roots: Vec::new(),
        }
    }
}

/// Asked right before a request's first octet is written, when connecting and TLS are done; `false` keeps it back.
pub type Gate<'a> = dyn Fn() -> bool + Send + Sync + 'a;

/// Told every piece of an answer's body when it arrives.
pub type Listener<'a> = dyn Fn(&[u8]) + Send + Sync + 'a;

/// A request. It has no `Debug`: its body and headers carry secrets.
pub struct Call<'a> {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    timeout: Option<Duration>,
    gate: Option<&'a Gate<'a>>,
    listener: Option<&'a Listener<'a>>,
}

impl<'a> Call<'a> {
    /// A GET.
    pub fn get(url: &str) -> Self {
        Self {
            method: Method::GET,
            url: url.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: None,
            gate: None,
            listener: None,
        }
    }

    /// A POST.
    pub fn post(url: &str, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, body: body.into(), ..Self::get(url) }
    }

    /// A request of any method, without a body.
    pub fn new(method: Method, url: &str) -> Self {
        Self { method, ..Self::get(url) }
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// With a header more.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a time of its own in place of the client's [`ClientSettings::total_timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// With a gate. A call without one is always sent.
    #[must_use]
    pub fn gate(mut self, gate: &'a Gate<'a>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// With somebody who hears the answer's body as it comes.
    #[must_use]
    pub fn listener(mut self, listener: &'a Listener<'a>) -> Self {
        self.listener = Some(listener);
        self
    }
}

/// A complete answer. It has no `Debug`: its body carries secrets.
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Calls providers; cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    settings: Arc<ClientSettings>,
    allowed: Arc<AllowedHosts>,
    tls: TlsConnector,
}

/// Where a call goes.
struct Target {
    url: Url,
    /// As the `url` crate writes it.
    host: String,
    port: u16,
    tls: bool,
}

impl HttpClient {
    /// Makes a client. TLS 1.2 and 1.3 by aws-lc-rs; Mozilla's root certificates.
    pub fn new(settings: ClientSettings) -> Result<Self, SettingsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in &settings.extra_roots {
            roots.add(root.clone()).map_err(SettingsError::Root)?;
        }
        let tls =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(SettingsError::Tls)?
                .with_root_certificates(roots)
                .with_no_client_auth();
        Ok(Self {
            allowed: Arc::new(AllowedHosts::parse(&settings.allow_private)?),
            settings: Arc::new(settings),
            tls: TlsConnector::from(Arc::new(tls)),
        })
    }

    /// How long a call may take that does not say so itself.
    pub fn total_timeout(&self) -> Duration {
        self.settings.total_timeout
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub async fn send(&self, call: Call<'_>) -> Result<Response, ClientError> {
        let started = Instant::now();
        let deadline = started + call.timeout.unwrap_or(self.settings.total_timeout);
        let connected_by = deadline.min(started + self.settings.connect_timeout);
        let target = Target::parse(&call.url)?;

        let connecting = self.connect(&target, connected_by);
        let stream = timeout_at(connected_by, connecting)
            .await
            .map_err(|_| ClientError::ConnectTimeout { host: target.host.clone() })??;
        if !target.tls {
            return self.exchange(stream, &target, call, deadline).await;
        }
        let stream = timeout_at(connected_by, self.secure(stream, &target))
            .await
            .map_err(|_| ClientError::ConnectTimeout { host: target.host.clone() })??;
        self.exchange(stream, &target, call, deadline).await
    }

    /// Sends a request on to the host of `to`, with the path that the request has, octet by octet, and gives the answer as soon as
    /// its head is there; bodies flow both ways as they come. The head of the answer must be there within `head_within`. For an
    /// address that the operator named.
    pub async fn forward<B>(
        &self,
        to: &Url,
        mut request: Request<B>,
        head_within: Duration,
    ) -> Result<hyper::Response<Incoming>, ClientError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let started = Instant::now();
        let target = Target::parse(to.as_str())?;
        request.headers_mut().insert(HOST, target.authority()?);
        let connected_by = started + self.settings.connect_timeout;
        let late = || ClientError::ConnectTimeout { host: target.host.clone() };
        let stream =
            timeout_at(connected_by, self.connect(&target, connected_by)).await.map_err(|_| late())??;
        let deadline = started + head_within;
        if !target.tls {
            return pass_on(stream, &target, request, deadline).await;
        }
        let stream = timeout_at(connected_by, self.secure(stream, &target)).await.map_err(|_| late())??;
        pass_on(stream, &target, request, deadline).await
    }

    /// Steps 2 and 3.
    async fn connect(&self, target: &Target, deadline: Instant) -> Result<TcpStream, ClientError> {
        let addresses = target.resolve().await?;
        let allowed = self.allowed.contain(&target.host, target.port);
        let permitted = |address: &SocketAddr| if is_public(address.ip()) { target.tls } else { allowed };
        let permitted: Vec<_> = addresses.into_iter().filter(permitted).collect();

        let host = || target.host.clone();
        let mut error = ClientError::Forbidden { host: host() };
        for (index, address) in permitted.iter().enumerate() {
            // An address that swallows packets must leave time for the next one.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(permitted.len() - index).unwrap_or(u32::MAX);
            match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(source)) => error = ClientError::Connect { host: host(), source },
                Err(_) => error = ClientError::ConnectTimeout { host: host() },
            }
        }
        Err(error)
    }

    /// Step 3, TLS.
    async fn secure(
        &self,
        stream: TcpStream,
        target: &Target,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ClientError> {
        let failed = |source| ClientError::Connect { host: target.host.clone(), source };
        let name = ServerName::try_from(target.host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        self.tls.connect(name, stream).await.map_err(failed)
    }

    /// Steps 4 and 5.
    async fn exchange<S>(
        &self,
        stream: S,
        target: &Target,
        call: Call<'_>,
        deadline: Instant,
    ) -> Result<Response, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let host = || target.host.clone();
        let (gate, listener) = (call.gate, call.listener);
        let request = target.request(call)?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|source| ClientError::NotSent { host: host(), source })?;

        // Polled beside the exchange rather than spawned: it ends with this call, however this call ends.
        let connection = async {
            let _ended = connection.await;
            pending::<Infallible>().await
        };
        let exchange = async {
            if gate.is_some_and(|opens| !opens()) {
                return Err(ClientError::Withheld { host: host() });
            }
            let response = sender.try_send_request(request).await.map_err(|mut error| {
                let unsent = error.take_message().is_some();
                let source = error.into_error();
                if unsent {
                    ClientError::NotSent { host: host(), source }
                } else {
                    ClientError::Broken { host: host(), source: source.into() }
                }
            })?;
            self.collect(response, target, listener).await
        };
        // The socket is read before the time is looked at: a process that was asleep may find the answer and the deadline
        // at once, and the answer may be the only copy of a refresh token.
        let mut exchange = pin!(exchange);
        let mut connection = pin!(connection);
        let mut together = poll_fn(|context| {
            let _: Poll<Infallible> = connection.as_mut().poll(context);
            exchange.as_mut().poll(context)
        });
        if let Ok(answered) = timeout_at(deadline, &mut together).await {
            return answered;
        }
        timeout(LAST_LOOK, together).await.map_err(|_| ClientError::Timeout { host: host() })?
    }

    async fn collect(
        &self,
        response: hyper::Response<Incoming>,
        target: &Target,
        listener: Option<&Listener<'_>>,
    ) -> Result<Response, ClientError> {
        let limit = self.settings.max_body;
        let (head, body) = response.into_parts();
        let mut body = Limited::new(body, limit);
        // Copied together, since a body of very small chunks would cost far more than its octets.
        let mut octets = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|source| {
                let host = target.host.clone();
                if source.is::<LengthLimitError>() {
                    ClientError::TooLarge { host, limit }
                } else {
                    ClientError::Broken { host, source }
                }
            })?;
            let data: &[u8] = frame.data_ref().map_or(&[], |data| data);
            if let Some(listener) = listener {
                listener(data);
            }
            octets.extend_from_slice(data);
        }
        Ok(Response { status: head.status.as_u16(), headers: head.headers, body: octets.into() })
    }
}

/// The connection lives as long as somebody reads the answer.
async fn pass_on<S, B>(
    stream: S,
    target: &Target,
    request: Request<B>,
    deadline: Instant,
) -> Result<hyper::Response<Incoming>, ClientError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let host = || target.host.clone();
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake::<_, B>(TokioIo::new(stream))
        .await
        .map_err(|source| ClientError::NotSent { host: host(), source })?;
    tokio::spawn(async move {
        // How it ended, whoever reads the body is told.
        let _ended = connection.await;
    });
    match timeout_at(deadline, sender.send_request(request)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(source)) => Err(ClientError::Broken { host: host(), source: source.into() }),
        Err(_) => Err(ClientError::Timeout { host: host() }),
    }
}

impl Target {
    /// Step 1. Plain http is left to step 2, which knows the operator's hosts.
    fn parse(text: &str) -> Result<Self, ClientError> {
        let refused = |rule| ClientError::NotCallable { rule };
        let url = match Url::parse(text) {
            Ok(url) if url.scheme() == "http" => url,
            _ => address::callable(text).map_err(refused)?,
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("an address must not carry a user or a password"));
        }
        let host = url.host_str().ok_or_else(|| refused("an address needs a host"))?.to_owned();
        let port = url.port_or_known_default().ok_or_else(|| refused("an address needs a port"))?;
        Ok(Self { tls: url.scheme() == "https", host, port, url })
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, ClientError> {
        let literal = |address: IpAddr| vec![SocketAddr::new(address, self.port)];
        match self.url.host() {
            Some(Host::Ipv4(address)) => Ok(literal(address.into())),
            Some(Host::Ipv6(address)) => Ok(literal(address.into())),
            _ => match lookup_host((self.host.as_str(), self.port)).await {
                Ok(addresses) => Ok(addresses.collect()),
                Err(source) => Err(ClientError::Resolve { host: self.host.clone(), source }),
            },
        }
    }

    /// Host and port, as a request names them.
    fn authority(&self) -> Result<HeaderValue, ClientError> {
        let authority = &self.url[url::Position::BeforeHost..url::Position::AfterPort];
        HeaderValue::from_str(authority).map_err(|_| UNWRITABLE)
    }

    fn request(&self, call: Call<'_>) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.headers_mut() = call.headers;
        let path = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        *request.uri_mut() = path.parse().map_err(|_| UNWRITABLE)?;
        request.headers_mut().insert(HOST, self.authority()?);
        let agent = HeaderValue::from_static(concat!("claviger/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        Ok(request)
    }
}
