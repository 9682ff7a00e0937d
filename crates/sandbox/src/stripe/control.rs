//! How the simulator is told to behave: the document of `/control/stripe`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::endpoint::Endpoint;
use super::settings::{DEFAULT_PLATFORM, Fail, Settings, Webhook};
use crate::control::Refusal;

const DEFAULT_SECRET_KEY: &str = "sk_test_sandbox";

const MAX_PLATFORMS: usize = 100;
const MAX_TEXT: usize = 200;

/// Everything that the control decides.
#[derive(Debug, Clone)]
pub(super) struct Control {
    pub(super) settings: Settings,
    fail: Option<Fail>,
    pub(super) webhook: Option<Webhook>,
    platforms: BTreeMap<String, Platform>,
}

/// Somebody with a secret key, who has connected accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Platform {
    pub(super) name: String,
    /// Never shown, so it may be left out of a platform that is there already.
    #[serde(default, skip_serializing)]
    secret_key: Option<String>,
}

impl Default for Control {
    fn default() -> Self {
        let own =
            Platform { name: "Sandbox platform".to_owned(), secret_key: Some(DEFAULT_SECRET_KEY.to_owned()) };
        Self {
            settings: Settings::default(),
            fail: None,
            webhook: None,
            platforms: BTreeMap::from([(DEFAULT_PLATFORM.to_owned(), own)]),
        }
    }
}

impl Control {
    /// The platform whose key this is.
    pub(super) fn platform_of(&self, secret_key: &str) -> Option<&str> {
        let found = self.platforms.iter().find(|(_, own)| own.secret_key.as_deref() == Some(secret_key));
        found.map(|(id, _)| id.as_str())
    }

    /// What people read of it.
    pub(super) fn name_of<'a>(&'a self, platform: &'a str) -> &'a str {
        self.platforms.get(platform).map_or(platform, |own| own.name.as_str())
    }

    /// The failure that a call meets, which is one fewer to come.
    pub(super) fn take_failure(&mut self, endpoint: Endpoint) -> Option<Fail> {
        let pending = self.fail.as_mut().filter(|fail| fail.endpoints.contains(&endpoint))?;
        let taken = pending.clone();
        pending.times -= 1;
        if pending.times == 0 {
            self.fail = None;
        }
        Some(taken)
    }

    /// The document.
    pub(super) fn show(&self) -> Value {
        let mut document = json!(self.settings);
        document["fail"] = json!(self.fail);
        document["webhook"] = json!(self.webhook);
        document["platforms"] = json!(self.platforms);
        document
    }

    /// Changes what `change` names, wholly or not at all.
    pub(super) fn change(&mut self, change: Map<String, Value>) -> Result<(), Refusal> {
        let mut next = self.clone();
        for (member, value) in change {
            let result = match member.as_str() {
                "fail" => next.change_fail(value),
                "webhook" => next.change_webhook(value),
                "platforms" => next.change_platforms(value),
                _ => next.change_setting(&member, value),
            };
            result
                .map_err(|problem| Refusal::Member { member: member.chars().take(64).collect(), problem })?;
        }
        if let Some(webhook) = &next.webhook
            && !next.platforms.contains_key(&webhook.platform)
        {
            let problem = "no platform has this id".to_owned();
            return Err(Refusal::Member { member: "webhook".to_owned(), problem });
        }
        *self = next;
        Ok(())
    }

    fn change_setting(&mut self, member: &str, value: Value) -> Result<(), String> {
        let mut document = json!(self.settings);
        document[member] = value;
        self.settings = read(document)?;
        Ok(())
    }

    fn change_fail(&mut self, value: Value) -> Result<(), String> {
        let fail: Option<Fail> = read(value)?;
        if fail.as_ref().is_some_and(|fail| fail.endpoints.is_empty()) {
            return Err("`endpoints` names at least one, or is left out".to_owned());
        }
        // Failing no times is not failing.
        self.fail = fail.filter(|fail| fail.times > 0);
        Ok(())
    }

    fn change_webhook(&mut self, value: Value) -> Result<(), String> {
        let mut webhook: Option<Webhook> = read(value)?;
        if let Some(webhook) = &mut webhook {
            if webhook.secret.as_ref().is_some_and(|secret| secret.is_empty() || secret.len() > MAX_TEXT) {
                return Err("`secret` has 1 to 200 characters".to_owned());
            }
            let before = self.webhook.as_ref().and_then(|before| before.secret.clone());
            webhook.secret = webhook.secret.take().or(before);
        }
        self.webhook = webhook;
        Ok(())
    }

    fn change_platforms(&mut self, value: Value) -> Result<(), String> {
        let platforms: BTreeMap<String, Platform> = read(value)?;
        for (id, mut platform) in platforms {
            let digits = id.strip_prefix("acct_").unwrap_or_default();
            if digits.is_empty() || id.len() > 64 || !digits.chars().all(|c| c.is_ascii_alphanumeric()) {
                return Err("an id is `acct_` and up to 59 letters and digits".to_owned());
            }
            let before = self.platforms.get(&id).and_then(|before| before.secret_key.clone());
            let key = platform.secret_key.take().or(before).ok_or("a new platform needs a `secretKey`")?;
            let plain = key.chars().all(|c| c.is_ascii_graphic());
            if !key.starts_with("sk_test_")
                || key.len() > MAX_TEXT
                || !plain
                || platform.name.len() > MAX_TEXT
            {
                let problem =
                    "a `secretKey` begins with `sk_test_`; it and the name have at most 200 characters";
                return Err(problem.to_owned());
            }
            if self.platform_of(&key).is_some_and(|other| other != id) {
                return Err("another platform has this `secretKey`".to_owned());
            }
            platform.secret_key = Some(key);
            self.platforms.insert(id, platform);
        }
        if self.platforms.len() > MAX_PLATFORMS {
            return Err(format!("there is room for {MAX_PLATFORMS} platforms"));
        }
        Ok(())
    }
}

fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}
