//! Token sets and their generations.

use model::{Account, ConnectionState};
use store::connections::NewConnection;
use store::credentials::{Credential, Part, SealedTokens};
use store::refreshes::Claim;

use crate::world::{
    BROKEN, World, at, break_grant, failed, key, new_claim, new_connection, octets, put_tokens, tokens,
};

pub(crate) async fn new_tokens_need_the_generation_that_was_seen(world: &World) {
    let new = new_connection(&key("anna", "github"), "first", 0);
    let id = new.credential.id;
    world.one.connections.connect(&new).await.unwrap();
    let (one, two) = (&world.one.credentials, &world.two.credentials);
    let read = two.get(&id).await.unwrap().unwrap();
    assert_eq!(format!("{read:?}"), format!("{:?}", new.credential));
    assert_eq!(octets(read.tokens.refresh_token.as_ref()), Some("refresh of first"));

    assert!(!put_tokens(&world.one, &id, 2, &tokens("early", 10)).await);
    assert!(put_tokens(&world.one, &id, 1, &tokens("second", 20)).await);
    assert!(!put_tokens(&world.two, &id, 1, &tokens("late", 30)).await);
    let read = two.get(&id).await.unwrap().unwrap();
    assert_eq!((read.generation, read.refreshed_at), (2, Some(at(20))));
    assert_eq!(octets(read.tokens.access_token.as_ref()), Some("access of second"));
    let seen = world.two.connections.get(&new.key).await.unwrap().unwrap();
    assert_eq!((seen.refreshed_at, seen.expires_at), (Some(at(20)), Some(at(20 + 3600))));
    assert_eq!((seen.updated_at, seen.generation), (at(20), 1), "a refresh is no write to the connection");

    one.set_account(&id, &Account { id: "18".to_owned(), name: None }).await.unwrap();
    assert_eq!(
        two.get(&id).await.unwrap().unwrap().account,
        Some(Account { id: "18".to_owned(), name: None })
    );
    let gone = vault::random::id();
    assert!(!put_tokens(&world.one, &gone, 1, &tokens("gone", 20)).await);
    one.set_account(&gone, &Account { id: "19".to_owned(), name: None }).await.unwrap();
    assert!(one.get(&gone).await.unwrap().is_none());
}

pub(crate) async fn a_refresh_without_refresh_token_keeps_the_old_one(world: &World) {
    let new = new_connection(&key("anna", "github"), "first", 0);
    world.one.connections.connect(&new).await.unwrap();
    let bare = SealedTokens { refresh_token: None, extra: None, expires_at: None, ..tokens("second", 20) };
    assert!(put_tokens(&world.one, &new.credential.id, 1, &bare).await);
    let read = world.two.credentials.get(&new.credential.id).await.unwrap().unwrap().tokens;
    assert_eq!(octets(read.access_token.as_ref()), Some("access of second"));
    assert_eq!(octets(read.refresh_token.as_ref()), Some("refresh of first"));
    assert_eq!(octets(read.extra.as_ref()), Some("extra of first"));
    assert_eq!(read.expires_at, None);
}

pub(crate) async fn a_dead_grant_breaks_the_connection_until_new_tokens_come(world: &World) {
    let new = new_connection(&key("anna", "github"), "first", 0);
    let id = new.credential.id;
    world.one.connections.connect(&new).await.unwrap();
    let refreshes = &world.one.refreshes;
    let claim = refreshes.claim(&new_claim(&id, 1)).await.unwrap().unwrap();
    assert!(refreshes.settle(&claim, &failed("provider_unavailable")).await.unwrap());
    let of_another = Claim { generation: 7, ..claim };
    assert!(!refreshes.settle(&of_another, &failed("of another generation")).await.unwrap());
    assert!(!refreshes.mark_broken(&of_another, BROKEN, None, at(9)).await.unwrap());
    let before = world.one.connections.get(&new.key).await.unwrap().unwrap();
    assert_eq!(before.last_error.as_deref(), Some("provider_unavailable"));
    assert_eq!(before.state, ConnectionState::Active);

    assert!(break_grant(&world.one, &id, 1, at(10)).await);
    let broken = world.one.connections.get(&new.key).await.unwrap().unwrap();
    assert_eq!(broken.state, ConnectionState::Broken { since: at(10), reason: BROKEN });
    assert_eq!(broken.updated_at, at(10));
    assert_eq!(
        world.one.connections.standing(&new.key).await.unwrap().unwrap().broken,
        Some((at(10), BROKEN))
    );

    assert!(put_tokens(&world.one, &id, 1, &tokens("second", 20)).await);
    let mended = world.one.connections.get(&new.key).await.unwrap().unwrap();
    assert_eq!((mended.state, mended.last_error), (ConnectionState::Active, None));
    assert_eq!(world.one.connections.standing(&new.key).await.unwrap().unwrap().broken, None);
}

pub(crate) async fn of_many_refreshes_at_once_one_is_kept(world: &World) {
    let new = new_connection(&key("anna", "github"), "first", 0);
    let id = new.credential.id;
    world.one.connections.connect(&new).await.unwrap();
    for generation in 1..=10 {
        let refreshes: Vec<_> = (0..8)
            .map(|caller| {
                let replica = if caller % 2 == 0 { world.one.clone() } else { world.two.clone() };
                let set = tokens(&format!("{generation} by {caller}"), generation);
                tokio::spawn(async move {
                    let kept = put_tokens(&replica, &id, generation, &set).await;
                    kept.then_some(caller)
                })
            })
            .collect();
        let mut kept = Vec::new();
        for refresh in refreshes {
            kept.extend(refresh.await.unwrap());
        }
        assert_eq!(kept.len(), 1, "generation {generation}");
        let read = world.one.credentials.get(&id).await.unwrap().unwrap();
        assert_eq!(read.generation, generation + 1);
        let expected = format!("access of {generation} by {}", kept[0]);
        assert_eq!(octets(read.tokens.access_token.as_ref()), Some(expected.as_str()));
    }
}

pub(crate) async fn a_part_is_written_once_read_by_its_name_and_goes_with_its_consent(world: &World) {
    let (one, two) = (&world.one, &world.two);
    let key = key("anna", "slack");
    let mut new = new_connection(&key, "app", 1);
    let main = new.credential.id;
    let part = |name: &str, tokens: &str| Credential {
        account: None,
        part: Some(Part { of: main, name: name.to_owned() }),
        ..new_connection(&key, tokens, 1).credential
    };
    new.parts = vec![part("user", "user")];
    one.connections.connect(&new).await.unwrap();
    one.connections
        .connect(&NewConnection {
            id: vault::random::id(),
            key: crate::world::key("anna", "other"),
            ..new.clone()
        })
        .await
        .unwrap();

    let user = two.connections.standing_of(&key, "user").await.unwrap().unwrap();
    assert_eq!(user.credential, new.parts[0].id);
    assert_eq!(octets(user.access_token.as_ref()), Some("access of user"));
    assert_eq!(two.connections.standing(&key).await.unwrap().unwrap().credential, main);
    assert!(two.connections.standing_of(&key, "nobody").await.unwrap().is_none());

    one.credentials.add_part(&part("https://contoso.example", "resource")).await.unwrap();
    two.credentials.add_part(&part("https://contoso.example", "too late")).await.unwrap();
    let resource = one.connections.standing_of(&key, "https://contoso.example").await.unwrap().unwrap();
    assert_eq!(octets(resource.access_token.as_ref()), Some("access of resource"), "the first one stays");
    let parts = two.credentials.parts(&main).await.unwrap();
    let names: Vec<_> = parts.iter().map(|part| part.part.as_ref().unwrap().name.as_str()).collect();
    assert_eq!(names, ["https://contoso.example", "user"]);
    assert!(two.credentials.parts(&user.credential).await.unwrap().is_empty());

    // Refreshed by itself.
    assert!(put_tokens(one, &user.credential, 1, &tokens("next", 2)).await);
    let next = two.connections.standing_of(&key, "user").await.unwrap().unwrap();
    assert_eq!((next.generation, octets(next.access_token.as_ref())), (2, Some("access of next")));
    assert_eq!(two.connections.standing(&key).await.unwrap().unwrap().generation, 1);

    let last = new_connection(&key, "last", 9);
    one.connections.connect(&last).await.unwrap();
    assert_eq!(world.count("credentials").await, 4, "another connection stands on the consent");
    one.connections.disconnect(&crate::world::key("anna", "other"), "operator", at(10), None).await.unwrap();
    assert_eq!(world.count("credentials").await, 1, "its parts are gone with it");
    assert!(two.connections.standing_of(&key, "user").await.unwrap().is_none());
}
