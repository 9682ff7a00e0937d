//! A flight that fails on purpose: the same flight, the same call, with a token that is none. What it would write to the
//! credential it writes where it is undone.

use std::time::Duration;

use model::{Actor, IntegrationId, Timestamp};
use provider::format::entry::Rotation;
use store::credentials::Credential;
use store::drills::NewDrill;
use tokio::time::Instant as Deadline;

use super::{
    Action, Answer, Claim, Connect, Driver, Event, Instant, LEASE, Landing, Pen, RETRY_AFTER, Refusal,
    Result, Trigger, Waiting, millis, warn,
};
use crate::Error;
use crate::drill::stand_in;
use crate::drill::steps::{Teller, What};
use crate::refresh::log::What as FlightWhat;

/// How long the drill waits until nobody else refreshes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long calls and the pauses between them may take altogether.
const CALLS_TAKE: Duration = Duration::from_secs(40);

/// What the provider said last.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// The provider's error code, or a word for what happened; `None` for tokens.
    pub(crate) error: Option<String>,
    /// What that means; `None` for tokens.
    pub(crate) class: Option<&'static str>,
    /// How long the call took.
    pub(crate) took: Duration,
}

/// How the flight of a drill ended.
#[derive(Debug)]
pub(crate) enum Played {
    /// The state of a dead grant stands in the store.
    Dead,
    /// The provider gave tokens for a token that it never issued. They are dropped.
    Tokens,
    /// No verdict on the grant: what a caller gets.
    Landed(Landing),
    /// New tokens came from elsewhere, or somebody else has ended the drill.
    Overtaken,
    /// The connection was disconnected or connected anew.
    Gone,
}

/// A flight with all that it has shown.
pub(crate) struct Play<'a> {
    driver: Driver<'a>,
    teller: &'a Teller,
    by: &'a Actor,
    /// Under what it is played, from its beginning on.
    pub(crate) claim: Option<Claim>,
    pub(crate) attempts: u32,
    pub(crate) said: Option<Said>,
    /// Until when others are waited for, and then until when the provider may be called.
    until: Deadline,
}

impl Connect {
    /// A drill that is about to begin. `Err` in the result tells why this credential can't be refreshed at all.
    pub(crate) async fn play<'a>(
        &'a self,
        credential: &Credential,
        pen: &'a Pen,
        teller: &'a Teller,
        by: &'a Actor,
    ) -> Result<std::result::Result<Play<'a>, Landing>> {
        let job = match self.job(credential).await? {
            Ok(job) => job,
            Err(landing) => return Ok(Err(landing)),
        };
        let driver = Driver::new(self, pen, credential.id, credential.generation, Trigger::Drill, job);
        let until = Deadline::now() + PATIENCE;
        Ok(Ok(Play { driver, teller, by, claim: None, attempts: 0, said: None, until }))
    }
}

impl Play<'_> {
    /// How a person names the tool.
    pub(crate) fn display_name(&self) -> &str {
        &self.driver.job.entry.display_name
    }

    /// Whether the provider may end the whole grant when a refresh token is presented that is not the newest.
    pub(crate) fn puts_grant_at_risk(&self) -> bool {
        self.driver.job.entry.refresh.rotation == Rotation::Strict
    }

    /// Which integration's app is asked.
    pub(crate) fn integration(&self) -> &IntegrationId {
        &self.driver.job.probe.key.integration
    }

    /// Whether the access token that the flight has seen still works.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.driver.flight.look().is_some_and(|look| {
            let tokens = &look.credential.tokens;
            tokens.access_token.is_some() && tokens.expires_at.is_none_or(|end| end > now)
        })
    }

    /// One action after the other. `None`: the tokens were replaced before it began. An error may leave the drill begun.
    pub(crate) async fn play(&mut self) -> Result<Option<Played>> {
        let mut action = self.driver.flight.survey();
        loop {
            let has_begun = self.claim.is_some();
            let event = match action {
                Action::Look => self.driver.look().await,
                Action::Sleep(pause, Waiting::Lease | Waiting::Replay) if !has_begun => {
                    self.wait(pause).await?
                }
                Action::Sleep(
                    pause,
                    waiting @ (Waiting::Retry { .. } | Waiting::Store | Waiting::Answer),
                ) => {
                    self.tell(waiting, pause);
                    if Deadline::now() + pause > self.until {
                        return self.too_late(waiting);
                    }
                    self.driver.renewing(tokio::time::sleep(pause)).await;
                    Event::Woke
                }
                Action::Admit if !has_begun => self.admit(),
                Action::Claim { generation, after: None } if !has_begun => self.begin(generation).await?,
                // Its own lease is kept, and nothing of its calls is written.
                Action::Claim { after: Some(_), .. } => Event::Claimed(Ok(self.claim)),
                Action::Settle(_) => Event::Written(Ok(true)),
                // The answer comes back in the flight's own memory, and goes with it.
                Action::Reserve => Event::Reserved(true),
                Action::Call => {
                    let answer = self.call().await;
                    if matches!(answer, Answer::Withheld) {
                        return Ok(Some(Played::Landed(Landing::Unavailable(RETRY_AFTER))));
                    }
                    Event::Answered(answer)
                }
                Action::Spool(_) | Action::Commit(..) => return Ok(Some(Played::Tokens)),
                // One death that somebody wanted is no burst.
                Action::Judge => Event::Judged(true),
                Action::MarkBroken(reason) => {
                    let Some(claim) = self.claim else { return Err(Error::NoRefreshToken) };
                    let error = self.driver.flight.last_error().map(|(error, _)| error.to_owned());
                    let (plane, now) = (self.driver.plane, self.driver.plane.now());
                    let drills = &plane.store().drills;
                    if !drills.mark_broken(&claim, reason, error.as_deref(), now).await? {
                        return self.overtaken().await;
                    }
                    Event::Written(Ok(true))
                }
                Action::Land(landing) => return self.landed(landing),
                // Somebody else is at it, or has been.
                Action::Sleep(..)
                | Action::Admit
                | Action::Claim { .. }
                | Action::Adopt { .. }
                | Action::KeepOrphan(_)
                | Action::Schedule(_) => {
                    return if has_begun { self.overtaken().await } else { Err(self.under_way()) };
                }
            };
            action = self.driver.flight.on(event, self.driver.plane.now());
        }
    }

    fn tell(&self, waiting: Waiting, pause: Duration) {
        match waiting {
            Waiting::Retry { attempt } => {
                self.teller.tell(What::Flight(FlightWhat::Retrying { attempt, pause_ms: millis(pause) }));
            }
            Waiting::Store => {
                warn!(credential = %self.driver.id, on = "store", "drill.waiting");
                self.teller.once(What::Flight(FlightWhat::Waiting { on: "store" }));
            }
            Waiting::Lease | Waiting::Replay | Waiting::Answer => {}
        }
    }

    async fn wait(&mut self, pause: Duration) -> Result<Event> {
        if Deadline::now() + pause > self.until {
            return Err(self.under_way());
        }
        self.teller.once(What::Flight(FlightWhat::Waiting { on: "lease" }));
        tokio::time::sleep(pause).await;
        Ok(Event::Woke)
    }

    /// Until whoever holds the lease may have gone away.
    fn under_way(&self) -> Error {
        let left = self.driver.flight.look().and_then(|look| Some(look.leased_until?.since(look.now)));
        Error::RefreshUnderWay { retry_after: left.unwrap_or_default().max(RETRY_AFTER) }
    }

    /// The circuit is asked, and told nothing.
    fn admit(&self) -> Event {
        let (refreshing, plane) = (self.driver.refreshing, self.driver.plane);
        if refreshing.is_stopping() {
            return Event::Admitted(Err(Refusal::Down(RETRY_AFTER)));
        }
        let refusal = refreshing.circuits.refuses(&self.driver.job.probe, plane.now());
        Event::Admitted(refusal.map_or(Ok(()), Err))
    }

    /// Sets the refresh token aside, and reads back what stands in for it.
    async fn begin(&mut self, generation: i64) -> Result<Event> {
        let (plane, id) = (self.driver.plane, self.driver.id);
        let Some((look, sealed)) = self.driver.flight.look().and_then(|look| {
            let token = look.credential.tokens.refresh_token.as_ref()?;
            Some((look, token))
        }) else {
            return Err(Error::NoRefreshToken);
        };
        let token = plane.parts.keys.open(&id, sealed).await?;
        let new = NewDrill {
            credential: id,
            generation,
            fence: look.fence,
            holder: self.driver.refreshing.holder,
            lease: LEASE,
            step: 1 + i64::from(u32::from_le_bytes(vault::random::octets())),
            aside: plane.parts.keys.seal(&id, &token)?,
            stand_in: plane.parts.keys.seal(&id, &stand_in(&token))?,
            by: self.by.to_string(),
        };
        drop(token);
        let asked = (Instant::now(), plane.now());
        // Of one that came through although the store failed, the lease runs out.
        let Some(claim) = plane.store().drills.begin(&new).await? else {
            return Ok(Event::Claimed(Ok(None)));
        };
        self.claim = Some(claim);
        *self.driver.lease_since.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = asked;
        self.driver.next_renewal(true);
        self.until = Deadline::now() + CALLS_TAKE;
        plane.drill_began(&look.credential, self.by).await?;
        self.teller.tell(What::SetAside);
        let found = plane.store().refreshes.look(&id).await?;
        let sealed = found.and_then(|look| look.credential.tokens.refresh_token);
        self.driver.token = match sealed {
            Some(sealed) => Some(plane.parts.keys.open(&id, &sealed).await?),
            None => None,
        };
        Ok(Event::Claimed(Ok(Some(claim))))
    }

    async fn call(&mut self) -> Answer {
        self.attempts = self.driver.flight.attempts();
        self.teller.tell(What::Flight(FlightWhat::Calling { attempt: self.attempts }));
        let asked = Instant::now();
        let call = tokio::time::timeout_at(self.until, self.driver.renewing(self.driver.call()));
        let answer = call.await.unwrap_or_else(|_| Answer::Refused {
            class: provider::answer::Class::Ambiguous,
            error: "no_answer".to_owned(),
            retry_after: None,
            silent: true,
        });
        let (error, class) = answer.refusal().unzip();
        let said = Said { error, class, took: asked.elapsed() };
        self.teller.tell(What::Flight(FlightWhat::Answered {
            took_ms: millis(said.took),
            error: said.error.clone(),
            class: said.class,
        }));
        self.said = Some(said);
        answer
    }

    fn too_late(&mut self, waiting: Waiting) -> Result<Option<Played>> {
        match self.driver.store_error.take() {
            Some(error) if waiting == Waiting::Store => Err(error.into()),
            _ => Ok(Some(Played::Landed(Landing::Unavailable(RETRY_AFTER)))),
        }
    }

    fn landed(&mut self, landing: Landing) -> Result<Option<Played>> {
        match (landing, self.claim) {
            (Landing::Dead, Some(_)) => Ok(Some(Played::Dead)),
            (Landing::Gone, _) => Ok(Some(Played::Gone)),
            (Landing::Fresh | Landing::Held, Some(_)) => Ok(Some(Played::Overtaken)),
            (Landing::Fresh | Landing::Dead, None) => Ok(None),
            (Landing::Failed, _) => match self.driver.store_error.take() {
                Some(error) => Err(error.into()),
                None => Err(Error::Interrupted),
            },
            (landing, _) => Ok(Some(Played::Landed(landing))),
        }
    }

    /// The drill is over before its end: by whom?
    async fn overtaken(&self) -> Result<Option<Played>> {
        let found = self.driver.plane.store().credentials.get(&self.driver.id).await?;
        Ok(Some(if found.is_some() { Played::Overtaken } else { Played::Gone }))
    }
}
