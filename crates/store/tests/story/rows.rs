//! Subjects, integrations, API keys, the keyring.

use model::{ApiKeyScope, ApiKeyScopes, Scopes, SubjectId};
use serde_json::json;
use store::Error;
use store::api_keys::ApiKey;
use store::integrations::IntegrationRow;
use store::keyring::KeyRow;
use store::subjects::Subject;
use vault::{WrappedKey, random};

use crate::world::{World, at, hash, key, new_connection, object, octets, sealed};

pub(crate) fn subject(id: &str) -> Subject {
    Subject {
        id: id.parse().unwrap(),
        name: Some("Anna".to_owned()),
        mail: Some("anna@example.com".to_owned()),
        language: Some("et".to_owned()),
        metadata: object(json!({"plan": "pro"})),
        created_at: at(1),
        updated_at: at(1),
    }
}

pub(crate) fn api_key(name: &str) -> ApiKey {
    ApiKey {
        id: random::id(),
        name: name.to_owned(),
        scopes: ApiKeyScopes::from_iter([ApiKeyScope::ConnectionsToken, ApiKeyScope::Admin]),
        created_at: at(1),
        revoked_at: None,
    }
}

pub(crate) async fn a_subject_comes_to_be_and_keeps_its_beginning(world: &World) {
    let (one, two) = (&world.one.subjects, &world.two.subjects);
    let anna = subject("anna");
    assert_eq!(one.get(&anna.id).await.unwrap(), None);
    one.ensure(&anna.id, at(1)).await.unwrap();
    let bare = two.get(&anna.id).await.unwrap().unwrap();
    assert_eq!((bare.name, bare.created_at, bare.updated_at), (None, at(1), at(1)));

    let later = Subject { created_at: at(9), updated_at: at(9), ..anna.clone() };
    let written = two.put(&later).await.unwrap();
    assert_eq!(written, Subject { created_at: at(1), updated_at: at(9), ..anna.clone() });
    one.ensure(&anna.id, at(20)).await.unwrap();
    assert_eq!(one.get(&anna.id).await.unwrap(), Some(written));
}

pub(crate) async fn an_integration_belongs_to_one_owner(world: &World) {
    let integrations = &world.one.integrations;
    let anna = "anna".parse().unwrap();
    let whole = IntegrationRow {
        id: "zoho_crm".parse().unwrap(),
        subject: None,
        provider: "zoho_crm".parse().unwrap(),
        client_id: "ours".to_owned(),
        client_secret: Some(sealed("secret")),
        scopes: Some(Scopes::parse("a b", " ")),
        redirect_uri: None,
        updated_at: at(1),
    };
    let own = IntegrationRow { subject: Some(anna), client_id: "hers".to_owned(), ..whole.clone() };
    let public = IntegrationRow {
        id: "github".parse().unwrap(),
        client_secret: None,
        scopes: None,
        redirect_uri: Some("https://x.example/cb".to_owned()),
        ..whole.clone()
    };
    for row in [&whole, &own, &public] {
        integrations.put(row).await.unwrap();
    }
    let read = world.two.integrations.get(&whole.id, own.subject.as_ref()).await.unwrap().unwrap();
    assert_eq!((read.client_id.as_str(), read.subject), ("hers", own.subject.clone()));

    integrations.put(&IntegrationRow { client_id: "new".to_owned(), ..whole.clone() }).await.unwrap();
    let all = world.two.integrations.list(None).await.unwrap();
    let names: Vec<_> = all.iter().map(|row| (row.id.as_str(), row.client_id.as_str())).collect();
    assert_eq!(names, [("github", "ours"), ("zoho_crm", "new")]);
    let hers = world.two.integrations.list(own.subject.as_ref()).await.unwrap();
    assert_eq!(hers.iter().map(|row| row.client_id.as_str()).collect::<Vec<_>>(), ["hers"]);
    assert!(integrations.list(Some(&"bert".parse().unwrap())).await.unwrap().is_empty());
    assert_eq!((&all[0].scopes, &all[0].redirect_uri), (&None, &public.redirect_uri));
    assert_eq!(octets(all[1].client_secret.as_ref()), Some("secret"));
    assert!(all[0].client_secret.is_none());
    assert_eq!(all[1].scopes, whole.scopes);

    assert!(integrations.remove(&whole.id, None).await.unwrap());
    assert!(!integrations.remove(&whole.id, None).await.unwrap());
    assert!(integrations.get(&whole.id, None).await.unwrap().is_none());
    assert!(integrations.get(&whole.id, own.subject.as_ref()).await.unwrap().is_some());
}

pub(crate) async fn an_api_key_works_until_it_is_revoked(world: &World) {
    let keys = &world.one.api_keys;
    let (first, second) = (api_key("first"), ApiKey { created_at: at(2), ..api_key("second") });
    keys.create(&first, &hash("first")).await.unwrap();
    keys.create(&second, &hash("second")).await.unwrap();
    assert_eq!(keys.find(&hash("third")).await.unwrap(), None);
    assert_eq!(*keys.find(&hash("first")).await.unwrap().unwrap(), first);
    assert!(keys.create(&api_key("copy"), &hash("first")).await.is_err());

    assert!(keys.revoke(&first.id, at(5)).await.unwrap());
    assert!(!keys.revoke(&first.id, at(6)).await.unwrap());
    assert_eq!(keys.find(&hash("first")).await.unwrap(), None);
    let revoked = ApiKey { revoked_at: Some(at(5)), ..first };
    assert_eq!(world.two.api_keys.list().await.unwrap(), [revoked, second]);
}

pub(crate) async fn the_first_data_key_wins(world: &World) {
    let key = |version, octet: u8| WrappedKey {
        version,
        master_key_id: "0123456789abcdef".to_owned(),
        wrapped: vec![octet; 80],
    };
    let (mine, theirs) = (key(1, 1), key(1, 2));
    assert!(world.one.keyring.add(&mine, at(1)).await.unwrap());
    assert!(!world.two.keyring.add(&theirs, at(2)).await.unwrap());
    assert!(world.two.keyring.add(&key(2, 3), at(3)).await.unwrap());
    let row = |key, second| KeyRow { key, created_at: Some(at(second)), spread_at: None };
    assert_eq!(world.one.keyring.all().await.unwrap(), [row(mine, 1), row(key(2, 3), 3)]);
}

pub(crate) async fn a_nul_character_is_refused_by_name(world: &World) {
    let named = Subject { name: Some("An\0na".to_owned()), ..subject("anna") };
    let error = world.one.subjects.put(&named).await.unwrap_err();
    assert!(matches!(error, Error::NulCharacter { column: "subjects.name" }), "{error}");
    // In JSON it is only an escape.
    let data = Subject { metadata: object(json!({"a\0": "b\0"})), ..subject("anna") };
    assert_eq!(world.one.subjects.put(&data).await.unwrap(), data);
}

pub(crate) async fn quotes_control_characters_and_sql_survive(world: &World) {
    for text in
        ["'; DROP TABLE subjects; --", "\u{1}\u{7f}\r\n\t", "\\\"'`$1?1%_", "õäöü \u{1f511} \u{202e}", ""]
    {
        let anna = Subject {
            name: Some(text.to_owned()),
            mail: Some(text.to_owned()),
            metadata: object(json!({text: text})),
            ..subject("anna")
        };
        assert_eq!(world.one.subjects.put(&anna).await.unwrap(), anna, "{text:?}");
        let mut new = new_connection(&key("anna", "github"), text, 1);
        new.by = text.to_owned();
        new.requested_scopes = Scopes::from(vec![text.to_owned(), format!("{text} {text}")]);
        new.credential.account = Some(model::Account { id: text.to_owned(), name: Some(text.to_owned()) });
        world.one.connections.connect(&new).await.unwrap();
        let read = world.two.connections.get(&new.key).await.unwrap().unwrap();
        assert_eq!(read.connected_by, text);
        assert_eq!(read.requested_scopes, new.requested_scopes);
        assert_eq!(read.account, new.credential.account);
    }
    assert_eq!(world.count("subjects").await, 1);
}

pub(crate) async fn an_introduction_tells_name_and_address_alone(world: &World) {
    let (one, two) = (&world.one.subjects, &world.two.subjects);
    let id: SubjectId = "client-7".parse().unwrap();
    one.introduce(&id, "Rowan", "anna@example.com", at(1)).await.unwrap();
    let made = two.get(&id).await.unwrap().unwrap();
    assert_eq!((made.name.as_deref(), made.created_at, made.updated_at), (Some("Rowan"), at(1), at(1)));
    let told = Subject { language: Some("et".to_owned()), metadata: object(json!({"plan": "pro"})), ..made };
    two.put(&told).await.unwrap();
    one.introduce(&id, "Rowan OÜ", "mari@example.com", at(3)).await.unwrap();
    let known = two.get(&id).await.unwrap().unwrap();
    assert_eq!((known.name.as_deref(), known.mail.as_deref()), (Some("Rowan OÜ"), Some("mari@example.com")));
    assert_eq!((known.language, known.metadata), (told.language, told.metadata));
    assert_eq!((known.created_at, known.updated_at), (at(1), at(3)));
}
