//! What is still wanted of a connected account.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Value, json};

/// What a new account still has to tell.
const DUE: [&str; 4] = ["business_type", "external_account", "tos_acceptance.date", "tos_acceptance.ip"];
/// What is being verified when everything was submitted.
const VERIFIED: [&str; 1] = ["individual.verification.document"];

/// Longer and more than any requirement.
const MAX_REQUIREMENTS: usize = 50;
const MAX_REQUIREMENT: usize = 200;

/// What is still wanted of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Requirements {
    #[serde(deserialize_with = "names")]
    currently_due: Vec<String>,
    #[serde(deserialize_with = "names")]
    past_due: Vec<String>,
    #[serde(deserialize_with = "names")]
    pending_verification: Vec<String>,
    #[serde(deserialize_with = "reason")]
    disabled_reason: Option<String>,
}

impl Requirements {
    /// Those of a new account.
    pub(super) fn of_a_new_account() -> Self {
        let due: Vec<String> = DUE.map(str::to_owned).into();
        let disabled_reason = Some("requirements.past_due".to_owned());
        Self { currently_due: due.clone(), past_due: due, pending_verification: Vec::new(), disabled_reason }
    }

    /// Those of an account that submitted everything.
    pub(super) fn of_a_verification() -> Self {
        Self {
            pending_verification: VERIFIED.map(str::to_owned).into(),
            disabled_reason: Some("requirements.pending_verification".to_owned()),
            ..Self::default()
        }
    }

    /// As Stripe writes them.
    pub(super) fn json(&self) -> Value {
        json!({
            "alternatives": [],
            "current_deadline": null,
            "currently_due": self.currently_due,
            "disabled_reason": self.disabled_reason,
            "errors": [],
            "eventually_due": self.currently_due,
            "past_due": self.past_due,
            "pending_verification": self.pending_verification,
        })
    }
}

fn names<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(input)?;
    if names.len() > MAX_REQUIREMENTS || names.iter().any(|name| name.len() > MAX_REQUIREMENT) {
        return Err(de::Error::custom("at most 50 names of at most 200 characters"));
    }
    Ok(names)
}

fn reason<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let reason = Option::<String>::deserialize(input)?;
    if reason.as_ref().is_some_and(|reason| reason.len() > MAX_REQUIREMENT) {
        return Err(de::Error::custom("at most 200 characters"));
    }
    Ok(reason)
}
