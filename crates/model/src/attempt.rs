//! One authorization in flight.

use serde::{Deserialize, Serialize};

/// Where the person stood when the attempt began; failures go back there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The product asked for the URL through the API.
    Api,
    /// The onboarding page.
    Onboarding,
    /// The settings page.
    Settings,
}

impl Origin {
    /// The origin's word in rows and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Onboarding => "onboarding",
            Self::Settings => "settings",
        }
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Api, Self::Onboarding, Self::Settings].into_iter().find(|o| o.word() == word)
    }
}

/// Whether the browser that starts an attempt must be the one that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// By the cookie that the hop sets.
    Cookie,
    /// Not at all: the product asked for the provider's own URL and answers for its browser.
    None,
}
