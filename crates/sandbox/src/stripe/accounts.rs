//! `/v1/accounts`: connected accounts of who asks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::account::{Account, currency_of};
use super::call::Work;
use super::event::Cause;
use super::form::Form;
use super::listing;
use super::problem::Problem;
use super::requirements::Requirements;
use super::shelf::new_id;

/// What a new account takes.
pub(super) const CREATE: &[&str] = &[
    "type",
    "country",
    "email",
    "business_type",
    "business_profile[mcc]",
    "business_profile[name]",
    "business_profile[product_description]",
    "business_profile[support_email]",
    "business_profile[support_phone]",
    "business_profile[support_url]",
    "business_profile[url]",
    "capabilities[card_payments][requested]",
    "capabilities[transfers][requested]",
    "metadata[*]",
];

/// What can be changed.
pub(super) const UPDATE: &[&str] = &[
    "email",
    "business_type",
    "business_profile[mcc]",
    "business_profile[name]",
    "business_profile[product_description]",
    "business_profile[support_email]",
    "business_profile[support_phone]",
    "business_profile[support_url]",
    "business_profile[url]",
    "capabilities[card_payments][requested]",
    "capabilities[transfers][requested]",
    "metadata[*]",
];

const BUSINESS_TYPES: &[&str] = &["company", "government_entity", "individual", "non_profit"];
const CAPABILITIES: [&str; 2] = ["card_payments", "transfers"];

/// What both of them set.
struct Details<'a> {
    email: Option<&'a str>,
    business_type: Option<&'static str>,
    capabilities: Vec<(&'static str, bool)>,
}

impl<'a> Details<'a> {
    fn read(form: &'a Form) -> Result<Self, Problem> {
        let email = form.text("email")?;
        if email.is_some_and(|email| !is_address(email)) {
            return Err(Problem::invalid("This is no email address.").with_code("email_invalid").at("email"));
        }
        let mut capabilities = Vec::new();
        for name in CAPABILITIES {
            if let Some(requested) = form.boolean(&format!("capabilities[{name}][requested]"))? {
                capabilities.push((name, requested));
            }
        }
        let business_type = form.choice("business_type", BUSINESS_TYPES)?;
        Ok(Self { email, business_type, capabilities })
    }

    fn apply(self, form: &Form, account: &mut Account) {
        if let Some(email) = self.email {
            account.email = Some(email.to_owned());
        }
        account.business_type = self.business_type.or(account.business_type);
        for (name, requested) in self.capabilities {
            if requested {
                account.capabilities.insert(name.to_owned());
            } else {
                account.capabilities.remove(name);
            }
        }
        for (name, value) in form.below("business_profile") {
            if value.is_empty() {
                account.business_profile.remove(name);
            } else {
                account.business_profile.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// `POST /v1/accounts`.
pub(super) fn create(work: &mut Work<'_>) -> Result<Value, Problem> {
    let form = work.form;
    let kind = form.choice("type", &["custom", "express", "standard"])?.unwrap_or("standard");
    let country = form.text("country")?.unwrap_or("US");
    if currency_of(country).is_none() {
        let message = "This is not the code of a country whose businesses can have an account here.";
        return Err(Problem::invalid(message).with_code("country_unsupported").at("country"));
    }
    let details = Details::read(form)?;
    let mut metadata = BTreeMap::new();
    form.change_metadata(&mut metadata)?;
    if work.actor.account.is_some() {
        return Err(Problem::invalid("Only a platform can create connected accounts.").in_work());
    }
    let mut account = Account {
        id: new_id("acct_"),
        platform: work.actor.platform.clone(),
        authorized: true,
        kind,
        country: country.to_owned(),
        email: None,
        business_type: None,
        business_profile: BTreeMap::new(),
        metadata,
        capabilities: BTreeSet::new(),
        created: work.cause.now,
        details_submitted: false,
        charges_enabled: false,
        payouts_enabled: false,
        requirements: Requirements::of_a_new_account(),
    };
    if kind != "custom" {
        account.capabilities.extend(CAPABILITIES.map(str::to_owned));
    }
    details.apply(form, &mut account);
    let answer = account.json();
    work.about = Some(account.id.clone());
    work.stripe.accounts.insert(account.id.clone(), account);
    Ok(answer)
}

/// `GET /v1/account`: the connected account that `Stripe-Account` names, or the platform's own.
pub(super) fn retrieve_own(work: &mut Work<'_>) -> Result<Value, Problem> {
    if let Some(id) = &work.actor.account {
        let found = work.stripe.account(&work.actor.platform, id);
        return found.map(Account::json).ok_or_else(|| Problem::foreign_account(id));
    }
    let id = work.actor.platform.clone();
    let name = work.stripe.control.name_of(&id).to_owned();
    let platform = Account {
        platform: id.clone(),
        id,
        authorized: true,
        kind: "standard",
        country: "EE".to_owned(),
        email: None,
        business_type: Some("company"),
        business_profile: BTreeMap::from([("name".to_owned(), name)]),
        metadata: BTreeMap::new(),
        capabilities: CAPABILITIES.map(str::to_owned).into(),
        created: 0,
        details_submitted: true,
        charges_enabled: true,
        payouts_enabled: true,
        requirements: Requirements::default(),
    };
    let mut answer = platform.json();
    answer["controller"] = json!({"type": "account"});
    Ok(answer)
}

/// `GET /v1/accounts/{account}`.
pub(super) fn retrieve(work: &mut Work<'_>) -> Result<Value, Problem> {
    if work.id == work.actor.owner() {
        return retrieve_own(work);
    }
    own(work).map(Account::json)
}

/// `POST /v1/accounts/{account}`.
pub(super) fn update(work: &mut Work<'_>) -> Result<Value, Problem> {
    let form = work.form;
    let details = Details::read(form)?;
    let mut metadata = own(work)?.metadata.clone();
    form.change_metadata(&mut metadata)?;
    let changed = work.stripe.change_account(&work.cause, work.id, |account| {
        account.metadata = metadata;
        details.apply(form, account);
    });
    changed.ok_or_else(|| Problem::foreign_account(work.id))
}

/// `DELETE /v1/accounts/{account}`.
pub(super) fn delete(work: &mut Work<'_>) -> Result<Value, Problem> {
    own(work)?;
    work.stripe.accounts.remove(work.id);
    Ok(json!({"id": work.id, "object": "account", "deleted": true}))
}

/// `GET /v1/accounts`.
pub(super) fn list(work: &mut Work<'_>) -> Result<Value, Problem> {
    let owner = work.actor.owner();
    let own = work.stripe.accounts.newest_first();
    let own = own.filter(|(_, account)| account.platform == owner && account.authorized);
    listing::page(work.form, "/v1/accounts", own, Account::json)
}

/// Deauthorizes an account on its owner's behalf, as a person does in Stripe's dashboard.
pub(super) fn deauthorize(stripe: &mut super::Stripe, cause: &Cause, id: &str) -> Option<String> {
    let account = stripe.accounts.get_mut(id).filter(|account| account.authorized)?;
    account.authorized = false;
    let platform = account.platform.clone();
    let name = stripe.control.name_of(&platform).to_owned();
    let application = json!({"id": platform.replace("acct_", "ca_"), "object": "application", "name": name});
    let data = json!({"object": application});
    Some(stripe.happen(cause, &platform, Some(id), "account.application.deauthorized", &data))
}

fn own<'a>(work: &'a mut Work<'_>) -> Result<&'a Account, Problem> {
    let (owner, id) = (work.actor.owner(), work.id);
    work.about = Some(super::form::shortened(id));
    work.stripe.account(owner, id).ok_or_else(|| Problem::foreign_account(id))
}

/// Something before and something behind one `@`, without spaces: what a mail server says of it is another matter.
fn is_address(text: &str) -> bool {
    text.len() <= 254
        && !text.contains(char::is_whitespace)
        && text
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'))
}
