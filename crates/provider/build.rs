//! Checks the catalog that is compiled in, with the library's own rules, and lists its files for the library.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/format/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "the format is the library's; a check needs only a part of it")]
mod format;

fn main() -> Result<(), Box<dyn Error>> {
    let catalog = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("catalog");
    println!("cargo::rerun-if-changed={}", catalog.display());
    println!("cargo::rerun-if-changed=src/format");

    let mut paths: Vec<PathBuf> =
        fs::read_dir(&catalog)?.map(|file| file.map(|file| file.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();

    let mut listing = String::from("&[\n");
    let (mut entries, mut groups) = (Vec::new(), Vec::new());
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = match format::file::parse(&name, &fs::read_to_string(&path)?) {
            Ok(file) => file,
            Err(error) => refuse(&error),
        };
        entries.extend(file.entries);
        groups.extend(file.groups);
        writeln!(listing, "    ({name:?}, include_str!({:?})),", path.display().to_string())?;
    }
    listing.push(']');
    check(&entries, &groups);

    fs::write(Path::new(&env::var("OUT_DIR")?).join("built_in.rs"), listing)?;
    Ok(())
}

fn check(
    entries: &[format::file::Placed<format::entry::Entry>],
    groups: &[format::file::Placed<format::entry::Group>],
) {
    for (index, one) in entries.iter().enumerate() {
        if entries.iter().take(index).any(|other| other.item.id == one.item.id) {
            refuse(&one.error(format!("provider `{}`, id", one.item.id), "stands twice in the catalog"));
        }
    }
    for (index, one) in groups.iter().enumerate() {
        if groups.iter().take(index).any(|other| other.item.id == one.item.id) {
            refuse(&one.error(format!("group `{}`, id", one.item.id), "stands twice in the catalog"));
        }
    }
    let (entries, groups): (Vec<_>, Vec<_>) = (entries.iter().collect(), groups.iter().collect());
    if let Err(error) = format::file::check_groups(&entries, &groups) {
        refuse(&error);
    }
}

fn refuse(error: &format::file::FileError) -> ! {
    println!("cargo::error=crates/provider/catalog/{error}");
    std::process::exit(1)
}
