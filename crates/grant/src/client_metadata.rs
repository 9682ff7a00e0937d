//! What an application says about itself (RFC 7591 §2), where the operator has not looked at it: read strictly where it decides who
//! gets a code, and passed over where it means nothing here. What is granted may be less than what was asked for, and the answer of
//! the registration says so (RFC 7591 §3.2.1).

use model::{
    ApplicationSettings, ClientAuthentication, GrantType, InvalidRedirectUri, OauthErrorCode, RedirectUri,
    Scopes,
};
use serde_json::{Map, Value};

use crate::application::plain;
use crate::scope::STANDARD;
use crate::{Error, Refusal, Settings};

/// An application, as it says itself.
pub(crate) struct Said {
    /// What it may do.
    pub(crate) settings: ApplicationSettings,
    /// Its word for how it proves who it is.
    pub(crate) auth_method: &'static str,
}

impl Said {
    /// Puts what is the application's own to say in the place of what it said before. All else is the operator's, who may have
    /// changed it; so are the scopes, of which it can give some up but get no others.
    pub(crate) fn replace(&self, settings: &mut ApplicationSettings) {
        let own = &self.settings;
        settings.name.clone_from(&own.name);
        settings.redirect_uris.clone_from(&own.redirect_uris);
        settings.grant_types.clone_from(&own.grant_types);
        settings.jwks.clone_from(&own.jwks);
        settings.homepage.clone_from(&own.homepage);
        let held = own.scopes.iter().filter(|scope| settings.scopes.contains(scope));
        settings.scopes = held.map(str::to_owned).collect();
    }
}

/// Where it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// In a request to us: it is told what is not allowed here, and may ask for something else.
    Registration,
    /// In a document that is the same for all servers: what is not allowed here is left out.
    Document,
}

impl Source {
    /// How it proves who it is where it does not say so: as RFC 7591 §2 has it, but whoever has a document shares no secret with us.
    const fn default_method(self) -> &'static str {
        match self {
            Self::Registration => DEFAULT_METHOD,
            Self::Document => "none",
        }
    }
}

/// RFC 7591 §2: the method of an application that names none.
pub(crate) const DEFAULT_METHOD: &str = "client_secret_basic";

/// The methods that an application may choose, with what they mean here.
const METHODS: [(&str, ClientAuthentication); 4] = [
    ("none", ClientAuthentication::None),
    ("client_secret_basic", ClientAuthentication::Secret),
    ("client_secret_post", ClientAuthentication::Secret),
    ("private_key_jwt", ClientAuthentication::PrivateKeyJwt),
];

/// A member that is not right.
pub(crate) fn invalid(description: impl AsRef<str>) -> Refusal {
    Refusal::new(OauthErrorCode::InvalidClientMetadata, ascii(description.as_ref()))
}

fn invalid_uri(description: impl AsRef<str>) -> Refusal {
    Refusal::new(OauthErrorCode::InvalidRedirectUri, ascii(description.as_ref()))
}

/// RFC 7591 §3.2.2: a description is ASCII; RFC 6749 §5.2 leaves out the two that would need escapes.
fn ascii(text: &str) -> String {
    let text = text.replace('§', "section ");
    text.chars().map(|c| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '\'' }).collect()
}

/// A member that is text; `null` is one that was left out (RFC 7592 §2.2).
pub(crate) fn text<'a>(said: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match said.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{name} must be a string"))),
    }
}

fn texts<'a>(said: &'a Map<String, Value>, name: &str) -> Result<Option<Vec<&'a str>>, Refusal> {
    let refuse = || invalid(format!("{name} must be a list of strings"));
    match said.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => {
            list.iter().map(|one| one.as_str().ok_or_else(refuse)).collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(refuse()),
    }
}

impl Settings {
    /// Reads what an application says about itself.
    pub(crate) fn read_metadata(&self, said: &Map<String, Value>, source: Source) -> Result<Said, Refusal> {
        let redirect_uris = self.read_redirect_uris(said, source)?;
        let method = text(said, "token_endpoint_auth_method")?.unwrap_or(source.default_method());
        let (auth_method, authentication) = METHODS
            .into_iter()
            .find(|(word, _)| *word == method)
            .ok_or_else(|| invalid("token_endpoint_auth_method is none that this server knows"))?;
        // RFC 7591 §2: keys mean nothing where it signs nothing.
        let signs = authentication == ClientAuthentication::PrivateKeyJwt;
        if signs && said.get("jwks_uri").is_some_and(|uri| !uri.is_null()) {
            return Err(invalid("jwks_uri is not supported; send the keys as jwks"));
        }
        let name = match text(said, "client_name")?.map(str::trim) {
            Some(name) => name.to_owned(),
            None => redirect_uris.first().map(|uri| uri.place().to_owned()).unwrap_or_default(),
        };
        let homepage = text(said, "client_uri")?.filter(|uri| uri.starts_with("https://"));
        let settings = ApplicationSettings {
            grant_types: grant_types(said)?,
            authentication,
            jwks: said.get("jwks").filter(|_| signs).cloned(),
            scopes: self.read_scope(said, source)?,
            homepage: homepage.map(str::to_owned),
            ..plain(&name, redirect_uris)
        };
        self.check_application(&settings).map_err(|error| match error {
            Error::Problem { about: Some((field, rule)), .. } => match rfc7591_name(field) {
                "redirect_uris" => invalid_uri(rule),
                name => invalid(format!("{name}: {rule}")),
            },
            error => invalid(error.to_string()),
        })?;
        Ok(Said { settings, auth_method })
    }

    fn read_redirect_uris(
        &self,
        said: &Map<String, Value>,
        source: Source,
    ) -> Result<Vec<RedirectUri>, Refusal> {
        let refused = |refusal: Refusal| invalid_uri(refusal.description);
        let texts = texts(said, "redirect_uris").map_err(refused)?;
        let mut uris = Vec::<RedirectUri>::new();
        for text in texts.unwrap_or_default() {
            match (self.read_redirect_uri(text), source) {
                (Ok(uri), _) if uris.contains(&uri) => {}
                (Ok(uri), _) => uris.push(uri),
                (Err(refusal), Source::Registration) => return Err(refusal),
                (Err(_), Source::Document) => {}
            }
        }
        if uris.is_empty() { Err(invalid_uri("redirect_uris has none that is allowed")) } else { Ok(uris) }
    }

    fn read_redirect_uri(&self, text: &str) -> Result<RedirectUri, Refusal> {
        let uri: RedirectUri =
            text.parse().map_err(|error: InvalidRedirectUri| invalid_uri(error.to_string()))?;
        if self.mcp.allows(&uri) {
            Ok(uri)
        } else {
            Err(invalid_uri("a redirect URI leads to a host that the operator does not allow"))
        }
    }

    fn read_scope(&self, said: &Map<String, Value>, source: Source) -> Result<Scopes, Refusal> {
        let Some(asked) = text(said, "scope")?.filter(|text| !text.trim().is_empty()) else {
            return Ok(self.mcp.scopes.clone());
        };
        let own = asked.split(' ').filter(|scope| !scope.is_empty() && !STANDARD.contains(scope));
        let (known, unknown): (Vec<&str>, Vec<&str>) = own.partition(|scope| self.mcp.scopes.contains(scope));
        if source == Source::Registration && !unknown.is_empty() {
            return Err(invalid("scope names one that applications can't register for here"));
        }
        Ok(known.into_iter().map(str::to_owned).collect())
    }
}

/// Only a person's consent brings tokens to an application that nobody looked at. What it asks for besides is left out: clients name
/// all that they can.
fn grant_types(said: &Map<String, Value>) -> Result<Vec<GrantType>, Refusal> {
    if texts(said, "response_types")?.is_some_and(|types| !types.contains(&"code")) {
        return Err(invalid("response_types must have code"));
    }
    // RFC 7591 §2: authorization_code, where it says nothing.
    let asked = texts(said, "grant_types")?.unwrap_or_else(|| vec!["authorization_code"]);
    let known = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    let granted: Vec<_> = known.into_iter().filter(|known| asked.contains(&known.word())).collect();
    if granted.contains(&GrantType::AuthorizationCode) {
        Ok(granted)
    } else {
        Err(invalid("grant_types must have authorization_code"))
    }
}

/// A field of ours as RFC 7591 §2 calls it.
fn rfc7591_name(field: &'static str) -> &'static str {
    match field {
        "name" => "client_name",
        "redirectUris" => "redirect_uris",
        "grantTypes" => "grant_types",
        "scopes" => "scope",
        "homepage" => "client_uri",
        "authentication" => "token_endpoint_auth_method",
        own => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7591_3_2_2_a_description_is_ascii_without_quotes() {
        assert_eq!(
            ascii("it must be \"so\" (RFC 6749 §3.1.2) – õ\n"),
            "it must be 'so' (RFC 6749 section 3.1.2) ' ''"
        );
    }
}
