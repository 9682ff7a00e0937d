//! One refresh of one credential, as a state machine without I/O.
//!
//! A flight is told what happened ([`Event`]) and says what to do next ([`Action`]), one step at a time. Time and dice
//! are arguments. The product drives it with the real store and the real HTTP client, the simulation with simulated
//! ones; neither decides anything itself. The order is that of the algorithm in `docs/refresh.md`:
//!
//! 1. look: somebody else was faster, an answer lies in the spool or the journal, somebody holds the lease, a call of
//!    unknown fate is not to be repeated yet
//! 2. admit: the circuit and the budgets
//! 3. claim: lease, fence and journal in one statement, which proves that the store can be written
//! 4. reserve room in the spool, where there is one
//! 5. call
//! 6. tokens: to the spool, then to the store, however long that takes; they are never dropped
//! 7. no tokens: again, later, or never, by what the answer means and by how the provider rotates

use std::time::Duration;

use model::{ReconnectReason, Timestamp};
use provider::answer::Class;
use store::credentials::SealedTokens;
use store::refreshes::{Claim, Ending, Look, Phase, Settlement};

use super::Trigger;
use super::rules::{ATTEMPTS, LONGEST_RETRY_WAIT, Replay, Rules, STRICT_ATTEMPTS};
pub use super::steps::{Action, Answer, Event, Fate, Found, Landing, Refusal, StoreFailed, Waiting};

/// The shortest and the longest pause between two looks at somebody else's flight.
const POLL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// The shortest and the longest pause before a write is tried again that a store refused.
const STORE_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A wait that a flight sits out although nobody waits for it.
const SHORT_WAIT: Duration = Duration::from_secs(10);

/// How soon a caller may come again when nothing better is known.
pub const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How long a credential rests whose refusal is not believed.
const DOUBT_REST: Duration = Duration::from_mins(5);

/// What the flight is about to do once a call without tokens is settled.
#[derive(Debug, Clone)]
enum Then {
    Land(Landing),
    Retry(Duration),
    Survey,
    Adopt { fence: i64, tokens: Box<SealedTokens> },
}

#[derive(Debug)]
enum State {
    /// Looking for what there is to do.
    Surveying,
    Waiting,
    Admitting,
    Claiming,
    Reserving,
    Calling,
    /// Tokens are on their way to the spool, and then to the store.
    Keeping(Box<SealedTokens>),
    /// The store may or may not have taken them: it is asked.
    Doubting(Box<SealedTokens>),
    /// They came too late.
    Orphaning(Box<SealedTokens>),
    /// Tokens that were found are being put in place.
    Adopting {
        still_good: bool,
    },
    /// The provider says that the grant is dead: is it?
    Verdict {
        reason: ReconnectReason,
        error: String,
    },
    Judging {
        reason: ReconnectReason,
        error: String,
    },
    Marking,
    Settling(Then),
    /// Before the next call of this flight.
    Retrying,
    Scheduling(Landing),
    Landed,
}

/// A refresh under way.
#[derive(Debug)]
pub struct Flight {
    rules: Rules,
    trigger: Trigger,
    /// The generation that whoever began it has seen.
    seen: i64,
    dice: Dice,
    state: State,
    look: Option<Box<Look>>,
    claim: Option<Claim>,
    attempts: u32,
    rotated: bool,
    fate: Option<Fate>,
    last_error: Option<String>,
    last_class: Option<Class>,
    /// When this flight called first.
    first_sent: Option<Timestamp>,
    /// The abandoned call that we watch, and since when.
    watched: Option<(i64, Timestamp)>,
    poll: Duration,
    store_retry: Duration,
}

impl Flight {
    /// A flight of a credential whose caller has seen this generation. Begins with [`Action::Look`].
    pub fn new(rules: Rules, trigger: Trigger, generation: i64, seed: u64) -> Self {
        Self {
            rules,
            trigger,
            seen: generation,
            dice: Dice(seed),
            state: State::Surveying,
            look: None,
            claim: None,
            attempts: 0,
            rotated: false,
            fate: None,
            first_sent: None,
            last_error: None,
            last_class: None,
            watched: None,
            poll: POLL.0,
            store_retry: STORE_RETRY.0,
        }
    }

    /// The claim that is ours as far as we know: its lease is to be renewed.
    pub fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// What was last seen of the credential.
    pub fn look(&self) -> Option<&Look> {
        self.look.as_deref()
    }

    /// How often the provider was called.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether new tokens brought a new refresh token.
    pub fn rotated(&self) -> bool {
        self.rotated
    }

    /// Whether tokens were found that an earlier call had brought.
    pub fn fate(&self) -> Option<Fate> {
        self.fate
    }

    /// What the last call without tokens said.
    pub fn last_error(&self) -> Option<(&str, Class)> {
        self.last_error.as_deref().zip(self.last_class)
    }

    /// What follows from what happened.
    pub fn on(&mut self, event: Event, now: Timestamp) -> Action {
        match (std::mem::replace(&mut self.state, State::Landed), event) {
            (State::Surveying, Event::Looked(found)) => self.surveyed(found, now),
            (State::Waiting, Event::Woke) => self.survey(),
            (State::Admitting, Event::Admitted(answer)) => self.admitted(answer, now),
            (State::Claiming, Event::Claimed(claimed)) => self.claimed(claimed),
            (State::Reserving, Event::Reserved(room)) => self.reserved(room, now),
            (State::Calling, Event::Answered(answer)) => self.answered(answer, now),
            (State::Keeping(tokens), Event::Spooled) => self.commit(tokens, now),
            (State::Keeping(tokens), Event::Written(outcome)) => self.committed(tokens, outcome),
            (State::Doubting(tokens), Event::Woke) => self.doubt(tokens),
            (State::Doubting(tokens), Event::Looked(found)) => self.reread(tokens, found, now),
            (State::Doubting(tokens), Event::Written(outcome)) => self.adopted_own(tokens, outcome),
            (State::Orphaning(tokens), Event::Woke) => self.keep_orphan(tokens),
            (State::Orphaning(tokens), Event::Written(outcome)) => match outcome {
                Ok(true) => self.landed_with(Fate::Orphaned),
                Ok(false) => self.land(Landing::Gone),
                Err(StoreFailed) => self.store_pause(State::Orphaning(tokens)),
            },
            (State::Adopting { still_good }, Event::Written(outcome)) => {
                self.adopted_found(still_good, outcome)
            }
            (State::Verdict { reason, error }, Event::Woke) => self.verdict(reason, error),
            (State::Verdict { reason, error }, Event::Looked(found)) => self.weigh(reason, error, found, now),
            (State::Judging { reason, error }, Event::Judged(believed)) => {
                self.judged(reason, error, believed, now)
            }
            (State::Marking, Event::Written(outcome)) => match outcome {
                Ok(true) => self.land(Landing::Dead),
                Ok(false) => self.survey_anew(),
                Err(StoreFailed) => self.land(Landing::Failed),
            },
            // Whether it was written or not: the journal row tells those who come after us.
            (State::Settling(then), Event::Written(_)) => self.then(then, now),
            (State::Retrying, Event::Woke) => self.claim_again(),
            (State::Scheduling(landing), Event::Written(_)) => self.land(landing),
            // A driver that answers something else than it was asked is out of step; landing is always safe.
            (_, _) => self.land(Landing::Failed),
        }
    }

    /// Step 1.
    pub fn survey(&mut self) -> Action {
        self.state = State::Surveying;
        Action::Look
    }

    /// The claim has passed to somebody else or is no longer needed.
    fn survey_anew(&mut self) -> Action {
        self.claim = None;
        self.survey()
    }

    fn surveyed(&mut self, found: Found, now: Timestamp) -> Action {
        let (look, spooled) = match found {
            Err(StoreFailed) => return self.land(Landing::Failed),
            Ok(None) => return self.land(Landing::Gone),
            Ok(Some(found)) => found,
        };
        let generation = look.credential.generation;
        let orphan = || {
            let orphans = look.journal.iter().rev().filter(|row| row.generation >= generation);
            orphans
                .filter(|row| row.fence != look.tokens_fence)
                .find_map(|row| row.answer.as_ref().map(|answer| (row.fence, Box::new(answer.clone()))))
        };
        let kept = spooled.or_else(orphan);
        let kept = kept.filter(|(fence, tokens)| !self.rules.may_be_superseded(&look, *fence, tokens));
        self.look = Some(look);
        if let Some((fence, tokens)) = kept {
            return self.adopt(fence, tokens, now);
        }
        let look = self.look.as_deref().expect("it was just put there");
        if generation != self.seen {
            return self.land(Landing::Fresh);
        }
        if look.credential.broken.is_some() && !look.drilled {
            return self.land(Landing::Dead);
        }
        if look.held {
            return self.land(Landing::Held);
        }
        let somebody_waits = self.trigger.is_waited_for();
        if look.drilled || look.leased_until.is_some_and(|until| until > look.now) {
            return if somebody_waits {
                self.poll(Waiting::Lease)
            } else {
                self.land(Landing::Unavailable(RETRY_AFTER))
            };
        }
        if let Some(rest) = self.rest_left(look, now) {
            return self.land(Landing::Unavailable(rest));
        }
        if let Some(at) = self.replay_at() {
            let left = at.since(self.store_now()).max(Duration::from_millis(1));
            if left <= SHORT_WAIT || (somebody_waits && !self.is_live(now)) {
                return self.poll(Waiting::Replay);
            }
            self.state = State::Scheduling(Landing::Unavailable(left));
            return Action::Schedule(Some(now + left));
        }
        if let Some(left_alone) = self.left_to_demand(now) {
            return left_alone;
        }
        self.state = State::Admitting;
        Action::Admit
    }

    /// After a failure nobody asks the provider again before the credential is due, unless somebody insists.
    fn rest_left(&self, look: &Look, now: Timestamp) -> Option<Duration> {
        let resting = look.credential.failures > 0
            && matches!(self.trigger, Trigger::Read | Trigger::Rejected | Trigger::Near);
        let due = look.credential.due_at.filter(|due| resting && *due > now)?;
        Some(due.since(now))
    }

    /// Nobody has asked for its tokens for long: only its inactivity at the provider counts.
    fn left_to_demand(&mut self, now: Timestamp) -> Option<Action> {
        let look = self.look.as_deref()?;
        let idle = self.trigger == Trigger::Background && self.rules.is_idle(&look.credential, now);
        if !idle || !look.journal.is_empty() {
            return None;
        }
        let keep_alive = self.rules.due_at(&look.credential.tokens, true, self.dice.roll());
        if keep_alive.is_some_and(|at| at <= now) {
            return None;
        }
        self.state = State::Scheduling(Landing::Fresh);
        Some(Action::Schedule(keep_alive))
    }

    /// From when a call of unknown fate may be repeated.
    fn replay_at(&mut self) -> Option<Timestamp> {
        let look = self.look.as_deref()?;
        let newest = look.journal.iter().filter(|row| row.phase == Phase::Sent).map(|row| row.fence).max();
        self.watched = match (newest, self.watched) {
            (None, _) => None,
            (Some(fence), Some(watched)) if watched.0 == fence => Some(watched),
            (Some(fence), _) => Some((fence, look.now)),
        };
        let since = self.watched.map_or(look.now, |(_, since)| since);
        self.rules.replay_at(look, since, self.trigger == Trigger::Rejected)
    }

    fn store_now(&self) -> Timestamp {
        self.look().map_or(Timestamp::from_unix_ms(0), |look| look.now)
    }

    fn poll(&mut self, waiting: Waiting) -> Action {
        self.state = State::Waiting;
        let pause = self.poll;
        self.poll = (pause * 3 / 2).min(POLL.1);
        Action::Sleep(pause, waiting)
    }

    /// Steps 2 and 3.
    fn admitted(&mut self, answer: Result<(), Refusal>, now: Timestamp) -> Action {
        match answer {
            // It leaves the sweeper's sight for so long, and the queue brings it again.
            Err(Refusal::Down(left)) if self.trigger == Trigger::Recovery => {
                self.state = State::Scheduling(Landing::Unavailable(left));
                Action::Schedule(Some(now + left))
            }
            Err(Refusal::Down(left)) => self.land(Landing::Unavailable(left)),
            Err(Refusal::Configuration(error)) => self.land(Landing::Configuration(error)),
            Ok(()) => self.claim_now(None),
        }
    }

    fn claim_now(&mut self, after: Option<i64>) -> Action {
        self.state = State::Claiming;
        Action::Claim { generation: self.seen, after }
    }

    fn claim_again(&mut self) -> Action {
        let after = self.claim.take().map(|claim| claim.fence);
        self.claim_now(after)
    }

    fn claimed(&mut self, claimed: Result<Option<Claim>, StoreFailed>) -> Action {
        match claimed {
            // The store can't be written: nothing is spent.
            Err(StoreFailed) => self.land(Landing::Failed),
            Ok(None) => self.poll(Waiting::Lease),
            Ok(Some(claim)) => {
                self.claim = Some(claim);
                let can_refresh =
                    self.look().is_some_and(|look| look.credential.tokens.refresh_token.is_some());
                if !can_refresh {
                    return self.mark(ReconnectReason::NoRefreshToken);
                }
                if self.rules.spool && self.rules.replay != Replay::Free {
                    self.state = State::Reserving;
                    return Action::Reserve;
                }
                self.call()
            }
        }
    }

    /// Step 4.
    fn reserved(&mut self, room: bool, now: Timestamp) -> Action {
        if room {
            return self.call();
        }
        let due = now + self.rest();
        self.settle(
            Ending::NotProcessed,
            Some(due),
            Some("spool_unwritable".to_owned()),
            Then::Land(Landing::Failed),
        )
    }

    /// Step 5.
    fn call(&mut self) -> Action {
        self.attempts += 1;
        let now = self.store_now();
        self.first_sent.get_or_insert(now);
        self.state = State::Calling;
        Action::Call
    }

    fn answered(&mut self, answer: Answer, now: Timestamp) -> Action {
        match answer {
            Answer::Tokens(tokens) => {
                self.rotated = tokens.refresh_token.is_some();
                if self.rules.spool && self.rules.replay != Replay::Free {
                    self.state = State::Keeping(tokens.clone());
                    return Action::Spool(tokens);
                }
                self.commit(tokens, now)
            }
            Answer::Withheld => {
                self.attempts -= 1;
                self.settle(Ending::NotProcessed, None, None, Then::Survey)
            }
            Answer::Refused { class, error, retry_after, silent } => {
                self.last_error = Some(error.clone());
                self.last_class = Some(class);
                self.refused(class, error, retry_after, silent, now)
            }
        }
    }

    /// Step 6. With the lease lost or the store away they are kept all the same.
    fn commit(&mut self, tokens: Box<SealedTokens>, now: Timestamp) -> Action {
        let due = self.due_at(&tokens, now);
        self.state = State::Keeping(tokens.clone());
        Action::Commit(tokens, due)
    }

    fn committed(&mut self, tokens: Box<SealedTokens>, outcome: Result<bool, StoreFailed>) -> Action {
        match outcome {
            Ok(true) => self.landed_with(Fate::Committed),
            Ok(false) => self.doubt(tokens),
            // It may have come through: never again without reading.
            Err(StoreFailed) => self.store_pause(State::Doubting(tokens)),
        }
    }

    fn doubt(&mut self, tokens: Box<SealedTokens>) -> Action {
        self.state = State::Doubting(tokens);
        Action::Look
    }

    fn reread(&mut self, tokens: Box<SealedTokens>, found: Found, now: Timestamp) -> Action {
        let look = match found {
            Err(StoreFailed) => return self.store_pause(State::Doubting(tokens)),
            Ok(None) => return self.land(Landing::Gone),
            Ok(Some((look, _))) => look,
        };
        let Some(claim) = self.claim else { return self.land(Landing::Failed) };
        let (generation, fence, tokens_fence) = (look.credential.generation, look.fence, look.tokens_fence);
        let superseded = self.rules.may_be_superseded(&look, claim.fence, &tokens);
        // Where the tokens that won turned out to be dead, late ones are all that there is.
        let is_repair = look.credential.broken.is_some() && generation == claim.generation + 1;
        self.look = Some(look);
        if tokens_fence == claim.fence {
            return self.landed_with(Fate::Committed);
        }
        if superseded || (generation > claim.generation && !is_repair) {
            return self.keep_orphan(tokens);
        }
        if generation == claim.generation && fence == claim.fence {
            return self.commit(tokens, now);
        }
        // The lease is lost, or the store has gone back in time and knows still less.
        let due = self.due_at(&tokens, now);
        self.state = State::Doubting(tokens.clone());
        Action::Adopt { generation, fence: claim.fence, tokens, due }
    }

    fn adopted_own(&mut self, tokens: Box<SealedTokens>, outcome: Result<bool, StoreFailed>) -> Action {
        match outcome {
            Ok(true) => self.landed_with(Fate::Committed),
            Ok(false) => self.doubt(tokens),
            Err(StoreFailed) => self.store_pause(State::Doubting(tokens)),
        }
    }

    fn landed_with(&mut self, fate: Fate) -> Action {
        self.fate = Some(fate);
        self.land(Landing::Fresh)
    }

    fn keep_orphan(&mut self, tokens: Box<SealedTokens>) -> Action {
        self.state = State::Orphaning(tokens.clone());
        Action::KeepOrphan(tokens)
    }

    fn store_pause(&mut self, state: State) -> Action {
        self.state = state;
        let pause = self.store_retry;
        self.store_retry = (pause * 2).min(STORE_RETRY.1);
        Action::Sleep(pause, Waiting::Store)
    }

    /// Tokens that an earlier call brought.
    fn adopt(&mut self, fence: i64, tokens: Box<SealedTokens>, now: Timestamp) -> Action {
        let Some(look) = self.look() else { return self.land(Landing::Failed) };
        let generation = look.credential.generation;
        let still_good = tokens.expires_at.is_none_or(|end| end > now);
        let due = self.due_at(&tokens, now);
        self.state = State::Adopting { still_good };
        Action::Adopt { generation, fence, tokens, due }
    }

    fn adopted_found(&mut self, still_good: bool, outcome: Result<bool, StoreFailed>) -> Action {
        match outcome {
            Err(StoreFailed) => self.land(Landing::Failed),
            Ok(true) if still_good => self.landed_with(Fate::Adopted),
            adopted => {
                // The refresh token that it brought is what we wanted; or somebody was faster.
                if adopted == Ok(true) {
                    self.seen = self.look().map_or(self.seen, |look| look.credential.generation) + 1;
                }
                self.survey_anew()
            }
        }
    }

    /// Step 7.
    fn refused(
        &mut self,
        class: Class,
        error: String,
        retry_after: Option<Duration>,
        silent: bool,
        now: Timestamp,
    ) -> Action {
        match class {
            Class::Dead => self.verdict(ReconnectReason::GrantRevoked, error),
            Class::Interaction => self.verdict(ReconnectReason::InteractionRequired, error),
            Class::Configuration => {
                // Due at once: the circuit keeps everybody out until our app is mended, and no longer.
                let landing = Landing::Configuration(Some(error.clone()));
                self.settle(Ending::NotProcessed, Some(now), Some(error), Then::Land(landing))
            }
            Class::NotSent | Class::Throttled => {
                self.again_or_exhausted(Ending::NotProcessed, ATTEMPTS, error, retry_after, now)
            }
            Class::Ambiguous | Class::Malformed => {
                let ending = Ending::Ambiguous { silent };
                let most = match self.rules.replay {
                    Replay::Free | Replay::Within(None) => ATTEMPTS,
                    Replay::Within(Some(leeway))
                        if self.first_sent.is_none_or(|sent| now < sent + leeway) =>
                    {
                        ATTEMPTS
                    }
                    _ if silent && self.is_live(now) => 1,
                    Replay::Within(Some(_)) | Replay::Once => STRICT_ATTEMPTS,
                };
                self.again_or_exhausted(ending, most, error, retry_after, now)
            }
        }
    }

    /// Whether there is an access token that a replay could spoil.
    fn is_live(&self, now: Timestamp) -> bool {
        if self.trigger == Trigger::Rejected {
            return false;
        }
        let tokens = self.look().map(|look| &look.credential.tokens);
        tokens.is_some_and(|tokens| {
            tokens.access_token.is_some() && tokens.expires_at.is_some_and(|end| end > now)
        })
    }

    fn again_or_exhausted(
        &mut self,
        ending: Ending,
        most: u32,
        error: String,
        retry_after: Option<Duration>,
        now: Timestamp,
    ) -> Action {
        let wait =
            self.rules.retry_wait(self.attempts, self.dice.roll()).max(retry_after.unwrap_or_default());
        if self.attempts < most && wait <= LONGEST_RETRY_WAIT {
            return self.settle(ending, None, None, Then::Retry(wait));
        }
        let rest = self.rest().max(retry_after.unwrap_or_default());
        self.settle(ending, Some(now + rest), Some(error), Then::Land(Landing::Unavailable(rest)))
    }

    /// How long the background leaves the credential alone after this flight.
    fn rest(&mut self) -> Duration {
        let failures = self.look().map_or(0, |look| look.credential.failures).saturating_add(1);
        self.rules.rest(u32::try_from(failures).unwrap_or(u32::MAX), self.dice.roll())
    }

    fn settle(
        &mut self,
        ending: Ending,
        due_at: Option<Timestamp>,
        error: Option<String>,
        then: Then,
    ) -> Action {
        let keep_lease = matches!(then, Then::Retry(_) | Then::Adopt { .. });
        self.state = State::Settling(then);
        Action::Settle(Settlement { ending, keep_lease, due_at, error })
    }

    fn then(&mut self, then: Then, now: Timestamp) -> Action {
        match then {
            Then::Land(landing) => self.land(landing),
            Then::Survey => self.survey_anew(),
            Then::Adopt { fence, tokens } => self.adopt(fence, tokens, now),
            Then::Retry(wait) => {
                self.state = State::Retrying;
                Action::Sleep(wait, Waiting::Retry { attempt: self.attempts + 1 })
            }
        }
    }

    /// A dead grant is final only when nobody has, or may still bring, something better.
    fn verdict(&mut self, reason: ReconnectReason, error: String) -> Action {
        self.state = State::Verdict { reason, error };
        Action::Look
    }

    fn weigh(&mut self, reason: ReconnectReason, error: String, found: Found, now: Timestamp) -> Action {
        let (look, spooled) = match found {
            Err(StoreFailed) => return self.store_pause(State::Verdict { reason, error }),
            Ok(None) => return self.land(Landing::Gone),
            Ok(Some(found)) => found,
        };
        let Some(claim) = self.claim else { return self.land(Landing::Failed) };
        let kept = spooled.or_else(|| {
            let orphan = look.journal.iter().rev().find(|row| row.answer.is_some());
            orphan.and_then(|row| Some((row.fence, Box::new(row.answer.clone()?))))
        });
        let ours = look.credential.generation == claim.generation && look.fence == claim.fence;
        let told = self.reason(reason, &look, claim, now);
        let may_come = self.rules.answer_may_come_until(&look, claim.fence);
        self.look = Some(look);
        if !ours {
            // Somebody refreshed meanwhile, or is at it.
            return self.settle(Ending::NotProcessed, None, None, Then::Survey);
        }
        if let Some((fence, tokens)) = kept {
            return self.settle(Ending::NotProcessed, None, None, Then::Adopt { fence, tokens });
        }
        if may_come.is_some() {
            self.state = State::Verdict { reason, error };
            return Action::Sleep(POLL.1 * 4, Waiting::Answer);
        }
        self.state = State::Judging { reason: told, error };
        Action::Judge
    }

    /// Why the grant is dead, as far as can be told.
    fn reason(&self, said: ReconnectReason, look: &Look, claim: Claim, now: Timestamp) -> ReconnectReason {
        let credential = &look.credential;
        let unknown = |generation| {
            let others =
                look.journal.iter().filter(|row| row.fence != claim.fence && row.phase != Phase::Orphan);
            others.filter(|row| row.generation == generation).count() > 0
        };
        let last_used = credential.refreshed_at.unwrap_or(credential.tokens.obtained_at);
        if said != ReconnectReason::GrantRevoked {
            said
        } else if credential.grant_ends_at.is_some_and(|end| end <= now) {
            ReconnectReason::GrantEnded
        } else if self.rules.replay != Replay::Free && unknown(credential.generation) {
            ReconnectReason::AnswerLost
        } else if self.rules.inactivity.is_some_and(|inactivity| last_used + inactivity <= now) {
            ReconnectReason::Inactivity
        } else {
            said
        }
    }

    fn judged(&mut self, reason: ReconnectReason, error: String, believed: bool, now: Timestamp) -> Action {
        if believed {
            return self.mark(reason);
        }
        let landing = Landing::Unavailable(DOUBT_REST);
        self.settle(Ending::NotProcessed, Some(now + DOUBT_REST), Some(error), Then::Land(landing))
    }

    fn mark(&mut self, reason: ReconnectReason) -> Action {
        self.state = State::Marking;
        Action::MarkBroken(reason)
    }

    fn due_at(&mut self, tokens: &SealedTokens, now: Timestamp) -> Option<Timestamp> {
        let look = self.look.as_deref()?;
        let on_demand = self.trigger.is_waited_for() || self.trigger == Trigger::Near;
        let idle = !on_demand && self.rules.is_idle(&look.credential, now);
        if tokens.refresh_token.is_none() && look.credential.tokens.refresh_token.is_none() {
            return None;
        }
        self.rules.due_at(tokens, idle, self.dice.roll())
    }

    fn land(&mut self, landing: Landing) -> Action {
        self.state = State::Landed;
        self.claim = None;
        Action::Land(landing)
    }
}

/// Numbers from 0 to 1 that follow from a seed (SplitMix64): enough to spread times, and nothing that must be secret.
#[derive(Debug, Clone, Copy)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let bits = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0);
        f64::from(bits) / f64::from(u32::MAX)
    }
}
