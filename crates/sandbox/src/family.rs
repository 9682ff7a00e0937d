//! A family: the chain of refresh tokens that one consent began, and the access tokens that came with them.
//!
//! Each refresh adds a generation. Whether an older refresh token still works is decided when it is presented, by the
//! settings that are in force then. Only SHA-256 hashes of the tokens are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::clock;
use crate::consent::{Aim, Consent};
use crate::facts::{Condition, Facts, Issued, Kind};
use crate::key::{self, Key};
use crate::settings::{Rotation, Settings};

/// Tokens of each kind that a family remembers. What is older is as unknown as if it had never been issued.
const MAX_TOKENS: usize = 64;

/// For how many seconds a made access token counts towards `accessTokenLimit`.
const LIMIT_PERIOD: u64 = 600;

/// Why a refresh token is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Unknown,
    Expired,
    /// It was exchanged for another before, and its time is over.
    Reused,
    /// It is good, but the person did not grant what is asked now.
    ScopeNotGranted,
    /// It is good, but has made as many access tokens as it may for now.
    Throttled,
}

/// The chain of one consent.
pub(crate) struct Family {
    id: u64,
    consent: Arc<Consent>,
    refresh_tokens: VecDeque<RefreshToken>,
    access_tokens: VecDeque<AccessToken>,
    generation: u64,
    /// When the last refreshes were.
    refreshed_at: VecDeque<i64>,
}

struct RefreshToken {
    key: Key,
    generation: u64,
    issued_at: i64,
    expires_at: i64,
    /// When it was first exchanged for another.
    rotated_at: Option<i64>,
    /// Whether a later generation has been used since.
    overtaken: bool,
}

struct AccessToken {
    key: Key,
    generation: u64,
    scopes: Vec<String>,
    audience: String,
    issued_at: i64,
    expires_at: i64,
    revoked: bool,
}

impl AccessToken {
    fn lives(&self, now: i64) -> bool {
        !self.revoked && now < self.expires_at
    }
}

impl RefreshToken {
    fn check(&self, settings: &Settings, now: i64) -> Result<(), Refused> {
        let still_good = match (self.rotated_at, settings.rotation) {
            (None, Rotation::Leeway | Rotation::Strict) | (_, Rotation::None) => true,
            (Some(rotated_at), Rotation::Leeway) => now < clock::after(rotated_at, settings.leeway),
            (_, Rotation::UntilUse) => !self.overtaken,
            (Some(_), Rotation::Strict) => false,
        };
        match (still_good, now < self.expires_at) {
            (false, _) => Err(Refused::Reused),
            (true, false) => Err(Refused::Expired),
            (true, true) => Ok(()),
        }
    }
}

impl Family {
    /// A new family with its first tokens.
    pub(crate) fn begin(
        id: u64,
        consent: Arc<Consent>,
        aim: Aim,
        settings: &Settings,
        now: i64,
    ) -> (Self, Issued) {
        let offline = consent.terms.offline && !settings.omit_refresh_token;
        let mut family = Self {
            id,
            consent,
            refresh_tokens: VecDeque::new(),
            access_tokens: VecDeque::new(),
            generation: 0,
            refreshed_at: VecDeque::new(),
        };
        let refresh_token = offline.then(|| family.issue_refresh_token(settings, now));
        let issued = family.issue(refresh_token, family.generation, aim, settings, now);
        (family, issued)
    }

    /// The family that a token says it belongs to.
    pub(crate) fn id_of(token: &str) -> Option<u64> {
        let random = token.len().checked_sub(key::RANDOM_CHARACTERS)?;
        u64::from_str_radix(token.get(random.checked_sub(16)?..random)?, 16).ok()
    }

    /// Whether this refresh token was exchanged for another before, or overtaken where that ends it. It may work all
    /// the same.
    pub(crate) fn is_spent(&self, presented: &str, settings: &Settings, now: i64) -> bool {
        let key = Key::of(presented);
        self.refresh_tokens.iter().find(|token| token.key == key).is_some_and(|token| {
            token.rotated_at.is_some() || token.check(settings, now) == Err(Refused::Reused)
        })
    }

    /// What was agreed to.
    pub(crate) fn consent(&self) -> &Arc<Consent> {
        &self.consent
    }

    /// RFC 6749 §6: a new access token, with fewer scopes if the client wants fewer, and by the rotation in force a new
    /// refresh token. A refused one changes nothing here.
    pub(crate) fn refresh(
        &mut self,
        presented: &str,
        aim: Aim,
        settings: &Settings,
        now: i64,
    ) -> Result<Issued, Refused> {
        let key = Key::of(presented);
        let token = self.refresh_tokens.iter_mut().find(|token| token.key == key).ok_or(Refused::Unknown)?;
        token.check(settings, now)?;
        if !aim.scopes.iter().flatten().all(|scope| self.consent.scopes.contains(scope)) {
            return Err(Refused::ScopeNotGranted);
        }
        if let Some(limit) = settings.access_token_limit {
            let recent = self.refreshed_at.iter().filter(|&&at| now < clock::after(at, LIMIT_PERIOD));
            if recent.count() as u64 >= limit {
                return Err(Refused::Throttled);
            }
        }
        push(&mut self.refreshed_at, now);
        let rotates = settings.rotation != Rotation::None && !settings.omit_refresh_token;
        if rotates {
            token.rotated_at.get_or_insert(now);
        }
        let used = token.generation;
        self.overtake(used);
        if settings.kill_old_access_token_on_refresh {
            self.access_tokens.clear();
        }
        let issued = if rotates {
            let refresh_token = self.issue_refresh_token(settings, now);
            let issued = self.issue(Some(refresh_token), self.generation, aim, settings, now);
            Issued { rotated: true, ..issued }
        } else {
            let repeated = (!settings.omit_refresh_token).then(|| presented.to_owned());
            self.issue(repeated, used, aim, settings, now)
        };
        Ok(issued)
    }

    /// RFC 6750: what a living access token allows. Its use overtakes the refresh tokens of earlier generations.
    pub(crate) fn use_access_token(&mut self, presented: &str, now: i64) -> Option<Facts> {
        let key = Key::of(presented);
        let token = self.access_tokens.iter().find(|token| token.key == key && token.lives(now))?;
        let (generation, facts) = (token.generation, self.facts_of(token));
        self.overtake(generation);
        Some(facts)
    }

    /// RFC 7662: what is known of a token that is good at this moment. Changes nothing.
    pub(crate) fn inspect(&self, presented: &str, settings: &Settings, now: i64) -> Option<Facts> {
        let key = Key::of(presented);
        if let Some(token) = self.access_tokens.iter().find(|token| token.key == key) {
            return token.lives(now).then(|| self.facts_of(token));
        }
        let token = self.refresh_tokens.iter().find(|token| token.key == key)?;
        token.check(settings, now).ok()?;
        Some(Facts {
            consent: Arc::clone(&self.consent),
            scopes: self.consent.scopes.clone(),
            audience: String::new(),
            kind: Kind::RefreshToken,
            issued_at: token.issued_at,
            expires_at: token.expires_at,
        })
    }

    /// Whether the family remembers this token, and as which kind.
    pub(crate) fn kind_of(&self, presented: &str) -> Option<Kind> {
        let key = Key::of(presented);
        let access_token =
            || self.access_tokens.iter().any(|token| token.key == key).then_some(Kind::AccessToken);
        let refresh_token =
            || self.refresh_tokens.iter().any(|token| token.key == key).then_some(Kind::RefreshToken);
        access_token().or_else(refresh_token)
    }

    /// Ends one access token.
    pub(crate) fn end_access_token(&mut self, presented: &str) {
        let key = Key::of(presented);
        self.access_tokens.retain(|token| token.key != key);
    }

    /// Ends every token, and remembers of the access tokens that they were.
    pub(crate) fn end(&mut self) {
        self.refresh_tokens.clear();
        for token in &mut self.access_tokens {
            token.revoked = true;
        }
    }

    /// What became of an access token.
    pub(crate) fn condition_of(&self, presented: &str, now: i64) -> Condition {
        let key = Key::of(presented);
        match self.access_tokens.iter().find(|token| token.key == key) {
            None => Condition::Unknown,
            Some(token) if token.revoked => Condition::Revoked,
            Some(token) if now < token.expires_at => Condition::Living,
            Some(_) => Condition::Expired,
        }
    }

    fn facts_of(&self, token: &AccessToken) -> Facts {
        Facts {
            consent: Arc::clone(&self.consent),
            scopes: token.scopes.clone(),
            audience: token.audience.clone(),
            kind: Kind::AccessToken,
            issued_at: token.issued_at,
            expires_at: token.expires_at,
        }
    }

    fn overtake(&mut self, used: u64) {
        for token in self.refresh_tokens.iter_mut().filter(|token| token.generation < used) {
            token.overtaken = true;
        }
    }

    fn issue_refresh_token(&mut self, settings: &Settings, now: i64) -> String {
        self.generation += 1;
        let token = key::random(&format!("{}{:016x}", self.consent.terms.prefixes.refresh_token, self.id));
        let record = RefreshToken {
            key: Key::of(&token),
            generation: self.generation,
            issued_at: now,
            expires_at: clock::after(now, settings.refresh_token_ttl),
            rotated_at: None,
            overtaken: false,
        };
        push(&mut self.refresh_tokens, record);
        token
    }

    fn issue(
        &mut self,
        refresh_token: Option<String>,
        generation: u64,
        aim: Aim,
        settings: &Settings,
        now: i64,
    ) -> Issued {
        let scopes = aim.scopes.unwrap_or_else(|| self.consent.scopes.clone());
        let access_token =
            key::random(&format!("{}{:016x}", self.consent.terms.prefixes.access_token, self.id));
        let record = AccessToken {
            key: Key::of(&access_token),
            generation,
            scopes: scopes.clone(),
            audience: aim.audience,
            issued_at: now,
            expires_at: clock::after(now, settings.access_token_ttl),
            revoked: false,
        };
        push(&mut self.access_tokens, record);
        Issued { access_token, refresh_token, consent: Arc::clone(&self.consent), scopes, rotated: false }
    }
}

fn push<T>(tokens: &mut VecDeque<T>, token: T) {
    if tokens.len() == MAX_TOKENS {
        tokens.pop_front();
    }
    tokens.push_back(token);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;
    use crate::consent::Terms;

    fn begin(settings: &Settings) -> (Family, Issued) {
        let account = Account::named("anna@example.com").unwrap();
        let scopes = vec!["profile".to_owned(), "email".to_owned()];
        let consent = Consent { client_id: "claviger".to_owned(), account, scopes, terms: Terms::OWN };
        Family::begin(7, Arc::new(consent), Aim::default(), settings, 0)
    }

    #[test]
    fn a_token_names_its_family() {
        let (_, issued) = begin(&Settings::default());
        assert_eq!(Family::id_of(&issued.access_token), Some(7));
        assert_eq!(Family::id_of(&issued.refresh_token.unwrap()), Some(7));
        for foreign in
            ["", "sbx_at_", "sbx_at_00000000000000", "gho_0000000000000007x", "sbx_at_äääääääääääääääää"]
        {
            assert_eq!(Family::id_of(foreign), None, "{foreign}");
        }
    }

    fn only(scope: &str) -> Aim {
        Aim { scopes: Some(vec![scope.to_owned()]), ..Aim::default() }
    }

    #[test]
    fn until_use_lets_a_lost_answer_be_asked_for_again_until_a_later_token_is_used() {
        let settings = Settings { rotation: Rotation::UntilUse, ..Settings::default() };
        let (mut family, first) = begin(&settings);
        let first = first.refresh_token.unwrap();
        let lost = family.refresh(&first, Aim::default(), &settings, 1).unwrap();
        let found = family.refresh(&first, Aim::default(), &settings, 2).unwrap();
        assert!(family.use_access_token(&found.access_token, 3).is_some());
        for old in [first, lost.refresh_token.unwrap()] {
            assert_eq!(family.refresh(&old, Aim::default(), &settings, 4).err(), Some(Refused::Reused));
        }
        assert!(family.refresh(&found.refresh_token.unwrap(), Aim::default(), &settings, 5).is_ok());
    }

    #[test]
    fn a_family_remembers_only_its_last_tokens() {
        let settings = Settings { rotation: Rotation::None, ..Settings::default() };
        let (mut family, first) = begin(&settings);
        for _ in 0..MAX_TOKENS {
            family.refresh(first.refresh_token.as_deref().unwrap(), Aim::default(), &settings, 1).unwrap();
        }
        assert_eq!(family.access_tokens.len(), MAX_TOKENS);
        assert!(family.use_access_token(&first.access_token, 2).is_none());
    }

    #[test]
    fn a_refresh_may_ask_for_less_but_not_for_more() {
        let settings = Settings { rotation: Rotation::None, ..Settings::default() };
        let (mut family, first) = begin(&settings);
        let token = first.refresh_token.unwrap();
        let less = family.refresh(&token, only("email"), &settings, 1).unwrap();
        assert_eq!(less.scopes, ["email"]);
        assert_eq!(family.refresh(&token, only("admin"), &settings, 1).err(), Some(Refused::ScopeNotGranted));
        assert_eq!(
            family.refresh(&token, Aim::default(), &settings, 1).unwrap().scopes,
            ["profile", "email"]
        );
    }
}
