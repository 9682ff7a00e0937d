//! What a flight says and hears: [`Action`], [`Event`], and how it ends.

use std::time::Duration;

use model::{ReconnectReason, Timestamp};
use provider::answer::Class;
use store::credentials::SealedTokens;
use store::refreshes::{Claim, Look, Settlement};

/// What to do next.
#[derive(Debug, Clone)]
pub enum Action {
    /// Read the credential, its lease and its journal.
    Look,
    /// Wait.
    Sleep(Duration, Waiting),
    /// Ask the circuit and the budgets.
    Admit,
    /// Claim; `after` is the fence of our own claim whose lease we keep.
    Claim {
        /// The generation to be spent.
        generation: i64,
        /// Our earlier fence.
        after: Option<i64>,
    },
    /// Make room for an answer where it survives us.
    Reserve,
    /// Call the provider, unless the lease is about to end.
    Call,
    /// Keep the tokens where they survive us.
    Spool(Box<SealedTokens>),
    /// Put the tokens in place where fence and generation are ours.
    Commit(Box<SealedTokens>, Option<Timestamp>),
    /// Put tokens in place that were kept elsewhere, where the generation is still this one.
    Adopt {
        /// The generation that they replace.
        generation: i64,
        /// The fence of the claim that brought them.
        fence: i64,
        /// The tokens.
        tokens: Box<SealedTokens>,
        /// When they are due.
        due: Option<Timestamp>,
    },
    /// Keep tokens that came too late.
    KeepOrphan(Box<SealedTokens>),
    /// End a call without tokens.
    Settle(Settlement),
    /// Ask whether a dead grant may be marked now, or whether too many die at once.
    Judge,
    /// Mark it.
    MarkBroken(ReconnectReason),
    /// Have the background come again at this time; `None`: not at all.
    Schedule(Option<Timestamp>),
    /// The end.
    Land(Landing),
}

/// What a flight waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Somebody else's lease.
    Lease,
    /// The time at which a call of unknown fate may be repeated.
    Replay,
    /// The pause before the next call of this flight.
    Retry {
        /// Which call it will be.
        attempt: u32,
    },
    /// A store that takes no writes.
    Store,
    /// Another call whose answer may still come.
    Answer,
}

/// What happened. Where a store could not answer, the result is an error; the driver has logged it.
#[derive(Debug)]
pub enum Event {
    /// After [`Action::Look`].
    Looked(Found),
    /// After [`Action::Sleep`].
    Woke,
    /// After [`Action::Admit`].
    Admitted(Result<(), Refusal>),
    /// After [`Action::Claim`]; `None`: somebody was faster.
    Claimed(Result<Option<Claim>, StoreFailed>),
    /// After [`Action::Reserve`].
    Reserved(bool),
    /// After [`Action::Call`].
    Answered(Answer),
    /// After [`Action::Spool`].
    Spooled,
    /// After every other action; `false`: fence or generation are not ours any more.
    Written(Result<bool, StoreFailed>),
    /// After [`Action::Judge`].
    Judged(bool),
}

/// What was found of a credential: nothing when it is gone, else what the store has, and tokens that the spool holds for
/// its present generation with the fence that brought them.
pub type Found = Result<Option<(Box<Look>, Option<(i64, Box<SealedTokens>)>)>, StoreFailed>;

/// The store did not do it, or did not say whether it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreFailed;

/// Why the circuit lets nobody through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The provider is down; how long until it is asked again.
    Down(Duration),
    /// The provider refuses our app.
    Configuration(Option<String>),
}

/// What came back from the provider.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Tokens, sealed.
    Tokens(Box<SealedTokens>),
    /// Something else.
    Refused {
        /// What it means.
        class: Class,
        /// The provider's error code, or the class's word.
        error: String,
        /// How long the provider wants to be left alone.
        retry_after: Option<Duration>,
        /// Whether nothing came at all.
        silent: bool,
    },
    /// Nothing was sent: the lease was about to end.
    Withheld,
}

impl Answer {
    /// The provider's error code or the class's word, and the class; `None` for tokens.
    pub(super) fn refusal(&self) -> Option<(String, &'static str)> {
        match self {
            Self::Tokens(_) => None,
            Self::Refused { class, error, .. } => Some((error.clone(), class.word())),
            Self::Withheld => Some(("withheld".to_owned(), Class::NotSent.word())),
        }
    }
}

/// How a flight ended. What it yielded stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// There are new tokens, by this flight or by somebody else's.
    Fresh,
    /// The credential is gone.
    Gone,
    /// Only the person can repair it; the store says why.
    Dead,
    /// The provider did not answer, or is left alone for now.
    Unavailable(Duration),
    /// The provider refuses our app.
    Configuration(Option<String>),
    /// The operator wants nothing refreshed.
    Held,
    /// We could not write, and so did not call.
    Failed,
}

/// What became of tokens that this flight had in its hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It called for them, and they are in their place.
    Committed,
    /// An earlier call had brought them, and they are in their place.
    Adopted,
    /// They came too late, and are kept.
    Orphaned,
}
