//! The audit trail.

use model::{Actor, AuditEvent, IntegrationId, Outcome, SubjectId, WriterId};
use store::Store;
use store::audit::{About, AuditEntry, Broken, Head, verify, verify_trail};
use vault::random;

use crate::world::{World, at, options};

fn event(name: &str, second: i64) -> AuditEvent {
    AuditEvent::new(at(second), name, Outcome::Success, Actor::Operator)
        .fact("text", "quote ' and \u{0} and \u{1f511}")
}

/// Every chain's head, verified from the beginning.
async fn verified(store: &Store) -> Vec<Head> {
    let mut heads = Vec::new();
    for head in store.audit.heads().await.unwrap() {
        let entries = store.audit.chain(&head.writer, 0, 10_000).await.unwrap();
        assert_eq!(verify(head.writer, None, &entries).unwrap().as_ref(), Some(&head));
        heads.push(head);
    }
    assert_eq!(verify_trail(store.audit.as_ref()).await.unwrap(), []);
    heads
}

fn parsed(entry: &AuditEntry) -> AuditEvent {
    serde_json::from_str(&entry.event).unwrap()
}

pub(crate) async fn two_writers_keep_two_chains_that_hold(world: &World) {
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let replica = if writer % 2 == 0 { world.one.clone() } else { world.two.clone() };
            tokio::spawn(async move {
                for second in 0..10 {
                    replica.audit.append(&event(&format!("test.by_{writer}"), second)).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let heads = verified(&world.one).await;
    assert_eq!(heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [41, 41]);

    world.one.audit.append(&event("test.last", 1_000_000_000)).await.unwrap();
    let newest = world.two.audit.newest(&About::Anything, None, 3).await.unwrap();
    assert_eq!(newest.len(), 3);
    assert_eq!(parsed(&newest[0]), event("test.last", 1_000_000_000));
    let page = world.two.audit.chain(&newest[0].writer, 40, 1).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [41]);
}

pub(crate) async fn a_chain_begins_with_what_it_found(world: &World) {
    assert_eq!(world.one.audit.heads().await.unwrap(), [], "a process that does nothing writes nothing");
    world.one.audit.append(&event("test.one", 1)).await.unwrap();
    let first = verified(&world.one).await;
    world.two.audit.append(&event("test.two", 2)).await.unwrap();
    let heads = verified(&world.one).await;
    let second = heads.iter().find(|head| **head != first[0]).unwrap();
    let entries = world.one.audit.chain(&second.writer, 0, 10).await.unwrap();
    let started = parsed(&entries[0]);
    assert_eq!((started.event.as_str(), &started.actor), ("chain.started", &Actor::System));
    assert_eq!(started.facts["heads"], serde_json::to_value(&first).unwrap());
    assert_eq!(parsed(&entries[1]), event("test.two", 2));
}

pub(crate) async fn a_changed_a_missing_and_a_cut_off_entry_are_named(world: &World) {
    for second in 0..5 {
        world.one.audit.append(&event("test.one", second)).await.unwrap();
    }
    world.two.audit.append(&event("test.two", 9)).await.unwrap();
    let heads = verified(&world.one).await;
    let Head { writer, .. } = heads.into_iter().find(|head| head.sequence == 6).unwrap();
    let audit = world.one.audit.as_ref();

    world.sql("UPDATE audit SET event = replace(event, 'test.one', 'test.won') WHERE sequence = 3").await;
    assert_eq!(verify_trail(audit).await.unwrap(), [Broken::Changed { writer, sequence: 3 }]);
    world.sql("UPDATE audit SET event = replace(event, 'test.won', 'test.one') WHERE sequence = 3").await;
    verified(&world.one).await;

    world.sql("UPDATE audit SET sequence = 40 WHERE sequence = 4").await;
    assert_eq!(verify_trail(audit).await.unwrap(), [Broken::Missing { writer, sequence: 4 }]);
    world.sql("UPDATE audit SET sequence = 4 WHERE sequence = 40").await;
    verified(&world.one).await;

    world.sql("DELETE FROM audit WHERE sequence > 4").await;
    let entries = audit.chain(&writer, 0, 100).await.unwrap();
    assert!(verify(writer, None, &entries).is_ok(), "the chain alone does not show it");
    assert_eq!(verify_trail(audit).await.unwrap(), [Broken::CutOff { writer, sequence: 6 }]);
}

pub(crate) async fn an_end_that_is_removed_while_its_writer_lives_is_missed(world: &World) {
    for second in 0..5 {
        world.one.audit.append(&event("test.one", second)).await.unwrap();
    }
    let Head { writer, .. } = verified(&world.one).await.remove(0);
    world.sql("DELETE FROM audit WHERE sequence > 3").await;
    world.one.audit.append(&event("test.one", 6)).await.unwrap();
    assert_eq!(
        verify_trail(world.one.audit.as_ref()).await.unwrap(),
        [Broken::Missing { writer, sequence: 4 }]
    );
}

pub(crate) async fn an_entry_that_is_dated_anew_is_named(world: &World) {
    world.one.audit.append(&event("test.one", 1)).await.unwrap();
    let Head { writer, .. } = verified(&world.one).await.remove(0);
    world.sql("UPDATE audit SET at = at + 1 WHERE sequence = 2").await;
    assert_eq!(
        verify_trail(world.one.audit.as_ref()).await.unwrap(),
        [Broken::Changed { writer, sequence: 2 }]
    );
}

pub(crate) async fn an_entry_that_is_filed_under_another_is_named(world: &World) {
    let about = event("connection.created", 1).subject(&"anna".parse().unwrap()).target("github");
    world.one.audit.append(&about).await.unwrap();
    world.one.audit.append(&event("test.one", 2)).await.unwrap();
    let Head { writer, .. } = verified(&world.one).await.remove(0);
    let audit = world.one.audit.as_ref();
    for (column, value, sequence) in
        [("subject", "'bert'", 2), ("integration", "'slack'", 2), ("subject", "'anna'", 3)]
    {
        let found = format!("(SELECT {column} FROM audit WHERE sequence = {sequence})");
        let before = world.texts(&format!("SELECT COALESCE({found}, '')")).await.remove(0);
        world.sql(&format!("UPDATE audit SET {column} = {value} WHERE sequence = {sequence}")).await;
        assert_eq!(verify_trail(audit).await.unwrap(), [Broken::Changed { writer, sequence }], "{column}");
        world
            .sql(&format!("UPDATE audit SET {column} = NULLIF('{before}', '') WHERE sequence = {sequence}"))
            .await;
        verified(&world.one).await;
    }
    // As the entries of the schema before are.
    world.sql("UPDATE audit SET subject = NULL, integration = NULL").await;
    verified(&world.one).await;
}

pub(crate) async fn a_chain_is_listed_once_however_often_others_begin(world: &World) {
    let restarts = 6;
    for second in 0..restarts {
        let store = Store::open(&options(&world.url)).await.unwrap();
        store.audit.append(&event("test.again", second)).await.unwrap();
        store.close().await;
    }
    let heads = verified(&world.one).await;
    let mut listed = Vec::new();
    for head in &heads {
        let first = world.one.audit.chain(&head.writer, 0, 1).await.unwrap().remove(0);
        let anchors: Vec<Head> =
            serde_json::from_value(parsed(&first).facts.remove("heads").unwrap()).unwrap();
        listed.extend(anchors);
    }
    assert_eq!((heads.len(), listed.len()), (6, 5), "each but the last, once");
    let writer = listed[0].writer;
    world.sql(&format!("DELETE FROM audit WHERE writer = '{writer}' AND sequence > 1")).await;
    assert_eq!(
        verify_trail(world.one.audit.as_ref()).await.unwrap(),
        [Broken::CutOff { writer, sequence: 2 }]
    );
}

pub(crate) async fn a_chain_goes_on_after_a_restart(world: &World) {
    let mut options = options(&world.url);
    options.writer = random::id::<WriterId>();
    for second in 0..3 {
        let store = Store::open(&options).await.unwrap();
        store.audit.append(&event("test.again", second)).await.unwrap();
        store.close().await;
    }
    let heads = verified(&world.one).await;
    assert_eq!(
        heads.iter().map(|head| (head.writer, head.sequence)).collect::<Vec<_>>(),
        [(options.writer, 4)]
    );
}

pub(crate) async fn the_trail_is_read_backwards_page_by_page_by_whom_it_is_about(world: &World) {
    for second in 0..12 {
        let subject: SubjectId = ["anna", "bert"][second % 2].parse().unwrap();
        let integration = ["github", "zoho", "slack"][second % 3];
        let replica = if second % 4 == 0 { &world.one } else { &world.two };
        let event = event(&format!("connection.{second}"), i64::try_from(second).unwrap() / 3);
        let event = event.subject(&subject).target(integration);
        replica.audit.append(&event).await.unwrap();
    }
    let (anna, github): (SubjectId, IntegrationId) = ("anna".parse().unwrap(), "github".parse().unwrap());
    let cases = [
        (About::Anything, 14),
        (About::Subject(anna.clone()), 6),
        (About::Connection(anna.clone(), github.clone()), 2),
        (About::Connection("carla".parse().unwrap(), github), 0),
    ];
    for (about, expected) in cases {
        let mut found: Vec<AuditEntry> = Vec::new();
        loop {
            let before = found.last().map(AuditEntry::position);
            let page = world.one.audit.newest(&about, before.as_ref(), 5).await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        let positions: Vec<_> = found.iter().map(AuditEntry::position).collect();
        assert!(positions.iter().all(|position| position.to_string().parse().as_ref() == Ok(position)));
        assert!(positions.windows(2).all(|pair| pair[0] > pair[1]), "{about:?}: {positions:?}");
        assert_eq!(found.len(), expected, "{about:?}");
        let belongs = |entry: &AuditEntry| match &about {
            About::Anything => true,
            About::Subject(subject) => parsed(entry).subject.as_ref() == Some(subject),
            About::Connection(subject, integration) => {
                let event = parsed(entry);
                event.subject.as_ref() == Some(subject) && event.integration() == Some(integration.as_str())
            }
        };
        assert!(found.iter().all(belongs), "{about:?}");
    }
}

pub(crate) async fn the_trail_is_followed_from_a_position_until_an_instant(world: &World) {
    for second in 0..10 {
        let replica = if second % 2 == 0 { &world.one } else { &world.two };
        replica.audit.append(&event("test.one", second)).await.unwrap();
    }
    let all: Vec<_> = world.one.audit.newest(&About::Anything, None, 100).await.unwrap();
    let mut expected: Vec<_> = all.iter().map(AuditEntry::position).filter(|p| p.at <= at(7)).collect();
    expected.sort();
    let beginning = expected[0];
    let (mut found, mut after) = (Vec::new(), expected[2]);
    loop {
        let page = world.two.audit.after(&About::Anything, &after, at(7), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.position();
        found.extend(page.iter().map(AuditEntry::position));
    }
    assert_eq!(found, expected[3..]);

    let anna: SubjectId = "anna".parse().unwrap();
    let of_anna = event("connection.created", 3).subject(&anna).target("github");
    world.one.audit.append(&of_anna).await.unwrap();
    for (about, expected) in [
        (About::Subject(anna.clone()), 1),
        (About::Connection(anna.clone(), "github".parse().unwrap()), 1),
        (About::Connection(anna, "slack".parse().unwrap()), 0),
    ] {
        let page = world.two.audit.after(&about, &beginning, at(7), 3).await.unwrap();
        assert_eq!(page.len(), expected, "{about:?}");
    }
    for text in [
        "",
        "1",
        "1.2.3",
        "x.wrt_00000000000000000000000000000001.1",
        "1.wrt_00000000000000000000000000000001.x",
    ] {
        assert!(text.parse::<store::audit::Position>().is_err(), "{text}");
    }
}
