//! A subject's short-lived right to use a page, and the invitation that brings a person there.

use serde::{Deserialize, Serialize};

/// Which page a portal session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortalPage {
    /// Connect your tools.
    Onboarding,
    /// See what is connected, connect again, disconnect.
    Settings,
    /// Get paid through Stripe.
    Stripe,
}

impl PortalPage {
    /// The page's word in rows and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Onboarding => "onboarding",
            Self::Settings => "settings",
            Self::Stripe => "stripe",
        }
    }

    /// Whether tools are connected there. Whoever may open one of these pages may open the other.
    pub const fn is_about_tools(self) -> bool {
        matches!(self, Self::Onboarding | Self::Settings)
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Onboarding, Self::Settings, Self::Stripe].into_iter().find(|page| page.word() == word)
    }
}

/// What became of the mail of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailStatus {
    /// Not sent yet; it is tried again by itself.
    Pending,
    /// The mail server took it.
    Sent,
    /// The mail server refused it for good.
    Refused,
    /// It could not be sent in time.
    Abandoned,
}

impl MailStatus {
    const ALL: [Self; 4] = [Self::Pending, Self::Sent, Self::Refused, Self::Abandoned];

    /// The status' word in rows and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
        }
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}
