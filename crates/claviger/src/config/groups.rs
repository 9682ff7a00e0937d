//! `[groups.NAME]`: the members of a group share one app, so its credentials are set once.

use std::collections::{BTreeMap, BTreeSet};

use model::{GroupId, ProviderId};
use provider::catalog::Catalog;
use serde::Deserialize;

use super::duration::HumanDuration;
use super::secret::SecretSource;
use super::{ConfigError, Integration};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Group {
    pub client_id: Option<SecretSource>,
    pub client_secret: Option<SecretSource>,
    pub redirect_uri: Option<String>,
    pub attempt_ttl: Option<HumanDuration>,
    pub members: Option<Vec<String>>,
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// The integrations with what their groups say: members that are not written out come to be, and those that are get the
/// group's app.
pub fn with_groups(
    integrations: &BTreeMap<String, Integration>,
    groups: &BTreeMap<String, Group>,
    catalog: &Catalog,
) -> Result<BTreeMap<String, Integration>, ConfigError> {
    let mut all = integrations.clone();
    for (name, group) in groups {
        let key = format!("groups.{name}");
        let known = name.parse::<GroupId>().ok().filter(|id| catalog.group(id).is_some());
        let id = known.ok_or_else(|| {
            let groups = catalog.groups().map(|group| group.id.to_string()).collect::<Vec<_>>().join(", ");
            ConfigError::setting(&key, "the catalog has no such group", format!("name one of: {groups}"))
        })?;
        let of_group = |name: &str, integration: Option<&Integration>| {
            let provider = integration.and_then(|integration| integration.provider.clone());
            let provider: Option<ProviderId> = provider.or_else(|| name.parse().ok());
            let entry = provider.and_then(|provider| catalog.get(&provider));
            entry.is_some_and(|entry| entry.group.as_ref() == Some(&id))
        };
        let members: BTreeSet<String> = if let Some(members) = &group.members {
            members.iter().cloned().collect()
        } else {
            let written = integrations.iter().filter(|(name, own)| of_group(name, Some(own)));
            let written = written.map(|(name, _)| name.clone());
            written.chain(catalog.members(&id).map(|entry| entry.id.to_string())).collect()
        };
        for member in members {
            let field = format!("{key}.members");
            let own = all.entry(member.clone()).or_default();
            if !of_group(&member, Some(own)) {
                let mend = format!("list members of the group {id} only");
                return Err(ConfigError::setting(&field, format!("{member} is none of its members"), mend));
            }
            take_over(&member, own, group)?;
        }
    }
    Ok(all)
}

fn take_over(name: &str, own: &mut Integration, group: &Group) -> Result<(), ConfigError> {
    if own.attempt_ttl.is_none() {
        own.attempt_ttl.clone_from(&group.attempt_ttl);
    }
    for (parameter, value) in &group.parameters {
        own.parameters.entry(parameter.clone()).or_insert_with(|| value.clone());
    }
    if group.client_id.is_none() && group.client_secret.is_none() && group.redirect_uri.is_none() {
        return Ok(());
    }
    if own.client_id.is_some() || own.client_secret.is_some() || own.redirect_uri.is_some() {
        let problem = "has an app of its own, and its group has one";
        let mend = "set client_id, client_secret and redirect_uri on the group alone: one consent serves all members";
        return Err(ConfigError::setting(&format!("integrations.{name}"), problem, mend));
    }
    own.client_id.clone_from(&group.client_id);
    own.client_secret.clone_from(&group.client_secret);
    own.redirect_uri.clone_from(&group.redirect_uri);
    Ok(())
}
