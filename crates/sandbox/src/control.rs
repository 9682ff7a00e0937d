//! The control document: settings for everybody, settings of one app, failures to come, and the registered apps.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::app::{App, DEFAULT_CLIENT_ID};
use crate::call::Endpoint;
use crate::failure::Fail;
use crate::profile::{Profile, Site};
use crate::settings::{Settings, TokenFormat};

/// How many apps may be registered.
const MAX_APPS: usize = 1000;

/// Everything that the control decides.
#[derive(Clone)]
pub(crate) struct Control {
    settings: Settings,
    fail: Option<Fail>,
    apps: BTreeMap<String, App>,
    overrides: BTreeMap<String, Override>,
}

/// What one app has of its own.
#[derive(Clone)]
struct Override {
    /// Only what was named for this app, so that a later change for everybody reaches the rest.
    members: Map<String, Value>,
    /// The settings of everybody with `members` laid over them.
    settings: Settings,
    fail: Option<Fail>,
}

/// Why a change was refused. Nothing of it was applied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no app is registered as `{0}`")]
    UnknownApp(String),
    #[error("`{member}`: {problem}")]
    Member { member: String, problem: String },
}

impl Default for Control {
    fn default() -> Self {
        let settings = Settings::default();
        let mut apps = BTreeMap::from([(DEFAULT_CLIENT_ID.to_owned(), App::well_known())]);
        let mut overrides = BTreeMap::new();
        for profile in Profile::ALL {
            let own = Override::of(profile, &settings).expect("a test reads every profile's settings");
            apps.insert(profile.name().to_owned(), App::at(profile));
            overrides.insert(profile.name().to_owned(), own);
        }
        Self { settings, fail: None, apps, overrides }
    }
}

impl Override {
    /// What an app has of its own because of its provider.
    fn of(profile: Profile, everybody: &Settings) -> Result<Self, Refusal> {
        let members = profile.settings();
        Ok(Self { settings: laid_over(everybody, &members)?, members, fail: None })
    }
}

impl Control {
    /// The app, if it is registered with this provider, or with the sandbox itself.
    pub(crate) fn app_at(&self, client_id: &str, site: Option<&Site>) -> Option<&App> {
        let app = self.apps.get(client_id)?;
        let here = match (site, app.profile) {
            (None, None) => true,
            (Some(site), Some(profile)) => site.admits(profile),
            _ => false,
        };
        here.then_some(app)
    }

    /// The settings towards this app, or towards somebody unknown.
    pub(crate) fn settings(&self, client_id: Option<&str>) -> &Settings {
        client_id.and_then(|id| self.overrides.get(id)).map_or(&self.settings, |own| &own.settings)
    }

    /// The failure that this call meets, which is one fewer to come; an app's own comes before everybody's.
    pub(crate) fn take_failure(&mut self, client_id: Option<&str>, endpoint: Endpoint) -> Option<Fail> {
        let own = client_id.and_then(|id| self.overrides.get_mut(id)).map(|own| &mut own.fail);
        own.into_iter().chain([&mut self.fail]).find_map(|fail| take_from(fail, endpoint))
    }

    /// The document, for one app with what is in force for it.
    pub(crate) fn show(&self, client_id: Option<&str>) -> Result<Value, Refusal> {
        let client_id = client_id.map(|id| self.known(id)).transpose()?;
        let mut document = members_of(self.settings(client_id));
        let own = client_id.and_then(|id| self.overrides.get(id)).and_then(|own| own.fail.as_ref());
        document.insert("fail".to_owned(), json!(own.or(self.fail.as_ref())));
        if client_id.is_none() {
            document.insert("apps".to_owned(), json!(self.apps));
        }
        Ok(Value::Object(document))
    }

    /// Changes what `change` names, wholly or not at all.
    pub(crate) fn change(
        &mut self,
        client_id: Option<&str>,
        change: Map<String, Value>,
    ) -> Result<(), Refusal> {
        let mut next = self.clone();
        match client_id {
            None => next.change_everybody(change)?,
            Some(client_id) => next.change_one(client_id, change)?,
        }
        *self = next;
        Ok(())
    }

    fn change_everybody(&mut self, mut change: Map<String, Value>) -> Result<(), Refusal> {
        if let Some(apps) = change.remove("apps") {
            self.register(apps)?;
        }
        if let Some(fail) = change.remove("fail") {
            self.fail = read_fail(fail)?;
        }
        self.settings = laid_over(&self.settings, &change)?;
        fits(None, &self.settings)?;
        for own in self.overrides.values_mut() {
            own.settings = laid_over(&self.settings, &own.members)?;
        }
        Ok(())
    }

    fn change_one(&mut self, client_id: &str, mut change: Map<String, Value>) -> Result<(), Refusal> {
        self.known(client_id)?;
        let own = self.overrides.entry(client_id.to_owned()).or_insert_with(|| Override {
            members: Map::new(),
            settings: self.settings.clone(),
            fail: None,
        });
        if let Some(fail) = change.remove("fail") {
            own.fail = read_fail(fail)?;
        }
        own.settings = laid_over(&own.settings, &change)?;
        fits(self.apps.get(client_id).and_then(|app| app.profile), &own.settings)?;
        own.members.extend(change);
        Ok(())
    }

    fn register(&mut self, apps: Value) -> Result<(), Refusal> {
        let refused = |problem: String| Refusal::Member { member: "apps".to_owned(), problem };
        let Value::Object(apps) = apps else {
            return Err(refused("this must be an object with an app for each client id".to_owned()));
        };
        for (client_id, value) in apps {
            let names_secret = value.get("clientSecret").is_some();
            let mut app: App =
                serde_json::from_value(value).map_err(|error| refused(format!("`{client_id}`: {error}")))?;
            // The document shows no secret, so putting it back as it was read must keep them.
            if !names_secret {
                let registered = self.apps.get(&client_id).ok_or_else(|| {
                    refused(format!(
                        "`{client_id}` is new and needs a `clientSecret`, null for a public client"
                    ))
                })?;
                app.client_secret.clone_from(&registered.client_secret);
            }
            app.check(&client_id).map_err(refused)?;
            if app.profile != self.apps.get(&client_id).and_then(|registered| registered.profile) {
                match app.profile {
                    Some(profile) => {
                        let own = Override::of(profile, &self.settings)?;
                        self.overrides.insert(client_id.clone(), own);
                    }
                    None => drop(self.overrides.remove(&client_id)),
                }
            }
            self.apps.insert(client_id, app);
        }
        if self.apps.len() > MAX_APPS {
            return Err(refused(format!("there is room for {MAX_APPS} apps")));
        }
        Ok(())
    }

    fn known<'a>(&self, client_id: &'a str) -> Result<&'a str, Refusal> {
        if self.apps.contains_key(client_id) {
            return Ok(client_id);
        }
        Err(Refusal::UnknownApp(client_id.chars().take(128).collect()))
    }
}

fn take_from(fail: &mut Option<Fail>, endpoint: Endpoint) -> Option<Fail> {
    let pending = fail.as_mut().filter(|fail| fail.concerns(endpoint))?;
    let taken = pending.clone();
    pending.times -= 1;
    if pending.times == 0 {
        *fail = None;
    }
    Some(taken)
}

/// `settings` with the named members changed. One member at a time, so that an error tells which one it is about.
fn laid_over(settings: &Settings, change: &Map<String, Value>) -> Result<Settings, Refusal> {
    let mut document = members_of(settings);
    let mut changed = settings.clone();
    for (member, value) in change {
        document.insert(member.clone(), value.clone());
        changed = serde_json::from_value(Value::Object(document.clone())).map_err(|error| {
            let member = member.chars().take(64).collect();
            Refusal::Member { member, problem: error.to_string() }
        })?;
    }
    Ok(changed)
}

/// Refuses settings that nothing would heed.
fn fits(profile: Option<Profile>, settings: &Settings) -> Result<(), Refusal> {
    let refused = |member: &str, problem: &str| {
        Err(Refusal::Member { member: member.to_owned(), problem: problem.to_owned() })
    };
    if profile.is_some() && settings.token_format != TokenFormat::Json {
        return refused("tokenFormat", "an app with a profile is answered as its provider does");
    }
    if profile != Some(Profile::Zoho) {
        for (member, set) in [
            ("location", settings.location.is_some()),
            ("accountsServer", settings.accounts_server.is_some()),
        ] {
            if set {
                return refused(member, "only an app with the profile zoho can have one");
            }
        }
    }
    Ok(())
}

fn members_of(settings: &Settings) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(members)) => members,
        _ => unreachable!("a struct with text keys is a JSON object"),
    }
}

fn read_fail(value: Value) -> Result<Option<Fail>, Refusal> {
    let refused = |problem: String| Refusal::Member { member: "fail".to_owned(), problem };
    let fail: Option<Fail> = serde_json::from_value(value).map_err(|error| refused(error.to_string()))?;
    if fail.as_ref().is_some_and(|fail| fail.endpoints.is_empty()) {
        return Err(refused("`endpoints` names at least one, or is left out".to_owned()));
    }
    // Failing no times is not failing.
    Ok(fail.filter(|fail| fail.times > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(control: &mut Control, app: Option<&str>, change: Value) -> Result<(), Refusal> {
        let Value::Object(change) = change else { panic!("a change is an object") };
        control.change(app, change)
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let mut control = Control::default();
        changed(&mut control, None, json!({"rotation": "leeway", "leeway": 5})).unwrap();
        let mut expected = Control::default().show(None).unwrap();
        expected["rotation"] = json!("leeway");
        expected["leeway"] = json!(5);
        assert_eq!(control.show(None).unwrap(), expected);
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let mut control = Control::default();
        let before = control.show(None).unwrap();
        let refusal =
            changed(&mut control, None, json!({"leeway": 5, "apps": {}, "rotation": 7})).unwrap_err();
        assert!(refusal.to_string().starts_with("`rotation`: "), "{refusal}");
        assert_eq!(control.show(None).unwrap(), before);
    }

    #[test]
    fn an_apps_own_settings_stay_when_everybodys_change() {
        let mut control = Control::default();
        changed(&mut control, Some("claviger"), json!({"leeway": 5})).unwrap();
        changed(&mut control, None, json!({"leeway": 9, "latency": 3})).unwrap();
        let own = control.settings(Some("claviger"));
        assert_eq!((own.leeway, own.latency), (5, 3));
        assert_eq!(control.settings(None).leeway, 9);
    }

    #[test]
    fn failures_are_counted_and_an_apps_own_come_first() {
        let mut control = Control::default();
        changed(&mut control, None, json!({"fail": {"kind": 500}})).unwrap();
        changed(&mut control, Some("claviger"), json!({"fail": {"kind": "garbage", "times": 2}})).unwrap();
        let mut kinds = Vec::new();
        while let Some(fail) = control.take_failure(Some("claviger"), Endpoint::Token) {
            kinds.push(fail.kind.name());
        }
        assert_eq!(kinds, ["garbage", "garbage", "500"]);
    }

    #[test]
    fn a_failure_leaves_other_endpoints_alone() {
        let mut control = Control::default();
        changed(&mut control, None, json!({"fail": {"kind": 500, "endpoints": ["userinfo"]}})).unwrap();
        assert_eq!(control.take_failure(None, Endpoint::Token), None);
        assert!(control.take_failure(None, Endpoint::Userinfo).is_some());
    }

    #[test]
    fn putting_the_document_back_keeps_the_secrets_that_it_does_not_show() {
        let mut control = Control::default();
        let Value::Object(document) = control.show(None).unwrap() else { panic!("an object") };
        assert!(!Value::Object(document.clone()).to_string().contains("sandbox-secret"));
        control.change(None, document).unwrap();
        assert_eq!(
            control.app_at("claviger", None).unwrap().client_secret.as_deref(),
            Some("sandbox-secret")
        );
    }
}
