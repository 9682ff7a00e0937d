//! `[mail]`: where the product's letters go out.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::Secret;
use provider::mail::{
    MailAddress, MailCredentials, MailSettings, MailSettingsError, MailTls, Mailbox, Mailer,
};
use serde::Deserialize;

use super::duration::HumanDuration;
use super::secret::SecretSource;
use super::{Config, ConfigError};

/// RFC 6409 §3.1.
const SUBMISSION: u16 = 587;

/// RFC 8314 §7.3.
const SUBMISSIONS: u16 = 465;

/// The largest file of authorities that is read, in octets.
const MAX_AUTHORITIES: u64 = 1024 * 1024;

/// The longest that a server may take for one letter: a mail is held for a few minutes by whoever sends it.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(1);

/// More letters to one subject in an hour than anybody could want.
const MOST_PER_HOUR: u32 = 1000;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Mail {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub tls: Tls,
    pub ca_file: Option<PathBuf>,
    pub username: Option<SecretSource>,
    pub password: Option<SecretSource>,
    pub from: Option<String>,
    pub reply_to: Option<String>,
    pub timeout: HumanDuration,
    pub per_subject_and_hour: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub enum Tls {
    Required,
    Implicit,
    None,
}

/// What sends the letters; none where no mail server is configured.
pub fn mailer(config: &Config, warnings: &mut Vec<String>) -> Result<Option<Mailer>, ConfigError> {
    let Some(settings) = settings(config, warnings)? else { return Ok(None) };
    let mailer = Mailer::new(&settings).map_err(|error| {
        let (key, mend) = match error {
            MailSettingsError::PlainOutsideLoopback => ("mail.tls", "write \"required\" or \"implicit\""),
            MailSettingsError::Host => ("mail.host", "write the server's name alone; its port is mail.port"),
            MailSettingsError::Authorities => {
                ("mail.ca_file", "name a file with certificates between BEGIN and END CERTIFICATE")
            }
            MailSettingsError::Tls(_) => ("mail", "this is a fault of the program; please report it"),
        };
        ConfigError::setting(key, error, mend)
    })?;
    Ok(Some(mailer))
}

fn settings(config: &Config, warnings: &mut Vec<String>) -> Result<Option<MailSettings>, ConfigError> {
    let mail = &config.mail;
    if mail.timeout.0.is_zero() {
        let problem = "is zero, so that nothing would ever be in time";
        return Err(ConfigError::setting("mail.timeout", problem, "write a longer one"));
    }
    if mail.timeout.0 > LONGEST_TIMEOUT {
        let problem = "is longer than a minute, so that another process would send the same letter meanwhile";
        return Err(ConfigError::setting("mail.timeout", problem, "write at most \"60s\""));
    }
    if !(1..=MOST_PER_HOUR).contains(&mail.per_subject_and_hour) {
        let problem = format!("is {}", mail.per_subject_and_hour);
        let mend = format!("write a number from 1 to {MOST_PER_HOUR}");
        return Err(ConfigError::setting("mail.per_subject_and_hour", problem, mend));
    }
    let Some(host) = &mail.host else {
        return nothing_without_host(mail).map(|()| None);
    };
    if mail.port == Some(0) {
        return Err(ConfigError::setting(
            "mail.port",
            "is 0",
            "write the mail server's port, or leave it out",
        ));
    }
    let tls = match mail.tls {
        Tls::Required => MailTls::Required,
        Tls::Implicit => MailTls::Implicit,
        Tls::None => MailTls::None,
    };
    let port = mail.port.unwrap_or(if tls == MailTls::Implicit { SUBMISSIONS } else { SUBMISSION });
    Ok(Some(MailSettings {
        from: from(mail, &config.product_name)?,
        reply_to: mail.reply_to.as_deref().map(reply_to).transpose()?,
        host: host.clone(),
        port,
        tls,
        credentials: credentials(mail, warnings)?,
        authorities: mail.ca_file.as_deref().map(authorities).transpose()?,
        timeout: mail.timeout.0,
    }))
}

/// What is set for a server that is not would be ignored, and whoever set it would wait for letters.
fn nothing_without_host(mail: &Mail) -> Result<(), ConfigError> {
    let set = [
        mail.from.as_ref().map(|_| "from"),
        mail.username.as_ref().map(|_| "username"),
        mail.password.as_ref().map(|_| "password"),
        mail.ca_file.as_ref().map(|_| "ca_file"),
        mail.reply_to.as_ref().map(|_| "reply_to"),
        mail.port.map(|_| "port"),
    ];
    match set.into_iter().flatten().next() {
        None => Ok(()),
        Some(other) => {
            let mend = format!("name the mail server, or remove mail.{other}");
            Err(ConfigError::setting("mail.host", format!("is not set, and mail.{other} is"), mend))
        }
    }
}

fn from(mail: &Mail, product: &str) -> Result<Mailbox, ConfigError> {
    let (key, mend) = ("mail.from", "write an address of yours, such as \"Rowan <hello@rowan.example>\"");
    let text = mail
        .from
        .as_deref()
        .ok_or_else(|| ConfigError::setting(key, "is not set, and mail.host is", mend))?;
    let mailbox: Mailbox = text.parse().map_err(|error| is_no_address(key, text, error, mend))?;
    let product: String = product.chars().filter(|c| !c.is_control()).collect();
    Ok(Mailbox { name: mailbox.name.or(Some(product)), ..mailbox })
}

fn reply_to(text: &str) -> Result<MailAddress, ConfigError> {
    let (key, mend) = ("mail.reply_to", "write an address without a name, such as support@rowan.example");
    text.parse().map_err(|error| is_no_address(key, text, error, mend))
}

fn is_no_address(key: &str, text: &str, error: impl std::fmt::Display, mend: &str) -> ConfigError {
    ConfigError::setting(key, format!("{text:?} is no mail address: {error}"), mend)
}

fn credentials(mail: &Mail, warnings: &mut Vec<String>) -> Result<Option<MailCredentials>, ConfigError> {
    let mend = "set both or none: a mail server wants a user name with its password";
    let (username, password) = match (&mail.username, &mail.password) {
        (None, None) => return Ok(None),
        (Some(_), None) => {
            return Err(ConfigError::setting("mail.password", "is not set, and mail.username is", mend));
        }
        (None, Some(_)) => {
            return Err(ConfigError::setting("mail.username", "is not set, and mail.password is", mend));
        }
        (Some(username), Some(password)) => (username, password),
    };
    let resolve = |key: &str, source: &SecretSource| {
        let resolved = source.resolve();
        let resolved = resolved
            .map_err(|error| ConfigError::setting(key, error, "provide it, or remove the setting"))?;
        if resolved.secret.expose().contains(char::is_control) {
            let problem = "holds a line break or another control character";
            return Err(ConfigError::setting(
                key,
                problem,
                "provide it as the mail server's operator gave it",
            ));
        }
        Ok(resolved)
    };
    let username: Secret<String> = resolve("mail.username", username)?.secret;
    let password = resolve("mail.password", password)?;
    if password.literal {
        let warning = "mail.password stands in the configuration itself; move it to env: or file:";
        warnings.push(warning.to_owned());
    }
    Ok(Some(MailCredentials { username, password: password.secret }))
}

fn authorities(path: &Path) -> Result<String, ConfigError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_AUTHORITIES).read_to_string(&mut text));
    read.map_err(|error| {
        let problem = format!("{}: {error}", path.display());
        ConfigError::setting("mail.ca_file", problem, "name a readable file in PEM, or remove the setting")
    })?;
    Ok(text)
}
