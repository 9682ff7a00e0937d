//! Account links: `POST /v1/account_links`, and what a link still leads to.

use axum::http::HeaderValue;
use serde_json::{Value, json};
use url::Url;

use super::Stripe;
use super::call::Work;
use super::form::Form;
use super::problem::Problem;
use crate::key;

/// What a link takes.
pub(super) const CREATE: &[&str] = &["account", "refresh_url", "return_url", "type"];

/// How long a link waits for its first visit.
const LIFETIME_SECONDS: i64 = 300;
/// How long a person who came in time may take.
const VISIT_SECONDS: i64 = 3600;

/// A link, before and after it was opened.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) account: String,
    /// Exactly as it was given.
    pub(super) return_url: String,
    pub(super) refresh_url: String,
    expires_at: i64,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Fresh,
    /// The page is open; its form carries this proof.
    Open {
        visit: String,
        until: i64,
    },
    Done,
}

/// `POST /v1/account_links`.
pub(super) fn create(work: &mut Work<'_>) -> Result<Value, Problem> {
    let form = work.form;
    let id = form.required("account")?;
    let kinds = &["account_onboarding", "account_update"];
    let kind = form.choice("type", kinds)?.ok_or_else(|| Problem::missing("type"))?;
    let refresh_url = url(form, "refresh_url")?;
    let return_url = url(form, "return_url")?;
    work.about = Some(super::form::shortened(id));
    let Some(account) = work.stripe.account(work.actor.owner(), id) else {
        let message = "This account does not exist, or is not connected to this platform.";
        return Err(Problem::invalid(message).with_code("account_invalid").in_work());
    };
    if kind == "account_update" && account.kind != "custom" {
        let message = "A link of type account_update is for custom accounts only.";
        return Err(Problem::invalid(message).at("type").in_work());
    }
    let now = work.cause.now;
    let token = key::random("");
    let link = Link {
        account: id.to_owned(),
        return_url,
        refresh_url,
        expires_at: now + LIFETIME_SECONDS,
        state: State::Fresh,
    };
    let answer = json!({
        "object": "account_link",
        "created": now,
        "expires_at": link.expires_at,
        "url": format!("{}/setup/e/{id}/{token}", work.base),
    });
    work.stripe.links.insert(token, link);
    Ok(answer)
}

/// A web address that a `Location` header can repeat octet by octet.
fn url(form: &Form, name: &str) -> Result<String, Problem> {
    let text = form.required(name)?;
    let web = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !web || HeaderValue::from_str(text).is_err() || !text.is_ascii() {
        return Err(Problem::invalid("This is no web address.").with_code("url_invalid").at(name));
    }
    Ok(text.to_owned())
}

impl Stripe {
    /// Opens a link for the one time that it works. `Ok` is the link with the proof for its form, `Err` the address where
    /// a link goes that no longer works; `None` for one that never was.
    pub(super) fn open_link(
        &mut self,
        token: &str,
        account: &str,
        now: i64,
    ) -> Option<Result<(Link, String), String>> {
        let connected = self.accounts.get(account).is_some_and(|account| account.authorized);
        let link = self.links.get_mut(token).filter(|link| link.account == account)?;
        if link.state != State::Fresh || now >= link.expires_at || !connected {
            link.state = State::Done;
            return Some(Err(link.refresh_url.clone()));
        }
        let visit = key::random("");
        link.state = State::Open { visit: visit.clone(), until: now + VISIT_SECONDS };
        Some(Ok((link.clone(), visit)))
    }

    /// Ends the visit that the form proves; the rest is as with [`Stripe::open_link`].
    pub(super) fn close_link(
        &mut self,
        token: &str,
        account: &str,
        proof: &str,
        now: i64,
    ) -> Option<Result<Link, String>> {
        let connected = self.accounts.get(account).is_some_and(|account| account.authorized);
        let link = self.links.get_mut(token).filter(|link| link.account == account)?;
        let State::Open { visit, until } = &link.state else { return Some(Err(link.refresh_url.clone())) };
        let good = visit == proof && now < *until && connected;
        if !good {
            return Some(Err(link.refresh_url.clone()));
        }
        link.state = State::Done;
        Some(Ok(link.clone()))
    }
}
