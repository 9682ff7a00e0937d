//! Providers of the catalog at another address.

use std::collections::BTreeMap;

use claviger_provider::catalog::{Catalog, elsewhere};
use claviger_provider::format::file;

const BASE: &str = "http://127.0.0.1:9000";

#[test]
fn every_provider_can_be_moved_with_its_facts_unchanged() {
    let catalog = Catalog::built_in();
    for entry in catalog.entries().filter(|entry| entry.id.as_str() != "sandbox") {
        let text = elsewhere(&entry.id, BASE).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("moved.toml"), &text).unwrap();
        let loaded = Catalog::load(Some(directory.path())).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let moved = loaded.get(&entry.id).unwrap();

        let parameters: BTreeMap<String, String> =
            moved.parameters.keys().map(|name| (name.clone(), "sample.example".to_owned())).collect();
        let endpoints = moved.endpoints(&parameters, None).unwrap();
        let addresses = [Some(endpoints.authorize.to_string()), Some(endpoints.token), endpoints.userinfo];
        for address in addresses.into_iter().flatten() {
            let path =
                address.strip_prefix("http://127.0.0.1:9000/at/").unwrap_or_else(|| panic!("{address}"));
            assert!(path.split('/').next().is_some_and(|host| host.contains('.')), "{address}");
        }
        assert_eq!(endpoints.api_origins, [BASE], "{}", entry.id);
        assert!(endpoints.issuer.is_none_or(|issuer| issuer == BASE));
        let tables: toml::Table = text.parse().unwrap();
        assert!(!tables["provider"][0]["endpoints"].to_string().contains("https://"), "{text}");

        assert_eq!(file::parse("moved.toml", &text).unwrap().entries[0].item.id, entry.id);
        assert_eq!(moved.refresh, entry.refresh);
        assert_eq!(moved.errors, entry.errors);
        assert_eq!(moved.authorize_parameters, entry.authorize_parameters);
        assert_eq!(moved.revocation, entry.revocation);
        assert_eq!(moved.unverified, entry.unverified);
    }
}

#[test]
fn a_region_still_picks_its_host() {
    let id = "zoho_crm".parse().unwrap();
    let text = elsewhere(&id, BASE).unwrap();
    let zoho = file::parse("moved.toml", &text).unwrap().entries.remove(0).item;
    let token = |region: &str| zoho.endpoints(&BTreeMap::new(), zoho.region(region).as_ref()).unwrap().token;
    assert_eq!(token("us"), "http://127.0.0.1:9000/at/accounts.zoho.com/oauth/v2/token");
    assert_eq!(token("eu"), "http://127.0.0.1:9000/at/accounts.zoho.eu/oauth/v2/token");
}

#[test]
fn nobody_is_moved_to_what_is_no_origin() {
    let github = "github".parse().unwrap();
    for base in
        ["", "127.0.0.1:9000", "http://127.0.0.1:9000/", "http://evil.example", "https://a@b.example", "{x}"]
    {
        assert_eq!(elsewhere(&github, base), None, "{base:?}");
    }
    assert_eq!(elsewhere(&"nobody".parse().unwrap(), BASE), None);
    assert!(elsewhere(&github, "https://play.example").is_some());
}
