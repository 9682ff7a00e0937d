//! Payment intents: what is known of one, and its life.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::shelf::new_id;

/// Stripe's test payment methods that are played, and how a card declines: its `decline_code`.
const METHODS: [(&str, Option<&str>); 8] = [
    ("pm_card_visa", None),
    ("pm_card_mastercard", None),
    ("pm_card_amex", None),
    ("pm_card_visa_debit", None),
    ("pm_card_chargeDeclined", Some("generic_decline")),
    ("pm_card_visa_chargeDeclined", Some("generic_decline")),
    ("pm_card_chargeDeclinedInsufficientFunds", Some("insufficient_funds")),
    ("pm_card_chargeDeclinedLostCard", Some("lost_card")),
];

/// Where an intent stands. Authentication by the cardholder is not played, so `requires_action` and `processing` never
/// come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresCapture,
    Canceled,
    Succeeded,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresCapture => "requires_capture",
            Self::Canceled => "canceled",
            Self::Succeeded => "succeeded",
        }
    }
}

/// A payment intent.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    pub(super) id: String,
    /// The platform, or the connected account that charges directly.
    pub(super) owner: String,
    pub(super) amount: i64,
    pub(super) amount_received: i64,
    pub(super) currency: String,
    pub(super) status: Status,
    pub(super) manual_capture: bool,
    pub(super) payment_method: Option<String>,
    pub(super) method_types: Vec<String>,
    pub(super) automatic_methods: bool,
    pub(super) application: Option<String>,
    pub(super) application_fee_amount: Option<i64>,
    pub(super) destination: Option<String>,
    pub(super) destination_amount: Option<i64>,
    pub(super) on_behalf_of: Option<String>,
    pub(super) description: Option<String>,
    pub(super) receipt_email: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) created: i64,
    pub(super) canceled_at: Option<i64>,
    pub(super) cancellation_reason: Option<&'static str>,
    pub(super) latest_charge: Option<String>,
    pub(super) last_error: Option<Map<String, Value>>,
    pub(super) secret: String,
}

/// Refuses a payment method that no test card has.
pub(super) fn check_method(id: &str) -> Result<(), Problem> {
    if METHODS.iter().any(|(known, _)| *known == id) {
        return Ok(());
    }
    Err(Problem::no_such_reference("PaymentMethod", id, "payment_method"))
}

impl Intent {
    /// As Stripe writes it.
    pub(super) fn json(&self) -> Value {
        let capturable = if self.status == Status::RequiresCapture { self.amount } else { 0 };
        let automatic = self.automatic_methods.then(|| json!({"allow_redirects": "always", "enabled": true}));
        let transfer = self.destination.as_ref().map(|destination| {
            let mut transfer = json!({"destination": destination});
            if let Some(amount) = self.destination_amount {
                transfer["amount"] = json!(amount);
            }
            transfer
        });
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": capturable,
            "amount_details": {"tip": {}},
            "amount_received": self.amount_received,
            "application": self.application,
            "application_fee_amount": self.application_fee_amount,
            "automatic_payment_methods": automatic,
            "canceled_at": self.canceled_at,
            "cancellation_reason": self.cancellation_reason,
            "capture_method": if self.manual_capture { "manual" } else { "automatic" },
            "client_secret": format!("{}_secret_{}", self.id, self.secret),
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": null,
            "description": self.description,
            "last_payment_error": self.last_error,
            "latest_charge": self.latest_charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": null,
            "on_behalf_of": self.on_behalf_of,
            "payment_method": self.payment_method,
            "payment_method_options": {},
            "payment_method_types": self.method_types,
            "processing": null,
            "receipt_email": self.receipt_email,
            "review": null,
            "setup_future_usage": null,
            "shipping": null,
            "source": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": self.status.name(),
            "transfer_data": transfer,
            "transfer_group": null,
        })
    }

    /// Charges the card, or has it declined.
    pub(super) fn confirm(&mut self, method: Option<&str>) -> Result<(), Problem> {
        if !matches!(self.status, Status::RequiresPaymentMethod | Status::RequiresConfirmation) {
            return Err(self.unexpected("confirm"));
        }
        if let Some(method) = method {
            check_method(method)?;
            self.payment_method = Some(method.to_owned());
        }
        let Some(method) = &self.payment_method else {
            let problem = Problem::invalid("There is no payment method to confirm this PaymentIntent with.");
            return Err(problem
                .with_code("payment_intent_unexpected_state")
                .in_work()
                .with(PAYMENT_INTENT, self.json()));
        };
        self.latest_charge = Some(new_id("ch_"));
        let decline = METHODS.iter().find(|(known, _)| known == method).and_then(|(_, decline)| *decline);
        if let Some(code) = decline {
            let charge = json!(self.latest_charge);
            let problem = Problem::card_declined(code).with("charge", charge);
            self.status = Status::RequiresPaymentMethod;
            self.payment_method = None;
            self.last_error = Some(problem.error());
            return Err(problem.with(PAYMENT_INTENT, self.json()));
        }
        self.last_error = None;
        if self.manual_capture {
            self.status = Status::RequiresCapture;
        } else {
            self.status = Status::Succeeded;
            self.amount_received = self.amount;
        }
        Ok(())
    }

    /// Takes what was authorized, or a part of it.
    pub(super) fn capture(&mut self, amount: Option<i64>) -> Result<(), Problem> {
        if self.status != Status::RequiresCapture {
            return Err(self.unexpected("capture"));
        }
        let amount = amount.unwrap_or(self.amount);
        if amount > self.amount {
            let message = "More was to be captured than was authorized.";
            return Err(Problem::invalid(message)
                .with_code("amount_too_large")
                .at("amount_to_capture")
                .in_work());
        }
        self.status = Status::Succeeded;
        self.amount_received = amount;
        Ok(())
    }

    /// Gives it up.
    pub(super) fn cancel(&mut self, reason: Option<&'static str>, now: i64) -> Result<(), Problem> {
        if matches!(self.status, Status::Canceled | Status::Succeeded) {
            return Err(self.unexpected("cancel"));
        }
        self.status = Status::Canceled;
        self.canceled_at = Some(now);
        self.cancellation_reason = reason;
        Ok(())
    }

    /// The refusal of a deed that the status does not allow.
    pub(super) fn unexpected(&self, deed: &str) -> Problem {
        let status = self.status.name();
        let message = format!("You cannot {deed} a PaymentIntent whose status is {status}.");
        Problem::invalid(message)
            .with_code("payment_intent_unexpected_state")
            .with(PAYMENT_INTENT, self.json())
            .in_work()
    }
}

/// The member of an error that shows the intent.
const PAYMENT_INTENT: &str = "payment_intent";
