//! Connected accounts: what is known of one, and how it changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::Stripe;
use super::event::{Cause, previous_attributes};
use super::requirements::Requirements;

/// Countries whose businesses can have an account here, with their currency.
const COUNTRIES: [(&str, &str); 36] = [
    ("AT", "eur"),
    ("AU", "aud"),
    ("BE", "eur"),
    ("BG", "eur"),
    ("CA", "cad"),
    ("CH", "chf"),
    ("CY", "eur"),
    ("CZ", "czk"),
    ("DE", "eur"),
    ("DK", "dkk"),
    ("EE", "eur"),
    ("ES", "eur"),
    ("FI", "eur"),
    ("FR", "eur"),
    ("GB", "gbp"),
    ("GR", "eur"),
    ("HR", "eur"),
    ("HU", "huf"),
    ("IE", "eur"),
    ("IT", "eur"),
    ("JP", "jpy"),
    ("LT", "eur"),
    ("LU", "eur"),
    ("LV", "eur"),
    ("MT", "eur"),
    ("NL", "eur"),
    ("NO", "nok"),
    ("NZ", "nzd"),
    ("PL", "pln"),
    ("PT", "eur"),
    ("RO", "ron"),
    ("SE", "sek"),
    ("SI", "eur"),
    ("SK", "eur"),
    ("SG", "sgd"),
    ("US", "usd"),
];

/// The currency of a country, if its businesses can have an account.
pub(super) fn currency_of(country: &str) -> Option<&'static str> {
    COUNTRIES.iter().find(|(code, _)| *code == country).map(|(_, currency)| *currency)
}

/// A connected account.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "Stripe's own members")]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) platform: String,
    /// Whether the platform still has access.
    pub(super) authorized: bool,
    pub(super) kind: &'static str,
    pub(super) country: String,
    pub(super) email: Option<String>,
    pub(super) business_type: Option<&'static str>,
    pub(super) business_profile: BTreeMap<String, String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) capabilities: BTreeSet<String>,
    pub(super) created: i64,
    pub(super) details_submitted: bool,
    pub(super) charges_enabled: bool,
    pub(super) payouts_enabled: bool,
    pub(super) requirements: Requirements,
}

/// What the control changes of an account; what is left out stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Change {
    details_submitted: Option<bool>,
    charges_enabled: Option<bool>,
    payouts_enabled: Option<bool>,
    requirements: Option<Requirements>,
}

/// How a person left the onboarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Complete,
    Pending,
    Incomplete,
}

impl Account {
    /// As Stripe writes it.
    pub(super) fn json(&self) -> Value {
        let mut profile = json!({
            "annual_revenue": null, "estimated_worker_count": null, "mcc": null, "name": null,
            "product_description": null, "support_address": null, "support_email": null, "support_phone": null,
            "support_url": null, "url": null,
        });
        for (name, value) in &self.business_profile {
            profile[name] = json!(value);
        }
        let state = if self.charges_enabled { "active" } else { "inactive" };
        let capabilities: BTreeMap<_, _> = self.capabilities.iter().map(|name| (name, state)).collect();
        json!({
            "id": self.id,
            "object": "account",
            "business_profile": profile,
            "business_type": self.business_type,
            "capabilities": capabilities,
            "charges_enabled": self.charges_enabled,
            "controller": {"type": "application", "is_controller": true},
            "country": self.country,
            "created": self.created,
            "default_currency": currency_of(&self.country),
            "details_submitted": self.details_submitted,
            "email": self.email,
            "external_accounts": {
                "object": "list", "data": [], "has_more": false,
                "url": format!("/v1/accounts/{}/external_accounts", self.id),
            },
            "future_requirements": Requirements::default().json(),
            "metadata": self.metadata,
            "payouts_enabled": self.payouts_enabled,
            "requirements": self.requirements.json(),
            "settings": settings(),
            "tos_acceptance": {"date": null},
            "type": self.kind,
        })
    }

    /// Whether money can be sent there.
    pub(super) fn takes_transfers(&self) -> bool {
        self.charges_enabled && self.capabilities.contains("transfers")
    }

    /// What a person does on the onboarding page.
    pub(super) fn onboard(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Incomplete => {}
            Outcome::Complete => {
                self.details_submitted = true;
                self.charges_enabled = true;
                self.payouts_enabled = true;
                self.business_type = self.business_type.or(Some("individual"));
                self.requirements = Requirements::default();
            }
            Outcome::Pending => {
                self.details_submitted = true;
                self.charges_enabled = false;
                self.payouts_enabled = false;
                self.business_type = self.business_type.or(Some("individual"));
                self.requirements = Requirements::of_a_verification();
            }
        }
    }

    /// What the control wants.
    pub(super) fn apply(&mut self, change: Change) {
        self.details_submitted = change.details_submitted.unwrap_or(self.details_submitted);
        self.charges_enabled = change.charges_enabled.unwrap_or(self.charges_enabled);
        self.payouts_enabled = change.payouts_enabled.unwrap_or(self.payouts_enabled);
        if let Some(requirements) = change.requirements {
            self.requirements = requirements;
        }
    }
}

impl Stripe {
    /// The account, if it exists and the platform has access.
    pub(super) fn account(&self, platform: &str, id: &str) -> Option<&Account> {
        self.accounts.get(id).filter(|account| account.platform == platform && account.authorized)
    }

    /// Changes an account, and tells of it where anything is other than before.
    pub(super) fn change_account(
        &mut self,
        cause: &Cause,
        id: &str,
        change: impl FnOnce(&mut Account),
    ) -> Option<Value> {
        let account = self.accounts.get_mut(id)?;
        let before = account.json();
        change(account);
        let after = account.json();
        let platform = account.platform.clone();
        let tell = account.authorized && before != after;
        if tell {
            let previous = previous_attributes(&before, &after);
            let data = json!({"object": after, "previous_attributes": previous});
            self.happen(cause, &platform, Some(id), "account.updated", &data);
        }
        Some(after)
    }
}

fn settings() -> Value {
    json!({
        "bacs_debit_payments": {},
        "branding": {"icon": null, "logo": null, "primary_color": null, "secondary_color": null},
        "card_issuing": {"tos_acceptance": {"date": null, "ip": null}},
        "card_payments": {
            "decline_on": {"avs_failure": false, "cvc_failure": false},
            "statement_descriptor_prefix": null, "statement_descriptor_prefix_kana": null,
            "statement_descriptor_prefix_kanji": null,
        },
        "dashboard": {"display_name": null, "timezone": "Etc/UTC"},
        "payments": {
            "statement_descriptor": null, "statement_descriptor_kana": null, "statement_descriptor_kanji": null,
        },
        "payouts": {
            "debit_negative_balances": true, "schedule": {"delay_days": 2, "interval": "daily"},
            "statement_descriptor": null,
        },
        "sepa_debit_payments": {},
    })
}
