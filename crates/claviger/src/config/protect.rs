//! `[[protect]]`: resources that we stand before.

use std::sync::Arc;
use std::time::Duration;

use grant::protect::Protected;
use grant::scope::STANDARD;
use http_plane::protect::{AT_ONCE, Connected, Holder, Upstream};
use http_plane::router::TAKEN;
use model::{IntegrationId, Scopes};
use provider::client::{ClientSettings, HttpClient, is_public_without_tls};
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::Url;

use super::{ConfigError, HumanDuration};

/// How long connecting to an upstream may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the head of an answer may take: tools take their time.
const USUAL_TIMEOUT: Duration = Duration::from_mins(5);
/// The largest and the usual body of a request, in octets.
const MOST_BODY: usize = 1024 * 1024 * 1024;
const USUAL_BODY: usize = 4 * 1024 * 1024;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Protect {
    pub path: String,
    pub upstream: String,
    pub resource: Option<String>,
    #[serde(default)]
    pub scopes: Vec<String>,
    pub connection: Option<IntegrationId>,
    pub connection_of: Option<Holder>,
    pub max_body: Option<usize>,
    pub timeout: Option<HumanDuration>,
}

/// Everything that is protected.
pub fn upstreams(
    protects: &[Protect],
    public_url: &str,
    is_scope: impl Fn(&str) -> bool,
    is_integration: impl Fn(&IntegrationId) -> bool,
) -> Result<Vec<Upstream>, ConfigError> {
    let mut made = Vec::<Upstream>::new();
    for own in protects {
        let refuse = |field: &str, problem: String, mend: &str| {
            Err(ConfigError::setting(&format!("protect.{field}"), format!("{:?}: {problem}", own.path), mend))
        };
        if !is_path(&own.path) {
            let mend =
                "write a path such as \"/mcp\", of letters, digits and - . _ ~, without a slash at its end";
            return refuse("path", "is none that can be protected".to_owned(), mend);
        }
        let first = own.path.split('/').nth(1).unwrap_or_default();
        if TAKEN.contains(&first) {
            return refuse("path", format!("/{first} is ours"), "choose another path");
        }
        let overlaps = |other: &str| format!("{other}/").starts_with(&format!("{}/", own.path));
        let is_taken = made.iter().any(|other| {
            overlaps(&other.protected.path)
                || format!("{}/", own.path).starts_with(&format!("{}/", other.protected.path))
        });
        if is_taken {
            return refuse("path", "lies within another".to_owned(), "give each a path of its own");
        }
        let Some((url, host)) = upstream(&own.upstream) else {
            let mend = "write an http or https address without user, query or fragment";
            // Told without it: it may have a password where none belongs.
            return refuse("upstream", "is no address that can be one".to_owned(), mend);
        };
        if is_public_without_tls(&url) {
            let problem =
                format!("{:?} is in the public internet, where everybody could read along", own.upstream);
            return refuse("upstream", problem, "write an https address");
        }
        let resource = own.resource.clone().unwrap_or_else(|| format!("{public_url}{}", own.path));
        if resource.len() > 500 || !Url::parse(&resource).is_ok_and(|url| url.fragment().is_none()) {
            let mend = "write an absolute address without fragment (RFC 8707 §2)";
            return refuse("resource", format!("{resource:?} is none"), mend);
        }
        // A token that names no resource is good at the product itself, whatever it was meant for.
        if resource == public_url || made.iter().any(|other| other.protected.resource == resource) {
            let mend = "give each its own, or leave it out";
            return refuse("resource", format!("{resource:?} is another's"), mend);
        }
        if let Some(scope) =
            own.scopes.iter().find(|scope| !is_scope(scope) && !STANDARD.contains(&scope.as_str()))
        {
            return refuse("scopes", format!("{scope:?} is not there"), "name scopes of [grant.scopes]");
        }
        if let Some(integration) = own.connection.as_ref().filter(|integration| !is_integration(integration))
        {
            let mend = format!("add [integrations.{integration}], or name one that is there");
            return refuse("connection", format!("no integration is named {integration}"), &mend);
        }
        let connection = match connected(own) {
            Ok(connection) => connection,
            Err((problem, mend)) => return refuse("connection_of", problem.to_owned(), mend),
        };
        // Any token for the resource would do otherwise, also one that says to the person only who they are.
        if connection.is_some() && !own.scopes.iter().any(|scope| is_scope(scope)) {
            let mend =
                "name one of [grant.scopes] that tells people what they let the application do with it";
            let problem = "nobody would be asked about the use of the connection";
            return refuse("scopes", problem.to_owned(), mend);
        }
        let max_body = own.max_body.unwrap_or(USUAL_BODY);
        if !(1..=MOST_BODY).contains(&max_body) {
            return refuse("max_body", format!("is {max_body}"), "write a number of octets up to 1 GiB");
        }
        let timeout = own.timeout.map_or(USUAL_TIMEOUT, |timeout| timeout.0);
        if timeout < Duration::from_secs(1) {
            return refuse("timeout", "is shorter than a second".to_owned(), "write \"1s\" or longer");
        }
        // The operator named the address, so it may be private; a client of its own reaches nothing else.
        let settings = ClientSettings {
            connect_timeout: CONNECT_WITHIN,
            allow_private: vec![host],
            ..ClientSettings::default()
        };
        let client = HttpClient::new(settings);
        let client = match client {
            Ok(client) => client,
            Err(error) => return refuse("upstream", error.to_string(), "write another address"),
        };
        made.push(Upstream {
            protected: Protected {
                path: own.path.clone(),
                resource,
                scopes: Scopes::from(own.scopes.clone()),
            },
            url,
            client,
            connection,
            max_body,
            timeout,
            room: Arc::new(Semaphore::new(AT_ONCE)),
        });
    }
    Ok(made)
}

/// Whose token the upstream gets; or what is wrong, and its mend.
fn connected(own: &Protect) -> Result<Option<Connected>, (&'static str, &'static str)> {
    match (&own.connection, own.connection_of) {
        (Some(integration), Some(of)) => Ok(Some(Connected { integration: integration.clone(), of })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(("nothing says whose the connection is", "write \"team\" or \"user\"")),
        (None, Some(_)) => {
            Err(("there is no connection", "name the integration as connection, or leave this out"))
        }
    }
}

/// Parts of letters, digits and marks that nobody has to encode, and no dots alone.
fn is_path(path: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !matches!(part, "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    path.len() <= 200 && path.strip_prefix('/').is_some_and(|parts| parts.split('/').all(is_part))
}

/// The address, and its host with its port.
fn upstream(text: &str) -> Option<(Url, String)> {
    let url = Url::parse(text).ok()?;
    let is_good = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let host = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    is_good.then_some((url, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(lines: &str) -> Result<Vec<String>, String> {
        let table: toml::Table = lines.parse().unwrap();
        let protects: Vec<Protect> =
            table["protect"].clone().try_into().map_err(|error: toml::de::Error| error.to_string())?;
        let made = upstreams(
            &protects,
            "https://auth.example.com",
            |scope| scope == "read",
            |id| id.as_str() == "github",
        );
        made.map(|made| made.into_iter().map(|own| own.protected.resource).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_protected_is_named_by_its_address() {
        let lines = "[[protect]]\npath = \"/mcp\"\nupstream = \"http://127.0.0.1:4000/mcp\"\nscopes = [\"read\", \"openid\"]\n\
                     connection = \"github\"\nconnection_of = \"team\"\n[[protect]]\npath = \"/mcp2/v1\"\nupstream = \"https://api.example.com\"\n\
                     resource = \"https://api.example.com/\"\n";
        assert_eq!(made(lines).unwrap(), ["https://auth.example.com/mcp", "https://api.example.com/"]);
    }

    #[test]
    fn what_can_t_be_protected_is_refused_by_its_setting() {
        for (lines, setting) in [
            ("path = \"mcp\"\nupstream = \"http://h\"", "protect.path"),
            ("path = \"/\"\nupstream = \"http://h\"", "protect.path"),
            ("path = \"/mcp/\"\nupstream = \"http://h\"", "protect.path"),
            ("path = \"/a/../b\"\nupstream = \"http://h\"", "protect.path"),
            ("path = \"/{x}\"\nupstream = \"http://h\"", "protect.path"),
            ("path = \"/oauth/x\"\nupstream = \"http://h\"", "protect.path"),
            ("path = \"/.well-known\"\nupstream = \"http://h\"", "protect.path"),
            ("path = \"/m\"\nupstream = \"h\"", "protect.upstream"),
            ("path = \"/m\"\nupstream = \"ftp://h\"", "protect.upstream"),
            ("path = \"/m\"\nupstream = \"http://u:hunter2@h\"", "protect.upstream"),
            ("path = \"/m\"\nupstream = \"http://h?x\"", "protect.upstream"),
            ("path = \"/m\"\nupstream = \"http://h\"\nresource = \"m\"", "protect.resource"),
            (
                "path = \"/m\"\nupstream = \"http://h\"\nresource = \"https://auth.example.com\"",
                "protect.resource",
            ),
            (
                "path = \"/m\"\nupstream = \"http://h\"\n[[protect]]\npath = \"/n\"\nupstream = \"http://h\"\n\
                 resource = \"https://auth.example.com/m\"",
                "protect.resource",
            ),
            ("path = \"/m\"\nupstream = \"http://h\"\nscopes = [\"write\"]", "protect.scopes"),
            ("path = \"/m\"\nupstream = \"http://h\"\nconnection = \"jira\"", "protect.connection"),
            (
                "path = \"/m\"\nupstream = \"http://h\"\nscopes = [\"read\"]\nconnection = \"github\"",
                "protect.connection_of",
            ),
            ("path = \"/m\"\nupstream = \"http://h\"\nconnection_of = \"team\"", "protect.connection_of"),
            (
                "path = \"/m\"\nupstream = \"http://h\"\nconnection = \"github\"\nconnection_of = \"both\"",
                "unknown variant",
            ),
            (
                "path = \"/m\"\nupstream = \"http://h\"\nconnection = \"github\"\nconnection_of = \"user\"",
                "protect.scopes",
            ),
            (
                "path = \"/m\"\nupstream = \"http://h\"\nscopes = [\"openid\"]\nconnection = \"github\"\n\
                 connection_of = \"user\"",
                "protect.scopes",
            ),
            ("path = \"/m\"\nupstream = \"http://8.8.8.8/mcp\"", "protect.upstream"),
            ("path = \"/m\"\nupstream = \"http://[2606:4700::1111]\"", "protect.upstream"),
            ("path = \"/m\"\nupstream = \"http://h\"\nmax_body = 0", "protect.max_body"),
            (
                "path = \"/m\"\nupstream = \"http://h\"\n[[protect]]\npath = \"/m/n\"\nupstream = \"http://h\"",
                "protect.path",
            ),
            (
                "path = \"/m/n\"\nupstream = \"http://h\"\n[[protect]]\npath = \"/m\"\nupstream = \"http://h\"",
                "protect.path",
            ),
            ("path = \"/m\"\nupstream = \"http://h\"\ntimeout = \"1ms\"", "protect.timeout"),
            ("path = \"/m\"\nupstream = \"http://h\"\nunknown = 1", "unknown"),
        ] {
            let error = made(&format!("[[protect]]\n{lines}\n")).unwrap_err();
            assert!(error.contains(setting), "{lines}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
