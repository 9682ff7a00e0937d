//! What each of the fifteen is expected to be, written down once more beside its entry, so that a changed fact is noticed.

use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const DAYS_90: Duration = Duration::from_hours(90 * 24);

/// One provider.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Case {
    pub(super) id: &'static str,
    /// The sandbox's app.
    pub(super) app: &'static str,
    /// Where consent is asked for.
    pub(super) authorize: &'static str,
    /// The last part of the redirect URI: the id, or the group's.
    pub(super) callback: &'static str,
    pub(super) pkce: bool,
    /// What the parameter `scope` says; empty where there is none.
    pub(super) scope: &'static str,
    /// Parameters of its own.
    pub(super) parameters: &'static [(&'static str, &'static str)],
    /// An API that takes the token.
    pub(super) api: &'static str,
    /// How long an access token lives; none where there is no end and no refresh token either.
    pub(super) lifetime: Option<Duration>,
    /// Whether a refresh brings a new refresh token.
    pub(super) rotates: bool,
    pub(super) ends_by: EndsBy,
    /// Whether a refused refresh tells that the grant is dead.
    pub(super) tells_death: bool,
    /// Whether there is a way to give the grant back.
    pub(super) revokes: bool,
    /// Id and name of Anna's account.
    pub(super) account: (&'static str, &'static str),
    /// The scope without which there is no account.
    pub(super) account_needs: Option<&'static str>,
    /// Whoever played it too, of `foreign/`.
    pub(super) foreign: &'static str,
}

/// How the test ends the grant at the provider.
#[derive(Clone, Copy)]
pub(super) enum EndsBy {
    /// The provider's endpoint for that, as GitHub has it.
    GithubGrant,
    /// As Google has it.
    GoogleRevocation,
    /// As Slack has it.
    SlackRevocation,
    /// It lets a hundred days pass: the refresh token's own end.
    Age,
}

const GITHUB: Case = Case {
    id: "github",
    app: "github",
    authorize: "github.com/login/oauth/authorize",
    callback: "github",
    pkce: true,
    scope: "read:user",
    parameters: &[],
    api: "api.github.com/user",
    lifetime: None,
    rotates: false,
    ends_by: EndsBy::GithubGrant,
    tells_death: false,
    revokes: true,
    account: ("272495477448101", "anna"),
    account_needs: None,
    foreign: "emulate",
};

const JIRA: Case = Case {
    id: "jira",
    app: "atlassian",
    authorize: "auth.atlassian.com/authorize",
    callback: "atlassian",
    pkce: true,
    scope: "offline_access read:me read:jira-user read:jira-work write:jira-work",
    parameters: &[("audience", "api.atlassian.com"), ("prompt", "consent")],
    api: "api.atlassian.com/me",
    lifetime: Some(HOUR),
    rotates: true,
    ends_by: EndsBy::Age,
    tells_death: true,
    revokes: false,
    account: ("00000000-0000-4000-8000-f7d54c22dda5", "anna@example.com"),
    account_needs: None,
    foreign: "",
};

const OUTLOOK: Case = Case {
    id: "outlook",
    app: "microsoft",
    authorize: "login.microsoftonline.com/common/oauth2/v2.0/authorize",
    callback: "microsoft",
    pkce: true,
    scope: "offline_access openid profile email User.Read Mail.ReadWrite Mail.Send Calendars.ReadWrite Contacts.Read",
    parameters: &[],
    api: "graph.microsoft.com/oidc/userinfo",
    lifetime: Some(HOUR.saturating_mul(2)),
    account: ("F7D54C22DDA5", "anna@example.com"),
    ..JIRA
};

const ZOHO_CRM: Case = Case {
    id: "zoho_crm",
    app: "zoho",
    authorize: "accounts.zoho.com/oauth/v2/auth",
    callback: "zoho",
    pkce: false,
    scope: "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL",
    parameters: &[("access_type", "offline"), ("prompt", "consent")],
    api: "www.zohoapis.com/crm/v8/settings/modules",
    rotates: false,
    revokes: true,
    account: ("272495477448101", "anna@example.com"),
    account_needs: Some("AaaServer.profile.Read"),
    ..JIRA
};

pub(super) const CASES: [Case; 15] = [
    GITHUB,
    Case {
        id: "github_app",
        app: "github_app",
        callback: "github_app",
        scope: "",
        lifetime: Some(HOUR.saturating_mul(8)),
        rotates: true,
        tells_death: true,
        foreign: "",
        ..GITHUB
    },
    JIRA,
    Case {
        id: "confluence",
        scope: "offline_access read:confluence-content.all read:confluence-space.summary read:me search:confluence \
                write:confluence-content",
        ..JIRA
    },
    OUTLOOK,
    Case {
        id: "teams",
        scope: "offline_access openid profile email User.Read Team.ReadBasic.All Channel.ReadBasic.All \
                ChannelMessage.Send Chat.ReadWrite",
        ..OUTLOOK
    },
    Case {
        id: "onedrive",
        scope: "offline_access openid profile email User.Read Files.ReadWrite",
        ..OUTLOOK
    },
    Case { id: "onenote", scope: "offline_access openid profile email User.Read Notes.ReadWrite", ..OUTLOOK },
    Case {
        id: "sharepoint",
        scope: "offline_access openid profile email User.Read Sites.Read.All",
        ..OUTLOOK
    },
    Case {
        id: "slack",
        app: "slack",
        authorize: "slack.com/oauth/v2/authorize",
        callback: "slack",
        pkce: false,
        scope: "users:read",
        parameters: &[],
        api: "slack.com/api/auth.test",
        lifetime: Some(HOUR.saturating_mul(12)),
        ends_by: EndsBy::SlackRevocation,
        revokes: true,
        account: ("T0SANDBOX:U0SANDBOXBOT", "Sandbox"),
        foreign: "emulate",
        ..JIRA
    },
    Case {
        id: "figma",
        app: "figma",
        authorize: "www.figma.com/oauth",
        callback: "figma",
        pkce: false,
        scope: "current_user:read,file_content:read,file_metadata:read",
        parameters: &[],
        api: "api.figma.com/v1/me",
        lifetime: Some(DAYS_90),
        rotates: false,
        tells_death: false,
        account: ("272495477448101", "anna@example.com"),
        ..JIRA
    },
    Case {
        id: "zoom",
        app: "zoom",
        authorize: "zoom.us/oauth/authorize",
        callback: "zoom",
        scope: "",
        parameters: &[],
        api: "api.zoom.us/v2/users/me",
        revokes: true,
        account: ("F7D54C22DDA5", "anna@example.com"),
        ..JIRA
    },
    Case {
        id: "google_workspace",
        app: "google",
        authorize: "accounts.google.com/o/oauth2/v2/auth",
        callback: "google_workspace",
        scope: "openid email profile",
        parameters: &[("access_type", "offline"), ("prompt", "consent")],
        api: "openidconnect.googleapis.com/v1/userinfo",
        rotates: false,
        ends_by: EndsBy::GoogleRevocation,
        revokes: true,
        account: ("100000272495477448101", "anna@example.com"),
        foreign: "emulate",
        ..JIRA
    },
    ZOHO_CRM,
    Case {
        id: "zoho_calendar",
        scope: "ZohoCalendar.calendar.ALL",
        api: "calendar.zoho.com/api/v1/calendars",
        ..ZOHO_CRM
    },
];

/// The case of that id.
pub(super) fn case(id: &str) -> Case {
    *CASES.iter().find(|case| case.id == id).unwrap()
}
