//! What all providers do with codes and tokens, by the core's checks.

use serde_json::{Map, Value};

use crate::answer::OAuthError;
use crate::call::Call;
use crate::consent::{Aim, Consent};
use crate::facts::{Facts, Issued};
use crate::grants::{Redemption, RefreshRequest};
use crate::profile::inquiry::Inquiry;
use crate::scope;
use crate::settings::Settings;
use crate::token;

/// Tokens on their way to the client.
pub(crate) struct Exchanged {
    pub(crate) first: Issued,
    /// The second pair, where a code yields two.
    pub(crate) second: Option<Issued>,
    pub(crate) refreshed: bool,
}

/// RFC 6749 §4.1.3 and §6: a code or a refresh token becomes an access token, whose scopes a refresh may narrow.
pub(crate) fn exchange(call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Exchanged, OAuthError> {
    let separator = call.settings.scope_separator.clone();
    exchange_for(call, inquiry, |_, asked| {
        let scopes = match asked {
            None => None,
            Some(text) => Some(
                scope::parse(text, &separator).ok_or(OAuthError::invalid_scope("The scope is malformed."))?,
            ),
        };
        Ok(Aim { scopes, ..Aim::default() })
    })
}

/// The same, with an aim of the provider's own for what was agreed to and the `scope` that is asked for.
pub(crate) fn exchange_for(
    call: &mut Call<'_>,
    inquiry: &Inquiry<'_>,
    aim: impl FnOnce(&Consent, Option<&str>) -> Result<Aim, OAuthError>,
) -> Result<Exchanged, OAuthError> {
    let request = inquiry.client()?;
    call.authenticate(request)?;
    let (client_id, place) = (request.credentials.client_id.as_str(), call.place);
    let wanted = request.parameters.get("scope");
    let (first, second, refreshed) = match inquiry.grant_type() {
        Some("refresh_token") => {
            let refresh_token = request.require("refresh_token", "The refresh_token is missing.")?;
            let consent = call.grants.consent_of(refresh_token, client_id, place);
            let aim = consent.map(|consent| aim(consent, wanted)).transpose()?.unwrap_or_default();
            let refresh = RefreshRequest { place, client_id, refresh_token, aim };
            let issued = call.grants.refresh(refresh, call.settings, call.now, &mut call.row.refresh)?;
            (issued, None, true)
        }
        Some(_) => {
            let code = request.require("code", "The code is missing.")?;
            let consent = call.grants.consent_of_code(code, client_id, place);
            let aim = consent.map(|consent| aim(consent, wanted)).transpose()?.unwrap_or_default();
            let redemption = Redemption {
                place,
                client_id,
                code,
                redirect_uri: request.require("redirect_uri", "The redirect_uri is missing.")?,
                code_verifier: request.parameters.get("code_verifier"),
                aim,
            };
            let (first, second) = call.grants.redeem(redemption, call.settings, call.now)?;
            (first, second, false)
        }
        None => {
            request.require("grant_type", "The grant_type is missing.")?;
            return Err(OAuthError::unsupported_grant_type());
        }
    };
    call.row.account = Some(first.consent.account.email.clone());
    call.row.scopes = Some(first.scopes.clone());
    Ok(Exchanged { first, second, refreshed })
}

/// RFC 6749 §5.1, as far as the settings let it be.
pub(crate) fn members(issued: Issued, token_type: &'static str, settings: &Settings) -> Map<String, Value> {
    let members = [
        ("access_token", Some(Value::from(issued.access_token))),
        ("token_type", Some(Value::from(token_type))),
        ("scope", Some(Value::from(issued.scopes.join(&settings.scope_separator)))),
        ("expires_in", token::expires_in(settings)),
        ("refresh_token", issued.refresh_token.map(Value::from)),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// RFC 6750: what the access token allows.
pub(crate) fn open(call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Facts, OAuthError> {
    let facts = call
        .grants
        .use_access_token(inquiry.token()?, call.place, call.now)
        .ok_or(OAuthError::invalid_token())?;
    call.row.account = Some(facts.consent.account.email.clone());
    Ok(facts)
}

/// What is known of a token that its owner shows without a client: that it is this place's and good.
pub(crate) fn known(call: &mut Call<'_>, token: &str) -> Result<Facts, OAuthError> {
    let facts =
        call.grants.inspect(token, call.place, call.settings, call.now).ok_or(OAuthError::invalid_token())?;
    call.row.account = Some(facts.consent.account.email.clone());
    Ok(facts)
}
