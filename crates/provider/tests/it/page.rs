//! The page that is made from the catalog.

use std::fs;
use std::path::Path;

use claviger_provider::catalog::Catalog;

#[path = "../../examples/catalog_page/page.rs"]
mod generator;

#[test]
fn the_catalog_s_page_is_not_stale() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/catalog.md");
    let written = fs::read_to_string(path).unwrap_or_default();
    let expected = generator::page(&Catalog::built_in());
    let differs = written.lines().zip(expected.lines()).position(|(one, other)| one != other);
    assert!(
        written == expected,
        "docs/catalog.md is stale from line {}: cargo run -p claviger-provider --example catalog_page",
        differs.unwrap_or(written.lines().count()) + 1,
    );
}
