//! The authorization request (RFC 6749 §4.1.1), without what belongs to one attempt: the state and the challenge.

use std::iter;

use model::Scopes;
use url::Url;

use crate::endpoints::Endpoints;
use crate::format::entry::Entry;

/// What an authorization request says.
#[derive(Debug)]
pub struct AuthorizeRequest<'a> {
    /// RFC 6749 §2.2.
    pub client_id: &'a str,
    /// RFC 6749 §3.1.2.
    pub redirect_uri: &'a str,
    /// RFC 6749 §3.3; none are sent when there are none. Those of a part (`user/search:read`) go into its own parameter,
    /// without its name.
    pub scopes: &'a Scopes,
    /// The account that is expected to consent; sent where the provider has a parameter for it.
    pub login_hint: Option<&'a str>,
    /// The integration's addresses.
    pub endpoints: &'a Endpoints,
}

impl Entry {
    /// The address to which the browser goes, once `state` and `code_challenge` are appended.
    pub fn authorize_url(&self, request: &AuthorizeRequest<'_>) -> Url {
        let mut url = request.endpoints.authorize.clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", request.client_id)
            .append_pair("redirect_uri", request.redirect_uri);
        let scopes_of = |part: Option<&str>| -> Scopes {
            let named = request.scopes.iter().map(|scope| self.part_of(scope));
            named.filter(|(own, _)| *own == part).map(|(_, scope)| scope.to_owned()).collect()
        };
        let parts =
            self.parts.iter().map(|(name, part)| (part.scope_parameter.as_str(), Some(name.as_str())));
        for (parameter, part) in iter::once(("scope", None)).chain(parts) {
            let scopes = scopes_of(part);
            if !scopes.is_empty() {
                query.append_pair(parameter, &scopes.join(&self.scope_separator));
            }
        }
        query.extend_pairs(&self.authorize_parameters);
        if let (Some(parameter), Some(hint)) = (&self.login_hint_parameter, request.login_hint) {
            query.append_pair(parameter, hint);
        }
        drop(query);
        url
    }
}
