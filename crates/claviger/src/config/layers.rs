//! The four layers become one table, and the table becomes the [`Config`]. What is wrong is told with its file and
//! line, or its environment variable, or its flag; its key; and what to write instead.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;
use super::error::ConfigError;
use super::mistakes::{exact_offset, join_once, mend, nearest_offset};

/// The compiled-in layer.
pub const DEFAULTS: &str = include_str!("../../claviger.default.toml");

/// The configuration file's name, in the data directory or where the program is started.
pub const FILE_NAME: &str = "claviger.toml";

const PREFIX: &str = "CLAVIGER__";

/// What stands on the command line, over everything else.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// `--data-dir DIR`.
    pub data_dir: Option<PathBuf>,
}

struct File {
    path: PathBuf,
    text: String,
}

/// A variable that sets something.
struct Variable {
    name: String,
    path: Vec<String>,
    text: String,
    /// Whether it was read as something else than its text, which is a guess until the setting takes it.
    guessed: bool,
}

/// Reads all layers. `environment` is what the process was started with.
pub fn load(
    flags: &Flags,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    Layers::read(flags, environment)?.into_config().map(|(config, _)| config)
}

/// Reads all layers, and keeps where each setting came from.
pub(crate) fn load_with_origins(
    flags: &Flags,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Config, Layers), ConfigError> {
    Layers::read(flags, environment)?.into_config()
}

/// Everything that was said, laid over each other.
pub(crate) struct Layers {
    pub(super) table: Table,
    file: Option<File>,
    variables: BTreeMap<String, Variable>,
    data_dir: bool,
}

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// A file and its line.
    File(String),
    /// An environment variable.
    Variable(String),
    /// The command line.
    Flag(&'static str),
}

impl Layers {
    fn read(
        flags: &Flags,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut table = defaults()?;
        let file = read_file(flags)?;
        if let Some(file) = &file {
            merge(&mut table, parse_file(file)?);
        }
        let mut variables = BTreeMap::new();
        for (name, value) in environment {
            // What is not text in a name stays visible as U+FFFD, and no setting has it.
            let name = name.to_string_lossy();
            if let Some(key) = name.strip_prefix(PREFIX) {
                let path: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
                let key = path.join(".");
                let text = value.into_string().map_err(|_| not_text(&name, &key))?;
                let value = read_value(&text);
                let guessed = value.as_str() != Some(&text);
                set(&mut table, &path, value);
                variables.insert(key, Variable { name: name.into_owned(), path, text, guessed });
            }
        }
        if let Some(data_dir) = &flags.data_dir {
            table.insert("data_dir".to_owned(), Value::String(data_dir.display().to_string()));
        }
        Ok(Self { table, file, variables, data_dir: flags.data_dir.is_some() })
    }

    fn into_config(mut self) -> Result<(Config, Self), ConfigError> {
        match self.deserialize() {
            Ok(config) => Ok((config, self)),
            Err(error) => Err(self.mistake(&error)),
        }
    }

    /// Makes the table a [`Config`]. A setting that refuses what its variable was read as is given the text instead,
    /// once: a client id of digits is a text all the same.
    fn deserialize(&mut self) -> Result<Config, serde_path_to_error::Error<toml::de::Error>> {
        loop {
            let error = match serde_path_to_error::deserialize(self.table.clone()) {
                Ok(config) => return Ok(config),
                Err(error) => error,
            };
            let variable = self.variables.get_mut(&error.path().to_string());
            let Some(variable) = variable.filter(|variable| variable.guessed) else {
                return Err(error);
            };
            variable.guessed = false;
            set(&mut self.table, &variable.path, Value::String(variable.text.clone()));
        }
    }

    fn mistake(&self, error: &serde_path_to_error::Error<toml::de::Error>) -> ConfigError {
        let what = error.inner().message().to_owned();
        let mut key = error.path().to_string();
        if let Some(name) = what.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
            key = if key == "." { name.to_owned() } else { join_once(&key, name) };
        }
        let place = place_of(&key, self.file.as_ref(), &self.variables);
        let mend = mend(&what, &key);
        ConfigError { place, key: Some(key), what, mend }
    }

    /// The file that was read.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// Where the setting at this path came from.
    pub(crate) fn origin(&self, path: &[&str]) -> Origin {
        if self.data_dir && path == ["data_dir"] {
            return Origin::Flag("--data-dir");
        }
        // A variable may hold a table with the setting in it.
        let holds = |variable: &&Variable| {
            variable.path.len() <= path.len()
                && variable.path.iter().zip(path).all(|(one, other)| one == other)
        };
        if let Some(variable) = self.variables.values().find(holds) {
            return Origin::Variable(variable.name.clone());
        }
        let Some(file) = &self.file else { return Origin::Default };
        match exact_offset(&file.text, path) {
            Some(offset) => Origin::File(at(file, offset)),
            None => Origin::Default,
        }
    }
}

/// The compiled-in layer as a table.
pub(crate) fn defaults() -> Result<Table, ConfigError> {
    DEFAULTS.parse().map_err(|error: toml::de::Error| ConfigError {
        place: "claviger.default.toml".to_owned(),
        key: None,
        what: error.message().to_owned(),
        mend: "this is a fault of the program; please report it".to_owned(),
    })
}

fn not_text(name: &str, key: &str) -> ConfigError {
    ConfigError {
        place: format!("environment variable {name}"),
        key: Some(key.to_owned()),
        what: "its value is not text in UTF-8".to_owned(),
        mend: "set it anew".to_owned(),
    }
}

/// The file that `--config` names, else `claviger.toml` in the data directory or here, if there is one.
fn read_file(flags: &Flags) -> Result<Option<File>, ConfigError> {
    let beside_data = flags.data_dir.as_ref().map(|folder| folder.join(FILE_NAME));
    let found = [flags.config.clone(), beside_data, Some(PathBuf::from(FILE_NAME))];
    let wanted = flags.config.is_some();
    let Some(path) = found.into_iter().flatten().find(|path| wanted || path.exists()) else {
        return Ok(None);
    };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(File { path, text })),
        Err(error) => Err(ConfigError {
            place: path.display().to_string(),
            key: None,
            what: error.to_string(),
            mend: "name a readable file with --config, or leave it out".to_owned(),
        }),
    }
}

fn parse_file(file: &File) -> Result<Table, ConfigError> {
    file.text.parse().map_err(|error: toml::de::Error| ConfigError {
        place: error.span().map_or_else(|| file.path.display().to_string(), |span| at(file, span.start)),
        key: None,
        what: error.message().to_owned(),
        mend: "correct the TOML syntax".to_owned(),
    })
}

fn at(file: &File, offset: usize) -> String {
    let line = file.text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1);
    format!("{}:{line}", file.path.display())
}

/// Lays one table over another: tables are merged, everything else is replaced.
pub(crate) fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

pub(super) fn set(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let inner = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !inner.is_table() {
                *inner = Value::Table(Table::new());
            }
            if let Value::Table(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// What an environment variable seems to mean: a TOML value where it reads as boolean, whole number, list, table or
/// quoted text, else the text.
fn read_value(text: &str) -> Value {
    match text.parse::<Value>() {
        Ok(Value::Float(_) | Value::Datetime(_)) | Err(_) => Value::String(text.to_owned()),
        Ok(value) => value,
    }
}

fn place_of(key: &str, file: Option<&File>, variables: &BTreeMap<String, Variable>) -> String {
    if let Some(Variable { name, .. }) = variables.get(key) {
        return format!("environment variable {name}");
    }
    let Some(file) = file else {
        return "configuration".to_owned();
    };
    match nearest_offset(&file.text, key) {
        Some(offset) => at(file, offset),
        None => file.path.display().to_string(),
    }
}

/// The path of the embedded database in a data directory.
pub fn embedded_database(data_dir: &Path) -> PathBuf {
    data_dir.join("claviger.db")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claviger.toml");
        fs::write(&path, text).unwrap();
        let flags = Flags { config: Some(path.clone()), data_dir: None };
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        load(&flags, environment)
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "claviger.toml"))
    }

    #[test]
    fn the_defaults_are_a_configuration() {
        let config = with_file("", &[]).unwrap();
        assert_eq!(config.connect.attempt_ttl.0.as_secs(), 600);
        assert!(config.public_url.is_none());
    }

    #[test]
    fn later_layers_win() {
        let file =
            "product_name = 'Rowan'\n[connect]\nattempt_ttl = '20m'\nreturn_to = ['https://a.example']\n";
        let environment = [
            ("CLAVIGER__CONNECT__ATTEMPT_TTL", "5m"),
            ("CLAVIGER__SUBJECTS__MUST_EXIST", "true"),
            ("OTHER", "x"),
        ];
        let config = with_file(file, &environment).unwrap();
        assert_eq!(config.product_name, "Rowan");
        assert_eq!(config.connect.attempt_ttl.0.as_secs(), 300);
        assert_eq!(config.connect.return_to, ["https://a.example"]);
        assert!(config.subjects.must_exist);
    }

    #[test]
    fn a_variable_for_a_text_is_its_text_whatever_it_looks_like() {
        let environment = [
            ("CLAVIGER__PRODUCT_NAME", "1984"),
            ("CLAVIGER__CONNECT__DEFAULT_PROVIDER", "360"),
            ("CLAVIGER__INTEGRATIONS__GITHUB__CLIENT_ID", "0x1234567890"),
            ("CLAVIGER__INTEGRATIONS__GITHUB__CLIENT_SECRET", "true"),
            ("CLAVIGER__INTEGRATIONS__GITHUB__PARAMETERS__TENANT", "{}"),
            ("CLAVIGER__DATABASE__CACHE_ENTRIES", "7"),
            ("CLAVIGER__CONNECT__RETURN_TO", "['https://a.example']"),
        ];
        let config = with_file("", &environment).unwrap();
        assert_eq!(config.product_name, "1984");
        assert_eq!(config.connect.default_provider.unwrap().as_str(), "360");
        assert_eq!((config.database.cache_entries, config.connect.return_to.len()), (7, 1));
        let github = &config.integrations["github"];
        let secret = |source: &Option<crate::config::SecretSource>| {
            source.as_ref().unwrap().resolve().unwrap().secret.expose().clone()
        };
        assert_eq!(secret(&github.client_id), "0x1234567890");
        assert_eq!(secret(&github.client_secret), "true");
        assert_eq!(github.parameters["tenant"], "{}");

        let quoted = with_file("", &[("CLAVIGER__PRODUCT_NAME", r#""1984""#)]).unwrap();
        assert_eq!(quoted.product_name, "1984");
        let message = with_file("", &[("CLAVIGER__SUBJECTS__MUST_EXIST", "5")]).unwrap_err();
        assert!(message.contains("CLAVIGER__SUBJECTS__MUST_EXIST: subjects.must_exist"), "{message}");
    }

    #[test]
    fn what_is_wrong_is_told_with_file_line_key_and_mend() {
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);
        let cases: [Case<'_>; 7] = [
            (
                "\n[connect]\natempt_ttl = '1m'\n",
                &[],
                &["claviger.toml:3: connect.atempt_ttl", "unknown field", "did you mean attempt_ttl?"],
            ),
            ("nonsense = 1\n", &[], &["claviger.toml:1: nonsense", "unknown field", "known here: "]),
            ("[public]\n\nlisten = 7\n", &[], &["claviger.toml:3: public.listen", "mend: "]),
            (
                "[connect]\nattempt_ttl = 'soon'\n",
                &[],
                &["claviger.toml:2: connect.attempt_ttl", "is no duration"],
            ),
            ("[integrations.github]\nclient = 'x'\n", &[], &["claviger.toml:2: integrations.github.client"]),
            ("a = \n", &[], &["claviger.toml:1", "TOML syntax"]),
            (
                "",
                &[("CLAVIGER__LOG__LEVEL", "loud")],
                &["environment variable CLAVIGER__LOG__LEVEL: log.level", "unknown variant"],
            ),
        ];
        for (file, environment, expected) in cases {
            let message = with_file(file, environment).expect_err(file);
            for part in expected {
                assert!(message.contains(part), "{file:?} gave {message:?}, which lacks {part:?}");
            }
        }
    }
}
