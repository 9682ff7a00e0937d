//! A call to the provider, from the connection to the answer, and the lease meanwhile.

use std::time::Duration;

use connect::refresh::flight::Answer;
use connect::refresh::flight::Event as Happened;
use connect::refresh::rules::LEASE;
use connect::refresh::rules::LEASE_MARGIN;
use connect::refresh::rules::RENEW_EVERY;
use provider::answer::Class as Meaning;

use crate::faults::Fate;
use crate::faults::Network;
use crate::faults::Sabotage;
use crate::faults::Says;
use crate::faults::When;
use crate::provider::Class;
use crate::provider::Verdict;
use crate::random::PERCENT;
use crate::replica::millis;
use crate::trial::CALL_LIMIT_MS;
use crate::trial::Call;
use crate::trial::Event;
use crate::trial::FREE_CALL_LIMIT_MS;
use crate::trial::Path;
use crate::trial::World;
use crate::trial::milliseconds;
use crate::trial::refresh_number;
use crate::verdict::Death;
use crate::words::describe_answer;

impl World {
    pub(crate) fn begin_call(&mut self, replica: usize, step: u64, fate: Fate) {
        self.tally.calls += 1;
        let connecting = self.random.between(20, 200);
        let refused = self.is_provider_down() && self.random.strikes(70 * PERCENT);
        if refused || fate.network == Network::NotSent {
            let event = refusal(Meaning::NotSent, None, false);
            return self.finish(replica, step, connecting * 5, event);
        }
        self.push(connecting, Event::Send(replica, step));
    }

    /// The gate and the request's first octet, in one.
    pub(crate) fn send(&mut self, replica: usize, step: u64) {
        let idle_before = self.replicas[replica].idle_ms;
        let Some(flying) = self.replicas[replica].flying.as_mut() else { return };
        let Some(pending) = flying.pending.as_mut().filter(|pending| pending.step == step) else { return };
        let (fate, began, claimed_at) = (pending.fate, pending.began, flying.claimed_at);
        let lasts = self.now - flying.lease_since + millis(LEASE_MARGIN) < millis(LEASE);
        let ungated = self.setup.sabotage == Some(Sabotage::SkipLeaseGate);
        let token = flying.flight.look().and_then(|look| refresh_number(&look.credential.tokens));
        let Some((claim, token)) = flying.flight.claim().copied().zip(token).filter(|_| lasts || ungated)
        else {
            self.tally.withheld += 1;
            self.tell(|| format!("replica {replica}: the lease does not last, nothing is sent"));
            return self.deliver(replica, step, Happened::Answered(Answer::Withheld));
        };
        let number = self.calls.len();
        if self.calls.iter().any(|call| {
            !call.over
                && call.replica != replica
                && call.generation == claim.generation
                && call.token == token
        }) {
            self.tally.double_calls += 1;
        }
        self.calls.push(Call {
            replica,
            step,
            fence: claim.fence,
            generation: claim.generation,
            credential: claim.credential,
            token,
            fate,
            began,
            claimed_at,
            idle_before,
            answer: None,
            over: false,
            forgotten: false,
        });
        self.tell(|| format!("replica {replica}: sends pair {token}'s refresh token (call {number})"));
        let limit = self.call_limit();
        let (on_the_way, jitter) = (self.random.between(10, 100), self.random.between(10, 300));
        let mut may_be_slow = fate.delay != (0, 0) || fate.stall.is_some();
        match fate.network {
            Network::LostBefore(true) => {
                self.calls[number].over = true;
                let event = refusal(Meaning::Ambiguous, None, true);
                self.finish(replica, step, on_the_way + jitter, event);
            }
            Network::LostBefore(false) => {
                self.calls[number].over = true;
                may_be_slow = true;
                self.push_at(began + limit, Event::TimeUp(replica, step));
            }
            Network::LostAfter(reset) => {
                may_be_slow |= !reset;
                self.push(on_the_way + jitter + fate.delay.0, Event::Process(number));
            }
            Network::Works | Network::NotSent => {
                self.push(on_the_way + jitter + fate.delay.0, Event::Process(number));
            }
        }
        if let Some(anew) = fate.disconnect {
            self.push(on_the_way, Event::Disconnect(anew));
        }
        if may_be_slow {
            self.push_at(began + millis(RENEW_EVERY), Event::Renew(replica, step));
        }
    }

    pub(crate) fn call_limit(&self) -> i64 {
        if self.setup.class == Class::A { FREE_CALL_LIMIT_MS } else { CALL_LIMIT_MS }
    }

    /// The provider has the request.
    pub(crate) fn process(&mut self, number: usize) {
        let Call { replica, step, token, fate, began, .. } = self.calls[number];
        let (says, down) = (fate.says, self.is_provider_down());
        let processes = !down && matches!(says, None | Some(Says::ErrorAfterwards));
        if processes {
            let in_store = self.stored_number();
            let verdict = self.provider.refresh(token, self.now);
            self.calls[number].answer = Some(verdict);
            match verdict {
                Verdict::Pair { number: pair, rotated } => {
                    self.tell(|| format!("provider: call {number}: pair {token} becomes pair {pair}"));
                    if rotated && self.paths.len() <= pair {
                        self.paths.resize(pair + 1, Path::default());
                        self.paths[pair].call = Some(number);
                    }
                }
                Verdict::Dead => {
                    self.tell(|| format!("provider: call {number}: pair {token} is not accepted"));
                }
                Verdict::Killed => {
                    self.tell(|| {
                        format!("provider: call {number}: pair {token} was used before: the grant is over")
                    });
                    self.death = Some(Death::at(self, number, in_store));
                }
            }
            if self.setup.class == Class::CKillsAccess && self.random.strikes(20 * PERCENT) {
                let after = self.random.between(1_000, 60_000);
                self.push(after, Event::Read);
            }
        }
        let back = self.random.between(10, 100) + fate.delay.1;
        let deadline = began + self.call_limit();
        match fate.network {
            Network::LostAfter(true) => {
                self.calls[number].over = true;
                let event = refusal(Meaning::Ambiguous, None, true);
                self.finish(replica, step, back, event);
            }
            Network::LostAfter(false) => {
                self.calls[number].over = true;
                self.push_at(deadline, Event::TimeUp(replica, step));
            }
            _ => {
                self.push(back, Event::Arrive(number));
                if self.now + back > deadline {
                    self.push_at(deadline, Event::TimeUp(replica, step));
                }
            }
        }
        let is_waited_for = self.replicas[replica].pending(step).is_some();
        if is_waited_for && fate.crash == Some(When::After) {
            self.crash(replica, fate.away_ms, fate.disk_gone);
        } else if let Some((When::After, ms)) = fate.stall.filter(|_| is_waited_for) {
            self.stall(replica, ms);
        }
    }

    /// The provider's answer is at the replica's door.
    pub(crate) fn arrive(&mut self, number: usize) {
        let Call { replica, step, fate, answer, .. } = self.calls[number];
        let asleep_until = self.replicas[replica].asleep_until;
        if self.replicas[replica].is_up && asleep_until > self.now {
            return self.push_at(asleep_until, Event::Arrive(number));
        }
        self.calls[number].over = true;
        if self.replicas[replica].pending(step).is_none() {
            self.tell(|| format!("the answer to call {number} comes to nobody"));
            return;
        }
        let skew = self.replicas[replica].skew;
        let event = match (fate.says, answer) {
            (Some(Says::Error), _) => refusal(Meaning::Ambiguous, None, false),
            (Some(Says::ErrorAfterwards), _) => {
                let half = self.random.strikes(50 * PERCENT);
                refusal(if half { Meaning::Malformed } else { Meaning::Ambiguous }, None, false)
            }
            (Some(Says::Busy(ms)), _) => refusal(Meaning::Throttled, Some(milliseconds(ms)), false),
            (Some(Says::InvalidClient), _) => refusal(Meaning::Configuration, None, false),
            (None, None) => refusal(Meaning::Throttled, None, false),
            (None, Some(Verdict::Dead | Verdict::Killed)) => refusal(Meaning::Dead, None, false),
            (None, Some(Verdict::Pair { number: pair, rotated })) => {
                self.paths[pair].arrived = true;
                if let Some(flying) = self.replicas[replica].flying.as_mut() {
                    flying.holding = Some(pair);
                }
                let tokens = self.pair(pair, rotated, skew);
                Happened::Answered(Answer::Tokens(Box::new(tokens)))
            }
        };
        self.tell(|| format!("replica {replica}: {}", describe_answer(&event)));
        self.deliver(replica, step, event);
    }

    pub(crate) fn renew(&mut self, replica: usize, step: u64) {
        let Some(flying) = self.replicas[replica].flying.as_mut() else { return };
        let has_claim = flying.flight.claim().is_some();
        let now = self.now;
        let Some(pending) = flying.pending.as_mut().filter(|pending| pending.step == step) else { return };
        if pending.renewing.is_some() || now < pending.next_renewal {
            return;
        }
        pending.next_renewal += millis(RENEW_EVERY);
        if !has_claim || self.setup.sabotage == Some(Sabotage::SkipLeaseGate) {
            return;
        }
        pending.renewing = Some(now);
        let after = self.random.between(1, 10) + self.renewal_delay();
        self.push(after, Event::RenewEffect(replica, step));
    }

    pub(crate) fn renew_effect(&mut self, replica: usize, step: u64) {
        let Some(flying) = self.replicas[replica].flying.as_mut() else { return };
        let Some(claim) = flying.flight.claim().copied() else { return };
        let Some(pending) = flying.pending.as_mut().filter(|pending| pending.step == step) else { return };
        let renewed = self.store.renew_now(&claim, LEASE);
        pending.renewed = Some(matches!(renewed, Ok(true)));
        if let Ok(true) = renewed {
            self.lease_lives();
        }
        let after = self.random.between(1, 10);
        self.push(after, Event::Renewed(replica, step));
    }

    pub(crate) fn renewed(&mut self, replica: usize, step: u64) {
        let Some(flying) = self.replicas[replica].flying.as_mut() else { return };
        let Some(pending) = flying.pending.as_mut().filter(|pending| pending.step == step) else { return };
        let asked = pending.renewing.take();
        let next = pending.next_renewal;
        if let Some(asked) = asked.filter(|_| pending.renewed == Some(true)) {
            flying.lease_since = asked;
        }
        self.tell(|| format!("replica {replica}: renews its lease"));
        self.push_at(next, Event::Renew(replica, step));
    }
}

pub(crate) fn refusal(class: Meaning, retry_after: Option<Duration>, silent: bool) -> Happened {
    Happened::Answered(Answer::Refused { class, error: class.word().to_owned(), retry_after, silent })
}
