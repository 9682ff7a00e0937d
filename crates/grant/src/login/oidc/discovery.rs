//! Where a provider's endpoints are (OpenID Connect Discovery §4), and the keys that it signs with (RFC 7517). Both are kept for a
//! while in memory; a token of a key that nobody knows makes the keys be read once more. A document that could not be read is not asked
//! for again at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::Timestamp;
use provider::client::Call;
use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::warn;
use url::{Host, Url};
use vault::KeySet;
use vault::jws::{self, JwsError};

use super::OidcLogin;
use crate::login::call::{json, not_now};
use crate::{Grant, Result};

/// How long a document is believed.
const KEPT: Duration = Duration::from_hours(1);

/// How long nobody asks again for one that could not be read.
const PAUSE: Duration = Duration::from_secs(5);

/// What is known of each provider.
#[derive(Default)]
pub(crate) struct Providers(Mutex<BTreeMap<String, Known>>);

#[derive(Clone, Default)]
struct Known {
    document: Option<(Timestamp, Arc<Provider>)>,
    keys: Option<(Timestamp, Arc<KeySet>)>,
    failed: Option<(Timestamp, ())>,
}

/// What a provider says of itself; what else it says is not asked for.
#[derive(Deserialize)]
pub(super) struct Provider {
    issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) userinfo_endpoint: Option<String>,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl Provider {
    /// Discovery §3: what it takes when it says nothing is `client_secret_basic`.
    pub(super) fn takes_basic(&self) -> bool {
        let said = self.token_endpoint_auth_methods_supported.as_ref();
        said.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
    }
}

impl Providers {
    fn known(&self, name: &str) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
    }

    fn learn(&self, name: &str, change: impl FnOnce(&mut Known)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(name.to_owned()).or_default());
    }
}

fn fresh<T>(kept: Option<(Timestamp, T)>, now: Timestamp, within: Duration) -> Option<T> {
    kept.filter(|(at, _)| *at <= now && now.since(*at) < within).map(|(_, value)| value)
}

impl Grant {
    /// The endpoints of a provider.
    pub(super) async fn provider(&self, own: &OidcLogin) -> Result<Arc<Provider>> {
        let now = self.now();
        let known = self.providers.known(&own.name);
        if let Some(provider) = fresh(known.document, now, KEPT) {
            return Ok(provider);
        }
        if fresh(known.failed, now, PAUSE).is_some() {
            return Err(not_now());
        }
        let read = self.discover(own).await;
        self.providers.learn(&own.name, |known| match &read {
            Ok(provider) => known.document = Some((now, Arc::clone(provider))),
            // It may have taken longer than the pause is.
            Err(_) => known.failed = Some((self.now(), ())),
        });
        read
    }

    async fn discover(&self, own: &OidcLogin) -> Result<Arc<Provider>> {
        let url = format!("{}/.well-known/openid-configuration", own.issuer.trim_end_matches('/'));
        let answer = self.ask(&own.name, json(Call::get(&url)).timeout(self.patience())).await?;
        if answer.status != 200 {
            return Err(answer.unusable("it is not the provider's document"));
        }
        let provider: Provider = answer.read()?;
        // Discovery §4.3: or somebody else's document could take the place of the provider's.
        if provider.issuer != own.issuer {
            return Err(answer.unusable("its issuer is not the one of the configuration"));
        }
        if !is_for_browsers(&provider.authorization_endpoint) {
            return Err(answer.unusable("its authorization_endpoint is not https"));
        }
        Ok(Arc::new(provider))
    }

    async fn provider_keys(&self, own: &OidcLogin, provider: &Provider, anew: bool) -> Result<Arc<KeySet>> {
        let now = self.now();
        if let Some(keys) = fresh(self.providers.known(&own.name).keys, now, KEPT).filter(|_| !anew) {
            return Ok(keys);
        }
        let answer =
            self.ask(&own.name, json(Call::get(&provider.jwks_uri)).timeout(self.patience())).await?;
        if answer.status != 200 {
            return Err(answer.unusable("it is no key set"));
        }
        let keys = KeySet::new(&answer.read::<Value>()?).map_err(|why| answer.unusable(why))?;
        let keys = Arc::new(keys);
        self.providers.learn(&own.name, |known| known.keys = Some((now, Arc::clone(&keys))));
        Ok(keys)
    }

    /// The claims of an ID token that the provider has signed; `None` for any other.
    pub(super) async fn verify_id_token(
        &self,
        own: &OidcLogin,
        provider: &Provider,
        token: &str,
    ) -> Result<Option<Map<String, Value>>> {
        let keys = self.provider_keys(own, provider, false).await?;
        let verified = match jws::verify(token, &keys) {
            Err(JwsError::NoKey | JwsError::Signature) => {
                let keys = self.provider_keys(own, provider, true).await?;
                jws::verify(token, &keys)
            }
            verified => verified,
        };
        match verified {
            Ok(verified) => Ok(Some(verified.claims)),
            Err(error) => {
                warn!(backend = own.name, %error, "login.id_token_refused");
                Ok(None)
            }
        }
    }
}

/// Whether a browser may be sent there with a state.
fn is_for_browsers(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Ipv4(host)) => host.is_loopback(),
        Some(Host::Ipv6(host)) => host.is_loopback(),
        Some(Host::Domain(host)) => host == "localhost",
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}
