//! The scary scenario, for real: a refresh fails for good, and afterwards everything is as before.
//!
//! 1. The refresh token is set aside in the store, and one that the provider never issued takes its place; the lease keeps
//!    everybody else from refreshing.
//! 2. The same flight as any other calls the provider with it, and decides what its answer means. The circuit is told
//!    nothing, and nothing is counted.
//! 3. With the dead grant standing in the store it is asked what the product's backend gets, and what the customer reads.
//! 4. One statement puts everything back. Whoever is killed before that leaves a lease that runs out, and then anybody does
//!    it: the sweeper of any replica, the next start, the next flight of the credential.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Actor, AuditEvent, IntegrationId, Outcome, ReconnectReason, SubjectId};
use store::connections::ConnectionKey;
use store::credentials::Credential;
use store::refreshes::Claim;
use tracing::{error, warn};

use crate::access_token::Wish;
use crate::parts::Which;
use crate::progress::Progress;
use crate::refresh::Landing;
use crate::refresh::driver::drill::{Play, Played, Said};
use crate::refresh::flight::RETRY_AFTER;
use crate::refresh::log::Pen;
use crate::{Connect, Error, Result};

mod stand_in;
pub mod steps;

pub(crate) use stand_in::stand_in;
use steps::{BackendGets, DrillStep, Teller, What};

/// How often a drill begins anew because the tokens were replaced before it could.
const MAX_BEGINNINGS: usize = 5;

/// How long a store that is away is asked to put everything back; then the lease is over, and others do it.
const RESTORES_FOR: Duration = Duration::from_secs(30);

/// The shortest and the longest pause between two tries.
const RESTORE_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How many abandoned drills one round ends.
const END_AT_ONCE: u32 = 100;

/// Makes the words that a customer's page has for a row.
pub type PageWords = Arc<dyn Fn(&PageRow<'_>) -> String + Send + Sync>;

/// What a customer's page shows of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRow<'a> {
    /// The tool, as a person names it.
    pub integration: &'a str,
    /// Why it needs the person again; `None` while it works.
    pub broken: Option<ReconnectReason>,
}

/// What is to be played, and for whom.
pub struct Drill {
    /// The connection.
    pub key: ConnectionKey,
    /// Whether it is played although the provider may end the whole grant for it.
    pub yes_really: bool,
    /// Who wants it.
    pub by: Actor,
    /// What the customer's page would say.
    pub words: PageWords,
}

/// What was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// `dead` as it was meant; `tokens` when the provider gave some for a token that it never issued; `unavailable` or
    /// `configuration` when it said nothing of the grant; `overtaken` when new tokens came from elsewhere meanwhile.
    pub outcome: &'static str,
    /// What the provider said last; `None` when it was not called.
    pub answer: Option<ProviderAnswer>,
    /// How often it was called.
    pub attempts: u32,
    /// What the product's backend got; `None` when there was nothing to get.
    pub backend: Option<BackendGets>,
    /// What the customer's page said.
    pub page: String,
    /// Whether nothing of the drill is left.
    pub restored: bool,
}

/// The provider's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderAnswer {
    /// Its error code, or a word for what happened; `None` when it gave tokens.
    pub error: Option<String>,
    /// What that means; `None` when it gave tokens.
    pub class: Option<&'static str>,
    /// How long the call took.
    pub took: Duration,
}

impl Connect {
    /// Plays the death of a grant. A caller that goes away stops nothing.
    pub async fn simulate_failure(&self, drill: Drill, progress: Progress<DrillStep>) -> Result<Drilled> {
        let plane = self.clone();
        let done =
            self.detach(async move { plane.simulate_failure_now(&drill, &Teller::new(progress)).await });
        done.await.unwrap_or(Err(Error::Interrupted))
    }

    async fn simulate_failure_now(&self, drill: &Drill, teller: &Teller) -> Result<Drilled> {
        self.end_drills().await?;
        for _ in 0..MAX_BEGINNINGS {
            let credential = self.credential_to_drill(&drill.key).await?;
            let (pen, _) = Pen::new();
            let mut play = match self.play(&credential, &pen, teller, &drill.by).await? {
                Ok(play) => play,
                Err(landing) => return Err(self.refusal(&drill.key, landing).await),
            };
            if play.puts_grant_at_risk() && !drill.yes_really {
                return Err(Error::GrantAtRisk { integration: play.integration().clone() });
            }
            let played = play.play().await;
            match (played, play.claim) {
                (Ok(None), None) => {}
                (played, Some(claim)) => {
                    return self.show_and_restore(drill, teller, &credential, &play, claim, played).await;
                }
                (Ok(Some(Played::Landed(landing))), None) => {
                    return Err(self.refusal(&drill.key, landing).await);
                }
                (Ok(Some(Played::Gone)), None) => return Err(Self::not_found(&drill.key)),
                (Ok(Some(_)), None) => return Err(Error::Interrupted),
                (Err(error), None) => return Err(error),
            }
        }
        Err(Error::RefreshUnderWay { retry_after: RETRY_AFTER })
    }

    /// The credential of a connection that works and can be refreshed.
    async fn credential_to_drill(&self, key: &ConnectionKey) -> Result<Credential> {
        let standing = match self.standing(key, &Which::Own).await {
            Err(error @ Error::ReconnectRequired { .. }) => {
                return Err(self.drilled_already(key).await?.unwrap_or(error));
            }
            standing => standing?,
        };
        if !standing.has_refresh_token {
            return Err(Error::NoRefreshToken);
        }
        let credential = self.store().credentials.get(&standing.credential).await?;
        credential.ok_or_else(|| Self::not_found(key))
    }

    /// What is broken may be so in somebody else's drill alone.
    async fn drilled_already(&self, key: &ConnectionKey) -> Result<Option<Error>> {
        let connection = self.store().connections.get(key).await?;
        let Some(id) = connection.and_then(|connection| connection.credential) else { return Ok(None) };
        let look = self.store().refreshes.look(&id).await?.filter(|look| look.drilled);
        Ok(look.map(|look| {
            let left = look.leased_until.map_or(Duration::ZERO, |until| until.since(look.now));
            Error::RefreshUnderWay { retry_after: left.max(RETRY_AFTER) }
        }))
    }

    /// Why nothing could be played.
    async fn refusal(&self, key: &ConnectionKey, landing: Landing) -> Error {
        let outcome = self.landed(key, &Which::Own, Some(Ok(landing))).await;
        outcome.err().unwrap_or(Error::RefreshUnderWay { retry_after: RETRY_AFTER })
    }

    /// Shows what stands there, and puts everything back, however it was played.
    async fn show_and_restore(
        &self,
        drill: &Drill,
        teller: &Teller,
        credential: &Credential,
        play: &Play<'_>,
        claim: Claim,
        played: Result<Option<Played>>,
    ) -> Result<Drilled> {
        let key = &drill.key;
        let mut outcome = match &played {
            Ok(Some(played)) => word(played),
            Ok(None) => "overtaken",
            Err(_) => "failed",
        };
        let (backend, page) = match &played {
            Ok(Some(played)) => {
                let backend = self.backend_gets(key, play, played).await;
                if let Some(gets) = &backend {
                    teller.tell(What::BackendGets(gets.clone()));
                }
                let page = (drill.words)(&self.page_row(key, play, played).await);
                teller.tell(What::PageSays { page: page.clone() });
                (backend, page)
            }
            Ok(None) | Err(_) => (None, String::new()),
        };
        let left = self.restore(&claim).await;
        match left {
            Ok(Left::Nothing) => teller.tell(What::Restored),
            // Disconnected, or replaced, at whatever moment: with the credential everything of the drill went.
            Ok(Left::NoCredential) if played.is_ok() => outcome = "gone",
            Ok(Left::NoCredential | Left::Drill) | Err(_) => {}
        }
        let restored = matches!(left, Ok(Left::Nothing | Left::NoCredential));
        let said = play.said.as_ref();
        self.drill_ended(credential, &drill.by, outcome, said, restored).await;
        let (played, left) = (played?, left?);
        if left == Left::NoCredential || matches!(played, Some(Played::Gone)) {
            return Err(Self::not_found(key));
        }
        let answer =
            said.map(|said| ProviderAnswer { error: said.error.clone(), class: said.class, took: said.took });
        Ok(Drilled { outcome, answer, attempts: play.attempts, backend, page, restored })
    }

    /// What a caller gets who asks for the token now.
    async fn backend_gets(
        &self,
        key: &ConnectionKey,
        play: &Play<'_>,
        played: &Played,
    ) -> Option<BackendGets> {
        let answer = match played {
            Played::Dead => {
                let wish = Wish { wait: Some(Duration::ZERO), ..Wish::default() };
                self.access_token(key, &wish).await.map(drop)
            }
            Played::Tokens => Ok(()),
            // What is left works on.
            Played::Landed(_) if play.is_live(self.now()) => Ok(()),
            Played::Landed(landing) => self.landed(key, &Which::Own, Some(Ok(landing.clone()))).await,
            Played::Overtaken | Played::Gone => return None,
        };
        Some(match answer {
            Ok(()) => BackendGets { status: 200, code: None, reason: None },
            Err(error) => {
                let code = error.code();
                let reason = match error {
                    Error::ReconnectRequired { reason, .. } => Some(reason.word()),
                    _ => None,
                };
                BackendGets { status: code.status(), code: Some(code.word()), reason }
            }
        })
    }

    /// What the customer's page has of the connection now.
    async fn page_row<'a>(&self, key: &ConnectionKey, play: &'a Play<'_>, played: &Played) -> PageRow<'a> {
        let broken = match (played, self.standing(key, &Which::Own).await) {
            (Played::Dead, Err(Error::ReconnectRequired { reason, .. })) => Some(reason),
            _ => None,
        };
        PageRow { integration: play.display_name(), broken }
    }

    /// Puts everything back. Tells what is left.
    async fn restore(&self, claim: &Claim) -> Result<Left> {
        let (began, mut pause) = (Instant::now(), RESTORE_AGAIN.0);
        loop {
            match self.restore_once(claim).await {
                Err(error) if began.elapsed() < RESTORES_FOR => {
                    warn!(credential = %claim.credential, outcome = "failure", %error, will_retry = true,
                        "drill.restore_failed");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RESTORE_AGAIN.1);
                }
                done => return done,
            }
        }
    }

    async fn restore_once(&self, claim: &Claim) -> Result<Left> {
        self.store().drills.end(claim).await?;
        let look = self.store().refreshes.look(&claim.credential).await?;
        Ok(match look {
            None => Left::NoCredential,
            Some(look) if look.drilled => Left::Drill,
            Some(_) => Left::Nothing,
        })
    }

    /// Ends the drills that whoever played them has left: as long as their lease lives, they are left alone. Answers how many.
    pub async fn end_drills(&self) -> Result<usize> {
        let mut ended = 0;
        for drill in self.store().drills.abandoned(END_AT_ONCE).await? {
            if self.store().drills.end_abandoned(&drill.claim).await? {
                ended += 1;
                let (subject, integration) = (&drill.subject, &drill.integration);
                let event =
                    self.drill_event("drill.ended", Outcome::Failure, Actor::System, subject, integration);
                let event = event
                    .reason("interrupted")
                    .fact("credential", drill.claim.credential.to_string())
                    .fact("by", drill.by);
                self.note(event).await;
            }
        }
        Ok(ended)
    }

    /// Says in the trail that a drill has begun. One that can't be written there is not played.
    pub(crate) async fn drill_began(&self, credential: &Credential, by: &Actor) -> Result<()> {
        let (subject, integration) = (&credential.subject, &credential.integration);
        let event = self.drill_event("drill.began", Outcome::Success, by.clone(), subject, integration);
        self.remember(event.fact("credential", credential.id.to_string())).await
    }

    async fn drill_ended(
        &self,
        credential: &Credential,
        by: &Actor,
        outcome: &'static str,
        said: Option<&Said>,
        restored: bool,
    ) {
        let ended = if restored && outcome != "failed" { Outcome::Success } else { Outcome::Failure };
        let (subject, integration) = (&credential.subject, &credential.integration);
        let event = self.drill_event("drill.ended", ended, by.clone(), subject, integration);
        let error = said.and_then(|said| said.error.clone());
        let event = event
            .reason(outcome)
            .fact("credential", credential.id.to_string())
            .fact("restored", restored)
            .fact("error", error);
        self.note(event).await;
    }

    fn drill_event(
        &self,
        name: &str,
        outcome: Outcome,
        by: Actor,
        subject: &SubjectId,
        integration: &IntegrationId,
    ) -> AuditEvent {
        AuditEvent::new(self.now(), name, outcome, by)
            .subject(subject)
            .target(integration)
            .fact("integration", integration.as_str())
    }

    /// Everything is as before whether or not the trail can be written; the log says when it can't.
    async fn note(&self, event: AuditEvent) {
        let name = event.event.clone();
        if let Err(error) = self.remember(event).await {
            error!(outcome = "failure", %error, event = name, "audit.failed");
        }
    }
}

/// What is left of a drill when everything has been put back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing.
    Nothing,
    /// Not even the credential: it was disconnected, or another consent took its place.
    NoCredential,
    /// The drill itself; whoever finds it next ends it.
    Drill,
}

const fn word(played: &Played) -> &'static str {
    match played {
        Played::Dead => "dead",
        Played::Tokens => "tokens",
        Played::Landed(Landing::Configuration(_)) => "configuration",
        Played::Landed(_) => "unavailable",
        Played::Overtaken => "overtaken",
        Played::Gone => "gone",
    }
}
