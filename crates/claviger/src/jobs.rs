//! What timers do. Any replica can do any of it, at any time, twice.

use std::time::Duration;

use http_plane::App;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::restored::TrailMark;

/// How often expired attempts are swept.
const SWEEP_EVERY: Duration = Duration::from_mins(10);
/// How many rows one statement deletes: small enough to let others in between.
const SWEEP_BATCH: u32 = 500;
/// How often the queue of due credentials is looked at, and providers that are down are asked.
const REFRESH_EVERY: Duration = Duration::from_secs(1);
/// How often abandoned refreshes and the spool are looked at.
const RECOVER_EVERY: Duration = Duration::from_secs(5);
/// How often grants are given back that are still to be.
const REVOKE_EVERY: Duration = Duration::from_secs(5);
/// How often mails are sent that are still to be.
const MAIL_EVERY: Duration = Duration::from_secs(5);
/// How often what waits is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(15);
/// How often uses are written down.
const NOTE_EVERY: Duration = Duration::from_mins(1);
/// How often the keyring is read, for keys that other processes have added.
const RELOAD_KEYS_EVERY: Duration = Duration::from_secs(15);
/// How often a rotation that was not finished is gone on with, and keys that nothing uses are retired.
const FINISH_ROTATION_EVERY: Duration = Duration::from_mins(30);
/// How often what is over at our own authorization server is deleted.
const SWEEP_GRANT_EVERY: Duration = Duration::from_mins(1);
/// How often it is looked whether it is time for another signing key.
const SIGNING_KEYS_EVERY: Duration = Duration::from_mins(10);
/// How often it is looked whether the tokens are good that requests are under way by.
const END_STREAMS_EVERY: Duration = Duration::from_secs(10);
/// How often grants that end are looked for.
const WARN_EVERY: Duration = Duration::from_hours(1);

/// What the jobs need to know of the configuration.
#[derive(Clone)]
pub struct Plan {
    /// How long expired attempts are kept.
    pub attempt_retention: Duration,
    /// How long portal sessions are kept whose links have ended.
    pub portal_retention: Duration,
    /// Whether this process refreshes what is due.
    pub background: bool,
    /// How far the audit trail has come, beside the store.
    pub mark: Arc<TrailMark>,
}

/// The jobs, each with a timer of its own.
#[derive(Debug, Clone, Copy)]
enum Job {
    SweepAttempts,
    SweepPortal,
    Refresh,
    Recover,
    Revoke,
    Mail,
    Measure,
    NoteUses,
    WarnOfEnds,
    ReloadKeys,
    FinishRotation,
    SweepGrant,
    SigningKeys,
    EndStreams,
}

impl Job {
    const ALL: [Self; 14] = [
        Self::SweepAttempts,
        Self::SweepPortal,
        Self::Refresh,
        Self::Recover,
        Self::Revoke,
        Self::Mail,
        Self::Measure,
        Self::NoteUses,
        Self::WarnOfEnds,
        Self::ReloadKeys,
        Self::FinishRotation,
        Self::SweepGrant,
        Self::SigningKeys,
        Self::EndStreams,
    ];

    const fn period(self) -> Duration {
        match self {
            Self::SweepAttempts | Self::SweepPortal => SWEEP_EVERY,
            Self::Refresh => REFRESH_EVERY,
            Self::Recover => RECOVER_EVERY,
            Self::Revoke => REVOKE_EVERY,
            Self::Mail => MAIL_EVERY,
            Self::Measure => MEASURE_EVERY,
            Self::NoteUses => NOTE_EVERY,
            Self::WarnOfEnds => WARN_EVERY,
            Self::ReloadKeys => RELOAD_KEYS_EVERY,
            Self::FinishRotation => FINISH_ROTATION_EVERY,
            Self::SweepGrant => SWEEP_GRANT_EVERY,
            Self::SigningKeys => SIGNING_KEYS_EVERY,
            Self::EndStreams => END_STREAMS_EVERY,
        }
    }

    /// Does it once.
    async fn once(self, app: &App, plan: &Plan) {
        let connect = &app.connect;
        match self {
            Self::SweepAttempts => {
                told("questions.sweep_failed", connect.sweep_questions().await);
                told("attempts.sweep_failed", sweep_attempts(app, plan.attempt_retention).await);
            }
            Self::SweepPortal => {
                let before = app.clock.now() - plan.portal_retention;
                let full = |swept: Option<u64>| swept.is_some_and(|swept| swept >= u64::from(SWEEP_BATCH));
                while full(told("portal.sweep_failed", connect.sweep_portal(before, SWEEP_BATCH).await)) {}
                while full(told("stripe.sweep_failed", connect.sweep_stripe(before, SWEEP_BATCH).await)) {}
            }
            Self::Refresh => {
                connect.probe_circuits();
                // As long as more is waiting than one round takes.
                while plan.background
                    && told("refresh.round_failed", connect.refresh_due().await) == Some(true)
                {
                }
            }
            Self::Recover => {
                connect.sweep_spool().await;
                told("drill.recovery_failed", connect.end_drills().await);
                told("refresh.recovery_failed", connect.recover().await);
            }
            Self::Revoke => {
                // As long as more is waiting than one round takes.
                while told("revocation.round_failed", connect.revoke_due().await) == Some(true) {}
            }
            Self::Mail => {
                // As long as more is waiting than one round takes.
                while told("mail.round_failed", connect.send_mails().await) == Some(true) {}
            }
            Self::Measure => {
                told("refresh.measure_failed", connect.measure_backlog().await);
                told("revocation.measure_failed", connect.measure_revocations().await);
                told("trail_mark.write_failed", plan.mark.advance(&app.store, connect).await);
            }
            Self::NoteUses => {
                told("refresh.note_uses_failed", connect.note_uses().await);
            }
            Self::WarnOfEnds => {
                told("grants.warn_failed", connect.warn_of_ends().await);
            }
            Self::ReloadKeys => {
                told("keys.reload_failed", connect.reload_keys().await);
            }
            Self::FinishRotation => {
                told("keys.rotation_failed", connect.finish_rotation().await);
            }
            Self::SweepGrant => {
                // As long as more is over than one round takes.
                while told("grant.sweep_failed", app.grant.sweep(SWEEP_BATCH).await) == Some(true) {}
            }
            Self::SigningKeys => {
                told("signing_keys.rotation_failed", app.grant.rotate_signing_keys().await);
            }
            Self::EndStreams => {
                told("protect.look_failed", app.end_streams().await);
            }
        }
    }
}

/// Runs every job until `stop` changes.
pub async fn run(app: App, plan: Plan, stop: watch::Receiver<bool>) {
    let mut jobs = JoinSet::new();
    for job in Job::ALL {
        jobs.spawn(every(job, app.clone(), plan.clone(), stop.clone()));
    }
    jobs.join_all().await;
}

/// Does a job now and then at every tick, until `stop` changes. What is under way then is finished.
async fn every(job: Job, app: App, plan: Plan, mut stop: watch::Receiver<bool>) {
    let mut timer = tokio::time::interval(job.period());
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            _ = stop.changed() => return,
        }
        job.once(&app, &plan).await;
    }
}

/// Logs what a job could not do; it comes again.
fn told<T, E: std::fmt::Display>(event: &'static str, result: Result<T, E>) -> Option<T> {
    result.inspect_err(|error| warn!(outcome = "failure", %error, job = event, "job.failed")).ok()
}

/// Deletes attempts that expired longer ago than the retention. Answers how many.
pub async fn sweep_attempts(app: &App, retention: Duration) -> store::Result<u64> {
    let before = app.clock.now() - retention;
    let mut swept = 0;
    loop {
        let batch = app.store.attempts.sweep(before, SWEEP_BATCH).await?;
        swept += batch;
        if batch < u64::from(SWEEP_BATCH) {
            break;
        }
    }
    if swept > 0 {
        app.metrics.attempts_swept.inc_by(swept);
        info!(count = swept, outcome = "success", "attempts.swept");
    }
    Ok(swept)
}
