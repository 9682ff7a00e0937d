//! A subject's accounts at integrations.

use std::sync::Arc;

use model::{Account, ConnectionState, Label, Scopes};
use serde_json::json;
use store::connections::{
    Connected, ConnectionKey, Disconnected, Filter, MetadataWrite, NewConnection, StateFilter,
};
use tokio::sync::Barrier;

use crate::world::{World, at, break_grant, key, new_connection, object, octets, put_tokens, tokens};

pub(crate) async fn a_connection_lives_through_disconnect_and_reconnect(world: &World) {
    let (one, two) = (&world.one.connections, &world.two.connections);
    let key = key("anna", "github");
    assert!(one.get(&key).await.unwrap().is_none());
    assert!(one.disconnect(&key, "operator", at(0), None).await.unwrap().connection().is_none());

    let mut first = new_connection(&key, "first", 1);
    first.metadata = object(json!({"a": 1, "gone": null}));
    assert_eq!(one.connect(&first).await.unwrap(), Connected { id: first.id, created: true });
    let read = two.get(&key).await.unwrap().unwrap();
    assert_eq!(
        (read.id, &read.key, read.generation, &read.state),
        (first.id, &key, 1, &ConnectionState::Active)
    );
    assert_eq!(read.metadata, object(json!({"a": 1})));
    assert_eq!((read.granted_scopes.to_string(), read.requested_scopes.to_string()), both_scopes());
    assert_eq!((read.connected_at, read.connected_by.as_str(), read.updated_at), (at(1), "operator", at(1)));
    assert!(read.has_access_token && read.has_refresh_token);
    assert_eq!(read.expires_at, Some(at(3601)));
    let standing = two.standing(&key).await.unwrap().unwrap();
    assert_eq!((standing.connection, standing.credential), (first.id, first.credential.id));
    assert_eq!((standing.generation, standing.scope.as_str()), (1, "read write"));
    assert_eq!(octets(standing.access_token.as_ref()), Some("access of first"));

    let gone = one.disconnect(&key, "browser of anna", at(2), None).await.unwrap();
    let Disconnected::Erased(gone) = gone else { panic!("{gone:?}") };
    let by = "browser of anna".to_owned();
    assert_eq!(gone.state, ConnectionState::Disconnected { at: at(2), by });
    assert_eq!((gone.id, gone.credential, gone.generation, gone.updated_at), (first.id, None, 2, at(2)));
    assert!(!gone.has_access_token && !gone.has_refresh_token);
    assert!(one.standing(&key).await.unwrap().is_none());
    assert_eq!(world.count("credentials").await, 0, "the tokens are erased");
    let again = one.disconnect(&key, "operator", at(3), None).await.unwrap();
    assert!(matches!(again, Disconnected::NotConnected), "{again:?}");

    let mut second = new_connection(&key, "second", 4);
    second.metadata = object(json!({"b": 2}));
    assert_eq!(two.connect(&second).await.unwrap(), Connected { id: first.id, created: false });
    let back = two.get(&key).await.unwrap().unwrap();
    assert_eq!((back.id, back.generation, &back.state), (first.id, 3, &ConnectionState::Active));
    assert_eq!((back.metadata, back.connected_at), (object(json!({"a": 1, "b": 2})), at(4)));

    let third = NewConnection { credential: new_connection(&key, "third", 5).credential, ..second };
    two.connect(&third).await.unwrap();
    assert_eq!(world.count("credentials").await, 1, "the one it stood on before is gone");
    let standing = two.standing(&key).await.unwrap().unwrap();
    assert_eq!(octets(standing.access_token.as_ref()), Some("access of third"));
}

fn both_scopes() -> (String, String) {
    ("read write".to_owned(), "read write admin".to_owned())
}

pub(crate) async fn two_replicas_that_connect_make_one_row(world: &World) {
    for round in 0..10 {
        let key = key(&format!("anna{round}"), "github");
        let barrier = Arc::new(Barrier::new(8));
        let callers: Vec<_> = (0..8)
            .map(|caller| {
                let replica = if caller % 2 == 0 { world.one.clone() } else { world.two.clone() };
                let mut new = new_connection(&key, &caller.to_string(), caller);
                new.metadata = object(json!({format!("of {caller}"): caller}));
                let barrier = Arc::clone(&barrier);
                tokio::spawn(async move {
                    barrier.wait().await;
                    replica.connections.connect(&new).await.unwrap()
                })
            })
            .collect();
        let mut done = Vec::new();
        for caller in callers {
            done.push(caller.await.unwrap());
        }
        assert_eq!(done.iter().filter(|connected| connected.created).count(), 1);
        assert!(done.iter().all(|connected| connected.id == done[0].id));
        let read = world.one.connections.get(&key).await.unwrap().unwrap();
        assert_eq!((read.id, read.generation, read.metadata.len()), (done[0].id, 8, 8));
    }
    assert_eq!((world.count("connections").await, world.count("credentials").await), (10, 10));
}

/// Connects Jira and Confluence with one consent.
async fn connect_group(world: &World, subject: &str) -> [ConnectionKey; 2] {
    let keys = [key(subject, "jira"), key(subject, "confluence")];
    let jira = new_connection(&keys[0], "shared", 1);
    let confluence =
        NewConnection { credential: jira.credential.clone(), ..new_connection(&keys[1], "unused", 1) };
    assert!(world.one.connections.connect(&jira).await.unwrap().created);
    assert!(world.two.connections.connect(&confluence).await.unwrap().created);
    keys
}

pub(crate) async fn a_group_shares_one_credential_until_the_last_leaves(world: &World) {
    let [jira, confluence] = connect_group(world, "anna").await;
    assert_eq!(world.count("credentials").await, 1);
    let connections = &world.one.connections;
    let standing = connections.standing(&jira).await.unwrap().unwrap();
    assert!(connections.standing(&confluence).await.unwrap().is_some());
    let (id, next) = (standing.credential, tokens("next", 2));
    assert!(put_tokens(&world.one, &id, 1, &next).await);
    for key in [&jira, &confluence] {
        assert_eq!(connections.standing(key).await.unwrap().unwrap().generation, 2);
    }
    let first = connections.disconnect(&jira, "operator", at(3), None).await.unwrap();
    assert!(matches!(first, Disconnected::Shared(_)), "{first:?}");
    assert!(connections.standing(&jira).await.unwrap().is_none());
    assert!(connections.standing(&confluence).await.unwrap().is_some());
    let last = connections.disconnect(&confluence, "operator", at(4), None).await.unwrap();
    assert!(matches!(last, Disconnected::Erased(_)), "{last:?}");
    assert_eq!(world.count("credentials").await, 0);
}

pub(crate) async fn two_members_that_leave_at_once_leave_no_tokens_behind(world: &World) {
    for round in 0..20 {
        let [jira, confluence] = connect_group(world, &format!("anna{round}")).await;
        let both = tokio::try_join!(
            world.one.connections.disconnect(&jira, "operator", at(3), None),
            world.two.connections.disconnect(&confluence, "operator", at(3), None),
        );
        let (jira, confluence) = both.unwrap();
        assert!(jira.connection().is_some() && confluence.connection().is_some());
        assert_eq!(world.count("credentials").await, 0, "round {round}");
    }
}

pub(crate) async fn a_connection_moves_to_another_consent_only_from_the_one_it_stands_on(world: &World) {
    let [jira, confluence] = connect_group(world, "anna").await;
    let (one, two) = (&world.one.connections, &world.two.connections);
    let old = one.standing(&jira).await.unwrap().unwrap().credential;
    let wider = new_connection(&confluence, "wider", 5);
    two.connect(&wider).await.unwrap();
    let new = wider.credential.id;
    assert_eq!(world.count("credentials").await, 2, "Jira still stands on the old one");

    assert!(!one.move_to(&jira, &new, &old, at(6)).await.unwrap(), "it does not stand there");
    assert!(one.move_to(&jira, &old, &new, at(6)).await.unwrap());
    assert!(!one.move_to(&jira, &old, &new, at(7)).await.unwrap(), "it has moved");
    let standing = one.standing(&jira).await.unwrap().unwrap();
    assert_eq!(octets(standing.access_token.as_ref()), Some("access of wider"));
    let moved = two.get(&jira).await.unwrap().unwrap();
    assert_eq!((moved.credential, moved.generation, moved.updated_at), (Some(new), 2, at(6)));
    assert_eq!(moved.connected_at, at(1), "nobody connected it anew");
    assert_eq!(world.count("credentials").await, 1, "nobody stands on the old one");

    one.disconnect(&jira, "operator", at(8), None).await.unwrap();
    assert!(!one.move_to(&jira, &new, &new, at(9)).await.unwrap(), "a disconnected one stays so");
    assert!(two.standing(&confluence).await.unwrap().is_some());
}

pub(crate) async fn an_accounts_connections_are_found(world: &World) {
    let [jira, confluence] = connect_group(world, "anna").await;
    let (one, two) = (&world.one, &world.two);
    let mut other = new_connection(&key("bert", "jira"), "other", 2);
    other.credential.account = None;
    one.connections.connect(&other).await.unwrap();
    let of = |account: &'static str| async move {
        let found = world.two.connections.of_account("our app", account, 10).await.unwrap();
        found.into_iter().map(|connection| connection.key).collect::<Vec<_>>()
    };
    let mut found = of("17").await;
    found.sort_by(|one, other| other.integration.cmp(&one.integration));
    assert_eq!(found, [jira.clone(), confluence]);
    assert_eq!(two.connections.of_account("our app", "17", 1).await.unwrap().len(), 1);
    assert!(two.connections.of_account("another app", "17", 10).await.unwrap().is_empty());

    let account = Account { id: "18".to_owned(), name: None };
    one.credentials.set_account(&other.credential.id, &account).await.unwrap();
    assert_eq!(of("18").await, [other.key]);
    one.connections.disconnect(&jira, "operator", at(3), None).await.unwrap();
    assert_eq!(of("17").await.len(), 1);
}

pub(crate) async fn metadata_is_merged_and_knows_its_generation(world: &World) {
    let connections = &world.one.connections;
    let key = key("anna", "github");
    let patch = object(json!({"a": {"deep": [1, null]}, "b": "2"}));
    let missing = connections.merge_metadata(&key, &patch, None, at(2)).await.unwrap();
    assert!(matches!(missing, MetadataWrite::NotFound), "{missing:?}");

    connections.connect(&new_connection(&key, "first", 1)).await.unwrap();
    let first = connections.merge_metadata(&key, &patch, Some(1), at(2)).await.unwrap();
    let MetadataWrite::Merged(now) = first else { panic!("{first:?}") };
    assert_eq!((now.generation, &now.metadata, now.updated_at), (2, &patch, at(2)));
    let late = connections.merge_metadata(&key, &patch, Some(1), at(3)).await.unwrap();
    assert!(matches!(late, MetadataWrite::Conflict { generation: 2 }), "{late:?}");
    let removal = object(json!({"a": null, "c": true}));
    connections.merge_metadata(&key, &removal, None, at(4)).await.unwrap();
    let read = world.two.connections.get(&key).await.unwrap().unwrap();
    assert_eq!((read.generation, read.metadata), (3, object(json!({"b": "2", "c": true}))));
}

pub(crate) async fn metadata_and_refreshes_lose_nothing_to_each_other(world: &World) {
    let key = key("anna", "github");
    let new = new_connection(&key, "first", 0);
    let id = new.credential.id;
    world.one.connections.connect(&new).await.unwrap();
    let replica = world.two.clone();
    let refreshes = tokio::spawn(async move {
        for generation in 1..=30 {
            let set = tokens(&generation.to_string(), generation);
            assert!(put_tokens(&replica, &id, generation, &set).await);
        }
    });
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let replica = if writer % 2 == 0 { world.one.clone() } else { world.two.clone() };
            let key = key.clone();
            tokio::spawn(async move {
                for item in 0..15 {
                    let patch = object(json!({format!("{writer}/{item}"): item}));
                    replica.connections.merge_metadata(&key, &patch, None, at(1)).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    refreshes.await.unwrap();
    let read = world.one.connections.get(&key).await.unwrap().unwrap();
    assert_eq!((read.metadata.len(), read.generation), (60, 61));
    assert_eq!(world.one.credentials.get(&id).await.unwrap().unwrap().generation, 31);
}

pub(crate) async fn a_list_goes_page_by_page_through_its_filters(world: &World) {
    let connections = &world.one.connections;
    for subject in ["anna", "bert", "carl"] {
        for integration in ["github", "jira"] {
            connections.connect(&new_connection(&key(subject, integration), "t", 1)).await.unwrap();
        }
    }
    let work = ConnectionKey { label: "work".parse::<Label>().unwrap(), ..key("anna", "github") };
    connections.connect(&new_connection(&work, "t", 1)).await.unwrap();
    connections.disconnect(&key("bert", "jira"), "operator", at(2), None).await.unwrap();
    let broken = connections.standing(&key("carl", "jira")).await.unwrap().unwrap().credential;
    assert!(break_grant(&world.one, &broken, 1, at(2)).await);

    let everything = connections.list(&Filter::default(), None, 100).await.unwrap();
    assert_eq!(everything.len(), 7);
    assert!(everything.is_sorted_by_key(|connection| connection.id));
    let (mut paged, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.two.connections.list(&Filter::default(), cursor, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(last.id);
        paged.extend(page.iter().map(|connection| connection.id));
    }
    assert_eq!(paged, everything.iter().map(|connection| connection.id).collect::<Vec<_>>());

    let (anna, jira) = (Some("anna".parse().unwrap()), Some("jira".parse().unwrap()));
    for (subject, integration, state, expected) in [
        (anna.clone(), None, None, 3),
        (anna.clone(), jira.clone(), None, 1),
        (None, jira.clone(), None, 3),
        (None, jira.clone(), Some(StateFilter::Active), 1),
        (None, jira, Some(StateFilter::Broken), 1),
        (None, None, Some(StateFilter::Disconnected), 1),
        (None, None, Some(StateFilter::Active), 5),
        (anna, None, Some(StateFilter::Disconnected), 0),
    ] {
        let filter = Filter { subject, integration, state };
        let found = connections.list(&filter, None, 100).await.unwrap();
        assert_eq!(found.len(), expected, "{filter:?}");
        let matches = |found: &str| state.is_none_or(|state| state.word() == found);
        assert!(found.iter().all(|connection| matches(connection.state.word())));
    }
    assert_eq!(
        Scopes::default(),
        connections.get(&key("bert", "jira")).await.unwrap().unwrap().granted_scopes
    );
}

pub(crate) async fn an_overview_counts_every_connection_once_by_subject(world: &World) {
    let (one, two) = (&world.one, &world.two);
    one.subjects.ensure(&"nobody".parse().unwrap(), at(0)).await.unwrap();
    for (subject, tool) in [("anna", "github"), ("anna", "figma"), ("anna", "slack"), ("bert", "github")] {
        one.subjects.ensure(&subject.parse().unwrap(), at(0)).await.unwrap();
        // Good for an hour from its second.
        one.connections.connect(&new_connection(&key(subject, tool), tool, 1)).await.unwrap();
    }
    let mut endless = new_connection(&key("bert", "zoom"), "zoom", 1);
    endless.credential.tokens.expires_at = None;
    one.connections.connect(&endless).await.unwrap();
    let figma = one.connections.get(&key("anna", "figma")).await.unwrap().unwrap();
    assert!(break_grant(one, &figma.credential.unwrap(), 1, at(2)).await);
    one.connections.disconnect(&key("anna", "slack"), "operator", at(3), None).await.unwrap();

    let count = async |cursor: Option<&str>, now: i64, limit: u32| -> Vec<(String, [i64; 5])> {
        let cursor = cursor.map(|id| id.parse().unwrap());
        let buffer = std::time::Duration::from_mins(5);
        let found = two.subjects.overview(cursor.as_ref(), at(now), buffer, limit).await.unwrap();
        found
            .into_iter()
            .map(|one| {
                (
                    one.subject.to_string(),
                    [one.active, one.expiring, one.expired, one.broken, one.disconnected],
                )
            })
            .collect()
    };
    let row = |subject: &str, counts| (subject.to_owned(), counts);
    let nobody = row("nobody", [0; 5]);
    assert_eq!(
        count(None, 4, 10).await,
        [row("anna", [1, 0, 0, 1, 1]), row("bert", [2, 0, 0, 0, 0]), nobody.clone()]
    );
    assert_eq!(count(None, 3301, 1).await, [row("anna", [0, 1, 0, 1, 1])], "due five minutes before the end");
    assert_eq!(count(None, 3300, 1).await, [row("anna", [1, 0, 0, 1, 1])]);
    assert_eq!(count(Some("anna"), 3601, 10).await, [row("bert", [1, 0, 1, 0, 0]), nobody]);
    assert!(count(Some("nobody"), 1, 10).await.is_empty());
}
