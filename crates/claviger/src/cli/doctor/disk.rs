//! Files and directories that a start needs.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::cli::db_check;
use crate::cli::report::Report;
use crate::config::Config;
use crate::config::SecretSource;
use crate::config::secret::Place;

/// Whether others may read a file that holds the key.
pub(super) fn key_files(report: &mut Report, key: &SecretSource) {
    let places = match key {
        SecretSource::One(place) => std::slice::from_ref(place),
        SecretSource::FirstOf(places) => places,
    };
    for place in places {
        let Place::File(path) = place else { continue };
        // One that is not there is told as a missing key.
        let Ok(found) = fs::metadata(path) else { continue };
        let (path, mode) = (path.display(), found.permissions().mode());
        if mode & db_check::FOR_OTHERS == 0 {
            report.good("key file", format!("only its owner may read {path}"));
        } else {
            report.bad("key file", format!("others may read {path}"), format!("chmod 600 {path}"));
        }
    }
}

pub(super) fn data_dir(report: &mut Report, path: &Path) {
    let (check, name) = ("data_dir", path.display());
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            report.bad(
                check,
                format!("{name} is no directory"),
                "name a directory with data_dir or --data-dir",
            );
        }
        Ok(_) => {
            if may_write(path) {
                if let Err(error) = db_check::directory(report, check, path) {
                    report.bad(check, format!("{name}: {error}"), "make it readable for this user");
                }
            } else {
                report.bad(
                    check,
                    format!("{name} can't be written"),
                    format!("make {name} writable for this user"),
                );
            }
        }
        Err(error) => missing(report, check, path, &error),
    }
}

/// Where answers wait for PostgreSQL.
pub(super) fn spool(report: &mut Report, config: &Config) {
    let check = "connect.refresh.spool";
    let path = config.connect.refresh.spool.clone().unwrap_or_else(|| config.data_dir.join("spool"));
    match fs::metadata(&path) {
        Ok(found) if found.is_dir() && may_write(&path) => {
            report.good(check, format!("{} can be written", path.display()));
        }
        Ok(_) => {
            let what = format!("{} is no directory that can be written", path.display());
            report.bad(check, what, "make it one, or name another directory");
        }
        Err(error) => missing(report, check, &path, &error),
    }
}

/// What is not there is made by the first start, where it can be.
fn missing(report: &mut Report, check: &str, path: &Path, error: &std::io::Error) {
    let name = path.display();
    if error.kind() == ErrorKind::NotFound && can_be_made(path) {
        let what = format!("{name} does not exist yet");
        report.attention(check, what, "none needed before the first start, which makes it");
    } else {
        let what = format!("{name} can't be made: {error}");
        report.bad(check, what, "make it for this user, or name another directory");
    }
}

fn can_be_made(path: &Path) -> bool {
    let Ok(path) = std::path::absolute(path) else { return false };
    let above: Option<PathBuf> = path.ancestors().find(|above| above.exists()).map(Path::to_owned);
    above.is_some_and(|above| above.is_dir() && may_write(&above))
}

fn may_write(directory: &Path) -> bool {
    access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
