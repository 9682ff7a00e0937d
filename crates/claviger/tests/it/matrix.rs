//! The fifteen providers, each with the unmodified facts of its built-in entry: a connection's whole life over HTTP.

mod cases;
mod life;

use cases::{CASES, case};

const HEAD: &str =
    "| provider | authorize | callback | refresh | dead grant | revoke | validate | identity | seen by |";

macro_rules! each {
    ($($id:ident)*) => {
        $(
            #[tokio::test]
            async fn $id() {
                life::of(case(stringify!($id))).await;
            }
        )*

        #[test]
        fn no_provider_is_left_out() {
            assert_eq!(CASES.map(|case| case.id), [$(stringify!($id)),*]);
        }
    };
}

each! {
    github github_app jira confluence outlook teams onedrive onenote sharepoint slack figma zoom google_workspace
    zoho_crm zoho_calendar
}

/// `docs/providers-seen.md` has the table that this prints: `cargo test … matrix::table -- --nocapture`.
#[tokio::test]
async fn table() {
    let mut lines = vec![HEAD.to_owned(), format!("|{}", " --- |".repeat(HEAD.matches('|').count() - 1))];
    for case in CASES {
        let mut cells = life::of(case).await;
        let also = if case.foreign.is_empty() { String::new() } else { format!(", {}", case.foreign) };
        cells.push(format!("the sandbox{also}"));
        lines.push(format!("| {} |", cells.join(" | ")));
    }
    let table = lines.join("\n") + "\n";
    println!("{table}");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/providers-seen.md"))
        .unwrap();
    assert!(page.contains(&table), "docs/providers-seen.md has another table; put this one there:\n{table}");
}
