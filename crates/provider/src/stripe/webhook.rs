//! Events that Stripe sends: `Stripe-Signature: t=…,v1=…` is an HMAC-SHA256 over `t.body`, by a secret of ours.

use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER_PERMISSIVE;
use model::{Secret, StripeAccountId, Timestamp};
use serde_json::Value;

/// How many signatures of one header are looked at; Stripe sends one for each live secret.
const MAX_SIGNATURES: usize = 10;
/// The longest name of an event.
const MAX_ID: usize = 255;

/// What Stripe says has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name; the same when it is sent again.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
}

/// The events that concern us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// `account.updated`.
    AccountUpdated(StripeAccountId),
    /// `account.application.deauthorized`: the account took away our access.
    Deauthorized(StripeAccountId),
    /// Anything else.
    Other,
}

/// Why an event is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// There is no header, or it has not the form `t=…,v1=…`.
    #[error("the signature is missing or malformed")]
    Malformed,
    /// No secret of ours makes one of its signatures.
    #[error("the signature is not Stripe's")]
    Signature,
    /// It was signed too long ago, or in the future.
    #[error("the signature is too old, or from the future")]
    Stale,
    /// The body is no event.
    #[error("the body is no event")]
    Body,
}

impl WebhookError {
    /// The reason as a stable word, for logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Signature => "signature",
            Self::Stale => "stale",
            Self::Body => "body",
        }
    }
}

/// Reads an event that one of the secrets has signed, not longer than `tolerance` from `now`.
pub fn verify(
    secrets: &[Secret<String>],
    header: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: Duration,
) -> Result<Event, WebhookError> {
    let mut at = None;
    let mut signatures = Vec::new();
    for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
        match name {
            "t" if at.is_none() => at = Some(value),
            "t" => return Err(WebhookError::Malformed),
            "v1" if signatures.len() < MAX_SIGNATURES => {
                signatures.extend(HEXLOWER_PERMISSIVE.decode(value.as_bytes()));
            }
            _ => {}
        }
    }
    let at = at.filter(|at| at.len() <= 12 && at.bytes().all(|octet| octet.is_ascii_digit()));
    let at = at.ok_or(WebhookError::Malformed)?;
    let seconds = at.parse::<i64>().map_err(|_| WebhookError::Malformed)?;
    if signatures.is_empty() {
        return Err(WebhookError::Malformed);
    }
    let signed = [at.as_bytes(), b".", body].concat();
    let is_ours = secrets.iter().any(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        signatures.iter().any(|signature| hmac::verify(&key, &signed, signature).is_ok())
    });
    if !is_ours {
        return Err(WebhookError::Signature);
    }
    let at = Timestamp::from_unix_ms(seconds * 1000);
    if now.since(at) > tolerance || at.since(now) > tolerance {
        return Err(WebhookError::Stale);
    }
    read(body).ok_or(WebhookError::Body)
}

fn read(body: &[u8]) -> Option<Event> {
    let event: Value = serde_json::from_slice(body).ok()?;
    let id = event["id"].as_str()?;
    let named = !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(|octet| octet.is_ascii_graphic());
    let account = |value: &Value| value.as_str().and_then(|account| account.parse().ok());
    let kind = match event["type"].as_str()? {
        // An event of a connected account names it; one of the platform's own account does not.
        "account.updated" => EventKind::AccountUpdated(
            account(&event["account"]).or_else(|| account(&event["data"]["object"]["id"]))?,
        ),
        "account.application.deauthorized" => EventKind::Deauthorized(account(&event["account"])?),
        _ => EventKind::Other,
    };
    named.then(|| Event { id: id.to_owned(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000;

    fn signed(secret: &str, at: i64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
        format!("t={at},v1={}", data_encoding::HEXLOWER.encode(tag.as_ref()))
    }

    fn check(header: &str, body: &str) -> Result<Event, WebhookError> {
        let secrets = [Secret::from("whsec_new"), Secret::from("whsec_old")];
        let now = Timestamp::from_unix_ms(NOW * 1000);
        verify(&secrets, header, body.as_bytes(), now, Duration::from_mins(5))
    }

    const UPDATED: &str =
        r#"{"id":"evt_1","type":"account.updated","account":"acct_1","data":{"object":{"id":"acct_1"}}}"#;

    #[test]
    fn an_event_that_any_live_secret_signed_is_believed() {
        let account: StripeAccountId = "acct_1".parse().unwrap();
        let event = Event { id: "evt_1".to_owned(), kind: EventKind::AccountUpdated(account.clone()) };
        for secret in ["whsec_new", "whsec_old"] {
            assert_eq!(check(&signed(secret, NOW, UPDATED), UPDATED), Ok(event.clone()));
        }
        let two = format!("{},v1={},v0=ab", signed("whsec_old", NOW, UPDATED), "00".repeat(32));
        assert_eq!(check(&two, UPDATED), Ok(event));
        let gone = r#"{"id":"evt_2","type":"account.application.deauthorized","account":"acct_1","data":{}}"#;
        let kind = check(&signed("whsec_new", NOW, gone), gone).unwrap().kind;
        assert_eq!(kind, EventKind::Deauthorized(account));
        let other = r#"{"id":"evt_3","type":"payout.paid"}"#;
        assert_eq!(check(&signed("whsec_new", NOW, other), other).unwrap().kind, EventKind::Other);
    }

    #[test]
    fn a_signature_that_is_wrong_old_or_malformed_is_not() {
        let good = signed("whsec_new", NOW, UPDATED);
        let cases = [
            (String::new(), WebhookError::Malformed),
            ("t=,v1=".to_owned(), WebhookError::Malformed),
            (format!("t={NOW}"), WebhookError::Malformed),
            (format!("t={NOW},v0={}", "00".repeat(32)), WebhookError::Malformed),
            (format!("t={NOW},{good}"), WebhookError::Malformed),
            ("v1=00".to_owned(), WebhookError::Malformed),
            (format!("t=-{NOW},v1=00"), WebhookError::Malformed),
            (format!("t=9999999999999999999,v1={}", "00".repeat(32)), WebhookError::Malformed),
            (format!("t={NOW},v1=zz"), WebhookError::Malformed),
            (format!("t={NOW},v1={}", "00".repeat(32)), WebhookError::Signature),
            (signed("whsec_foreign", NOW, UPDATED), WebhookError::Signature),
            (good.replace(&NOW.to_string(), &(NOW + 1).to_string()), WebhookError::Signature),
            (signed("whsec_new", NOW - 301, UPDATED), WebhookError::Stale),
            (signed("whsec_new", NOW + 301, UPDATED), WebhookError::Stale),
        ];
        for (header, expected) in cases {
            assert_eq!(check(&header, UPDATED), Err(expected), "{header}");
        }
        assert!(check(&signed("whsec_new", NOW - 300, UPDATED), UPDATED).is_ok());
        assert_eq!(check(&good, &UPDATED.replace("acct_1", "acct_2")), Err(WebhookError::Signature));
    }

    #[test]
    fn a_body_that_is_no_event_is_said_to_be_none() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"id":"evt","type":3}"#,
            r#"{"type":"x"}"#,
            r#"{"id":"","type":"x"}"#,
            r#"{"id":"evt","type":"account.updated"}"#,
            r#"{"id":"evt","type":"account.application.deauthorized","account":"../x"}"#,
        ] {
            assert_eq!(check(&signed("whsec_new", NOW, body), body), Err(WebhookError::Body), "{body}");
        }
    }
}
