//! What was granted: codes, and the families that they began. All in memory, and bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::answer::OAuthError;
use crate::family::{Consent, Facts, Family, Issued, Key, Kind, Refused, random};
use crate::log::RefreshNotes;
use crate::pkce;
use crate::settings::Settings;

/// Families that are remembered; the oldest goes first, and its tokens with it.
const MAX_FAMILIES: usize = 200_000;
/// Codes that are remembered, used and expired ones included.
const MAX_CODES: usize = 50_000;

/// A code on its way to the client.
pub(crate) struct NewCode {
    pub(crate) consent: Consent,
    /// The redirect URI of the authorization request, to be repeated at the exchange.
    pub(crate) redirect_uri: String,
    /// The S256 challenge, if one was sent.
    pub(crate) code_challenge: Option<String>,
    pub(crate) expires_at: i64,
}

/// What a client presents with its code (RFC 6749 §4.1.3, RFC 7636 §4.5).
pub(crate) struct Redemption<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) code_verifier: Option<&'a str>,
}

/// What a client presents to refresh (RFC 6749 §6).
pub(crate) struct RefreshRequest<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) refresh_token: &'a str,
    /// Fewer scopes for the new access token, if the client wants fewer.
    pub(crate) scopes: Option<Vec<String>>,
}

/// Everything that was issued.
#[derive(Default)]
pub(crate) struct Grants {
    codes: HashMap<Key, IssuedCode>,
    codes_by_age: VecDeque<Key>,
    families: BTreeMap<u64, Family>,
    next_family: u64,
}

struct IssuedCode {
    consent: Arc<Consent>,
    redirect_uri: String,
    code_challenge: Option<String>,
    expires_at: i64,
    state: CodeState,
}

enum CodeState {
    Fresh,
    /// Presented with a mistake: nobody may guess again.
    Spent,
    Exchanged {
        family: u64,
    },
}

impl Grants {
    /// Issues a code for a consent.
    pub(crate) fn issue_code(&mut self, new: NewCode) -> String {
        let code = random("sbx_code_");
        let key = Key::of(&code);
        let record = IssuedCode {
            consent: Arc::new(new.consent),
            redirect_uri: new.redirect_uri,
            code_challenge: new.code_challenge,
            expires_at: new.expires_at,
            state: CodeState::Fresh,
        };
        self.codes.insert(key, record);
        self.codes_by_age.push_back(key);
        if self.codes_by_age.len() > MAX_CODES
            && let Some(oldest) = self.codes_by_age.pop_front()
        {
            self.codes.remove(&oldest);
        }
        code
    }

    /// RFC 6749 §4.1.3: a code works once, for its client, its redirect URI and its verifier. One that comes back ends
    /// what it yielded (§4.1.2), and a mistake spends it.
    pub(crate) fn redeem(
        &mut self,
        redemption: &Redemption<'_>,
        settings: &Settings,
        now: i64,
    ) -> Result<Issued, OAuthError> {
        let code = self
            .codes
            .get_mut(&Key::of(redemption.code))
            .filter(|code| code.consent.client_id == redemption.client_id)
            .ok_or(OAuthError::invalid_grant("The code is unknown or was issued to another client."))?;
        match code.state {
            CodeState::Fresh => code.state = CodeState::Spent,
            CodeState::Spent => return Err(OAuthError::invalid_grant("The code was presented before.")),
            CodeState::Exchanged { family } => {
                self.families.remove(&family);
                return Err(OAuthError::invalid_grant("The code was used before; its tokens are revoked."));
            }
        }
        if now >= code.expires_at {
            return Err(OAuthError::invalid_grant("The code has expired."));
        }
        if code.redirect_uri != redemption.redirect_uri {
            return Err(OAuthError::invalid_grant(
                "The redirect_uri is not that of the authorization request.",
            ));
        }
        pkce::verify(code.code_challenge.as_deref(), redemption.code_verifier, settings.pkce)?;
        let id = self.next_family;
        self.next_family += 1;
        code.state = CodeState::Exchanged { family: id };
        let (family, issued) = Family::begin(id, Arc::clone(&code.consent), settings, now);
        self.families.insert(id, family);
        if self.families.len() > MAX_FAMILIES {
            self.families.pop_first();
        }
        Ok(issued)
    }

    /// RFC 6749 §6, with rotation as the settings have it. What it did is told in `notes`, however it ends.
    pub(crate) fn refresh(
        &mut self,
        refresh: RefreshRequest<'_>,
        settings: &Settings,
        now: i64,
        notes: &mut RefreshNotes,
    ) -> Result<Issued, OAuthError> {
        let unknown = OAuthError::invalid_grant("The refresh token is unknown, revoked or another client's.");
        let id = Family::id_of(refresh.refresh_token).ok_or(unknown)?;
        let family = self
            .families
            .get_mut(&id)
            .filter(|family| family.consent().client_id == refresh.client_id)
            .ok_or(unknown)?;
        notes.reuse = family.is_spent(refresh.refresh_token, settings, now);
        let refused = match family.refresh(refresh.refresh_token, refresh.scopes, settings, now) {
            Ok(issued) => {
                notes.rotated = issued.rotated;
                return Ok(issued);
            }
            Err(refused) => refused,
        };
        Err(match refused {
            Refused::Unknown => unknown,
            Refused::Expired => OAuthError::invalid_grant("The refresh token has expired."),
            Refused::ScopeNotGranted => {
                OAuthError::invalid_scope("The person did not grant all of these scopes.")
            }
            Refused::Reused if settings.revoke_family_on_reuse => {
                self.families.remove(&id);
                notes.family_revoked = true;
                OAuthError::invalid_grant("The refresh token was used before; its family is revoked.")
            }
            Refused::Reused => OAuthError::invalid_grant("The refresh token was used before."),
        })
    }

    /// Whose app the token says that it was issued to, so that its settings can be looked up.
    pub(crate) fn client_of(&self, token: &str) -> Option<&str> {
        Some(&self.families.get(&Family::id_of(token)?)?.consent().client_id)
    }

    /// RFC 6750: what a living access token allows. This counts as its use.
    pub(crate) fn use_access_token(&mut self, token: &str, now: i64) -> Option<Facts> {
        self.families.get_mut(&Family::id_of(token)?)?.use_access_token(token, now)
    }

    /// RFC 7662: what is known of a token that is good at this moment.
    pub(crate) fn inspect(&self, token: &str, settings: &Settings, now: i64) -> Option<Facts> {
        self.families.get(&Family::id_of(token)?)?.inspect(token, settings, now)
    }

    /// RFC 7009 §2.1: ends an access token alone, and with a refresh token everything of its family. An unknown token is
    /// ended already; another client's is refused.
    pub(crate) fn revoke(&mut self, token: &str, client_id: &str) -> Result<(), OAuthError> {
        let Some(id) = Family::id_of(token) else { return Ok(()) };
        let Some(family) = self.families.get_mut(&id) else { return Ok(()) };
        let kind = family.kind_of(token);
        if kind.is_some() && family.consent().client_id != client_id {
            return Err(OAuthError::invalid_grant("The token was issued to another client."));
        }
        match kind {
            Some(Kind::RefreshToken) => drop(self.families.remove(&id)),
            Some(Kind::AccessToken) => family.end_access_token(token),
            None => {}
        }
        Ok(())
    }
}
