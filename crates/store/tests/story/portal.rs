//! Portal sessions: their links, and the browsers that opened them.

use model::{MailStatus, Origin, PortalPage, Timestamp};
use store::attempts::Attempt;
use store::portal::{MailCap, NewMail, PortalSession, Posted};
use store::{Error, Store};
use vault::random;

use crate::world::{World, at, attempt, hash, octets, sealed};

/// A right to use a page by a link that works once, for ten minutes.
pub(crate) fn session(second: i64) -> PortalSession {
    PortalSession {
        id: random::id(),
        subject: "anna".parse().unwrap(),
        page: PortalPage::Onboarding,
        integrations: Some(vec!["github".parse().unwrap(), "zoho_crm".parse().unwrap()]),
        return_to: Some("https://app.example/back?x='1'".to_owned()),
        language: Some("et".to_owned()),
        email: None,
        mail: None,
        created_by: "operator".to_owned(),
        created_at: at(second),
        link_since: at(second),
        expires_at: at(second + 600),
        opened_at: None,
        completed_at: None,
        withdrawn_at: None,
    }
}

/// The same by a link that was mailed.
pub(crate) fn mailed(second: i64) -> PortalSession {
    PortalSession { email: Some(sealed("an address")), mail: Some(MailStatus::Pending), ..session(second) }
}

/// A mail with the token `link`, which its maker holds until that second.
pub(crate) fn new_mail(link: &str, held_until: i64) -> NewMail {
    NewMail { id: random::id(), link: sealed(link), held_until: at(held_until) }
}

/// So many mails from that second on.
pub(crate) const fn cap(count: u32, since: i64) -> MailCap {
    MailCap { count, since: at(since) }
}

pub(crate) fn done(posted: Posted) -> PortalSession {
    let Posted::Done(session) = posted else { panic!("{posted:?}") };
    *session
}

/// Writes a session whose link is `link`, with a mail if it is one that is mailed.
pub(crate) async fn make(store: &Store, session: &PortalSession, link: &str) -> PortalSession {
    let mail = new_mail(link, 1_000_000);
    let mail = session.email.is_some().then_some((&mail, cap(1000, 0)));
    done(store.portal.create(session, &hash(link), mail).await.unwrap())
}

const fn a_moment_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_unix_ms(instant.as_unix_ms() - 1)
}

pub(crate) async fn a_portal_session_reads_back_as_it_was_written(world: &World) {
    let full = PortalSession {
        opened_at: Some(at(1)),
        completed_at: Some(at(2)),
        withdrawn_at: Some(at(3)),
        page: PortalPage::Stripe,
        mail: Some(MailStatus::Refused),
        ..mailed(0)
    };
    let bare = PortalSession { integrations: None, return_to: None, language: None, ..session(5) };
    let none = PortalSession { integrations: Some(Vec::new()), ..session(6) };
    for (number, written) in [full, bare, none].into_iter().enumerate() {
        let link = format!("link {number}");
        let made = make(&world.one, &written, &link).await;
        let read = world.two.portal.get(&written.id).await.unwrap().unwrap();
        let found = world.two.portal.of_link(&hash(&link)).await.unwrap().unwrap();
        let listed = world.two.portal.list(None, None, 10).await.unwrap();
        let listed = listed.into_iter().find(|listed| listed.id == written.id).unwrap();
        for read in [made, read, found, listed] {
            // Everything but the sealed address prints itself.
            assert_eq!(format!("{read:?}"), format!("{written:?}"));
            assert_eq!(octets(read.email.as_ref()), octets(written.email.as_ref()));
        }
    }
    assert!(world.one.portal.get(&random::id()).await.unwrap().is_none());
    assert!(world.one.portal.of_link(&hash("another")).await.unwrap().is_none());

    let nul = PortalSession { return_to: Some("https://app.example/\0".to_owned()), ..session(0) };
    let error = world.one.portal.create(&nul, &hash("nul"), None).await.unwrap_err();
    assert!(matches!(error, Error::NulCharacter { column: "portal_sessions.return_to" }), "{error}");
}

pub(crate) async fn a_link_that_was_not_mailed_opens_once(world: &World) {
    for round in 0..10 {
        let link = format!("link {round}");
        let written = make(&world.one, &session(0), &link).await;
        let opened = world
            .at_once(12, |replica, caller| {
                let (link, browser) = (hash(&link), hash(&format!("browser {round} {caller}")));
                async move { replica.portal.open(&link, Some((&browser, at(900))), at(1)).await.unwrap() }
            })
            .await;
        let opened: Vec<_> = opened.into_iter().flatten().collect();
        assert_eq!(opened.len(), 1, "round {round}");
        assert_eq!((opened[0].id, opened[0].opened_at), (written.id, Some(at(1))));
        assert_eq!(world.count("portal_browsers").await, round + 1, "only the one that got it");
    }
    assert!(world.one.portal.open(&hash("another"), None, at(1)).await.unwrap().is_none());
    let read = world.two.portal.of_link(&hash("link 0")).await.unwrap().unwrap();
    assert_eq!(read.opened_at, Some(at(1)), "a used link is known, and since when it is used");
}

pub(crate) async fn a_link_works_until_the_instant_of_its_end(world: &World) {
    for (link, session) in [("once", session(0)), ("mailed", mailed(0))] {
        let end = make(&world.one, &session, link).await.expires_at;
        assert!(world.one.portal.open(&hash(link), None, end).await.unwrap().is_none());
        assert_eq!(world.two.portal.get(&session.id).await.unwrap().unwrap().opened_at, None, "{link}");
        let opened = world.two.portal.open(&hash(link), None, a_moment_before(end)).await.unwrap();
        assert_eq!(opened.unwrap().opened_at, Some(a_moment_before(end)), "{link}");
    }
    assert_eq!(world.count("portal_browsers").await, 0, "who opens without a browser leaves none");
}

pub(crate) async fn a_mailed_link_opens_again_and_again_until_its_session_is_over(world: &World) {
    let (one, two) = (&world.one.portal, &world.two.portal);
    for over in ["completed", "withdrawn"] {
        let written = make(&world.one, &mailed(0), over).await;
        for second in 1..4 {
            let opened = two.open(&hash(over), None, at(second)).await.unwrap().unwrap();
            assert_eq!((opened.id, opened.opened_at), (written.id, Some(at(1))), "its first use counts");
        }
        if over == "completed" {
            assert!(one.complete(&written.id, at(5)).await.unwrap());
        } else {
            let withdrawn = one.withdraw(&written.id, at(5)).await.unwrap().unwrap();
            assert_eq!((withdrawn.id, withdrawn.withdrawn_at), (written.id, Some(at(5))));
        }
        assert!(two.open(&hash(over), None, at(6)).await.unwrap().is_none(), "{over}");
        assert!(!two.complete(&written.id, at(6)).await.unwrap(), "{over}");
        assert!(two.withdraw(&written.id, at(6)).await.unwrap().is_none(), "{over}");
        let read = one.of_link(&hash(over)).await.unwrap().unwrap();
        let ends = (read.completed_at, read.withdrawn_at);
        assert_eq!(ends, if over == "completed" { (Some(at(5)), None) } else { (None, Some(at(5))) });
    }
    assert!(!one.complete(&random::id(), at(5)).await.unwrap());
    assert!(one.withdraw(&random::id(), at(5)).await.unwrap().is_none());

    // What was begun at the page ends with it; what the product began does not.
    let session = make(&world.one, &mailed(0), "begun").await;
    for (state, origin) in [("page", Origin::Onboarding), ("product", Origin::Api)] {
        let attempt = Attempt { subject: session.subject.clone(), origin, ..attempt(0) };
        world.one.attempts.create_started(&attempt, &hash(state)).await.unwrap();
    }
    let stripe = PortalSession { page: PortalPage::Stripe, ..mailed(0) };
    let stripe = make(&world.one, &stripe, "to stripe").await;
    assert!(two.withdraw(&stripe.id, at(1)).await.unwrap().is_some());
    assert_eq!(world.count("attempts WHERE expires_at > 1795000001000").await, 2, "nothing of that page");
    assert!(two.withdraw(&session.id, at(1)).await.unwrap().is_some());
    assert!(world.one.attempts.consume(&hash("page"), at(1)).await.unwrap().is_none());
    assert!(world.one.attempts.consume(&hash("product"), at(1)).await.unwrap().is_some());
}

pub(crate) async fn a_session_ends_in_one_way(world: &World) {
    for round in 0..10 {
        let id = make(&world.one, &session(0), &round.to_string()).await.id;
        let ended = world
            .at_once(8, |replica, caller| async move {
                match caller / 2 % 2 {
                    0 => replica.portal.complete(&id, at(5)).await.unwrap(),
                    _ => replica.portal.withdraw(&id, at(5)).await.unwrap().is_some(),
                }
            })
            .await;
        assert_eq!(ended.into_iter().filter(|ended| *ended).count(), 1, "round {round}");
        let read = world.one.portal.get(&id).await.unwrap().unwrap();
        assert!(read.completed_at.is_some() != read.withdrawn_at.is_some(), "{read:?}");
    }
}

pub(crate) async fn a_browser_uses_the_page_until_its_end_or_the_sessions(world: &World) {
    let (one, two) = (&world.one.portal, &world.two.portal);
    let page = async |browser: &str, second| {
        two.of_browser(&hash(browser), at(second)).await.unwrap().map(|session| session.id)
    };
    let left = make(&world.one, &mailed(0), "left").await.id;
    let right = make(&world.one, &mailed(0), "right").await.id;
    for (link, browser) in [("left", "phone"), ("left", "laptop"), ("right", "tablet")] {
        one.open(&hash(link), Some((&hash(browser), at(700))), at(1)).await.unwrap().unwrap();
    }
    assert_eq!((page("phone", 2).await, page("laptop", 2).await), (Some(left), Some(left)));
    assert_eq!((page("tablet", 2).await, page("another", 2).await), (Some(right), None));
    assert_eq!(page("phone", 699).await, Some(left), "longer than the link works");
    assert_eq!(page("phone", 700).await, None, "its end");

    assert!(one.withdraw(&left, at(5)).await.unwrap().is_some());
    assert_eq!((page("phone", 6).await, page("laptop", 6).await), (None, None));
    assert_eq!(page("tablet", 6).await, Some(right), "a browser of another session stays");
    assert_eq!(world.count("portal_browsers").await, 1);
    assert!(one.complete(&right, at(7)).await.unwrap());
    assert_eq!(page("tablet", 8).await, None);
}

pub(crate) async fn portal_sessions_are_listed_page_by_page(world: &World) {
    let mut ids = Vec::new();
    for number in 0..5 {
        let of_bert = PortalSession { subject: "bert".parse().unwrap(), ..session(0) };
        ids.push((make(&world.one, &session(number), &format!("anna {number}")).await.id, "anna"));
        ids.push((make(&world.one, &of_bert, &format!("bert {number}")).await.id, "bert"));
    }
    ids.sort();
    for subject in [None, Some("anna"), Some("bert"), Some("carl")] {
        let mine = ids.iter().filter(|(_, whose)| subject.is_none_or(|subject| subject == *whose));
        let expected: Vec<_> = mine.map(|(id, _)| *id).collect();
        let filter = subject.map(|subject| subject.parse().unwrap());
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = world.two.portal.list(filter.as_ref(), cursor, 2).await.unwrap();
            assert!(page.len() <= 2);
            let Some(last) = page.last() else { break };
            cursor = Some(last.id);
            listed.extend(page.iter().map(|session| session.id));
        }
        assert_eq!(listed, expected, "{subject:?}");
    }
}

pub(crate) async fn the_sweep_takes_the_sessions_that_ended_first_with_all_that_is_theirs(world: &World) {
    let (one, two) = (&world.one.portal, &world.two.portal);
    let mut ids = Vec::new();
    for second in [3, 0, 4, 1, 2] {
        let link = second.to_string();
        ids.push((second, make(&world.one, &mailed(second), &link).await.id));
        one.open(&hash(&link), Some((&hash(&link), at(9000))), at(5)).await.unwrap().unwrap();
    }
    ids.sort();
    let left = async || {
        let all = two.list(None, None, 10).await.unwrap();
        let mut left: Vec<_> = all.iter().map(|session| session.created_at).collect();
        left.sort();
        left
    };
    assert_eq!(two.sweep(at(600), at(0), 10).await.unwrap(), 0, "none ended before");
    assert_eq!(two.sweep(at(603), at(0), 2).await.unwrap(), 2);
    assert_eq!(left().await, [at(2), at(3), at(4)]);
    assert_eq!((world.count("portal_browsers").await, world.count("mails").await), (3, 3));
    assert!(one.of_browser(&hash("1"), at(6)).await.unwrap().is_none());
    assert!(one.of_browser(&hash("2"), at(6)).await.unwrap().is_some());
    let swept = world
        .at_once(4, |replica, _| async move { replica.portal.sweep(at(603), at(0), 10).await.unwrap() })
        .await;
    assert_eq!(swept.iter().sum::<u64>(), 1);
    assert_eq!(left().await, [at(3), at(4)]);
    assert_eq!((world.count("portal_browsers").await, world.count("mails").await), (2, 2));
}
