//! What timers do. Any replica can do any of it, at any time, twice.

use std::time::Duration;

use http_plane::App;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

/// How often expired attempts are swept.
const SWEEP_EVERY: Duration = Duration::from_mins(10);
/// How many rows one statement deletes: small enough to let others in between.
const SWEEP_BATCH: u32 = 500;

/// Sweeps until `stop` changes.
pub async fn run(app: App, retention: Duration, mut stop: watch::Receiver<bool>) {
    let mut timer = tokio::time::interval(SWEEP_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            _ = stop.changed() => return,
        }
        if let Err(error) = sweep_attempts(&app, retention).await {
            warn!(outcome = "failure", %error, "attempts.sweep_failed");
        }
    }
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
