//! What each provider documents, as data: compiled in, and extended or overridden by the operator's own files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{GroupId, ProviderId};

pub use crate::authorize::AuthorizeRequest;
pub use crate::elsewhere::elsewhere;
pub use crate::endpoints::{Endpoints, EndpointsError, Region, UnknownRegion};
pub use crate::format::entry::*;
pub use crate::format::file::FileError;
use crate::format::file::{self, File, Placed};

/// The files that `build.rs` checked.
pub(crate) const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// More files than anybody writes by hand.
const MAX_FILES: usize = 1000;
/// The largest file that is read, in octets.
const MAX_FILE: u64 = 256 * 1024;

/// Why the operator's files are not taken. Each stops the start.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The directory or a file in it can't be read.
    #[error("{}: can't be read; give the path of a directory of .toml files in UTF-8", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More files than are read.
    #[error("{}: more than {MAX_FILES} catalog files; put several entries into one file", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// A file is larger than is read.
    #[error("{}: larger than {MAX_FILE} bytes; split it", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is no catalog file.
    #[error(transparent)]
    Invalid(#[from] FileError),
}

/// Every provider that is known here.
#[derive(Debug, Clone)]
pub struct Catalog {
    entries: BTreeMap<ProviderId, Arc<Entry>>,
    groups: BTreeMap<GroupId, Group>,
}

impl Catalog {
    /// The catalog that is compiled in.
    pub fn built_in() -> Self {
        let files = built_in_files();
        Self::merge(files, Vec::new()).expect("build.rs checked these files with the same rules")
    }

    /// The catalog that is compiled in, with the entries and groups of every `*.toml` file in `directory`. One with an
    /// id that is already there takes its place as a whole.
    pub fn load(directory: Option<&Path>) -> Result<Self, CatalogError> {
        let mut own = Vec::new();
        for path in directory.map(catalog_files).transpose()?.unwrap_or_default() {
            let text = read(&path)?;
            own.push(file::parse(&path.display().to_string(), &text)?);
        }
        Ok(Self::merge(built_in_files(), own)?)
    }

    /// The entry of that name.
    pub fn get(&self, id: &ProviderId) -> Option<&Arc<Entry>> {
        self.entries.get(id)
    }

    /// Every entry, by name.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// The group of that name.
    pub fn group(&self, id: &GroupId) -> Option<&Group> {
        self.groups.get(id)
    }

    /// Every group, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    fn merge(built_in: Vec<File>, own: Vec<File>) -> Result<Self, FileError> {
        let mut entries: BTreeMap<ProviderId, Placed<Entry>> = BTreeMap::new();
        let mut groups: BTreeMap<GroupId, Placed<Group>> = BTreeMap::new();
        for files in [built_in, own] {
            let (mut new_entries, mut new_groups) = (BTreeMap::new(), BTreeMap::new());
            for file in files {
                for entry in file.entries {
                    add(&mut new_entries, entry.item.id.clone(), entry, "provider")?;
                }
                for group in file.groups {
                    add(&mut new_groups, group.item.id.clone(), group, "group")?;
                }
            }
            entries.append(&mut new_entries);
            groups.append(&mut new_groups);
        }
        let (all_entries, all_groups): (Vec<_>, Vec<_>) =
            (entries.values().collect(), groups.values().collect());
        file::check_groups(&all_entries, &all_groups)?;
        Ok(Self {
            entries: entries.into_iter().map(|(id, entry)| (id, Arc::new(entry.item))).collect(),
            groups: groups.into_iter().map(|(id, group)| (id, group.item)).collect(),
        })
    }
}

/// Two of the same name in the operator's files would leave it to chance which one counts.
fn add<K: Ord + std::fmt::Display, T>(
    map: &mut BTreeMap<K, Placed<T>>,
    id: K,
    new: Placed<T>,
    table: &str,
) -> Result<(), FileError> {
    if let Some(other) = map.get(&id) {
        let problem = format!("stands already in {}, line {}; remove one of them", other.file, other.line);
        return Err(new.error(format!("{table} `{id}`, id"), problem));
    }
    map.insert(id, new);
    Ok(())
}

fn built_in_files() -> Vec<File> {
    let parse = |(name, text): &(&str, &str)| {
        file::parse(name, text).expect("build.rs checked these files with the same rules")
    };
    BUILT_IN.iter().map(parse).collect()
}

fn catalog_files(directory: &Path) -> Result<Vec<PathBuf>, CatalogError> {
    let unreadable = |source| CatalogError::Unreadable { path: directory.to_owned(), source };
    let mut paths = Vec::new();
    for file in fs::read_dir(directory).map_err(unreadable)? {
        let path = file.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
        if paths.len() > MAX_FILES {
            return Err(CatalogError::TooMany { path: directory.to_owned() });
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads at most as much as a catalog file may have.
fn read(path: &Path) -> Result<String, CatalogError> {
    let unreadable = |source| CatalogError::Unreadable { path: path.to_owned(), source };
    let mut octets = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    let length = file.take(MAX_FILE + 1).read_to_end(&mut octets).map_err(unreadable)?;
    if u64::try_from(length).is_ok_and(|length| length > MAX_FILE) {
        return Err(CatalogError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(octets).map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))
}
