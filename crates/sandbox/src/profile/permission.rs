//! What the scopes of providers allow, as verb phrases: "Claviger will be able to …".

use crate::language::Language;

/// One scope in words.
pub(crate) struct Permission {
    scope: &'static str,
    english: &'static str,
    estonian: &'static str,
}

/// Where the full name of a scope is an address, what comes before its short name.
const PREFIXES: [&str; 2] = ["https://www.googleapis.com/auth/", "https://graph.microsoft.com/"];

const fn may(scope: &'static str, english: &'static str, estonian: &'static str) -> Permission {
    Permission { scope, english, estonian }
}

/// What this scope allows; `None` for one that nobody has put into words.
pub(crate) fn phrase(permissions: &[Permission], scope: &str, language: Language) -> Option<&'static str> {
    let short = PREFIXES.iter().find_map(|prefix| scope.strip_prefix(prefix)).unwrap_or(scope);
    let found = permissions.iter().find(|permission| permission.scope == short)?;
    Some(match language {
        Language::English => found.english,
        Language::Estonian => found.estonian,
    })
}

pub(super) const GITHUB: &[Permission] = &[
    may("read:user", "Read your profile", "Näha sinu profiili"),
    may("user:email", "Read your email addresses", "Näha sinu e-posti aadresse"),
    may("user", "Read and change your profile", "Näha ja muuta sinu profiili"),
    may(
        "repo",
        "Read and write code, issues and pull requests, also in private repositories",
        "Lugeda ja muuta koodi, ülesandeid ja tõmbetaotlusi, ka privaatsetes hoidlates",
    ),
    may(
        "public_repo",
        "Read and write code, issues and pull requests in public repositories",
        "Lugeda ja muuta koodi, ülesandeid ja tõmbetaotlusi avalikes hoidlates",
    ),
    may("repo:status", "Read and set the status of commits", "Näha ja määrata muudatuste olekut"),
    may("read:org", "See your organisations and teams", "Näha sinu organisatsioone ja meeskondi"),
    may("read:project", "Read your projects", "Lugeda sinu projekte"),
    may("workflow", "Change the workflows of your repositories", "Muuta sinu hoidlate töövooge"),
    may("gist", "Write gists in your name", "Kirjutada sinu nimel koodijuppe"),
    may("notifications", "Read your notifications", "Lugeda sinu teavitusi"),
];

pub(super) const SLACK: &[Permission] = &[
    may("users:read", "See the people in your workspace", "Näha sinu tööruumi inimesi"),
    may(
        "users:read.email",
        "See the email addresses of people in your workspace",
        "Näha sinu tööruumi inimeste e-posti aadresse",
    ),
    may("channels:read", "See the public channels", "Näha avalikke kanaleid"),
    may("channels:history", "Read messages in public channels", "Lugeda sõnumeid avalikes kanalites"),
    may("groups:read", "See the private channels that it is in", "Näha privaatseid kanaleid, kus ta on"),
    may(
        "groups:history",
        "Read messages in those private channels",
        "Lugeda nende privaatsete kanalite sõnumeid",
    ),
    may("chat:write", "Send messages", "Saata sõnumeid"),
    may("search:read", "Search your messages and files", "Otsida sinu sõnumitest ja failidest"),
    may("files:read", "Read files that are shared with it", "Lugeda faile, mida temaga jagatakse"),
];

pub(super) const ATLASSIAN: &[Permission] = &[
    may("read:me", "Read your profile and email address", "Näha sinu profiili ja e-posti aadressi"),
    may("read:jira-user", "See the people in Jira", "Näha Jira kasutajaid"),
    may("read:jira-work", "Read projects and issues in Jira", "Lugeda Jira projekte ja ülesandeid"),
    may(
        "write:jira-work",
        "Create and change issues in Jira, and comment on them",
        "Luua, muuta ja kommenteerida Jira ülesandeid",
    ),
    may(
        "read:confluence-content.all",
        "Read pages and comments in Confluence",
        "Lugeda Confluence’i lehti ja kommentaare",
    ),
    may("read:confluence-space.summary", "See the spaces in Confluence", "Näha Confluence’i ruume"),
    may("search:confluence", "Search in Confluence", "Otsida Confluence’ist"),
    may(
        "write:confluence-content",
        "Write pages and comments in Confluence",
        "Kirjutada Confluence’i lehti ja kommentaare",
    ),
];

pub(super) const ZOHO: &[Permission] = &[
    may(
        "ZohoCRM.modules.ALL",
        "Read and change the records in Zoho CRM",
        "Lugeda ja muuta Zoho CRM-i kirjeid",
    ),
    may("ZohoCRM.modules.READ", "Read the records in Zoho CRM", "Lugeda Zoho CRM-i kirjeid"),
    may(
        "ZohoCRM.settings.ALL",
        "Read and change the settings of Zoho CRM",
        "Lugeda ja muuta Zoho CRM-i seadeid",
    ),
    may("ZohoCalendar.calendar.ALL", "Read and change your calendars", "Lugeda ja muuta sinu kalendreid"),
    may("AaaServer.profile.Read", "Read your profile", "Näha sinu profiili"),
];

pub(super) const GOOGLE: &[Permission] = &[
    may("userinfo.email", "Read your email address", "Näha sinu e-posti aadressi"),
    may("userinfo.profile", "Read your name", "Näha sinu nime"),
    may("calendar", "Read and change your calendars", "Lugeda ja muuta sinu kalendreid"),
    may("calendar.readonly", "Read your calendars", "Lugeda sinu kalendreid"),
    may(
        "calendar.events",
        "Read and change the events in your calendars",
        "Lugeda ja muuta sinu kalendrite sündmusi",
    ),
    may("calendar.events.readonly", "Read the events in your calendars", "Lugeda sinu kalendrite sündmusi"),
    may("drive", "Read and change all your files in Drive", "Lugeda ja muuta kõiki sinu faile Drive’is"),
    may("drive.readonly", "Read all your files in Drive", "Lugeda kõiki sinu faile Drive’is"),
    may(
        "drive.metadata.readonly",
        "See the names of your files in Drive",
        "Näha sinu failide nimesid Drive’is",
    ),
    may(
        "drive.file",
        "Read and change the files in Drive that you open with it",
        "Lugeda ja muuta Drive’i faile, mille temaga avad",
    ),
    may("gmail.readonly", "Read your mail", "Lugeda sinu kirju"),
    may("gmail.send", "Send mail in your name", "Saata kirju sinu nimel"),
];

pub(super) const MICROSOFT: &[Permission] = &[
    may("User.Read", "Read your profile", "Näha sinu profiili"),
    may("Mail.Read", "Read your mail", "Lugeda sinu kirju"),
    may("Mail.ReadWrite", "Read, change and delete your mail", "Lugeda, muuta ja kustutada sinu kirju"),
    may("Mail.Send", "Send mail in your name", "Saata kirju sinu nimel"),
    may("Calendars.Read", "Read your calendars", "Lugeda sinu kalendreid"),
    may("Calendars.ReadWrite", "Read and change your calendars", "Lugeda ja muuta sinu kalendreid"),
    may("Contacts.Read", "Read your contacts", "Lugeda sinu kontakte"),
    may("Team.ReadBasic.All", "See the names of your teams", "Näha sinu meeskondade nimesid"),
    may("Channel.ReadBasic.All", "See the names of channels in Teams", "Näha Teamsi kanalite nimesid"),
    may("ChannelMessage.Send", "Send messages to channels in Teams", "Saata sõnumeid Teamsi kanalitesse"),
    may("Chat.Read", "Read your chats", "Lugeda sinu vestlusi"),
    may("Chat.ReadWrite", "Read your chats and write in them", "Lugeda sinu vestlusi ja neis kirjutada"),
    may("Files.Read", "Read your files", "Lugeda sinu faile"),
    may("Files.ReadWrite", "Read and change your files", "Lugeda ja muuta sinu faile"),
    may(
        "Files.ReadWrite.All",
        "Read and change all files that you can open",
        "Lugeda ja muuta kõiki faile, mida saad avada",
    ),
    may("Notes.ReadWrite", "Read and change your notebooks", "Lugeda ja muuta sinu märkmikke"),
    may(
        "Sites.Read.All",
        "Read the sites and documents that you can open",
        "Lugeda saite ja dokumente, mida saad avada",
    ),
];

pub(super) const ZOOM: &[Permission] = &[
    may("user:read:user", "Read your profile", "Näha sinu profiili"),
    may("meeting:read:meeting", "See your meetings", "Näha sinu koosolekuid"),
    may(
        "meeting:write:meeting",
        "Create and change meetings in your name",
        "Luua ja muuta koosolekuid sinu nimel",
    ),
];

pub(super) const FIGMA: &[Permission] = &[
    may("current_user:read", "Read your name and email address", "Näha sinu nime ja e-posti aadressi"),
    may("file_content:read", "Read the files that you can open", "Lugeda faile, mida saad avada"),
    may(
        "file_metadata:read",
        "See the names of those files and who changed them",
        "Näha nende failide nimesid ja muutjaid",
    ),
    may("file_comments:read", "Read the comments on files", "Lugeda failide kommentaare"),
    may("file_comments:write", "Comment on files in your name", "Kommenteerida faile sinu nimel"),
];

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::*;

    #[test]
    fn a_scope_by_its_address_is_the_scope_by_its_name() {
        let say = |permissions, scope| phrase(permissions, scope, Language::English);
        assert_eq!(say(MICROSOFT, "https://graph.microsoft.com/Mail.Send"), Some("Send mail in your name"));
        assert_eq!(
            say(GOOGLE, "https://www.googleapis.com/auth/drive.readonly"),
            Some("Read all your files in Drive")
        );
        assert_eq!(say(GOOGLE, "https://www.googleapis.com/auth/drive.unheard-of"), None);
        assert_eq!(say(GITHUB, "https://evil.example/repo"), None);
        assert_eq!(phrase(GITHUB, "read:user", Language::Estonian), Some("Näha sinu profiili"));
    }

    #[test]
    fn what_is_asked_for_by_default_is_said_in_words() {
        let cases: [(Profile, &str); 8] = [
            (Profile::Github, "read:user repo read:org"),
            (Profile::Slack, "users:read"),
            (Profile::Atlassian, "read:me read:jira-user read:jira-work write:jira-work search:confluence"),
            (Profile::Zoho, "ZohoCRM.modules.ALL ZohoCRM.settings.ALL ZohoCalendar.calendar.ALL"),
            (Profile::Google, "https://www.googleapis.com/auth/calendar.readonly drive.readonly"),
            (Profile::Microsoft, "User.Read Mail.ReadWrite Chat.ReadWrite Files.ReadWrite Sites.Read.All"),
            (Profile::Zoom, "user:read:user"),
            (Profile::Figma, "current_user:read file_content:read file_metadata:read"),
        ];
        for (profile, scopes) in cases {
            for scope in scopes.split(' ') {
                let said = profile.provider().permission(scope, Language::English);
                assert!(said.is_some(), "{scope} of {}", profile.name());
            }
        }
    }

    #[test]
    fn every_scope_stands_once_and_is_said_in_both_languages() {
        for profile in Profile::ALL {
            let permissions = profile.provider().permissions();
            for (place, permission) in permissions.iter().enumerate() {
                let Permission { scope, english, estonian } = permission;
                assert!(permissions[..place].iter().all(|other| other.scope != *scope), "{scope}");
                for phrase in [english, estonian] {
                    assert!(phrase.starts_with(char::is_uppercase) && !phrase.ends_with('.'), "{phrase}");
                }
                assert_ne!(english, estonian);
            }
        }
    }
}
