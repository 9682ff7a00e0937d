//! A real mail server: aiosmtpd, driven by `tests/foreign/smtp.py`. It keeps every letter, and every octet that a client
//! sends.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::script;

/// How long a letter or the end of a connection may take to be told; only a broken server needs it.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// How the server behaves; the defaults are those of a friendly one with STARTTLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SmtpOptions {
    /// `none`, `starttls` or `implicit`.
    pub(crate) tls: &'static str,
    /// User and password that it wants.
    pub(crate) credentials: Option<(&'static str, &'static str)>,
    /// Whether it offers AUTH.
    pub(crate) sign_in: bool,
    /// Replies in place of what a command would get; `CONTENT` is the letter itself.
    pub(crate) refuse: &'static [(&'static str, &'static str)],
    /// The command after which it is silent for ever; also `CONNECT`, `HANDSHAKE` and `CONTENT`.
    pub(crate) hang: Option<&'static str>,
}

impl Default for SmtpOptions {
    fn default() -> Self {
        Self { tls: "starttls", credentials: None, sign_in: true, refuse: &[], hang: None }
    }
}

/// What a client sent at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) text: String,
    /// Whether it came through TLS.
    pub(crate) tls: bool,
}

/// A letter as Python's mail library reads it.
#[derive(Debug)]
pub(crate) struct Received(Value);

impl Received {
    /// From the envelope.
    pub(crate) fn from(&self) -> &str {
        self.0["from"].as_str().unwrap()
    }

    /// From the envelope.
    pub(crate) fn to(&self) -> Vec<&str> {
        self.0["to"].as_array().unwrap().iter().map(|to| to.as_str().unwrap()).collect()
    }

    /// Who signed in.
    pub(crate) fn user(&self) -> Option<&str> {
        self.0["user"].as_str()
    }

    /// A header, decoded; its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0["headers"][name].as_str()
    }

    /// The media types of the parts, in order.
    pub(crate) fn kinds(&self) -> &Value {
        &self.0["kinds"]
    }

    /// The text part, decoded, without line breaks at its end.
    pub(crate) fn text(&self) -> &str {
        self.0["text"].as_str().unwrap().trim_end()
    }

    /// The HTML part, decoded, without line breaks at its end.
    pub(crate) fn html(&self) -> &str {
        self.0["html"].as_str().unwrap().trim_end()
    }

    /// What Python finds to be wrong with it.
    pub(crate) fn defects(&self) -> &Value {
        &self.0["defects"]
    }
}

/// The server, running.
pub(crate) struct Smtp {
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
    /// The authority that signed its certificate (for `localhost` and `127.0.0.1`), in PEM.
    pub(crate) authority: String,
    child: Child,
    orders: ChildStdin,
    lines: mpsc::UnboundedReceiver<Value>,
    /// Letters that arrived while something else was waited for.
    mails: VecDeque<Value>,
    heard: Vec<Heard>,
    _folder: TempDir,
}

impl Smtp {
    /// Starts one, or says on a line that the test is skipped.
    pub(crate) async fn start(options: SmtpOptions) -> Option<Self> {
        let mut command = script("CLAVIGER_TEST_PYTHON", "smtp.py")?;
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        let (authority, certificate_pem, key_pem) = certificate_of_an_own_authority();
        std::fs::write(&certificate, certificate_pem).unwrap();
        std::fs::write(&key, key_pem).unwrap();
        let argument = json!({
            "tls": options.tls,
            "certificate": certificate,
            "key": key,
            "credentials": options.credentials,
            "sign_in": options.sign_in,
            "refuse": replies(options.refuse),
            "hang": options.hang,
        });
        let mut child = command
            .arg(argument.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Nobody may be listening any more.
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let orders = child.stdin.take().unwrap();
        let (mails, heard) = (VecDeque::new(), Vec::new());
        let mut smtp = Self { port: 0, authority, child, orders, lines, mails, heard, _folder: folder };
        let port = smtp.line_with("port").await;
        smtp.line_with("refusing").await;
        smtp.port = port.as_u64().and_then(|port| port.try_into().ok()).unwrap();
        Some(smtp)
    }

    /// The next letter.
    pub(crate) async fn next_mail(&mut self) -> Received {
        let waiting = self.mails.pop_front();
        Received(match waiting {
            Some(mail) => mail,
            None => self.line_with("mail").await,
        })
    }

    /// From now on it replies this in place of what a command would get, and nothing else.
    pub(crate) async fn refuse(&mut self, refuse: &[(&str, &str)]) {
        writeln!(self.orders, "{}", replies(refuse)).unwrap();
        self.line_with("refusing").await;
    }

    /// Everything that clients sent, once the next connection has ended.
    pub(crate) async fn conversation(&mut self) -> &[Heard] {
        self.line_with("closed").await;
        &self.heard
    }

    async fn line_with(&mut self, member: &str) -> Value {
        loop {
            let line = tokio::time::timeout(TOLD_WITHIN, self.lines.recv()).await;
            let Ok(Some(mut line)) = line else { panic!("no {member} came; heard: {:?}", self.heard) };
            if let (Some(text), Some(tls)) = (line["heard"].as_str(), line["tls"].as_bool()) {
                self.heard.push(Heard { text: text.to_owned(), tls });
            }
            if let Some(value) = line.get_mut(member) {
                return value.take();
            }
            if let Some(mail) = line.get_mut("mail") {
                self.mails.push_back(mail.take());
            }
        }
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn replies(refuse: &[(&str, &str)]) -> Value {
    refuse.iter().map(|(command, reply)| ((*command).to_owned(), Value::from(*reply))).collect()
}

/// An authority that lives for one test, and a certificate that it signed with its key; all in PEM.
fn certificate_of_an_own_authority() -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = pem("CERTIFICATE", authority.self_signed(&authority_key).unwrap().der());
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let issuer = Issuer::new(authority, authority_key);
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    (root, pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der()))
}

/// RFC 7468.
fn pem(label: &str, octets: &[u8]) -> String {
    let text = BASE64.encode(octets);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
