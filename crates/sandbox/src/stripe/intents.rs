//! `/v1/payment_intents`: payments to the platform, to a connected account through it, or directly to one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::Work;
use super::intent::{Intent, Status, check_method};
use super::listing;
use super::money::{amount, fee};
use super::problem::Problem;
use super::shelf::new_id;

/// What a new intent takes.
pub(super) const CREATE: &[&str] = &[
    "amount",
    "currency",
    "application_fee_amount",
    "automatic_payment_methods[enabled]",
    "capture_method",
    "confirm",
    "description",
    "metadata[*]",
    "on_behalf_of",
    "payment_method",
    "payment_method_types[#]",
    "receipt_email",
    "transfer_data[amount]",
    "transfer_data[destination]",
];
/// What can be changed before it is confirmed.
pub(super) const UPDATE: &[&str] =
    &["amount", "application_fee_amount", "description", "metadata[*]", "payment_method", "receipt_email"];
/// What a confirmation takes.
pub(super) const CONFIRM: &[&str] = &["payment_method", "receipt_email"];
/// What a cancellation takes.
pub(super) const CANCEL: &[&str] = &["cancellation_reason"];
/// What a capture takes.
pub(super) const CAPTURE: &[&str] = &["amount_to_capture"];

const REASONS: &[&str] = &["abandoned", "duplicate", "fraudulent", "requested_by_customer"];

/// `POST /v1/payment_intents`.
pub(super) fn create(work: &mut Work<'_>) -> Result<Value, Problem> {
    let form = work.form;
    let currency = form.required("currency")?.to_ascii_lowercase();
    let amount = amount(form, &currency)?.ok_or_else(|| Problem::missing("amount"))?;
    let manual_capture =
        form.choice("capture_method", &["automatic", "automatic_async", "manual"])? == Some("manual");
    let automatic = form.boolean("automatic_payment_methods[enabled]")?;
    let mut method_types = form.list("payment_method_types");
    if method_types.iter().any(|kind| kind != "card") {
        return Err(Problem::invalid("Only the type card is played here.").at("payment_method_types"));
    }
    if method_types.is_empty() {
        method_types.push("card".to_owned());
    }
    let method = form.text("payment_method")?.map(str::to_owned);
    let confirm = form.boolean("confirm")?.unwrap_or(false);
    let mut metadata = BTreeMap::new();
    form.change_metadata(&mut metadata)?;
    let destination = form.text("transfer_data[destination]")?.map(str::to_owned);
    let destination_amount = form.integer("transfer_data[amount]")?;
    if destination_amount.is_some_and(|part| part < 1 || part > amount) {
        return Err(Problem::invalid("It can't be more than the amount.").at("transfer_data[amount]"));
    }
    let on_behalf_of = form.text("on_behalf_of")?.map(str::to_owned);
    let fee = fee(form, amount)?;
    let direct = work.actor.account.is_some();
    if fee.is_some() && !direct && destination.is_none() {
        let message = "A fee needs transfer_data[destination], or Stripe-Account for a direct payment.";
        return Err(Problem::invalid(message).at("application_fee_amount"));
    }
    if let Some(method) = &method {
        check_method(method)?;
    }
    for (id, name) in [(&destination, "transfer_data[destination]"), (&on_behalf_of, "on_behalf_of")] {
        let Some(id) = id else { continue };
        let connected = work.stripe.account(work.actor.owner(), id);
        let account = connected.ok_or_else(|| Problem::no_such_reference("destination", id, name))?;
        if !account.takes_transfers() {
            let message = "The destination needs the capability transfers.";
            return Err(Problem::invalid(message)
                .with_code("insufficient_capabilities_for_transfer")
                .in_work());
        }
    }
    let mut intent = Intent {
        id: new_id("pi_"),
        owner: work.actor.owner().to_owned(),
        amount,
        amount_received: 0,
        currency,
        status: if method.is_some() { Status::RequiresConfirmation } else { Status::RequiresPaymentMethod },
        manual_capture,
        payment_method: method,
        method_types,
        automatic_methods: automatic == Some(true),
        application: direct.then(|| work.actor.platform.replace("acct_", "ca_")),
        application_fee_amount: fee,
        destination,
        destination_amount,
        on_behalf_of,
        description: form.text("description")?.map(str::to_owned),
        receipt_email: form.text("receipt_email")?.map(str::to_owned),
        metadata,
        created: work.cause.now,
        canceled_at: None,
        cancellation_reason: None,
        latest_charge: None,
        last_error: None,
        secret: new_id(""),
    };
    tell(work, "payment_intent.created", &intent);
    let result = if confirm { confirm_and_tell(work, &mut intent, None) } else { Ok(()) };
    let answer = intent.json();
    work.stripe.intents.insert(intent.id.clone(), intent);
    result.map(|()| answer)
}

/// `GET /v1/payment_intents/{intent}`.
pub(super) fn retrieve(work: &mut Work<'_>) -> Result<Value, Problem> {
    Ok(own(work)?.json())
}

/// `GET /v1/payment_intents`.
pub(super) fn list(work: &mut Work<'_>) -> Result<Value, Problem> {
    let owner = work.actor.owner();
    let own = work.stripe.intents.newest_first().filter(|(_, intent)| intent.owner == owner);
    listing::page(work.form, "/v1/payment_intents", own, Intent::json)
}

/// `POST /v1/payment_intents/{intent}`.
pub(super) fn update(work: &mut Work<'_>) -> Result<Value, Problem> {
    let form = work.form;
    let mut intent = own(work)?;
    let amount = amount(form, &intent.currency)?;
    let money = amount.is_some() || form.text("payment_method")?.is_some();
    if money && !matches!(intent.status, Status::RequiresPaymentMethod | Status::RequiresConfirmation) {
        return Err(intent.unexpected("update the amount or the payment method of"));
    }
    intent.amount = amount.unwrap_or(intent.amount);
    intent.application_fee_amount = fee(form, intent.amount)?.or(intent.application_fee_amount);
    if let Some(method) = form.text("payment_method")? {
        check_method(method)?;
        intent.payment_method = Some(method.to_owned());
        intent.status = Status::RequiresConfirmation;
    }
    if let Some(description) = form.text("description")? {
        intent.description = Some(description.to_owned());
    }
    if let Some(email) = form.text("receipt_email")? {
        intent.receipt_email = Some(email.to_owned());
    }
    form.change_metadata(&mut intent.metadata)?;
    Ok(keep(work, intent))
}

/// `POST /v1/payment_intents/{intent}/confirm`.
pub(super) fn confirm(work: &mut Work<'_>) -> Result<Value, Problem> {
    let form = work.form;
    let mut intent = own(work)?;
    let method = form.text("payment_method")?;
    if let Some(email) = form.text("receipt_email")? {
        intent.receipt_email = Some(email.to_owned());
    }
    let result = confirm_and_tell(work, &mut intent, method);
    // A declined card is remembered too.
    let answer = keep(work, intent);
    result.map(|()| answer)
}

/// `POST /v1/payment_intents/{intent}/capture`.
pub(super) fn capture(work: &mut Work<'_>) -> Result<Value, Problem> {
    let amount = work.form.integer("amount_to_capture")?;
    if amount.is_some_and(|amount| amount < 1) {
        return Err(Problem::invalid("The amount must be positive.").at("amount_to_capture"));
    }
    let mut intent = own(work)?;
    intent.capture(amount)?;
    tell(work, "payment_intent.succeeded", &intent);
    Ok(keep(work, intent))
}

/// `POST /v1/payment_intents/{intent}/cancel`.
pub(super) fn cancel(work: &mut Work<'_>) -> Result<Value, Problem> {
    let reason = work.form.choice("cancellation_reason", REASONS)?;
    let mut intent = own(work)?;
    intent.cancel(reason, work.cause.now)?;
    tell(work, "payment_intent.canceled", &intent);
    Ok(keep(work, intent))
}

fn confirm_and_tell(work: &mut Work<'_>, intent: &mut Intent, method: Option<&str>) -> Result<(), Problem> {
    let before = intent.last_error.clone();
    let result = intent.confirm(method);
    match intent.status {
        Status::Succeeded if result.is_ok() => tell(work, "payment_intent.succeeded", intent),
        Status::RequiresCapture if result.is_ok() => {
            tell(work, "payment_intent.amount_capturable_updated", intent);
        }
        _ if intent.last_error != before => tell(work, "payment_intent.payment_failed", intent),
        _ => {}
    }
    result
}

fn tell(work: &mut Work<'_>, kind: &'static str, intent: &Intent) {
    let actor = work.actor;
    let data = json!({"object": intent.json()});
    work.stripe.happen(&work.cause, &actor.platform, actor.account.as_deref(), kind, &data);
}

fn own(work: &mut Work<'_>) -> Result<Intent, Problem> {
    let found = work.stripe.intents.get(work.id).filter(|intent| intent.owner == work.actor.owner());
    found.cloned().ok_or_else(|| Problem::no_such("payment_intent", work.id, "intent"))
}

fn keep(work: &mut Work<'_>, intent: Intent) -> Value {
    let answer = intent.json();
    work.stripe.intents.insert(intent.id.clone(), intent);
    answer
}
