//! A bucket, or what is announced, as a row that reads as a sentence.

use std::collections::BTreeSet;

use ::connect::portal::buckets::{Announced, Bucket, Tool};
use model::{ConnectionState, Label, ReconnectReason, Scopes, Timestamp};
use store::connections::Connection;

use super::{Failure, Visit};
use crate::App;
use crate::messages::{Language, isolated};
use crate::pages::Notice;
use crate::pages::moment::Moment;
use crate::problem::Problem;

/// What stands for the time in a sentence until the page puts it there with its markup.
const TIME_GOES_HERE: &str = "\u{0}";

/// A row.
pub(super) struct Row {
    /// The row's name in the page.
    pub(super) anchor: String,
    /// The bucket's name in addresses.
    pub(super) bucket: String,
    /// The label, where it is not the usual one.
    pub(super) label: Option<Label>,
    pub(super) name: String,
    /// The same with the label and the account, where the page has others of that name.
    pub(super) whole_name: String,
    pub(super) mark: String,
    pub(super) chips: Vec<String>,
    pub(super) state: Standing,
    /// The message on the button that connects, where there is one.
    pub(super) connect: Option<&'static str>,
    /// Whether that is the one thing to do on this page.
    pub(super) is_primary: bool,
    pub(super) may_disconnect: bool,
    pub(super) is_to_come: bool,
    /// What else is to be known.
    pub(super) notes: Vec<String>,
    /// What was granted.
    pub(super) scopes: Vec<String>,
    pub(super) problem: Option<Notice>,
}

/// Where it stands.
pub(super) enum Standing {
    Connected { who: String, at: Moment },
    Partly { who: String, at: Moment, missing: String },
    Broken { who: String, before: String, at: Moment, after: String },
    None,
}

impl Row {
    /// Whether there is nothing to say below the name.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.state, Standing::None) && self.chips.is_empty() && self.notes.is_empty()
    }

    /// What needs the person comes first, then what is connected.
    fn rank(&self) -> u8 {
        match (&self.state, self.is_to_come) {
            (Standing::Broken { .. }, _) => 0,
            (Standing::Connected { .. } | Standing::Partly { .. }, _) => 1,
            (Standing::None, false) => 2,
            (Standing::None, true) => 3,
        }
    }
}

/// The rows of the onboarding page: every bucket with the connections of the usual label.
pub(super) fn onboarding_rows(app: &App, visit: &Visit) -> Vec<Row> {
    let label = Label::default();
    let rows = visit.shelf.buckets.iter().map(|bucket| {
        let mut row = Seen { app, visit, bucket, label: &label }.row();
        // What works needs one button at most.
        row.may_disconnect = row.connect.is_none() && row.may_disconnect;
        row
    });
    rows.chain(to_come(visit)).collect()
}

/// The rows of the settings page: every bucket under every label that it is connected with.
pub(super) async fn settings_rows(app: &App, visit: &Visit) -> Result<Vec<Row>, Problem> {
    let mut rows = Vec::new();
    for bucket in &visit.shelf.buckets {
        let labels = labels(visit, bucket);
        for (index, label) in labels.iter().enumerate() {
            let seen = Seen { app, visit, bucket, label };
            let mut row = seen.row();
            if labels.len() > 1 {
                row.whole_name = seen.whole_name();
            }
            if index > 0 {
                row.anchor = format!("{}-{index}", row.anchor);
            }
            seen.add_scopes(&mut row).await?;
            rows.push(row);
        }
    }
    rows.extend(to_come(visit));
    rows.sort_by_key(Row::rank);
    if let Some(row) = rows.iter_mut().find(|row| row.rank() == 0 && row.connect.is_some()) {
        row.is_primary = true;
    }
    Ok(rows)
}

/// The labels under which a bucket is shown: the usual one is, unless it has connections under others alone.
fn labels(visit: &Visit, bucket: &Bucket) -> Vec<Label> {
    let held = visit.shelf.connections.iter().filter(|connection| is_in(connection, bucket));
    let labels: BTreeSet<&str> = held.map(|connection| connection.key.label.as_str()).collect();
    let usual = Label::default();
    let others =
        labels.iter().filter(|label| **label != usual.as_str()).filter_map(|label| label.parse().ok());
    let with_usual = labels.is_empty() || labels.contains(usual.as_str());
    with_usual.then(Label::default).into_iter().chain(others).collect()
}

fn is_in(connection: &Connection, bucket: &Bucket) -> bool {
    bucket.members.iter().any(|member| member.id == connection.key.integration)
}

/// What is said above the rows of an attempt that none of them is about.
pub(super) fn notice_above(visit: &Visit, rows: &[Row]) -> Option<Notice> {
    visit.failure.as_ref().filter(|_| rows.iter().all(|row| row.problem.is_none()))?;
    let language = visit.language;
    Some(Notice { title: language.plain("failed_nowhere"), detail: language.plain("failed_nowhere.detail") })
}

impl Failure {
    fn is_about(&self, bucket: &Bucket) -> bool {
        bucket.id == self.provider || bucket.members.iter().any(|member| member.id.as_str() == self.provider)
    }

    /// What happened, whether anything was lost, and what to do next.
    fn notice(&self, seen: &Seen<'_>, minutes: u64, stays: bool) -> Notice {
        let language = seen.visit.language;
        let minutes = minutes.to_string();
        let arguments =
            [("integration", &*seen.bucket.name), ("product", &*seen.app.brand), ("minutes", &*minutes)];
        if self.of_disconnecting {
            return Notice {
                title: language.text("failed_disconnect", &arguments),
                detail: language.plain("failed_disconnect.detail"),
            };
        }
        let code = self.code.map_or("other", |code| code.word());
        let detail = language.find(&format!("failed_{code}"), &arguments);
        Notice {
            title: language.text(if stays { "failed.stays" } else { "failed" }, &arguments),
            detail: detail.unwrap_or_else(|| language.text("failed_other", &arguments)),
        }
    }
}

/// A bucket under a label, in somebody's eyes.
struct Seen<'a> {
    app: &'a App,
    visit: &'a Visit,
    bucket: &'a Bucket,
    label: &'a Label,
}

impl<'a> Seen<'a> {
    fn connections(&self) -> impl Iterator<Item = (&'a Tool, Option<&'a Connection>)> {
        let (label, connections) = (self.label, &self.visit.shelf.connections);
        self.bucket.members.iter().map(move |member| {
            let held = connections.iter().find(|c| c.key.integration == member.id && c.key.label == *label);
            (member, held)
        })
    }

    fn held(&self) -> Vec<&'a Connection> {
        self.connections().filter_map(|(_, connection)| connection).collect()
    }

    /// "Sandbox · work · bert@example.com".
    fn whole_name(&self) -> String {
        let label = (*self.label != Label::default()).then(|| self.label.to_string());
        let who = Some(who(&self.held())).filter(|who| !who.is_empty()).map(|who| isolated(&who));
        let parts: Vec<String> = [Some(self.bucket.name.clone()), label, who].into_iter().flatten().collect();
        parts.join(" · ")
    }

    fn row(&self) -> Row {
        let (language, bucket) = (self.visit.language, self.bucket);
        let product = &*self.app.brand;
        let held = self.held();
        let state = self.state();
        // What is broken is mended by a new consent, if its own app can ask for one.
        let is_mendable = self.connections().any(|(member, connection)| {
            let is_broken =
                connection.is_some_and(|held| matches!(held.state, ConnectionState::Broken { .. }));
            member.connectable && is_broken
        });
        let connect = match &state {
            Standing::Connected { .. } => None,
            Standing::Partly { .. } => Some("connect.rest"),
            Standing::Broken { .. } => is_mendable.then_some("reconnect"),
            Standing::None => Some("connect"),
        };
        let mut notes = Vec::new();
        if !held.is_empty() && (!bucket.is_connectable() || (connect.is_none() && !is_fine(&state))) {
            notes.push(language.text("not_set_up", &[("integration", &*bucket.name), ("product", product)]));
        }
        let failure = self.visit.failure.as_ref();
        let failure = failure.filter(|failure| failure.is_about(bucket) && failure.label == *self.label);
        let minutes = self.app.connect.attempt_ttl(&bucket.members[0].id).as_secs().div_ceil(60);
        let problem = failure.map(|failure| failure.notice(self, minutes, is_fine(&state)));
        let usual = Label::default();
        Row {
            anchor: bucket.id.clone(),
            bucket: bucket.id.clone(),
            label: (*self.label != usual).then(|| self.label.clone()),
            name: bucket.name.clone(),
            whole_name: bucket.name.clone(),
            mark: bucket.mark.clone(),
            chips: bucket.chips().iter().map(|chip| language.chip(chip)).collect(),
            connect: connect.map(|words| match state {
                Standing::None if failure.is_some_and(|failure| !failure.of_disconnecting) => "try_again",
                _ => words,
            }),
            is_primary: false,
            may_disconnect: !held.is_empty(),
            is_to_come: false,
            state,
            notes,
            scopes: Vec::new(),
            problem,
        }
    }

    fn state(&self) -> Standing {
        let (language, now) = (self.visit.language, self.app.clock.now());
        let held = self.held();
        let broken = held.iter().find_map(|connection| match connection.state {
            ConnectionState::Broken { since, reason } => Some((since, reason)),
            _ => None,
        });
        if let Some((since, reason)) = broken {
            return self.broken(since, reason, who(&held));
        }
        // What was proved last says least about the others.
        let proved =
            held.iter().map(|one| one.refreshed_at.unwrap_or(one.connected_at).max(one.connected_at));
        let Some(oldest) = proved.min() else { return Standing::None };
        let at = Moment::ago(language, now, oldest);
        let missing = self.connections().filter(|(member, held)| member.connectable && held.is_none());
        let missing: Vec<&str> = missing.map(|(member, _)| member.name.as_str()).collect();
        match &*missing {
            [] => Standing::Connected { who: who(&held), at },
            missing => Standing::Partly { who: who(&held), at, missing: missing.join(", ") },
        }
    }

    fn broken(&self, since: Timestamp, reason: ReconnectReason, who: String) -> Standing {
        let language = self.visit.language;
        let why = why_broken(language, &self.app.brand, &self.bucket.name, reason, TIME_GOES_HERE);
        let (before, after) = why.split_once(TIME_GOES_HERE).unwrap_or((&why, ""));
        let (before, after) = (before.to_owned(), after.to_owned());
        Standing::Broken { who, before, at: Moment::on_day(language, self.app.clock.now(), since), after }
    }

    /// What was granted, and whether a new consent would grant what is missing.
    async fn add_scopes(&self, row: &mut Row) -> Result<(), Problem> {
        let held = self.held();
        let granted = held.iter().fold(Scopes::default(), |all, one| all.with(&one.granted_scopes));
        row.scopes = granted.iter().map(str::to_owned).collect();
        let mut lacking = Scopes::default();
        for connection in held.iter().filter(|connection| connection.state == ConnectionState::Active) {
            let refused = connection.requested_scopes.missing_in(&connection.granted_scopes);
            lacking = lacking.with(&refused).with(&self.app.connect.scopes_drift(connection).await?);
        }
        if !lacking.is_empty() && self.bucket.is_connectable() {
            let arguments = [
                ("integration", &*self.bucket.name),
                ("product", &*self.app.brand),
                ("scopes", &*lacking.join(", ")),
            ];
            row.notes.push(self.visit.language.text("scopes_lacking", &arguments));
            row.connect = row.connect.or(Some("reconnect"));
        }
        Ok(())
    }
}

const fn is_fine(state: &Standing) -> bool {
    matches!(state, Standing::Connected { .. } | Standing::Partly { .. })
}

/// What a row says of a connection, as one text: for whoever can't see the page.
pub(crate) fn in_words(
    language: Language,
    product: &str,
    integration: &str,
    broken: Option<(Timestamp, ReconnectReason)>,
) -> String {
    let Some((since, reason)) = broken else { return language.plain("connected") };
    let when = Moment::on_day(language, since, since).words;
    let why = why_broken(language, product, integration, reason, &when);
    format!("{}. {why}", language.plain("broken"))
}

/// Why a connection needs the person again, and what to do.
fn why_broken(
    language: Language,
    product: &str,
    integration: &str,
    reason: ReconnectReason,
    when: &str,
) -> String {
    let arguments = [("integration", integration), ("product", product), ("when", when)];
    language.text(&format!("broken.{}", reason.word()), &arguments)
}

/// The accounts, by name.
fn who(held: &[&Connection]) -> String {
    let accounts = held.iter().filter_map(|connection| connection.account.as_ref());
    let names: BTreeSet<&str> =
        accounts.map(|account| account.name.as_deref().unwrap_or(&account.id)).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn to_come(visit: &Visit) -> impl Iterator<Item = Row> {
    visit.shelf.announced.iter().map(|announced| row_to_come(visit.language, announced))
}

fn row_to_come(language: Language, announced: &Announced) -> Row {
    Row {
        anchor: announced.id.clone(),
        bucket: announced.id.clone(),
        label: None,
        name: announced.name.clone(),
        whole_name: announced.name.clone(),
        mark: announced.mark.clone(),
        chips: announced.chips.iter().map(|chip| language.chip(chip)).collect(),
        state: Standing::None,
        connect: None,
        is_primary: false,
        may_disconnect: false,
        is_to_come: true,
        notes: Vec::new(),
        scopes: Vec::new(),
        problem: None,
    }
}
