//! What one consent yielded.

use serde::{Deserialize, Serialize};

/// The account at the provider that a credential acts for, as its userinfo names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The provider's own stable id of the account.
    pub id: String,
    /// What a person recognises: usually the mail address or the login.
    pub name: Option<String>,
}
