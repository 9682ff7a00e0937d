//! Files that only their owner may read, each there as a whole or not at all. They are written beside their place and
//! then get its name, so that a crash leaves no half a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use vault::MasterKey;

/// The key file of a data directory, made at the first start. A key that another start put there meanwhile stays.
pub(super) fn key_file(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let path = data_dir.join("key");
    let there = path.try_exists().with_context(|| path.display().to_string())?;
    if !there {
        create_key(&path).with_context(|| path.display().to_string())?;
    }
    Ok(path)
}

/// Writes a new key to a new file. Tells whether it did: a file that is there stays as it is.
pub(super) fn create_key(path: &Path) -> io::Result<bool> {
    create(path, &format!("{}\n", MasterKey::generate().expose()))
}

/// Writes a new file. Tells whether it did: a file that is there stays as it is.
pub(super) fn create(path: &Path, text: &str) -> io::Result<bool> {
    through_draft(path, text, |draft| match fs::hard_link(draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    })
}

/// Writes a file, in place of the one that is there.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    through_draft(path, text, |draft| fs::rename(draft, path))
}

fn through_draft<T>(path: &Path, text: &str, place: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let draft = directory.join(format!(".draft-{}", vault::random::token().expose()));
    let placed = write_new(&draft, text).and_then(|()| place(&draft));
    // It may not even have come to be, or has its name by now.
    let _ = fs::remove_file(&draft);
    let placed = placed?;
    File::open(directory)?.sync_all()?;
    Ok(placed)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn is_private(path: &Path) -> bool {
        fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
    }

    #[test]
    fn the_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = key_file(folder.path()).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        assert!(is_private(&path));
        key_file(folder.path()).unwrap();
        assert!(!create_key(&path).unwrap(), "a key that came meanwhile stays");
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        assert!(MasterKey::parse(&first).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_never_created_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(create(&path, "one").unwrap() && is_private(&path));
        assert!(!create(&path, "two").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        replace(&path, "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert!(is_private(&path), "the mode of what it replaces does not count");
        let directory = folder.path().join("directory");
        fs::create_dir(&directory).unwrap();
        replace(&directory, "four").unwrap_err();
        create(&path.join("below"), "five").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no draft stays");
    }
}
