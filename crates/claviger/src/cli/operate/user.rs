//! `user`: people who sign in here, and their teams.

use std::io::IsTerminal as _;
use std::str::FromStr;

use anyhow::bail;
use clap::{Args, Subcommand};
use hyper::Method;
use model::{Secret, TeamId, UserId};
use serde_json::{Value, json};

use super::{Desk, End, encoded, missing};
use crate::cli::door::{DoorArgs, secret_from};
use crate::cli::prompt;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Make a user who signs in with a password
    Create(CreateArgs),
    /// List the users
    List(ListArgs),
    /// Show one user with their teams
    Show(WhoArgs),
    /// Change a password; the user is signed out everywhere
    SetPassword(SetPasswordArgs),
    /// End all sign-ins and all tokens of a user; what they agreed to stays
    SignOut(WhoArgs),
    /// Let a user no longer sign in, and sign them out everywhere
    Disable(WhoArgs),
    /// Let a user sign in again
    Enable(WhoArgs),
    /// Remove a user with everything that is theirs
    Remove(WhoArgs),
    /// Make a user a member of a team, or change what they are there
    Join(JoinArgs),
    /// End a membership, with what the user agreed to for the team
    Leave(LeaveArgs),
}

#[derive(Args)]
pub(in crate::cli) struct CreateArgs {
    /// Their mail address, with which they sign in
    #[arg(long)]
    email: String,
    /// What people call them
    #[arg(long)]
    name: Option<String>,
    /// A team that they belong to: its id, its name, and what they are there; may be repeated
    #[arg(long = "team", value_name = "ID=NAME[:ROLE]")]
    teams: Vec<Team>,
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct WhoArgs {
    /// The user's id, `usr_…`, or mail address
    #[arg(value_name = "USER")]
    who: String,
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct PasswordArgs {
    /// Where the password is: env:NAME, file:PATH, or - for standard input; else it is asked for
    #[arg(long, value_name = "SOURCE")]
    password_from: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct SetPasswordArgs {
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Args)]
pub(in crate::cli) struct JoinArgs {
    #[command(flatten)]
    who: WhoArgs,
    /// The team: its id, its name, and what they are there
    #[arg(long, value_name = "ID=NAME[:ROLE]")]
    team: Team,
}

#[derive(Args)]
pub(in crate::cli) struct LeaveArgs {
    #[command(flatten)]
    who: WhoArgs,
    /// The team's id
    #[arg(long, value_name = "ID")]
    team: TeamId,
}

/// `rowan=Rowan Ltd:owner`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Team {
    id: TeamId,
    name: String,
    role: Option<String>,
}

impl FromStr for Team {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let Some((id, rest)) = text.split_once('=') else { bail!("write ID=NAME or ID=NAME:ROLE") };
        // A name with a colon has one more behind it, be the role empty.
        let (name, role) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let role = (!role.is_empty()).then(|| role.to_owned());
        Ok(Self { id: id.parse()?, name: name.to_owned(), role })
    }
}

impl Team {
    fn body(&self) -> Value {
        match &self.role {
            Some(role) => json!({ "name": self.name, "role": role }),
            None => json!({ "name": self.name }),
        }
    }
}

impl Command {
    pub(super) const fn door(&self) -> &DoorArgs {
        match self {
            Self::Create(args) => &args.door,
            Self::List(args) => &args.door,
            Self::Show(args)
            | Self::SignOut(args)
            | Self::Disable(args)
            | Self::Enable(args)
            | Self::Remove(args) => &args.door,
            Self::SetPassword(args) => &args.who.door,
            Self::Join(args) => &args.who.door,
            Self::Leave(args) => &args.who.door,
        }
    }
}

pub(super) async fn run(desk: &Desk, command: &Command) -> anyhow::Result<End> {
    match command {
        Command::Create(args) => create(desk, args).await,
        Command::List(_) => list(desk).await,
        Command::Show(args) => {
            let path = path(desk, args).await?;
            show(desk, &desk.door.get(&path).await?)
        }
        Command::SetPassword(args) => {
            // Whoever is asked for a password should not have typed it for nobody.
            let path = path(desk, &args.who).await?;
            let body = json!({ "password": args.password.read()?.expose() });
            let ended = desk.door.call(Method::PUT, &format!("{path}/password"), Some(&body)).await?;
            tell_ended(desk, &args.who, "has the new password, and is signed out", &ended)
        }
        Command::SignOut(args) => {
            let path = path(desk, args).await?;
            let ended = desk.door.call(Method::POST, &format!("{path}/sign-out"), None).await?;
            tell_ended(desk, args, "is signed out", &ended)
        }
        Command::Disable(args) => set_disabled(desk, args, true).await,
        Command::Enable(args) => set_disabled(desk, args, false).await,
        Command::Remove(args) => {
            let path = path(desk, args).await?;
            desk.door.call(Method::DELETE, &path, None).await?;
            desk.screen.object(json!({ "id": path.rsplit('/').next() }))?;
            desk.screen.line(&format!("{} is removed, with everything that was theirs.", args.who))?;
            Ok(End::Done)
        }
        Command::Join(args) => {
            let path = format!("{}/teams/{}", path(desk, &args.who).await?, args.team.id);
            let joined = desk.door.call(Method::PUT, &path, Some(&args.team.body())).await?;
            desk.screen.object(joined.clone())?;
            desk.screen.line(&format!("{} belongs to {}.", args.who.who, team_said(&joined)))?;
            Ok(End::Done)
        }
        Command::Leave(args) => {
            let path = format!("{}/teams/{}", path(desk, &args.who).await?, args.team);
            desk.door.call(Method::DELETE, &path, None).await?;
            desk.screen.object(json!({ "id": args.team }))?;
            desk.screen.line(&format!("{} no longer belongs to {}.", args.who.who, args.team))?;
            Ok(End::Done)
        }
    }
}

impl PasswordArgs {
    /// The password, from where the operator says; a person at a terminal types it twice.
    fn read(&self) -> anyhow::Result<Secret<String>> {
        match &self.password_from {
            Some(from) => secret_from("--password-from", from),
            None if std::io::stdin().is_terminal() => {
                let password = prompt::secret("Password: ")?;
                if prompt::secret("The same again: ")? != password {
                    bail!("the two passwords are not the same");
                }
                Ok(Secret::new(password))
            }
            None => bail!("--password-from: name env:NAME, file:PATH or - for standard input"),
        }
    }
}

/// The user's path in the API; a mail address is looked up.
async fn path(desk: &Desk, args: &WhoArgs) -> anyhow::Result<String> {
    if let Ok(id) = args.who.parse::<UserId>() {
        return Ok(format!("/api/users/{id}"));
    }
    let found = desk.door.get(&format!("/api/users?email={}", encoded(&args.who))).await?;
    match found["users"][0]["id"].as_str() {
        Some(id) => Ok(format!("/api/users/{id}")),
        None => Err(missing("user_not_found", &format!("Nobody signs in as {}.", args.who))),
    }
}

async fn create(desk: &Desk, args: &CreateArgs) -> anyhow::Result<End> {
    let mut body = json!({ "email": args.email, "password": args.password.read()?.expose() });
    if let Some(name) = &args.name {
        body["name"] = name.as_str().into();
    }
    let teams = args.teams.iter().map(|team| {
        let mut body = team.body();
        body["id"] = team.id.as_str().into();
        body
    });
    body["teams"] = teams.collect();
    show(desk, &desk.door.call(Method::POST, "/api/users", Some(&body)).await?)
}

async fn list(desk: &Desk) -> anyhow::Result<End> {
    let found = desk.all("/api/users", "users").await?;
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    desk.screen.object(json!({ "users": found }))?;
    if rows.is_empty() {
        desk.screen.line("No user yet: `claviger user create` makes one.")?;
    } else {
        desk.screen.table(&["ID", "EMAIL", "NAME", "STATE", "FROM"], &rows)?;
    }
    Ok(End::Done)
}

async fn set_disabled(desk: &Desk, args: &WhoArgs, disabled: bool) -> anyhow::Result<End> {
    let path = path(desk, args).await?;
    let changed = desk.door.call(Method::PATCH, &path, Some(&json!({ "disabled": disabled }))).await?;
    desk.screen.object(changed)?;
    let how =
        if disabled { "can no longer sign in, and is signed out everywhere" } else { "can sign in again" };
    desk.screen.line(&format!("{} {how}.", args.who))?;
    Ok(End::Done)
}

fn tell_ended(desk: &Desk, args: &WhoArgs, how: &str, ended: &Value) -> anyhow::Result<End> {
    desk.screen.object(ended.clone())?;
    let (browsers, tokens) = (&ended["signIns"], &ended["families"]);
    let told = format!("{} {how}. Browsers: {browsers}; applications with tokens: {tokens}.", args.who);
    desk.screen.line(&told)?;
    Ok(End::Done)
}

fn show(desk: &Desk, found: &Value) -> anyhow::Result<End> {
    desk.screen.object(found.clone())?;
    let names = ["id", "email", "name", "state", "from"];
    let mut facts: Vec<(&str, String)> = names.into_iter().zip(row(found)).collect();
    let teams = found["teams"].as_array().into_iter().flatten();
    facts.extend(teams.map(|team| ("team", team_said(team))));
    desk.screen.facts(&facts)?;
    Ok(End::Done)
}

/// `rowan, Rowan Ltd (owner)`.
fn team_said(team: &Value) -> String {
    let text = |name: &str| team[name].as_str().unwrap_or_default();
    let role = team["role"].as_str().map(|role| format!(" ({role})")).unwrap_or_default();
    format!("{}, {}{role}", text("id"), text("name"))
}

fn row(found: &Value) -> Vec<String> {
    let text = |name: &str| found[name].as_str().unwrap_or("-").to_owned();
    let state = if found["disabledAt"].is_null() { "good" } else { "disabled" };
    vec![text("id"), text("email"), text("name"), state.to_owned(), text("backend")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_is_its_id_its_name_and_a_role() {
        let team =
            |text: &str| text.parse::<Team>().ok().map(|team| (team.id.to_string(), team.name, team.role));
        let expected = |id: &str, name: &str, role: Option<&str>| {
            Some((id.to_owned(), name.to_owned(), role.map(str::to_owned)))
        };
        assert_eq!(team("rowan=Rowan Ltd"), expected("rowan", "Rowan Ltd", None));
        assert_eq!(team("rowan=Rowan Ltd:owner"), expected("rowan", "Rowan Ltd", Some("owner")));
        assert_eq!(team("a:7=Rowan: the tree:"), expected("a:7", "Rowan: the tree", None));
        assert_eq!(team("rowan=a=b"), expected("rowan", "a=b", None));
        for bad in ["", "rowan", "=Rowan", "a b=Rowan"] {
            assert_eq!(team(bad), None, "{bad:?}");
        }
    }
}
