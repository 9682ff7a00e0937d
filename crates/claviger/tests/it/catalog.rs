//! The operator's own catalog entries, without a rebuild.

use std::fs;

use crate::harness::process::run;

const KEY: (&str, &str) = ("CLAVIGER_KEY", "p2kPrqnc2IwqTtKX3J9TMV6wWd2FMqZ4hbMWBsLDp8o=");
const URL: (&str, &str) = ("CLAVIGER__PUBLIC_URL", "http://127.0.0.1:1");

const ENTRY: &str = r#"[[provider]]
id = "acme"
display_name = "Acme"
logo = "AC"
category = "crm"
documentation = "https://acme.example/docs"
flow = "oauth2_code"
client_authentication = "basic"
default_scopes = ["read"]
access_header = "Authorization: Bearer {token}"
api_origins = ["https://api.acme.example"]

[provider.endpoints]
authorize = "https://acme.example/authorize"
token = "https://acme.example/token"

[provider.refresh]
rotation = "strict"
"#;

#[test]
fn an_entry_file_of_the_operator_is_enough_and_a_typo_is_told_with_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("catalog");
    fs::create_dir(&catalog).unwrap();
    let directory = ("CLAVIGER__CATALOG__DIRECTORY", catalog.to_str().unwrap());
    let client = ("CLAVIGER__INTEGRATIONS__ACME__CLIENT_ID", "acme-app");
    let check = || run(&["config", "check"], &[KEY, URL, directory, client], folder.path());

    let missing = check();
    assert!(
        String::from_utf8_lossy(&missing.stderr).contains("the catalog has no entry acme"),
        "{missing:?}"
    );
    fs::write(catalog.join("acme.toml"), ENTRY).unwrap();
    let good = check();
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    fs::write(catalog.join("acme.toml"), ENTRY.replace("client_authentication", "client_authentification"))
        .unwrap();
    let typo = check();
    let text = String::from_utf8(typo.stderr).unwrap();
    assert_eq!(typo.status.code(), Some(1));
    for part in ["acme.toml", "line 8", "client_authentification", "mend: "] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}
