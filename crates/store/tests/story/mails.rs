//! The mails that carry links: how many, which link, and who sends them.

use std::collections::HashSet;

use model::{MailId, MailStatus, SubjectId};
use store::Store;
use store::portal::{MailCap, PortalSession, Posted};
use vault::random;

use crate::portal::{cap, done, mailed, new_mail, session};
use crate::world::{World, at, hash, octets};

const MANY: MailCap = cap(1000, 0);

/// Writes a mailed session, whose mail has the token `link` and is held until that second.
async fn invite(store: &Store, session: &PortalSession, link: &str, held_until: i64) -> MailId {
    let mail = new_mail(link, held_until);
    done(store.portal.create(session, &hash(link), Some((&mail, MANY))).await.unwrap());
    mail.id
}

async fn status(world: &World, session: &PortalSession) -> MailStatus {
    world.two.portal.get(&session.id).await.unwrap().unwrap().mail.unwrap()
}

/// The tokens that are to be sent still.
async fn unsent(world: &World) -> i64 {
    world.count("mails WHERE link_token IS NOT NULL").await
}

pub(crate) async fn the_cap_counts_what_one_subject_asked_for_within_the_hour(world: &World) {
    let hour = 3600;
    let of_bert = || PortalSession { subject: "bert".parse().unwrap(), ..mailed(hour) };
    let post = async |session: &PortalSession, count, since| {
        let link = session.id.to_string();
        let mail = new_mail(&link, hour);
        let mail = Some((&mail, cap(count, since)));
        world.two.portal.create(session, &hash(&link), mail).await.unwrap()
    };
    // These do not count; then one that was sent and one that was taken back, which do.
    invite(&world.one, &of_bert(), "of another subject", hour).await;
    invite(&world.one, &mailed(hour - 1), "an hour before", hour).await;
    let sent = invite(&world.one, &mailed(hour + 1), "sent", hour).await;
    assert!(world.two.portal.mail_ended(&sent, 1, MailStatus::Sent, None).await.unwrap());
    let taken_back = mailed(hour);
    invite(&world.one, &taken_back, "taken back", hour).await;
    assert!(world.two.portal.withdraw(&taken_back.id, at(hour)).await.unwrap().is_some());

    done(post(&mailed(hour + 10), 3, hour).await);
    let posted = post(&mailed(hour + 10), 3, hour).await;
    assert!(matches!(posted, Posted::TooMany { oldest } if oldest == at(hour)), "{posted:?}");
    assert_eq!((world.count("portal_sessions").await, world.count("mails").await), (5, 5));
    done(post(&of_bert(), 2, hour).await);
    done(post(&mailed(2 * hour), 3, hour + 1).await);
    done(world.one.portal.create(&session(hour), &hash("by hand"), None).await.unwrap());
}

pub(crate) async fn of_many_mails_at_once_the_cap_lets_through_so_many(world: &World) {
    // The first round opens the connections; then all are as fast.
    for round in 0..5 {
        let subject: SubjectId = format!("anna{round}").parse().unwrap();
        let posted = world
            .at_once(20, |replica, caller| {
                let new = PortalSession { subject: subject.clone(), ..mailed(10) };
                async move {
                    let link = format!("link {round} {caller}");
                    let mail = new_mail(&link, 10);
                    replica.portal.create(&new, &hash(&link), Some((&mail, cap(5, 0)))).await.unwrap()
                }
            })
            .await;
        assert_eq!(posted.iter().filter(|posted| matches!(posted, Posted::Done(_))).count(), 5);
        let refused = |posted: &&Posted| matches!(posted, Posted::TooMany { oldest } if *oldest == at(10));
        assert_eq!(posted.iter().filter(refused).count(), 15);
        let written = (world.count("portal_sessions").await, world.count("mails").await);
        assert_eq!(written, (5 * (round + 1), 5 * (round + 1)));
    }
}

pub(crate) async fn a_renewed_session_has_another_link_and_another_mail(world: &World) {
    let (one, two) = (&world.one.portal, &world.two.portal);
    let written = mailed(0);
    let first = invite(&world.one, &written, "first", 10).await;
    one.open(&hash("first"), Some((&hash("browser"), at(9000))), at(1)).await.unwrap().unwrap();
    let mail = new_mail("second", 100);
    let posted = two.renew(&written.id, &hash("second"), at(5000), &mail, MANY, at(50)).await.unwrap();
    let (link_since, expires_at) = (at(50), at(5000));
    let expected = PortalSession { link_since, expires_at, opened_at: Some(at(1)), ..written.clone() };
    assert_eq!(format!("{:?}", done(posted)), format!("{expected:?}"));

    assert!(one.of_link(&hash("first")).await.unwrap().is_none());
    assert!(one.open(&hash("first"), None, at(51)).await.unwrap().is_none(), "the old link is dead");
    assert!(one.open(&hash("second"), None, at(4999)).await.unwrap().is_some(), "beyond the old end");
    assert!(one.of_browser(&hash("browser"), at(51)).await.unwrap().is_some());
    assert!(!one.mail_ended(&first, 1, MailStatus::Sent, None).await.unwrap());
    assert!(!one.mail_failed(&first, 1, at(60), "http_500").await.unwrap());
    assert_eq!(status(world, &written).await, MailStatus::Pending);
    assert!(one.take_mails(at(99), at(200), 10).await.unwrap().is_empty(), "the old mail is not sent");
    let taken = two.take_mails(at(100), at(200), 10).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].id, octets(Some(&taken[0].link))), (mail.id, Some("second")));
    assert_eq!((taken[0].attempts, taken[0].created_at), (2, at(50)));

    // One that was refused or came to its end can be renewed too.
    assert!(one.mail_ended(&mail.id, 2, MailStatus::Refused, Some("550")).await.unwrap());
    assert_eq!(status(world, &written).await, MailStatus::Refused);
    let third = new_mail("third", 100);
    let posted = one.renew(&written.id, &hash("third"), at(9000), &third, MANY, at(6000)).await.unwrap();
    assert_eq!(done(posted).mail, Some(MailStatus::Pending));
}

pub(crate) async fn what_is_over_or_was_never_mailed_is_not_renewed(world: &World) {
    let one = &world.one.portal;
    let (completed, withdrawn, unmailed) = (mailed(0), mailed(0), session(0));
    invite(&world.one, &completed, "completed", 10).await;
    invite(&world.one, &withdrawn, "withdrawn", 10).await;
    done(one.create(&unmailed, &hash("unmailed"), None).await.unwrap());
    assert!(one.complete(&completed.id, at(1)).await.unwrap());
    assert!(one.withdraw(&withdrawn.id, at(1)).await.unwrap().is_some());
    // What can't be renewed at all is not told to wait.
    for cap in [MANY, cap(1, 0)] {
        for (id, link) in [
            (completed.id, "completed"),
            (withdrawn.id, "withdrawn"),
            (unmailed.id, "unmailed"),
            (random::id(), "unknown"),
        ] {
            let mail = new_mail("new", 10);
            let posted =
                world.two.portal.renew(&id, &hash("new"), at(9000), &mail, cap, at(2)).await.unwrap();
            assert!(matches!(posted, Posted::Over), "{link}: {posted:?}");
            let read = one.of_link(&hash(link)).await.unwrap();
            assert_eq!(read.map(|session| session.expires_at), (link != "unknown").then_some(at(600)));
        }
    }
    assert_eq!((world.count("portal_sessions").await, world.count("mails").await), (3, 2));
}

pub(crate) async fn of_many_renewals_at_once_the_cap_lets_through_so_many(world: &World) {
    for round in 0..5 {
        let written = PortalSession { subject: format!("anna{round}").parse().unwrap(), ..mailed(0) };
        let id = written.id;
        invite(&world.one, &written, &format!("first {round}"), 10).await;
        let posted = world
            .at_once(20, |replica, caller| async move {
                let link = format!("link {round} {caller}");
                let mail = new_mail(&link, 10);
                replica.portal.renew(&id, &hash(&link), at(9000), &mail, cap(5, 0), at(10)).await.unwrap()
            })
            .await;
        let is_done = |caller: &usize| matches!(posted[*caller], Posted::Done(_));
        let written_by: Vec<_> = (0..20).filter(is_done).collect();
        assert_eq!(written_by.len(), 4);
        let refused = |posted: &&Posted| matches!(posted, Posted::TooMany { oldest } if *oldest == at(0));
        assert_eq!(posted.iter().filter(refused).count(), 16);
        assert_eq!(
            (world.count("mails").await, unsent(world).await),
            (5 * (round + 1), 1),
            "only the latest"
        );
        let mail = world.two.portal.take_mails(at(10), at(99), 10).await.unwrap().remove(0);
        let link = octets(Some(&mail.link)).unwrap();
        assert!(written_by.iter().any(|caller| format!("link {round} {caller}") == link), "{link}");
        assert_eq!(world.one.portal.of_link(&hash(link)).await.unwrap().unwrap().id, id, "its link works");
        assert!(world.one.portal.mail_ended(&mail.id, 2, MailStatus::Sent, None).await.unwrap());
    }
}

pub(crate) async fn each_due_mail_goes_to_one_of_two_replicas(world: &World) {
    for number in 0..30 {
        invite(&world.one, &mailed(number), &format!("link {number}"), number).await;
    }
    assert!(world.two.portal.take_mails(at(-1), at(200), 10).await.unwrap().is_empty(), "they are held");
    let oldest = world.two.portal.take_mails(at(100), at(200), 2).await.unwrap();
    let created: Vec<_> = oldest.iter().map(|mail| mail.created_at).collect();
    assert_eq!(created, [at(0), at(1)], "the longest waiting first");
    let taken = world
        .at_once(
            8,
            |replica, _| async move { replica.portal.take_mails(at(100), at(200), 10).await.unwrap() },
        )
        .await;
    let mut mails: Vec<_> = oldest.into_iter().chain(taken.into_iter().flatten()).collect();
    // Those that another taker had locked are left for the next round.
    mails.extend(world.one.portal.take_mails(at(100), at(200), 30).await.unwrap());
    assert_eq!(mails.len(), 30);
    assert_eq!(mails.iter().map(|mail| mail.id).collect::<HashSet<_>>().len(), 30, "none was taken twice");
    for mail in &mails {
        let number = (mail.created_at.as_unix_ms() - at(0).as_unix_ms()) / 1000;
        assert_eq!(octets(Some(&mail.link)), Some(format!("link {number}").as_str()), "its own link");
        assert_eq!((mail.session.created_at, mail.attempts), (mail.created_at, 2), "its own session");
        assert_eq!(octets(mail.session.email.as_ref()), Some("an address"));
    }
    assert!(world.two.portal.take_mails(at(199), at(300), 30).await.unwrap().is_empty());
    let again = world.two.portal.take_mails(at(200), at(300), 50).await.unwrap();
    assert_eq!((again.len(), again[0].attempts), (30, 3));
}

pub(crate) async fn only_the_attempt_under_way_ends_a_mail(world: &World) {
    let (one, two) = (&world.one.portal, &world.two.portal);
    for (number, ending) in
        [MailStatus::Sent, MailStatus::Refused, MailStatus::Abandoned].into_iter().enumerate()
    {
        let link = number.to_string();
        let written = mailed(0);
        let id = invite(&world.one, &written, &link, 10).await;
        let error = async || {
            let sql = format!("SELECT COALESCE(last_error, '-') FROM mails WHERE id = '{id}'");
            world.texts(&sql).await.remove(0)
        };
        assert!(one.mail_failed(&id, 1, at(60), "451 later").await.unwrap());
        assert_eq!(
            (status(world, &written).await, error().await.as_str()),
            (MailStatus::Pending, "451 later")
        );
        assert!(one.take_mails(at(59), at(99), 10).await.unwrap().is_empty());
        let taken = two.take_mails(at(60), at(99), 10).await.unwrap().remove(0);
        assert_eq!((taken.id, taken.attempts, taken.session.id), (id, 2, written.id));
        assert!(!one.mail_failed(&id, 1, at(61), "late").await.unwrap(), "somebody else has taken it");
        assert!(!one.mail_ended(&id, 1, MailStatus::Sent, None).await.unwrap());
        assert!(!one.mail_ended(&id, 3, MailStatus::Sent, None).await.unwrap(), "nobody has begun that one");
        assert_eq!((status(world, &written).await, unsent(world).await), (MailStatus::Pending, 1));
        assert_eq!(error().await, "451 later");

        let told = (ending != MailStatus::Sent).then_some("550 no such user");
        assert!(two.mail_ended(&id, 2, ending, told).await.unwrap());
        assert_eq!(status(world, &written).await, ending);
        assert_eq!(error().await, told.unwrap_or("-"));
        assert_eq!(unsent(world).await, 0, "its token is erased");
        assert!(!two.mail_ended(&id, 2, MailStatus::Abandoned, None).await.unwrap());
        assert!(!two.mail_failed(&id, 2, at(61), "late").await.unwrap());
        assert!(one.take_mails(at(9000), at(9999), 10).await.unwrap().is_empty());
        assert_eq!(status(world, &written).await, ending);
        assert!(
            one.open(&hash(&link), None, at(100)).await.unwrap().is_some(),
            "its link works all the same"
        );
    }
    let unknown = new_mail("unknown", 0);
    assert!(!one.mail_ended(&unknown.id, 1, MailStatus::Sent, None).await.unwrap());
}

pub(crate) async fn a_session_that_is_taken_back_is_not_mailed(world: &World) {
    let (one, two) = (&world.one.portal, &world.two.portal);
    let (taken_back, other) = (mailed(0), mailed(0));
    let id = invite(&world.one, &taken_back, "taken back", 10).await;
    let stays = invite(&world.one, &other, "other", 10).await;
    assert!(two.withdraw(&taken_back.id, at(5)).await.unwrap().is_some());
    assert!(!one.mail_ended(&id, 1, MailStatus::Sent, None).await.unwrap());
    assert!(!one.mail_failed(&id, 1, at(6), "late").await.unwrap());
    assert_eq!(unsent(world).await, 1, "its token is erased");
    let taken = one.take_mails(at(9000), at(9999), 10).await.unwrap();
    assert_eq!(taken.iter().map(|mail| mail.id).collect::<Vec<_>>(), [stays]);
}

pub(crate) async fn deeds_on_one_session_and_its_mail_at_once_do_not_stand_in_each_others_way(world: &World) {
    for round in 0..30 {
        let written = mailed(0);
        let id = written.id;
        let mail = invite(&world.one, &written, &format!("first {round}"), 9000).await;
        let ended = world
            .at_once(8, |replica, caller| async move {
                let (link, portal) = (format!("link {round} {caller}"), replica.portal);
                let new = new_mail(&link, 9000);
                match caller / 2 {
                    0 => portal.mail_ended(&mail, 1, MailStatus::Sent, None).await.map(u64::from),
                    1 => portal.withdraw(&id, at(5)).await.map(|_| 0),
                    2 => portal.renew(&id, &hash(&link), at(700), &new, MANY, at(5)).await.map(|_| 0),
                    _ => portal.sweep(at(701), at(0), 10).await.map(|_| 0),
                }
            })
            .await;
        let ended = ended.into_iter().map(Result::unwrap).sum::<u64>();
        assert!(ended <= 1, "round {round}");
    }
    // One that somebody was at work on was left for later.
    world.one.portal.sweep(at(701), at(0), 1000).await.unwrap();
    assert_eq!((world.count("portal_sessions").await, world.count("mails").await), (0, 0));
}
