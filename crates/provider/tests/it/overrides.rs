//! Operators' own files: added, overriding, and refused with the place and the mend.

use std::fs;
use std::path::Path;

use claviger_provider::catalog::{Catalog, CatalogError, EndpointsError};

const ACME: &str = r#"
[[provider]]
id = "acme"
display_name = "Acme"
logo = "AC"
category = "test"
documentation = "https://acme.example/docs"
flow = "oauth2_code"
client_authentication = "basic"
parameters = { host = "The instance, for example https://acme.intern.example" }

[provider.endpoints]
authorize = "{host}/authorize"
token = "{host}/token"
"#;

fn load(files: &[(&str, &str)]) -> Result<Catalog, CatalogError> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    Catalog::load(Some(directory.path()))
}

fn refusal(text: &str) -> String {
    match load(&[("own.toml", text)]) {
        Ok(_) => panic!("must be refused: {text}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_operator_s_entry_stands_beside_ours_and_takes_the_place_of_one() {
    let github = ACME.replace("\"acme\"", "\"github\"").replace("\"Acme\"", "\"GitHub inside\"");
    let catalog = load(&[("acme.toml", ACME), ("github.toml", &github), ("notes.txt", "not read")]).unwrap();
    let name = |id: &str| catalog.get(&id.parse().unwrap()).map(|entry| entry.display_name.clone());
    assert_eq!(name("acme").as_deref(), Some("Acme"));
    assert_eq!(name("github").as_deref(), Some("GitHub inside"));
    assert_eq!(name("zoho_crm").as_deref(), Some("Zoho CRM"));
    assert_eq!(name("nobody"), None);
    assert!(
        catalog.get(&"github".parse().unwrap()).unwrap().default_scopes.is_empty(),
        "overridden as a whole"
    );
    assert_eq!(Catalog::load(None).unwrap().entries().count(), Catalog::built_in().entries().count());
}

#[test]
fn a_mistake_is_shown_with_file_line_key_and_mend() {
    let cases = [
        ("display_name", "dislay_name", 4, "expected one of `id`, `display_name`"),
        ("documentation = \"https:", "documentation = \"http:", 7, "https"),
        ("logo = \"AC\"", "logo = \"ACME!\"", 5, "one to three letters"),
        (
            "category = \"test\"",
            "chips = [\"contacts\", \"gizmos\"]\ncategory = \"test\"",
            6,
            "write a name with a capital",
        ),
        ("category = \"test\"", "chips = [\"\"]\ncategory = \"test\"", 6, "1 to 32 characters"),
        ("\"oauth2_code\"", "\"oauth9\"", 8, "expected one of `oauth2_code`"),
        ("\"basic\"", "\"private_key_jwt\"", 9, "not supported yet; use `basic`, `post` or `none`"),
        ("authorize = \"{host}", "authorize = \"{hots}", 13, "{hots} stands neither in `parameters`"),
        ("authorize = \"{host}", "authorize = \"http://acme.example", 13, "must be https"),
        ("authorize = \"{host}", "authorize = \"{host}.evil.example", 13, "put a / after"),
        ("authorize = \"{host}", "authorize = \"https://a@b", 13, "user"),
        ("authorize = \"{host}", "authorize = \"{ho st}", 13, "placeholders like {name}"),
        ("token = \"{host}/token\"", "", 12, "needs a token endpoint"),
        ("token = \"{host}/token\"", "token = 7", 14, "string"),
        ("token = \"{host}/token\"", "tokens = \"{host}/token\"", 14, "expected one of `authorize`, `token`"),
        ("id = \"acme\"", "id = \"Acme Inc\"", 3, "a-z 0-9 _"),
        ("id = \"acme\"", "", 2, "missing field `id`"),
        ("category = \"test\"", "category = ", 6, ""),
    ];
    for (from, to, line, mend) in cases {
        let message = refusal(&ACME.replacen(from, to, 1));
        assert!(message.contains("own.toml"), "{message}");
        assert!(message.contains(&format!("line {line},")), "{to}: {message}");
        assert!(message.contains(mend), "{to}: {message}");
    }
}

#[test]
fn parts_are_names_or_words_that_we_know_and_a_group_has_a_mark_and_an_order() {
    let group = "[[group]]\nid = \"suite\"\ndisplay_name = \"élan Suite\"\norder = [\"acme\"]\n";
    let chips = "category = \"test\"\ngroup = \"suite\"\nchips = [\"contacts\", \"Acme Drive\", \"Õunad\"]";
    let entry = ACME.replace("category = \"test\"", chips);
    let catalog = load(&[("acme.toml", &format!("{group}{entry}"))]).unwrap();
    let acme = catalog.get(&"acme".parse().unwrap()).unwrap();
    assert_eq!(acme.chips, ["contacts", "Acme Drive", "Õunad"]);
    let suite = catalog.group(&"suite".parse().unwrap()).unwrap();
    assert_eq!(suite.mark(), "ÉL");
    assert!(suite.place(&acme.id) < suite.place(&"other".parse().unwrap()));
    let marked = group.replace("order", "logo = \"S\"\norder");
    let catalog = load(&[("acme.toml", &marked)]).unwrap();
    assert_eq!(catalog.group(&"suite".parse().unwrap()).unwrap().mark(), "S");
    assert!(refusal(&group.replace("order", "logo = \"SUITE\"\norder")).contains("one to three letters"));
    assert!(
        refusal(&ACME.replace("category", &format!("chips = {:?}\ncategory", ["Part"; 9])))
            .contains("at most 8")
    );
}

#[test]
fn recipes_that_contradict_themselves_are_refused() {
    let cases = [
        ("[provider.refresh]\nrotation = \"leeway\"", "refresh.rotation", "reuse_leeway_seconds"),
        ("[provider.refresh]\nreuse_leeway_seconds = 60", "refresh.reuse_leeway_seconds", "rotation"),
        ("[provider.refresh]\nfixed_end_seconds = 0", "fixed_end_seconds", "seconds from 1"),
        (
            "[provider.authorize_parameters]\nstate = \"x\"",
            "authorize_parameters.state",
            "sets this parameter itself",
        ),
        ("[provider.token_parameters]\nclient_secret = \"x\"", "token_parameters.client_secret", "remove it"),
        ("[provider.identity]\nid = \"sub\"", "identity", "endpoints.userinfo"),
        ("[provider.validation]\nmethod = \"GET\"", "validation", "endpoints.validate"),
        ("[provider.token_answer]\nkeep = [\"access_token\"]", "token_answer.keep", "remove it"),
        ("[provider.token_answer]\naccess_token = \"a.b\"\nkeep = [\"a\"]", "token_answer.keep", "remove it"),
        (
            "[provider.token_answer]\nkeep = [\"u\"]\n[provider.parts.user]\nscope_parameter = \"s\"\naccess_token = \"u.at\"",
            "token_answer.keep",
            "remove it",
        ),
        ("[provider.scope_aliases]\n\"a b\" = \"c\"", "scope_aliases.a b", "printable ASCII"),
        ("[provider.scope_aliases]\na = \"\"", "scope_aliases.a", "printable ASCII"),
        ("[provider.token_answer]\nscope = \"a..b\"", "scope", "separated by dots"),
        (
            "[provider.regions]\ncallback_parameter = \"l\"\ndefault = \"x\"\nrows = {}",
            "regions.default",
            "rows",
        ),
        ("[provider.api_headers]\nAuthorization = \"x\"", "api_headers.Authorization", "remove it"),
        ("[provider.api_headers]\n\"X Y\" = \"x\"", "api_headers.X Y", "A-Z a-z 0-9"),
        ("[provider.api_headers]\nX-Y = \"é\"", "api_headers.X-Y", "printable ASCII"),
        ("[provider.api_headers]\nX-Y = \"a\"\nx-y = \"b\"", "api_headers", "stands twice"),
        ("[provider.identity]\nmethod = \"DELETE\"\nid = \"a\"", "identity.method", "GET or POST"),
        ("[provider.identity]\nbody = \"{}\"\nid = \"a\"", "identity.body", "method = \"POST\""),
        ("[provider.identity]\nmethod = \"POST\"\nbody = \"{x\"\nid = \"a\"", "identity.body", "JSON object"),
        ("[provider.identity]\nid = []", "id", "a list of one to four paths"),
        ("[provider.identity]\nid = 7", "id", "the path of a member"),
        (
            "[provider.parts.User]\nscope_parameter = \"s\"\naccess_token = \"u.at\"",
            "parts.User",
            "characters of a-z 0-9 _",
        ),
        (
            "[provider.parts.user]\nscope_parameter = \"scope\"\naccess_token = \"u.at\"",
            "parts.user.scope_parameter",
            "sets this parameter already",
        ),
        (
            "[provider.parts.user]\nscope_parameter = \"s\"\naccess_token = \"access_token\"",
            "parts.user.access_token",
            "name the part's own",
        ),
        (
            "[provider.parts.user]\nscope_parameter = \"s\"\naccess_token = \"u.at\"\nrefresh_tokn = \"x\"",
            "refresh_tokn",
            "expected one of",
        ),
        ("[provider.parts.user]\naccess_token = \"u.at\"", "parts.user", "missing field `scope_parameter`"),
        (
            "[provider.resources]\norigin_suffix = [\".com\"]\nscopes = [\"{resource}\"]",
            "resources.origin_suffix.0",
            "like .example.com",
        ),
        (
            "[provider.resources]\norigin_suffix = [\"a.example.com\"]\nscopes = [\"{resource}\"]",
            "resources.origin_suffix.0",
            "like .example.com",
        ),
        (
            "[provider.resources]\norigin_suffix = [\".a.example\"]\nscopes = [\"x\"]",
            "resources.scopes",
            "name the {resource}",
        ),
        (
            "[provider.resources]\norigin_suffix = [\".a.example\"]\nscopes = [\"{resource}/{x}\"]",
            "resources.scopes.0",
            "printable ASCII",
        ),
    ];
    for (table, key, mend) in cases {
        let with_userinfo = key.starts_with("identity.") || key == "id";
        let token = "token = \"{host}/token\"";
        let userinfo = format!("{token}\nuserinfo = \"{{host}}/me\"");
        let acme = ACME.replace(token, if with_userinfo { &userinfo } else { token });
        let message = refusal(&format!("{acme}\n{table}\n"));
        assert!(message.contains(key) && message.contains(mend), "{table}: {message}");
        assert!((16..=19).any(|line| message.contains(&format!("line {line},"))), "{message}");
    }
}

#[test]
fn members_of_a_group_must_agree_and_the_group_must_exist() {
    let member = |id: &str| ACME.replace("\"acme\"", &format!("\"{id}\"\ngroup = \"acme_all\""));
    let message = refusal(&member("one"));
    assert!(message.contains("provider `one`, group") && message.contains("[[group]]"), "{message}");

    let group = "[[group]]\nid = \"acme_all\"\ndisplay_name = \"All of Acme\"\n";
    let (one, two) = (member("one"), member("two"));
    let catalog = load(&[("group.toml", group), ("one.toml", &one), ("two.toml", &two)]).unwrap();
    assert_eq!(catalog.companions(&"two".parse().unwrap()).len(), 2);

    let different = two.replace("{host}/token", "{host}/other");
    let error =
        load(&[("group.toml", group), ("one.toml", &one), ("two.toml", &different)]).unwrap_err().to_string();
    assert!(
        error.contains("two.toml") && error.contains("endpoints.token") && error.contains("`one`"),
        "{error}"
    );
}

#[test]
fn two_of_one_name_are_refused() {
    let error = load(&[("a.toml", ACME), ("b.toml", ACME)]).unwrap_err().to_string();
    assert!(error.contains("b.toml, line 2") && error.contains("a.toml, line 2"), "{error}");
}

#[test]
fn what_can_not_be_read_is_named() {
    let missing = Catalog::load(Some(Path::new("/nowhere/at/all"))).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/at/all"), "{missing}");

    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("latin.toml"), [b'i', b'd', 0xff]).unwrap();
    assert!(matches!(Catalog::load(Some(directory.path())), Err(CatalogError::Unreadable { .. })));
    fs::write(directory.path().join("latin.toml"), "#".repeat(256 * 1024 + 1)).unwrap();
    assert!(matches!(Catalog::load(Some(directory.path())), Err(CatalogError::TooLarge { .. })));
    fs::remove_file(directory.path().join("latin.toml")).unwrap();
    fs::create_dir(directory.path().join("folder.toml")).unwrap();
    assert!(matches!(Catalog::load(Some(directory.path())), Err(CatalogError::Unreadable { .. })));
}

#[test]
fn a_name_in_an_address_stays_a_name() {
    let shop = ACME
        .replace("parameters = { host", "parameters = { shop")
        .replace("{host}/authorize", "https://{shop}.shops.example/authorize")
        .replace("{host}/token", "https://{shop}.shops.example/t/{shop}/token");
    let catalog = load(&[("shop.toml", &shop)]).unwrap();
    let acme = catalog.get(&"acme".parse().unwrap()).unwrap();
    let token = |shop: &str| {
        let parameters = [("shop".to_owned(), shop.to_owned())].into();
        acme.endpoints(&parameters, None).map(|endpoints| endpoints.token)
    };
    assert_eq!(token("my-shop").unwrap(), "https://my-shop.shops.example/t/my-shop/token");
    for value in [
        "",
        "..",
        "a..b",
        ".a",
        "a.",
        "a/b",
        "a?b",
        "a@b",
        "a:1",
        "a b",
        "ä",
        "%2e",
        "{x}",
        "https://evil.example",
    ] {
        assert!(matches!(token(value), Err(EndpointsError::Address { .. })), "{value:?} must be refused");
    }
    assert!(token(&"x".repeat(256)).is_err());
}

#[test]
fn an_entry_of_another_flow_has_no_code_endpoints() {
    let key = ACME
        .replace("oauth2_code", "api_key")
        .replace("authorize = \"{host}/authorize\"\ntoken = \"{host}/token\"", "")
        .replace("parameters = { host = \"The instance, for example https://acme.intern.example\" }", "");
    let catalog = load(&[("key.toml", &key)]).unwrap();
    let error = catalog.get(&"acme".parse().unwrap()).unwrap().endpoints(&[].into(), None).unwrap_err();
    assert!(matches!(error, EndpointsError::NotACodeFlow { .. }));
}

#[test]
fn a_parameter_can_have_a_default() {
    let table = |default: &str| {
        let own = format!("parameters.host = {{ meaning = \"The instance\", default = \"{default}\" }}");
        ACME.replace(
            "parameters = { host = \"The instance, for example https://acme.intern.example\" }",
            &own,
        )
    };
    let catalog = load(&[("acme.toml", &table("https://acme.example"))]).unwrap();
    let acme = catalog.get(&"acme".parse().unwrap()).unwrap();
    assert_eq!(acme.endpoints(&[].into(), None).unwrap().token, "https://acme.example/token");
    let own = [("host".to_owned(), "https://own.example".to_owned())].into();
    assert_eq!(acme.endpoints(&own, None).unwrap().token, "https://own.example/token");
    for bad in ["", "http://acme.example", "https://acme.example/x", "a b", "{host}"] {
        let message = refusal(&table(bad));
        assert!(message.contains("line 10,") && message.contains("parameters.host.default"), "{message}");
    }
    let kind =
        ACME.replace("{ host = \"The instance, for example https://acme.intern.example\" }", "{ host = 7 }");
    assert!(refusal(&kind).contains("its meaning as a text, or a table"), "{}", refusal(&kind));
}

#[test]
fn a_scope_of_a_part_is_not_empty() {
    let parts = "\ndefault_scopes = [\"user/\"]\nparts.user = { scope_parameter = \"s\", access_token = \"u.at\" }\n[provider.endpoints]";
    let message = refusal(&ACME.replace("\n[provider.endpoints]", parts));
    assert!(message.contains("default_scopes") && message.contains("after the part's name"), "{message}");
}
