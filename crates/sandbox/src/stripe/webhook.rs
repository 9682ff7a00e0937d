//! Signed webhooks: events are sent one after another to the address that the control set, and to no other.
//!
//! A signature is the HMAC-SHA256 of `{seconds}.{body}` under the endpoint's secret, written
//! `Stripe-Signature: t={seconds},v1={hex}`.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, header};
use data_encoding::HEXLOWER;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};

use super::Stripe;
use super::settings::Deliver;
use crate::log::{Called, Row, StripeNotes};
use crate::sandbox::Sandbox;

/// How often an event is tried when its receiver does not answer with 2xx.
const ATTEMPTS: u32 = 4;
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How old an `old` signature is: twice what Stripe's libraries tolerate.
const OLD_SECONDS: i64 = 600;

/// How a delivery is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signature {
    #[default]
    Valid,
    /// Made with another secret.
    Wrong,
    /// Right, but ten minutes old.
    Old,
    /// There is no header.
    Missing,
}

/// A delivery that is ready to go.
pub(super) struct Parcel {
    event_id: String,
    kind: &'static str,
    account: Option<String>,
    url: String,
    header: Option<String>,
    body: String,
    retry_delay: u64,
}

impl Stripe {
    /// Puts an event into the queue, where its platform's webhook is set.
    pub(super) fn enqueue(&mut self, id: &str) {
        let listening = self.control.settings.deliver == Deliver::Auto
            && self.control.webhook.as_ref().is_some_and(|webhook| {
                self.events.get(id).is_some_and(|event| event.platform == webhook.platform)
            });
        if listening {
            if self.queue.len() == super::MAX_QUEUE {
                self.queue.pop_front();
            }
            self.queue.push_back(id.to_owned());
        }
    }

    /// The event as it is sent now; `None` where it is forgotten or nobody listens.
    pub(super) fn parcel(&self, id: &str, signature: Signature, now: i64) -> Option<Parcel> {
        let event = self.events.get(id)?;
        let webhook = self.control.webhook.as_ref()?;
        let body = event.json().to_string();
        let header = match signature {
            Signature::Valid => Some(sign(webhook.secret(), now, &body)),
            Signature::Wrong => Some(sign(&format!("not {}", webhook.secret()), now, &body)),
            Signature::Old => Some(sign(webhook.secret(), now - OLD_SECONDS, &body)),
            Signature::Missing => None,
        };
        Some(Parcel {
            event_id: id.to_owned(),
            kind: event.kind,
            account: event.account.clone(),
            url: webhook.url.clone(),
            header,
            body,
            retry_delay: webhook.retry_delay,
        })
    }
}

fn sign(secret: &str, now: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{now}.{body}").as_bytes());
    format!("t={now},v1={}", HEXLOWER.encode(tag.as_ref()))
}

/// Sets about the queue, unless somebody is at it already.
pub(super) fn wake(sandbox: &Sandbox) {
    {
        let stripe = &mut sandbox.state().stripe;
        if stripe.delivering || stripe.queue.is_empty() {
            return;
        }
        stripe.delivering = true;
    }
    tokio::spawn(drain(sandbox.clone()));
}

/// One event after another, so that they come in the order in which they happened.
async fn drain(sandbox: Sandbox) {
    loop {
        let next = {
            let stripe = &mut sandbox.state().stripe;
            let next = stripe.queue.pop_front();
            stripe.delivering = next.is_some();
            next
        };
        let Some(id) = next else { return };
        let mut delay = 0;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 && !sandbox.pause(Duration::from_millis(delay)).await {
                return;
            }
            // Signed anew each time, by the settings that are in force by then.
            let parcel = {
                let clock_ms = sandbox.clock_ms();
                let stripe = &sandbox.state().stripe;
                stripe.parcel(&id, Signature::Valid, stripe.now(clock_ms))
            };
            let Some(parcel) = parcel else { break };
            delay = if attempt == 0 { parcel.retry_delay } else { delay.saturating_mul(2) };
            if send(&sandbox, parcel).await.is_some_and(|status| status.is_success()) {
                break;
            }
        }
    }
}

/// Sends it once, and tells the receiver's status; `None` where there was no answer.
pub(super) async fn send(sandbox: &Sandbox, parcel: Parcel) -> Option<StatusCode> {
    let Parcel { event_id, kind, account, url, header, body, .. } = parcel;
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::USER_AGENT, "Sandbox/1.0 (+stripe webhooks)");
    if let Some(header) = header {
        request = request.header("stripe-signature", header);
    }
    let status = match request.body(Full::new(Bytes::from(body))) {
        Ok(request) => {
            let client = Client::builder(TokioExecutor::new()).build_http();
            match tokio::time::timeout(PATIENCE, client.request(request)).await {
                Ok(Ok(answer)) => Some(answer.status()),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "sandbox.webhook_not_delivered");
                    None
                }
                Err(_) => None,
            }
        }
        Err(error) => {
            tracing::debug!(%error, "sandbox.webhook_not_written");
            None
        }
    };
    let mut row = Row::new(sandbox.clock_ms(), Called::STRIPE_WEBHOOK);
    row.outcome = match status {
        Some(status) if status.is_success() => "ok".to_owned(),
        Some(_) => "refused".to_owned(),
        None => "no_answer".to_owned(),
    };
    row.status = status.map(|status| status.as_u16());
    row.account = account;
    row.stripe = Some(StripeNotes::of_event(&event_id, kind));
    sandbox.state().log.push(row);
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_the_time_and_the_body() {
        // printf '1614556800.{"id": "evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let expected = "t=1614556800,v1=f9207892d4dd61fbfd68a85eb2b1c68813c6d013efb429d83ae54b527bf4a355";
        assert_eq!(sign("whsec_test", 1_614_556_800, "{\"id\": \"evt_1\"}"), expected);
    }
}
