//! The configuration that a start of `dev` runs with: what an operator would have written for it. It is kept in the data
//! directory, so that every other command works beside it, and made anew at every start, because the ports differ.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, bail};
use toml::Table;

use super::super::files;
use crate::config::{Config, ConfigError, layers};

/// The first line of the file, by which a later start knows it.
const FIRST_LINE: &str = "# claviger dev makes this file anew at every start; what you change here is lost.";

/// What a start decides.
pub(super) struct Start<'a> {
    pub(super) data_dir: &'a Path,
    pub(super) key: &'a Path,
    pub(super) catalog: Option<&'a Path>,
    pub(super) integrations: Table,
    pub(super) public_url: &'a str,
    pub(super) sandbox_url: &'a str,
}

impl Start<'_> {
    /// The settings that differ from the defaults.
    pub(super) fn settings(self) -> anyhow::Result<Table> {
        let (public_url, sandbox_url) = (self.public_url, self.sandbox_url);
        let listen = public_url.trim_start_matches("http://");
        let sandbox_host = sandbox_url.trim_start_matches("http://");
        let data_dir = absolute(self.data_dir)?;
        let key = format!("file:{}", absolute(self.key)?);
        let mut settings = toml::toml! {
            public_url = public_url
            product_name = "Demo"
            data_dir = data_dir
            key = key
            [public]
            listen = listen
            [backend]
            listen = listen
            [connect]
            default_provider = "sandbox"
            return_to = [public_url]
            [outbound]
            allow_private = [sandbox_host]
            [log]
            level = "warn"
            [stripe]
            secret_key = "sk_test_sandbox"
            webhook_secrets = ["whsec_sandbox"]
            api_base = sandbox_url
            [grant.scopes]
            "reports.read" = { en = "Read your reports", et = "Lugeda sinu aruandeid" }
            "reports.write" = { en = "Create reports in your name", et = "Luua sinu nimel aruandeid" }
            [integrations.sandbox]
            client_id = "claviger"
            client_secret = "sandbox-secret"
            parameters = { sandbox_url = sandbox_url }
        };
        layers::merge(
            &mut settings,
            Table::from_iter([("integrations".to_owned(), self.integrations.into())]),
        );
        if let Some(directory) = self.catalog {
            let catalog = Table::from_iter([("directory".to_owned(), absolute(directory)?.into())]);
            settings.insert("catalog".to_owned(), catalog.into());
        }
        Ok(settings)
    }
}

/// A path that means the same wherever a command is started.
fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path).with_context(|| path.display().to_string())?;
    let text = path.to_str().with_context(|| {
        format!("{}: its name is not text in UTF-8\n  mend: name another with --data-dir", path.display())
    })?;
    Ok(text.to_owned())
}

/// The settings over the defaults, and over nothing else.
pub(super) fn load(settings: &Table) -> Result<Config, ConfigError> {
    let fault =
        |error: &dyn std::fmt::Display| ConfigError::setting("dev", error.to_string(), "please report it");
    let mut table: Table = layers::DEFAULTS.parse().map_err(|error: toml::de::Error| fault(&error))?;
    layers::merge(&mut table, settings.clone());
    serde_path_to_error::deserialize(table).map_err(|error| fault(&error))
}

/// Refuses a data directory whose configuration somebody else wrote: `dev` would overwrite it.
pub(super) fn is_ours_to_write(data_dir: &Path) -> anyhow::Result<()> {
    let path = data_dir.join(layers::FILE_NAME);
    match fs::read(&path) {
        Ok(text) if text.split(|octet| *octet == b'\n').next() == Some(FIRST_LINE.as_bytes()) => Ok(()),
        Ok(_) => bail!(
            "{}: claviger dev did not make it, and would overwrite it\n  mend: name another directory with --data-dir, \
             or serve this one with claviger serve --data-dir {}",
            path.display(),
            data_dir.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Writes them where the other commands look.
pub(super) fn write(data_dir: &Path, settings: &Table) -> anyhow::Result<()> {
    let path = data_dir.join(layers::FILE_NAME);
    let written = files::replace(&path, &format!("{FIRST_LINE}\n\n{settings}"));
    written.with_context(|| path.display().to_string())
}
