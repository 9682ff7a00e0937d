//! The other side: what providers do with a refresh token, as far as their documentation tells (`docs/refresh.md`).

use connect::refresh::rules::Replay;
use std::time::Duration;

/// For how long a provider with a leeway accepts the former token.
const LEEWAY_MS: i64 = 600_000;

/// How a provider rotates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Not at all.
    A,
    /// The former token is accepted for ten minutes after its first use, and only the newest pair is valid.
    B,
    /// The former token is accepted until the new pair is used.
    BUntilUse,
    /// A token works once; a second use is refused.
    C,
    /// A token works once; a second use ends the whole grant.
    CFamily,
    /// As [`Class::C`]; and a refresh ends the former access token.
    CKillsAccess,
}

impl Class {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 6] =
        [Self::A, Self::B, Self::BUntilUse, Self::C, Self::CFamily, Self::CKillsAccess];

    /// The word on the command line and in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::BUntilUse => "b_until_use",
            Self::C => "c",
            Self::CFamily => "c_family",
            Self::CKillsAccess => "c_kills_access",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    /// What the catalog would say of it.
    pub(crate) const fn replay(self) -> Replay {
        match self {
            Self::A => Replay::Free,
            Self::B => Replay::Within(Some(Duration::from_millis(LEEWAY_MS.unsigned_abs()))),
            Self::BUntilUse => Replay::Within(None),
            Self::C | Self::CFamily | Self::CKillsAccess => Replay::Once,
        }
    }
}

/// A pair of tokens that the provider has issued, by number. The access token has the same number.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    /// The consent that it belongs to.
    pub(crate) grant: u32,
    /// What was presented for it; `None`: the consent's own.
    pub(crate) parent: Option<usize>,
    first_used: Option<i64>,
    /// A later pair of the same parent has taken its place, or its successor was used.
    retired: bool,
    pub(crate) access_dead: bool,
}

/// What the provider made of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A new pair; whether it carries a refresh token.
    Pair { number: usize, rotated: bool },
    /// `invalid_grant`.
    Dead,
    /// `invalid_grant`, and because of this very call the grant is over.
    Killed,
}

#[derive(Debug)]
pub(crate) struct Provider {
    class: Class,
    issued: Vec<Issued>,
    newest: usize,
    grant: u32,
    family_dead: bool,
    /// Whether a refresh of class a repeats the refresh token, which some providers do.
    repeats: bool,
    /// How often a spent token was presented.
    pub(crate) reuses: u32,
}

impl Provider {
    pub(crate) fn new(class: Class, repeats: bool) -> Self {
        let mut provider = Self {
            class,
            issued: Vec::with_capacity(8),
            newest: 0,
            grant: 0,
            family_dead: false,
            repeats,
            reuses: 0,
        };
        provider.issue(None);
        provider
    }

    fn issue(&mut self, parent: Option<usize>) -> usize {
        let number = self.issued.len();
        let first_used = None;
        self.issued.push(Issued {
            grant: self.grant,
            parent,
            first_used,
            retired: false,
            access_dead: false,
        });
        self.newest = number;
        number
    }

    /// A new consent: what came of the one before is nobody's any more.
    pub(crate) fn consent(&mut self) -> usize {
        self.grant += 1;
        self.family_dead = false;
        self.issue(None)
    }

    pub(crate) const fn newest(&self) -> usize {
        self.newest
    }

    pub(crate) const fn is_family_dead(&self) -> bool {
        self.family_dead
    }

    pub(crate) fn parent_of(&self, number: usize) -> Option<usize> {
        self.issued.get(number)?.parent
    }

    /// Whether a refresh with this token would bring new ones.
    pub(crate) fn accepts(&self, number: usize, now: i64) -> bool {
        let Some(token) = self.issued.get(number).filter(|token| token.grant == self.grant) else {
            return false;
        };
        if self.family_dead {
            return false;
        }
        match self.class {
            Class::A => true,
            Class::B => {
                number == self.newest
                    || (!token.retired && token.first_used.is_some_and(|used| now < used + LEEWAY_MS))
            }
            Class::BUntilUse => number == self.newest || !token.retired,
            Class::C | Class::CFamily | Class::CKillsAccess => number == self.newest,
        }
    }

    /// Whether the access token of this pair still works, as far as refreshing is concerned.
    pub(crate) fn access_works(&self, number: usize) -> bool {
        let Some(issued) = self.issued.get(number) else { return false };
        issued.grant == self.grant && !self.family_dead && !issued.access_dead
    }

    /// The access token was used: where that ends the former pair, it does.
    pub(crate) fn access_used(&mut self, number: usize) {
        if self.class == Class::BUntilUse && self.access_works(number) {
            self.retire_parent(number);
        }
    }

    fn retire_parent(&mut self, number: usize) {
        if let Some(parent) = self.parent_of(number) {
            self.issued[parent].retired = true;
        }
    }

    /// RFC 6749 §6.
    pub(crate) fn refresh(&mut self, number: usize, now: i64) -> Verdict {
        let accepted = self.accepts(number, now);
        let Some(token) = self.issued.get_mut(number) else { return Verdict::Dead };
        if self.class != Class::A && token.first_used.is_some() {
            self.reuses += 1;
        }
        if !accepted {
            let is_reuse = token.first_used.is_some() && token.grant == self.grant;
            let kills = match self.class {
                Class::CFamily | Class::B => is_reuse,
                Class::A | Class::BUntilUse | Class::C | Class::CKillsAccess => false,
            };
            if kills && !self.family_dead {
                self.family_dead = true;
                return Verdict::Killed;
            }
            return Verdict::Dead;
        }
        let replayed = token.first_used.is_some();
        token.first_used.get_or_insert(now);
        if self.class == Class::CKillsAccess {
            token.access_dead = true;
        }
        if self.class == Class::A {
            // The pair is not replaced: every access token lives to its end.
            return Verdict::Pair { number, rotated: self.repeats };
        }
        if replayed {
            // Only the newest pair of those that the former token brought is valid.
            for sibling in &mut self.issued[number + 1..] {
                sibling.retired = true;
                sibling.access_dead = true;
            }
        } else {
            // Using a pair shows that it has arrived: there is nothing to repeat any more.
            if self.class == Class::BUntilUse {
                self.retire_parent(number);
            }
        }
        let number = self.issue(Some(number));
        Verdict::Pair { number, rotated: true }
    }
}
