//! `--as`: providers of the catalog that the sandbox plays, so that a person can click through their consent without an
//! account or an app there. Their entries come from a directory in the data directory, in which every address is moved
//! to the sandbox; each start makes it anew, because the sandbox may listen elsewhere.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use provider::catalog;
use toml::Table;

/// Where the moved entries are, in the data directory.
const DIRECTORY: &str = "played";

/// What the sandbox plays: the client id of its app, whose secret is that and `-secret`, and the providers that share it.
const FAMILIES: [(&str, &[&str]); 9] = [
    ("github", &["github"]),
    ("github_app", &["github_app"]),
    ("slack", &["slack"]),
    ("figma", &["figma"]),
    ("zoom", &["zoom"]),
    ("google", &["google_workspace"]),
    ("atlassian", &["jira", "confluence"]),
    ("microsoft", &["outlook", "teams", "onedrive", "onenote", "sharepoint"]),
    ("zoho", &["zoho_crm", "zoho_calendar"]),
];

/// One value of `--as`: `all`, a family, or a provider alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice(String);

impl Choice {
    fn is_of(&self, family: &str, provider: &str) -> bool {
        self.0 == "all" || self.0 == family || self.0 == provider
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let choice = Self(name.to_owned());
        if everything().any(|(family, provider)| choice.is_of(family, provider)) {
            return Ok(choice);
        }
        Err(format!("the sandbox plays {}, and all of them as `all`", known()))
    }
}

/// Every value of `--as` but `all`, for people: `zoom, google (google_workspace)`.
pub(super) fn known() -> String {
    let families = FAMILIES.map(|(family, providers)| match providers {
        [only] if *only == family => family.to_owned(),
        _ => format!("{family} ({})", providers.join(", ")),
    });
    families.join(", ")
}

/// Client id and provider of everything that can be played.
fn everything() -> impl Iterator<Item = (&'static str, &'static str)> {
    FAMILIES.into_iter().flat_map(|(family, providers)| providers.iter().map(move |id| (family, *id)))
}

/// The same of what was chosen.
fn chosen(choices: &[Choice]) -> impl Iterator<Item = (&'static str, &'static str)> {
    everything().filter(|(family, id)| choices.iter().any(|choice| choice.is_of(family, id)))
}

/// The integrations that are to be there, by name.
pub(super) fn integrations(choices: &[Choice]) -> Vec<&'static str> {
    chosen(choices).map(|(_, provider)| provider).collect()
}

/// The same with the sandbox's apps, as tables of a configuration.
pub(super) fn configured(choices: &[Choice]) -> Table {
    let integration = |(client_id, id): (&str, &str)| {
        let app = [("client_id", client_id.to_owned()), ("client_secret", format!("{client_id}-secret"))];
        let app: Table = app.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        (id.to_owned(), app.into())
    };
    chosen(choices).map(integration).collect()
}

/// Writes the moved entries, in place of those of the last start. `None`: none are wanted, and none are left.
pub(super) fn write(
    data_dir: &Path,
    choices: &[Choice],
    sandbox_url: &str,
) -> anyhow::Result<Option<PathBuf>> {
    let directory = data_dir.join(DIRECTORY);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| directory.display().to_string());
        }
        _ => {}
    }
    if choices.is_empty() {
        return Ok(None);
    }
    DirBuilder::new().mode(0o700).create(&directory).with_context(|| directory.display().to_string())?;
    let mut last = None;
    for (family, provider) in chosen(choices) {
        // The entry of one member brings those of the whole group.
        if last.replace(family) == Some(family) {
            continue;
        }
        let text = catalog::elsewhere(&provider.parse()?, sandbox_url).with_context(|| {
            format!(
                "--as: {sandbox_url} can't play {provider}; mend: give --sandbox as https://HOST:PORT, or as \
                 http://HOST:PORT on loopback, without a path"
            )
        })?;
        let path = directory.join(format!("{family}.toml"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| path.display().to_string())?;
    }
    Ok(Some(directory))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const SANDBOX: &str = "http://127.0.0.1:9000";

    fn choices(names: &[&str]) -> Vec<Choice> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn files(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_family_a_provider_and_everything_can_be_named() {
        for (names, expected) in [
            (&["github"][..], &["github"][..]),
            (&["google"], &["google_workspace"]),
            (&["google_workspace"], &["google_workspace"]),
            (&["confluence"], &["confluence"]),
            (&["jira", "atlassian", "jira"], &["jira", "confluence"]),
            (&[], &[]),
        ] {
            assert_eq!(integrations(&choices(names)), expected, "{names:?}");
        }
        let all = integrations(&choices(&["all"]));
        assert_eq!(all.len(), everything().count());
        for name in ["", "GitHub", "dropbox", "sandbox"] {
            let error = name.parse::<Choice>().unwrap_err();
            assert!(all.iter().all(|id| error.contains(id)) && error.contains("`all`"), "{error}");
        }
    }

    #[test]
    fn the_members_of_a_family_share_its_app() {
        let table = configured(&choices(&["zoho", "github"]));
        for (id, client_id) in [("zoho_crm", "zoho"), ("zoho_calendar", "zoho"), ("github", "github")] {
            assert_eq!(table[id]["client_id"].as_str(), Some(client_id));
            assert_eq!(table[id]["client_secret"].as_str(), Some(&*format!("{client_id}-secret")));
        }
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn the_entries_are_written_for_their_owner_alone_and_anew_at_every_start() {
        let folder = tempfile::tempdir().unwrap();
        let all = write(folder.path(), &choices(&["all"]), SANDBOX).unwrap().unwrap();
        assert_eq!(files(&all).len(), FAMILIES.len());
        let catalog = catalog::Catalog::load(Some(&all)).unwrap();
        for (_, id) in everything() {
            let entry = catalog.get(&id.parse().unwrap()).unwrap();
            assert_eq!(entry.endpoints(&BTreeMap::new(), None).unwrap().api_origins, [SANDBOX]);
        }
        let few = write(folder.path(), &choices(&["jira", "zoom"]), SANDBOX).unwrap().unwrap();
        assert_eq!(files(&few), ["atlassian.toml", "zoom.toml"]);
        for path in [few.clone(), few.join("zoom.toml")] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0);
        }
        assert_eq!(write(folder.path(), &[], SANDBOX).unwrap(), None);
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn a_sandbox_that_could_not_be_called_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for url in ["http://sandbox.example", "http://127.0.0.1:9000/sandbox"] {
            let error = write(folder.path(), &choices(&["github"]), url).unwrap_err().to_string();
            assert!(error.contains(url) && error.contains("mend: "), "{error}");
        }
    }
}
