//! Secrets in the configuration are one type everywhere.

use std::env::{self, VarError};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use model::Secret;
use serde::Deserialize;

/// The longest secret that is read.
const MAX_LEN: u64 = 64 * 1024;

/// Where a secret comes from: one place, or several of which the first that is present wins.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "a secret: \"env:NAME\", \"file:PATH\", \"cmd:PROGRAM\", a literal, or a list of these"
)]
pub enum SecretSource {
    /// One place.
    One(Place),
    /// The first that is present.
    FirstOf(Vec<Place>),
}

/// One place where a secret can be.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub enum Place {
    /// An environment variable; absent when it is not set or empty.
    Env(String),
    /// A file; absent when it does not exist, while one that can't be read or is empty is an error. Its last line break does not count.
    File(PathBuf),
    /// What a program prints, started without a shell. Its last line break does not count.
    Command(String),
    /// The secret itself.
    Literal(Secret<String>),
}

impl From<String> for Place {
    fn from(text: String) -> Self {
        match text.split_once(':') {
            Some(("env", name)) => Self::Env(name.to_owned()),
            Some(("file", path)) => Self::File(PathBuf::from(path)),
            Some(("cmd", command)) => Self::Command(command.to_owned()),
            _ => Self::Literal(Secret::new(text)),
        }
    }
}

/// Why a secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// None of the places has it.
    #[error("is missing: {0}")]
    Missing(String),
    /// The place is there and can't be read.
    #[error("can't be read from {place}: {why}")]
    Unreadable {
        /// The place.
        place: String,
        /// Why.
        why: String,
    },
}

/// A secret, and whether it stood in the configuration itself.
pub struct Resolved {
    /// The secret.
    pub secret: Secret<String>,
    /// Whether it is a literal, which deserves a warning.
    pub literal: bool,
}

impl SecretSource {
    /// Looks in every place, in order.
    pub fn resolve(&self) -> Result<Resolved, SecretError> {
        let places = match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::FirstOf(places) => places,
        };
        for place in places {
            if let Some(secret) = place.look()? {
                return Ok(Resolved { secret, literal: matches!(place, Place::Literal(_)) });
            }
        }
        let names: Vec<String> = places.iter().map(Place::describe).collect();
        Err(SecretError::Missing(if names.is_empty() {
            "the list is empty".to_owned()
        } else {
            names.join(", ")
        }))
    }
}

impl Place {
    fn describe(&self) -> String {
        match self {
            Self::Env(name) => format!("the environment variable {name} is not set"),
            Self::File(path) => format!("the file {} does not exist", path.display()),
            Self::Command(command) => format!("the command {command:?} printed nothing"),
            Self::Literal(_) => "the literal is empty".to_owned(),
        }
    }

    fn look(&self) -> Result<Option<Secret<String>>, SecretError> {
        let unreadable = |place: String, why: &dyn std::fmt::Display| SecretError::Unreadable {
            place,
            why: why.to_string(),
        };
        let text = match self {
            Self::Env(name) => match env::var(name) {
                Ok(text) => text,
                Err(VarError::NotPresent) => return Ok(None),
                Err(VarError::NotUnicode(_)) => {
                    let place = format!("the environment variable {name}");
                    return Err(unreadable(place, &"its value is not text in UTF-8"));
                }
            },
            Self::Literal(secret) => {
                return Ok(Some(secret.clone()).filter(|secret| !secret.expose().is_empty()));
            }
            Self::File(path) => {
                let place = || format!("the file {}", path.display());
                let file = match fs::File::open(path) {
                    Ok(file) => file,
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(unreadable(place(), &error)),
                };
                let mut text = String::new();
                file.take(MAX_LEN).read_to_string(&mut text).map_err(|error| unreadable(place(), &error))?;
                if text.trim_end_matches(['\n', '\r']).is_empty() {
                    return Err(unreadable(place(), &"it is empty"));
                }
                text
            }
            Self::Command(command) => {
                let place = || format!("the command {command:?}");
                let mut words = command.split_whitespace();
                let program = words.next().ok_or_else(|| unreadable(place(), &"it names no program"))?;
                let run =
                    Command::new(program).args(words).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
                let output = run.map_err(|error| unreadable(place(), &error))?;
                if !output.status.success() {
                    return Err(unreadable(place(), &output.status));
                }
                String::from_utf8(output.stdout)
                    .map_err(|_| unreadable(place(), &"it printed something else than text"))?
            }
        };
        let text = text.trim_end_matches(['\n', '\r']);
        Ok((!text.is_empty()).then(|| Secret::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(toml: &str) -> SecretSource {
        #[derive(Deserialize)]
        struct Holder {
            secret: SecretSource,
        }
        toml::from_str::<Holder>(&format!("secret = {toml}")).unwrap().secret
    }

    #[test]
    fn the_first_place_that_has_it_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "from the file\n").unwrap();
        let list = format!(r#"["env:CLAVIGER_TEST_NO_SUCH_VARIABLE", "file:{}", "literal"]"#, path.display());
        let resolved = source(&list).resolve().unwrap();
        assert_eq!((resolved.secret.expose().as_str(), resolved.literal), ("from the file", false));
        assert!(source(r#""literal""#).resolve().unwrap().literal);
        assert_eq!(
            source(r#""cmd:echo from a command""#).resolve().unwrap().secret.expose(),
            "from a command"
        );
    }

    #[test]
    fn a_file_that_is_there_and_can_not_be_used_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty");
        fs::write(&empty, "\n").unwrap();
        for (path, why) in [
            (empty.clone(), "is empty"),
            (empty.join("below"), "can't be read"),
            (folder.path().into(), "can't be read"),
        ] {
            let error = source(&format!(r#"["file:{}", "literal"]"#, path.display())).resolve().err();
            let text = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(
                text.contains(why) && text.contains(&path.display().to_string()),
                "{path:?} gave {text:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named_and_no_value_is() {
        let error = source(r#"["env:CLAVIGER_TEST_NO_SUCH_VARIABLE", "file:/no/such/file"]"#)
            .resolve()
            .err()
            .unwrap();
        let text = error.to_string();
        assert!(text.contains("CLAVIGER_TEST_NO_SUCH_VARIABLE") && text.contains("/no/such/file"), "{text}");
        assert!(source(r#""cmd:false""#).resolve().err().unwrap().to_string().contains("can't be read"));
        assert!(!format!("{:?}", source(r#""hunter2""#)).contains("hunter2"));
    }
}
