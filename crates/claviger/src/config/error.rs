use std::fmt::Display;

/// A configuration that can't be used; the text is the whole message for a person.
#[derive(Debug, thiserror::Error)]
#[error("{place}{}: {what}\n  mend: {mend}", key.as_ref().map(|key| format!(": {key}")).unwrap_or_default())]
pub struct ConfigError {
    /// Where: `claviger.toml:12`, `environment variable …`, `--data-dir`.
    pub place: String,
    /// Which setting.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub mend: String,
}

impl ConfigError {
    /// A setting whose value can't be used, found after the layers became one.
    pub fn setting(key: &str, what: impl Display, mend: impl Display) -> Self {
        Self {
            place: "configuration".to_owned(),
            key: Some(key.to_owned()),
            what: what.to_string(),
            mend: mend.to_string(),
        }
    }
}
