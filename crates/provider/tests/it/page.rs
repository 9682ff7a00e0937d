//! The pages about the catalog are true.

use std::fs;
use std::path::Path;

use claviger_provider::catalog::Catalog;
use claviger_provider::format::file;

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

fn check_list() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/adding-a-provider.md")).unwrap()
}

#[test]
fn the_check_list_s_example_is_an_entry() {
    let text = check_list();
    let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let read = file::parse("acme.toml", example).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read.entries[0].item.id.as_str(), "acme");
}

#[test]
fn the_check_list_names_every_field() {
    let text = check_list();
    for table in ["", "endpoints.", "token_answer.", "refresh.", "identity.", "revocation.", "validation."] {
        let unknown = format!("[[provider]]\n{table}no_such_field = 1\n");
        let error = file::parse("a.toml", &unknown).unwrap_err();
        let fields = error.problem.split_once("expected").unwrap().1;
        for field in fields.split('`').skip(1).step_by(2) {
            assert!(text.contains(field), "{table}{field} is not in docs/adding-a-provider.md");
        }
    }
}
