//! What a login back end tells of a person, and how much of that is believed.

use std::collections::BTreeSet;

use model::TeamId;
use serde::Deserialize;
use store::users::{ToldMembership, User};

use crate::users::{check_email, check_name};
use crate::{Grant, Result};

/// The longest name of a person in a back end, in octets.
const MAX_SUBJECT: usize = 255;
/// How many teams a back end may tell of.
const MAX_TEAMS: usize = 200;

/// A person, as a login back end knows them.
pub(super) struct Told {
    /// What the back end knows them by. Users are found by this alone: a mail address proves nothing across back ends.
    pub(super) subject: String,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    /// Their teams, in place of all that they had; `None` where the back end does not look after teams.
    pub(super) teams: Option<Vec<ToldMembership>>,
}

/// What of an answer can't be used, for the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} can't be used")]
pub(super) struct Unusable(pub(super) &'static str);

/// A person in an answer whose format is ours.
#[derive(Deserialize)]
pub(super) struct ToldUser {
    id: String,
    email: Option<String>,
    name: Option<String>,
}

/// A team, likewise.
#[derive(Deserialize)]
pub(super) struct ToldTeam {
    id: TeamId,
    name: Option<String>,
    role: Option<String>,
}

impl Told {
    /// Reads an answer whose format is ours: everything in it has to be right.
    pub(super) fn new(user: ToldUser, teams: Option<Vec<ToldTeam>>) -> std::result::Result<Self, Unusable> {
        let ToldUser { id, email, name } = user;
        if email.as_deref().is_some_and(|email| check_email(email).is_err()) {
            return Err(Unusable("user.email"));
        }
        check_name("name", name.as_deref()).map_err(|_| Unusable("user.name"))?;
        let teams = teams.map(|teams| teams.into_iter().map(membership).collect()).transpose()?;
        Self { subject: id, email, name, teams }.checked()
    }

    /// What holds for every back end.
    pub(super) fn checked(self) -> std::result::Result<Self, Unusable> {
        let subject = &self.subject;
        if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.chars().any(char::is_control) {
            return Err(Unusable("user.id"));
        }
        let teams = self.teams.as_deref().unwrap_or_default();
        let different: BTreeSet<_> = teams.iter().map(|team| &team.team).collect();
        if teams.len() > MAX_TEAMS || different.len() < teams.len() {
            return Err(Unusable("teams"));
        }
        Ok(self)
    }
}

fn membership(told: ToldTeam) -> std::result::Result<ToldMembership, Unusable> {
    check_name("name", told.name.as_deref()).map_err(|_| Unusable("teams"))?;
    check_name("role", told.role.as_deref()).map_err(|_| Unusable("teams"))?;
    Ok(ToldMembership { team: told.id, name: told.name, role: told.role })
}

impl Grant {
    /// Writes what a back end has told of somebody who proved who they are; `None` for whom the operator has locked out.
    pub(super) async fn learn(&self, backend: &str, told: Told) -> Result<Option<User>> {
        let now = self.now();
        let user = User {
            id: vault::random::id(),
            backend: backend.to_owned(),
            login: told.subject,
            email: told.email.map(|email| email.trim().to_owned()),
            name: told.name,
            password: None,
            created_at: now,
            updated_at: now,
            disabled_at: None,
        };
        let known = self.store().users.learn(&user, told.teams.as_deref()).await?;
        Ok(Some(known).filter(|known| known.disabled_at.is_none()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(user: &str, teams: &str) -> std::result::Result<Told, Unusable> {
        Told::new(serde_json::from_str(user).unwrap(), serde_json::from_str(teams).unwrap())
    }

    #[test]
    fn everything_in_an_answer_of_our_format_has_to_be_right() {
        let good = r#"{"id": "u-1", "email": "anna@example.com", "name": "Anna"}"#;
        let told =
            read(good, r#"[{"id": "rowan", "name": "Rowan", "role": "owner"}, {"id": "t-2"}]"#).unwrap();
        assert_eq!((told.subject.as_str(), told.teams.as_ref().unwrap().len()), ("u-1", 2));
        assert_eq!(told.teams.unwrap()[1].name, None, "nobody invents a name");
        assert!(read(r#"{"id": "u-1"}"#, "null").unwrap().teams.is_none());
        let long = format!(r#"{{"id": "{}"}}"#, "x".repeat(256));
        let name = format!(r#"{{"id": "u", "name": "{}"}}"#, "x".repeat(101));
        for (user, teams, about) in [
            (r#"{"id": ""}"#, "null", "user.id"),
            (r#"{"id": "a\u0000b"}"#, "null", "user.id"),
            (&long, "null", "user.id"),
            (r#"{"id": "u", "email": "no address"}"#, "null", "user.email"),
            (&name, "null", "user.name"),
            (good, r#"[{"id": "a"}, {"id": "a"}]"#, "teams"),
            (good, r#"[{"id": "a", "name": "\n"}]"#, "teams"),
            (good, r#"[{"id": "a", "name": "A", "role": ""}]"#, "teams"),
        ] {
            assert_eq!(read(user, teams).err(), Some(Unusable(about)), "{user} {teams}");
        }
    }
}
