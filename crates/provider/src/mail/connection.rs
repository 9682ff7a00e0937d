//! A connection to the mail server: TCP, then TLS as the operator wants it, then SMTP by lettre.
//!
//! TLS is ours, not lettre's: what a server says between STARTTLS and the handshake would stay in lettre's buffer and be
//! read as if it had come through TLS, so that somebody on the way could speak for the server.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::ServerName;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
    BufReader, Chain, ReadBuf, Take,
};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::address::MailAddress;
use super::error::{Failure, MailError, Step, tidy};
use super::settings::MailTls;

/// The most that is read from a server in one conversation, in octets. A talkative one needs two thousand; lettre reads a
/// reply of many lines anew with each of them.
const MOST_READ: u64 = 16 * 1024;

/// What lettre is told in place of the greeting, which came before TLS began.
const GREETED: &[u8] = b"220 TLS\r\n";

/// Where the mail server is, and how to speak with it.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) name: ServerName<'static>,
    pub(super) tls: MailTls,
    pub(super) connector: TlsConnector,
}

impl Server {
    /// Connects as far as the server's answer to EHLO. `hello` is our name, `to` whom the letter is for.
    pub(super) async fn connect(
        &self,
        hello: &str,
        to: &MailAddress,
        deadline: Instant,
    ) -> Result<AsyncSmtpConnection, MailError> {
        let stream = self.reach(deadline).await?;
        let (stream, greeting): (Box<dyn Duplex>, &'static [u8]) = match self.tls {
            MailTls::None => (Box::new(stream), b""),
            MailTls::Implicit => (self.secure(stream).await?, b""),
            MailTls::Required => {
                let stream = start_tls(stream, hello).await?;
                (self.secure(stream).await?, GREETED)
            }
        };
        let wire = Wire(greeting.chain(stream).take(MOST_READ));
        AsyncSmtpConnection::connect_with_transport(Box::new(wire), &ClientId::Domain(hello.to_owned()))
            .await
            .map_err(|error| MailError::command(&Step::GREETING, &error, to))
    }

    async fn reach(&self, deadline: Instant) -> Result<TcpStream, MailError> {
        let addresses = match self.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, self.port)],
            Err(_) => lookup_host((self.host.as_str(), self.port))
                .await
                .map_err(|_| MailError::unavailable("The mail server's name can't be resolved"))?
                .collect(),
        };
        // Whatever a resolver makes of "localhost": without TLS nothing leaves this machine.
        let permitted = |address: &SocketAddr| self.tls != MailTls::None || address.ip().is_loopback();
        let permitted: Vec<_> = addresses.into_iter().filter(permitted).collect();
        if permitted.is_empty() {
            return Err(MailError::configuration("The mail server's name leads nowhere that may be reached"));
        }
        for (index, address) in permitted.iter().enumerate() {
            // An address that swallows packets must leave time for the next one.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(permitted.len() - index).unwrap_or(u32::MAX);
            if let Ok(Ok(stream)) = timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
                return Ok(stream);
            }
        }
        Err(MailError::unavailable("The mail server can't be reached"))
    }

    async fn secure(&self, stream: TcpStream) -> Result<Box<dyn Duplex>, MailError> {
        let stream =
            self.connector.connect(self.name.clone(), stream).await.map_err(|error| not_secure(&error))?;
        Ok(Box::new(stream))
    }
}

/// Why there is no TLS: what a certificate or a protocol lacks does not come by waiting.
fn not_secure(error: &io::Error) -> MailError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let fails =
        |what| Failure { what, code: None, said: inner.and_then(|inner| tidy(&inner.to_string(), None)) };
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => {
            MailError::Configuration(fails("The mail server's certificate is not trusted"))
        }
        Some(rustls::Error::InvalidMessage(_) | rustls::Error::PeerIncompatible(_)) => {
            MailError::Configuration(fails(
                "The mail server does not speak TLS on this port, or none of ours",
            ))
        }
        _ => MailError::Unavailable(fails("TLS with the mail server failed")),
    }
}

/// RFC 3207 §4, up to the handshake. Nothing but EHLO and STARTTLS is said in clear.
async fn start_tls(stream: TcpStream, hello: &str) -> Result<TcpStream, MailError> {
    let mut stream = BufReader::new(stream.take(MOST_READ));
    reply(&mut stream, &Step::GREETING).await?;
    say(&mut stream, &format!("EHLO {hello}\r\n")).await?;
    let offered = reply(&mut stream, &Step::GREETING).await?;
    if !offered.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
        return Err(MailError::configuration(
            "The mail server does not offer TLS (STARTTLS), which mail.tls requires",
        ));
    }
    say(&mut stream, "STARTTLS\r\n").await?;
    reply(&mut stream, &Step::STARTTLS).await?;
    if !stream.buffer().is_empty() {
        return Err(MailError::unavailable(
            "Somebody spoke in clear after the mail server had agreed to begin TLS",
        ));
    }
    Ok(stream.into_inner().into_inner())
}

fn broken(_: io::Error) -> MailError {
    MailError::unavailable("The connection to the mail server broke, or what came was not SMTP")
}

async fn say(stream: &mut BufReader<Take<TcpStream>>, command: &str) -> Result<(), MailError> {
    stream.get_mut().get_mut().write_all(command.as_bytes()).await.map_err(broken)
}

/// The lines of a positive reply without their codes (RFC 5321 §4.2.1).
async fn reply(stream: &mut (impl AsyncBufRead + Unpin), step: &Step) -> Result<Vec<String>, MailError> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await.map_err(broken)?;
        let line = String::from_utf8_lossy(&line);
        let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
        let (Some(code), true) = (code, line.ends_with('\n')) else {
            return Err(broken(io::ErrorKind::InvalidData.into()));
        };
        let text = line[3..].trim_end();
        let is_last = !text.starts_with('-');
        lines.push(text.trim_start_matches(['-', ' ']).to_owned());
        if is_last && (200..300).contains(&code) {
            return Ok(lines);
        }
        if is_last {
            return Err(MailError::reply(step, code, tidy(&lines.join(" "), None)));
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for S {}

/// The connection as lettre reads it: with the greeting that it must see, and an end to what a server may say.
struct Wire(Take<Chain<&'static [u8], Box<dyn Duplex>>>);

impl Wire {
    fn stream(&mut self) -> Pin<&mut Box<dyn Duplex>> {
        Pin::new(self.0.get_mut().get_mut().1)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
