//! What was granted: codes, and the families that they began. All in memory, and bounded.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::answer::OAuthError;
use crate::consent::{Aim, Consent};
use crate::facts::{Condition, Facts, Issued, Kind};
use crate::family::{Family, Refused};
use crate::key::{Key, random};
use crate::log::RefreshNotes;
use crate::pkce;
use crate::settings::Settings;

/// Families that are remembered; the oldest goes first, and its tokens with it.
const MAX_FAMILIES: usize = 200_000;
/// Codes that are remembered, used and expired ones included.
const MAX_CODES: usize = 50_000;

/// Consents that are remembered after their tokens are gone.
const MAX_REMEMBERED: usize = 50_000;

/// A code on its way to the client.
pub(crate) struct NewCode {
    pub(crate) consent: Consent,
    /// What the same code yields besides, with tokens of its own.
    pub(crate) second: Option<Consent>,
    /// The redirect URI of the authorization request, to be repeated at the exchange.
    pub(crate) redirect_uri: String,
    /// The S256 challenge, if one was sent.
    pub(crate) code_challenge: Option<String>,
    pub(crate) expires_at: i64,
}

/// What a client presents with its code (RFC 6749 §4.1.3, RFC 7636 §4.5).
pub(crate) struct Redemption<'a> {
    /// Where it does so.
    pub(crate) place: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) code_verifier: Option<&'a str>,
    pub(crate) aim: Aim,
}

/// What a client presents to refresh (RFC 6749 §6).
pub(crate) struct RefreshRequest<'a> {
    /// Where it does so.
    pub(crate) place: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) refresh_token: &'a str,
    pub(crate) aim: Aim,
}

/// Everything that was issued.
#[derive(Default)]
pub(crate) struct Grants {
    codes: HashMap<Key, IssuedCode>,
    codes_by_age: VecDeque<Key>,
    families: BTreeMap<u64, Family>,
    next_family: u64,
    /// Who agreed to offline access before: place, app and account.
    remembered: HashSet<Key>,
    remembered_by_age: VecDeque<Key>,
}

struct IssuedCode {
    consent: Arc<Consent>,
    second: Option<Arc<Consent>>,
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
        first: u64,
        second: Option<u64>,
    },
}

impl Grants {
    /// Issues a code for a consent.
    pub(crate) fn issue_code(&mut self, new: NewCode) -> String {
        let code = random("sbx_code_");
        let key = Key::of(&code);
        let record = IssuedCode {
            consent: Arc::new(new.consent),
            second: new.second.map(Arc::new),
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
    /// what it yielded (§4.1.2), and a mistake spends it. Where it was issued for two consents, both yield tokens.
    pub(crate) fn redeem(
        &mut self,
        redemption: Redemption<'_>,
        settings: &Settings,
        now: i64,
    ) -> Result<(Issued, Option<Issued>), OAuthError> {
        let code = self
            .codes
            .get_mut(&Key::of(redemption.code))
            .filter(|code| is_of(&code.consent, redemption.client_id, redemption.place))
            .ok_or(OAuthError::invalid_grant("The code is unknown or was issued to another client."))?;
        match code.state {
            CodeState::Fresh => code.state = CodeState::Spent,
            CodeState::Spent => return Err(OAuthError::invalid_grant("The code was presented before.")),
            CodeState::Exchanged { first, second } => {
                for family in [Some(first), second].into_iter().flatten() {
                    self.families.remove(&family);
                }
                return Err(OAuthError::invalid_grant("The code was used before; its tokens are revoked."));
            }
        }
        if now >= code.expires_at {
            return Err(OAuthError::invalid_grant("The code has expired."));
        }
        if code.redirect_uri != redemption.redirect_uri {
            return Err(OAuthError::redirect_uri_mismatch());
        }
        pkce::verify(code.code_challenge.as_deref(), redemption.code_verifier, settings.pkce)?;
        let (consent, second) = (Arc::clone(&code.consent), code.second.clone());
        let first = self.next_family;
        code.state = CodeState::Exchanged { first, second: second.as_ref().map(|_| first + 1) };
        let issued = self.begin(consent, redemption.aim, settings, now);
        Ok((issued, second.map(|consent| self.begin(consent, Aim::default(), settings, now))))
    }

    fn begin(&mut self, consent: Arc<Consent>, aim: Aim, settings: &Settings, now: i64) -> Issued {
        if consent.terms.offline {
            self.remember(Self::memory_of(&consent.client_id, &consent.account.id, consent.terms.place));
        }
        let id = self.next_family;
        self.next_family += 1;
        let (family, issued) = Family::begin(id, consent, aim, settings, now);
        self.families.insert(id, family);
        if self.families.len() > MAX_FAMILIES {
            self.families.pop_first();
        }
        issued
    }

    fn memory_of(client_id: &str, account: &str, place: &str) -> Key {
        Key::of(&format!("{place}\n{account}\n{client_id}"))
    }

    fn remember(&mut self, memory: Key) {
        if self.remembered.insert(memory) {
            self.remembered_by_age.push_back(memory);
        }
        if self.remembered_by_age.len() > MAX_REMEMBERED
            && let Some(oldest) = self.remembered_by_age.pop_front()
        {
            self.remembered.remove(&oldest);
        }
    }

    /// Whether this account gave this app offline access before, and nobody ended that grant since.
    pub(crate) fn remembers(&self, client_id: &str, account: &str, place: &str) -> bool {
        self.remembered.contains(&Self::memory_of(client_id, account, place))
    }

    /// What this client's code was issued for, whether it is still good or not.
    pub(crate) fn consent_of_code(&self, code: &str, client_id: &str, place: &str) -> Option<&Consent> {
        let consent = &self.codes.get(&Key::of(code))?.consent;
        is_of(consent, client_id, place).then_some(consent)
    }

    /// What this client's token was issued for, whether it is still good or not.
    pub(crate) fn consent_of(&self, token: &str, client_id: &str, place: &str) -> Option<&Consent> {
        let consent = self.families.get(&Family::id_of(token)?)?.consent();
        is_of(consent, client_id, place).then_some(consent)
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
            .filter(|family| is_of(family.consent(), refresh.client_id, refresh.place))
            .ok_or(unknown)?;
        notes.reuse = family.is_spent(refresh.refresh_token, settings, now);
        let refused = match family.refresh(refresh.refresh_token, refresh.aim, settings, now) {
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
            Refused::Throttled => OAuthError::throttled(),
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
    pub(crate) fn use_access_token(&mut self, token: &str, place: &str, now: i64) -> Option<Facts> {
        let family = self.families.get_mut(&Family::id_of(token)?)?;
        (family.consent().terms.place == place).then(|| family.use_access_token(token, now))?
    }

    /// What became of an access token.
    pub(crate) fn condition_of(&self, token: &str, place: &str, now: i64) -> Condition {
        Family::id_of(token)
            .and_then(|id| self.families.get(&id))
            .filter(|family| family.consent().terms.place == place)
            .map_or(Condition::Unknown, |family| family.condition_of(token, now))
    }

    /// RFC 7662: what is known of a token that is good at this moment.
    pub(crate) fn inspect(&self, token: &str, place: &str, settings: &Settings, now: i64) -> Option<Facts> {
        let family = self.families.get(&Family::id_of(token)?)?;
        (family.consent().terms.place == place).then(|| family.inspect(token, settings, now))?
    }

    /// RFC 7009 §2.1: ends an access token alone, and with a refresh token everything of its family. An unknown token is
    /// ended already; another client's is refused.
    pub(crate) fn revoke(&mut self, token: &str, client_id: &str, place: &str) -> Result<(), OAuthError> {
        let Some(id) = Family::id_of(token) else { return Ok(()) };
        let Some(family) = self.families.get_mut(&id) else { return Ok(()) };
        let kind = family.kind_of(token);
        if kind.is_some() && !is_of(family.consent(), client_id, place) {
            return Err(OAuthError::invalid_grant("The token was issued to another client."));
        }
        match kind {
            Some(Kind::RefreshToken) => drop(self.families.remove(&id)),
            Some(Kind::AccessToken) => family.end_access_token(token),
            None => {}
        }
        Ok(())
    }

    /// Ends everything of the token's family, and remembers that its access tokens were.
    pub(crate) fn end_family(&mut self, token: &str) {
        if let Some(family) = Family::id_of(token).and_then(|id| self.families.get_mut(&id)) {
            family.end();
        }
    }

    /// Ends everything that this account ever granted to this app at this place.
    pub(crate) fn end_grant(&mut self, consent: &Consent) {
        let place = consent.terms.place;
        self.remembered.remove(&Self::memory_of(&consent.client_id, &consent.account.id, place));
        self.families.retain(|_, family| {
            let other = family.consent();
            !(is_of(other, &consent.client_id, place) && other.account.id == consent.account.id)
        });
    }
}

fn is_of(consent: &Consent, client_id: &str, place: &str) -> bool {
    consent.client_id == client_id && consent.terms.place == place
}
