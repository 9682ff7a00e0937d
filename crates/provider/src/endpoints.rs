//! An entry's addresses with their placeholders filled: from the row of the region, and from the integration's
//! parameters.

use std::collections::BTreeMap;

use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::format::address::{self, AddressError};
use crate::format::entry::Entry;
use crate::format::template::Template;

/// The addresses of one integration. They are `String`s because attempts and credentials pin them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The issuer identifier (RFC 8414 §2), with which the callback's `iss` is compared.
    pub issuer: Option<String>,
    /// RFC 6749 §3.1.
    pub authorize: Url,
    /// RFC 6749 §3.2.
    pub token: String,
    /// Where refreshes go: the token endpoint unless the entry has another.
    pub refresh: String,
    /// Where grants are given back.
    pub revoke: Option<ClientAddress>,
    /// Where tokens are looked up.
    pub introspect: Option<ClientAddress>,
    /// Tells whose token it is.
    pub userinfo: Option<String>,
    /// Tells whether a token works.
    pub validate: Option<String>,
    /// Where the API listens (RFC 6454 origins).
    pub api_origins: Vec<String>,
}

/// An address that may name the client (GitHub's `/applications/{client_id}/grant`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress(String);

impl ClientAddress {
    /// The address for a client; its id is percent-encoded.
    pub fn for_client(&self, client_id: &str) -> String {
        // A form writes a space as `+`, which a path would take literally.
        let encoded: String = byte_serialize(client_id.as_bytes()).collect::<String>().replace('+', "%20");
        self.0.replace("{client_id}", &encoded)
    }
}

/// Why an integration's addresses can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointsError {
    /// The entry's flow does not send the person to an authorization endpoint.
    #[error("{provider} has no authorization and token endpoints: its flow is not oauth2_code")]
    NotACodeFlow {
        /// The entry.
        provider: String,
    },
    /// A parameter that the entry does not know.
    #[error("{provider} has no parameter `{name}`; it knows: {known}")]
    UnknownParameter {
        /// The entry.
        provider: String,
        /// The parameter.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// An address can't be made, or may not be called.
    #[error("{provider}: {source}")]
    Address {
        /// The entry.
        provider: String,
        /// Why.
        source: AddressError,
    },
}

/// A row of an entry's fixed table of data centres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The row's name.
    pub name: String,
    values: BTreeMap<String, String>,
}

/// A callback that names a region which the entry's table lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider} has no region of the name that came in `{parameter}`; known are: {known}")]
pub struct UnknownRegion {
    /// The entry.
    pub provider: String,
    /// The callback's parameter. Its value is the browser's and stays out of the message.
    pub parameter: String,
    /// The names of the table's rows.
    pub known: String,
}

impl Entry {
    /// The entry's addresses. `region` is the row that the callback picked; `None` stands for the entry's default.
    pub fn endpoints(
        &self,
        parameters: &BTreeMap<String, String>,
        region: Option<&Region>,
    ) -> Result<Endpoints, EndpointsError> {
        if let Some(name) = parameters.keys().find(|name| !self.parameters.contains_key(*name)) {
            let known = self.parameters.keys().cloned().collect::<Vec<_>>();
            return Err(EndpointsError::UnknownParameter {
                provider: self.id.to_string(),
                name: name.chars().take(64).collect(),
                known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
            });
        }
        let row = region.map(|region| &region.values).or_else(|| {
            let regions = self.regions.as_ref()?;
            regions.rows.get(&regions.default)
        });
        let value = |name: &str| {
            let default = || self.parameters.get(name)?.default.as_ref();
            row.and_then(|row| row.get(name))
                .or_else(|| parameters.get(name))
                .or_else(default)
                .map(String::as_str)
        };
        let failed = |source| EndpointsError::Address { provider: self.id.to_string(), source };
        let fill = |template: &Template| address::fill(template, value).map_err(failed);
        let fill_all = |template: &Option<Template>| template.as_ref().map(fill).transpose();

        let (Some(authorize), Some(token)) = (&self.endpoints.authorize, &self.endpoints.token) else {
            return Err(EndpointsError::NotACodeFlow { provider: self.id.to_string() });
        };
        let authorize = fill(authorize)?;
        let authorize = address::callable(&authorize)
            .map_err(|rule| failed(AddressError::NotCallable { address: authorize.clone(), rule }))?;
        let token = fill(token)?;
        Ok(Endpoints {
            issuer: fill_all(&self.issuer)?,
            authorize,
            refresh: fill_all(&self.endpoints.refresh)?.unwrap_or_else(|| token.clone()),
            token,
            revoke: fill_all(&self.endpoints.revoke)?.map(ClientAddress),
            introspect: fill_all(&self.endpoints.introspect)?.map(ClientAddress),
            userinfo: fill_all(&self.endpoints.userinfo)?,
            validate: fill_all(&self.endpoints.validate)?,
            api_origins: self.api_origins.iter().map(fill).collect::<Result<_, _>>()?,
        })
    }

    /// The region that a callback's query names. `None` where the entry has no regions or the callback names none.
    pub fn region_from_callback(&self, query: &[(String, String)]) -> Result<Option<Region>, UnknownRegion> {
        let Some(regions) = &self.regions else { return Ok(None) };
        let mut named = query.iter().filter(|(name, _)| *name == regions.callback_parameter);
        let Some((_, name)) = named.next() else { return Ok(None) };
        // A parameter that stands twice names nothing (RFC 6749 §3.1).
        match regions.rows.get_key_value(name).filter(|_| named.next().is_none()) {
            Some((name, values)) => Ok(Some(Region { name: name.clone(), values: values.clone() })),
            None => Err(UnknownRegion {
                provider: self.id.to_string(),
                parameter: regions.callback_parameter.clone(),
                known: regions.rows.keys().cloned().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The region of that name, as a credential remembers it.
    pub fn region(&self, name: &str) -> Option<Region> {
        let (name, values) = self.regions.as_ref()?.rows.get_key_value(name)?;
        Some(Region { name: name.clone(), values: values.clone() })
    }
}
