//! What is to be seen from this machine: our own address, the time, the mail server.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::time::{Duration, UNIX_EPOCH};

use hyper::Method;
use hyper::header::DATE;
use model::{Clock as _, SystemClock, Timestamp};
use provider::client::{Call, ClientError, ClientSettings, HttpClient};
use provider::mail::{MailError, Mailer};
use url::Url;

use crate::cli::report::Report;

/// How long anybody may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many providers are asked for the time before it counts as unknown.
const ASKED: usize = 3;

/// A difference that tells of a clock that nobody sets.
const SUSPICIOUS: Duration = Duration::from_secs(30);

/// One at which providers refuse what is signed, and tokens end at the wrong time.
const WRONG: Duration = Duration::from_mins(2);

/// Whether browsers will find us. That this machine can't is no proof that they can't.
pub(super) async fn public_url(report: &mut Report, public_url: &str) {
    let check = "public_url";
    let Ok(url) = Url::parse(public_url) else { return };
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
    let settings = ClientSettings {
        connect_timeout: PATIENCE,
        total_timeout: PATIENCE,
        allow_private: vec![format!("{host}:{port}")],
        ..ClientSettings::default()
    };
    let answer = match HttpClient::new(settings) {
        Ok(http) => http.send(Call::get(&format!("{public_url}/assets/claviger.css"))).await,
        Err(error) => return report.attention(check, error.to_string(), "write a plain host name"),
    };
    match answer {
        Ok(answer) if answer.status == 200 => report.good(check, format!("{public_url} leads to a server")),
        Ok(answer) => report.attention(
            check,
            format!("{public_url} answers with status {} where our stylesheet should be", answer.status),
            "let the proxy pass everything under this address on to public.listen",
        ),
        Err(error) => report.attention(
            check,
            format!("{public_url} can't be reached from here: {}", because(&error)),
            "start claviger serve, and check DNS, the certificate and the proxy; from elsewhere it may be reachable",
        ),
    }
}

fn because(error: &ClientError) -> String {
    match error.source() {
        Some(source) => format!("{error} ({source})"),
        None => error.to_string(),
    }
}

/// Compares our clock with a provider's, whose tokens end by it.
pub(super) async fn clock(report: &mut Report, http: &HttpClient, endpoints: &[String]) {
    let check = "clock";
    let origins: BTreeSet<String> = endpoints
        .iter()
        .filter_map(|endpoint| Url::parse(endpoint).ok())
        .map(|url| format!("{}/", url.origin().ascii_serialization()))
        .collect();
    if origins.is_empty() {
        return report.skipped(check, "there is no provider to compare it with");
    }
    for origin in origins.iter().take(ASKED) {
        let call = Call::new(Method::HEAD, origin).timeout(PATIENCE);
        let Ok(answer) = http.send(call).await else { continue };
        let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            let theirs = theirs.duration_since(UNIX_EPOCH).unwrap_or_default();
            return compare(report, origin, SystemClock.now(), theirs);
        }
    }
    report.skipped(check, "no provider could be asked for the time");
}

/// `theirs` is the time since the epoch, in whole seconds.
fn compare(report: &mut Report, origin: &str, ours: Timestamp, theirs: Duration) {
    let check = "clock";
    let theirs = i64::try_from(theirs.as_millis()).unwrap_or(i64::MAX);
    let apart = Duration::from_millis(ours.as_unix_ms().abs_diff(theirs));
    let ahead = if ours.as_unix_ms() > theirs { "ahead of" } else { "behind" };
    let what = format!("is {} s {ahead} the one of {origin}", apart.as_secs());
    let mend = "let the machine set its clock (NTP): timedatectl set-ntp true";
    match apart {
        apart if apart > WRONG => report.bad(check, what, mend),
        apart if apart > SUSPICIOUS => report.attention(check, what, mend),
        _ => report.good(check, format!("agrees with the one of {origin}")),
    }
}

/// Whether the mail server is there, up to its answer to EHLO; no letter is sent.
pub(super) async fn mail(report: &mut Report, mailer: &Mailer) {
    let check = "mail";
    match mailer.greet().await {
        Ok(()) => report.good(check, "the mail server answers"),
        Err(error @ MailError::Configuration(_)) => {
            report.bad(check, error.to_string(), "correct the settings under [mail]");
        }
        Err(error) => report.attention(
            check,
            error.to_string(),
            "check mail.host and mail.port, and whether this machine may reach it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_good_within_half_a_minute_and_bad_beyond_two() {
        const NOON: i64 = 1_795_000_000_000;
        for (ours, expected, word) in [
            (NOON + 30_000, "good", "agrees"),
            (NOON - 30_000, "good", "agrees"),
            (NOON + 31_000, "attention", "31 s ahead of"),
            (NOON - 120_000, "attention", "120 s behind"),
            (NOON + 121_000, "bad", "121 s ahead of"),
            (NOON - 86_400_000, "bad", "86400 s behind"),
        ] {
            let mut report = Report::default();
            let theirs = Duration::from_millis(NOON.unsigned_abs());
            compare(&mut report, "https://github.com/", Timestamp::from_unix_ms(ours), theirs);
            let told = serde_json::to_value(&report).unwrap();
            let check = &told["checks"][0];
            assert_eq!(check["state"], expected, "{check}");
            assert!(check["what"].as_str().is_some_and(|what| what.contains(word)), "{check}");
        }
    }
}
