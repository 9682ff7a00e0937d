//! Writes `docs/catalog.md` from the catalog: `cargo run -p claviger-provider --example catalog_page`.

mod page;

use std::path::Path;
use std::{fs, io};

use claviger_provider::catalog::Catalog;

fn main() -> io::Result<()> {
    fs::write(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/catalog.md"),
        page::page(&Catalog::built_in()),
    )
}
