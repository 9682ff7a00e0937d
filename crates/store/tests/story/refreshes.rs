//! Claims, leases and the journal, told to both databases and to the one that is only simulated.

use std::sync::Arc;
use std::time::Duration;

use model::{Clock as _, CredentialId, FixedClock, IntegrationId, ReconnectReason, SystemClock};
use serde_json::json;
use store::Store;
use store::connections::NewConnection;
use store::credentials::{Credential, SealedTokens};
use store::refreshes::{
    Backlog, Claim, Due, Ending, EndingGrant, Hold, JournalRow, Look, NewClaim, Phase, Refreshes, Settlement,
};
use store::testing::Simulated;
use tokio::sync::Barrier;
use vault::random;

use crate::world::{
    BROKEN, World, at, eventually, failed, key, new_claim, new_connection, object, octets, put_tokens, tokens,
};

const LEASE: Duration = Duration::from_secs(30);

/// Two replicas that go by one clock, which the test moves.
pub(crate) struct Bench {
    one: Arc<dyn Refreshes>,
    two: Arc<dyn Refreshes>,
    clock: Arc<FixedClock>,
    engine: Engine,
}

enum Engine {
    Real(Box<World>),
    Simulated(Arc<Simulated>),
}

impl Bench {
    pub(crate) async fn real(world: World) -> Self {
        let world = world.at_a_time_of_its_own().await;
        Self {
            one: Arc::clone(&world.one.refreshes),
            two: Arc::clone(&world.two.refreshes),
            clock: Arc::clone(&world.clock),
            engine: Engine::Real(Box::new(world)),
        }
    }

    pub(crate) fn simulated() -> Self {
        let clock = Arc::new(FixedClock::at(at(0)));
        let store = Arc::new(Simulated::new(clock.clone()));
        Self { one: store.clone(), two: store.clone(), clock, engine: Engine::Simulated(store) }
    }

    pub(crate) async fn end(&self) {
        if let Engine::Real(world) = &self.engine {
            world.end().await;
        }
    }

    /// Consents, at the beginning.
    async fn put(&self, subject: &str) -> CredentialId {
        self.put_with(subject, |_| {}).await
    }

    async fn put_with(&self, subject: &str, change: impl FnOnce(&mut Credential)) -> CredentialId {
        let mut new = new_connection(&key(subject, "github"), "first", 0);
        change(&mut new.credential);
        let id = new.credential.id;
        match &self.engine {
            Engine::Real(world) => {
                let key = store::connections::ConnectionKey {
                    integration: new.credential.integration.clone(),
                    ..new.key.clone()
                };
                world.one.connections.connect(&NewConnection { key, ..new }).await.map(drop).unwrap();
            }
            Engine::Simulated(store) => store.put(new.credential),
        }
        id
    }

    async fn erase(&self, subject: &str, id: &CredentialId) {
        match &self.engine {
            Engine::Real(world) => {
                let left =
                    world.one.connections.disconnect(&key(subject, "github"), "operator", at(0), None).await;
                assert!(left.unwrap().connection().is_some());
            }
            Engine::Simulated(store) => store.remove(id),
        }
    }

    async fn look(&self, id: &CredentialId) -> Look {
        self.two.look(id).await.unwrap().unwrap()
    }

    async fn journal(&self, id: &CredentialId) -> Vec<(i64, i64, Phase, bool)> {
        self.look(id).await.journal.iter().map(in_short).collect()
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// Fence, generation, phase, whether silent.
fn in_short(row: &JournalRow) -> (i64, i64, Phase, bool) {
    (row.fence, row.generation, row.phase, row.silent)
}

async fn claimed(replica: &Arc<dyn Refreshes>, id: &CredentialId, generation: i64) -> Claim {
    replica.claim(&seen_claim(replica, id, generation).await).await.unwrap().unwrap()
}

/// A claim of somebody who has just looked.
async fn seen_claim(replica: &Arc<dyn Refreshes>, id: &CredentialId, generation: i64) -> NewClaim {
    let fence = replica.look(id).await.unwrap().map_or(0, |look| look.fence);
    NewClaim { fence, ..new_claim(id, generation) }
}

async fn is_refused(replica: &Arc<dyn Refreshes>, claim: &NewClaim) -> bool {
    replica.claim(claim).await.unwrap().is_none()
}

fn ambiguous(silent: bool) -> Settlement {
    Settlement { ending: Ending::Ambiguous { silent }, ..not_processed() }
}

fn not_processed() -> Settlement {
    Settlement { ending: Ending::NotProcessed, keep_lease: false, due_at: None, error: None }
}

fn access(tokens: &SealedTokens) -> Option<&str> {
    octets(tokens.access_token.as_ref())
}

pub(crate) async fn of_many_claims_at_once_one_wins(bench: &Bench) {
    let id = bench.put("anna").await;
    for generation in 1..=5 {
        let barrier = Arc::new(Barrier::new(32));
        let seen = seen_claim(&bench.one, &id, generation).await;
        let callers: Vec<_> = (0..32)
            .map(|caller| {
                let replica = Arc::clone(if caller % 2 == 0 { &bench.one } else { &bench.two });
                let barrier = Arc::clone(&barrier);
                tokio::spawn(async move {
                    barrier.wait().await;
                    replica.claim(&seen).await.unwrap()
                })
            })
            .collect();
        let mut winners = Vec::new();
        for caller in callers {
            winners.extend(caller.await.unwrap());
        }
        let claim = Claim { credential: id, generation, fence: generation };
        assert_eq!(winners, [claim]);
        assert_eq!(bench.journal(&id).await, [(generation, generation, Phase::Sent, false)]);
        assert!(bench.one.commit(&claim, &tokens("next", generation), None).await.unwrap());
    }
}

pub(crate) async fn a_claim_needs_the_seen_generation_no_live_lease_and_an_unbroken_credential(
    bench: &Bench,
) {
    let id = bench.put("anna").await;
    let look = bench.look(&id).await;
    assert_eq!((look.fence, look.tokens_fence, look.leased_until, look.held), (0, 0, None, false));
    assert!(look.journal.is_empty());
    for generation in [0, 2] {
        assert!(
            is_refused(&bench.one, &seen_claim(&bench.one, &id, generation).await).await,
            "generation {generation}"
        );
    }
    assert!(is_refused(&bench.one, &seen_claim(&bench.one, &random::id(), 1).await).await, "of nothing");
    assert_eq!(bench.look(&id).await.fence, 0, "what is refused changes nothing");

    bench.wait(5);
    let claim = claimed(&bench.one, &id, 1).await;
    assert_eq!(claim, Claim { credential: id, generation: 1, fence: 1 });
    let look = bench.look(&id).await;
    assert_eq!((look.fence, look.leased_until, look.now), (1, Some(at(35)), at(5)));
    assert_eq!(look.journal[0].started_at, at(5));
    bench.wait(29);
    assert!(is_refused(&bench.two, &seen_claim(&bench.two, &id, 1).await).await, "while the lease lives");
    let stranger = NewClaim { fence: 7, again: true, ..new_claim(&id, 1) };
    assert!(is_refused(&bench.two, &stranger).await, "after a claim that is not the last");

    assert!(bench.one.mark_broken(&claim, BROKEN, Some("invalid_grant"), at(34)).await.unwrap());
    let look = bench.look(&id).await;
    assert_eq!((look.leased_until, look.journal.len()), (None, 0));
    let credential = look.credential;
    assert_eq!((credential.broken, credential.due_at), (Some((at(34), BROKEN)), None));
    assert_eq!(credential.last_error.as_deref(), Some("invalid_grant"));
    assert!(is_refused(&bench.two, &seen_claim(&bench.two, &id, 1).await).await, "of a broken credential");
    assert!(bench.two.look(&random::id()).await.unwrap().is_none());
}

pub(crate) async fn a_lease_that_ran_out_passes_on_and_its_first_holder_writes_nothing_more(bench: &Bench) {
    let id = bench.put("anna").await;
    let first = claimed(&bench.one, &id, 1).await;
    bench.wait(20);
    assert!(bench.one.renew(&first, LEASE).await.unwrap());
    bench.wait(29);
    assert!(is_refused(&bench.two, &seen_claim(&bench.two, &id, 1).await).await, "a renewed lease lives on");
    bench.wait(1);
    let looked_before = new_claim(&id, 1);
    assert!(is_refused(&bench.two, &looked_before).await, "what it decided does not hold any more");
    let second = claimed(&bench.two, &id, 1).await;
    assert_eq!(second.fence, 2);

    let before = bench.look(&id).await;
    assert!(!bench.one.renew(&first, LEASE * 10).await.unwrap());
    assert!(!bench.one.commit(&first, &tokens("late", 50), None).await.unwrap());
    let reason = ReconnectReason::AnswerLost;
    assert!(!bench.one.mark_broken(&first, reason, Some("late"), at(50)).await.unwrap());
    assert_eq!(format!("{:?}", bench.look(&id).await), format!("{before:?}"));
    let late = Settlement { due_at: Some(at(1)), error: Some("late".to_owned()), ..ambiguous(true) };
    assert!(!bench.one.settle(&first, &late).await.unwrap());
    let after = bench.look(&id).await;
    assert_eq!((after.fence, after.leased_until), (before.fence, before.leased_until));
    assert_eq!(format!("{:?}", after.credential), format!("{:?}", before.credential));
    let journal = [(1, 1, Phase::Ambiguous, true), (2, 1, Phase::Sent, false)];
    assert_eq!(bench.journal(&id).await, journal, "what became of the call is known all the same");

    assert!(bench.two.commit(&second, &tokens("second", 50), Some(at(99))).await.unwrap());
    assert!(!bench.two.renew(&second, LEASE).await.unwrap(), "of a generation that has passed");
    assert!(!bench.two.commit(&second, &tokens("again", 51), None).await.unwrap());
    let look = bench.look(&id).await;
    assert_eq!((access(&look.credential.tokens), look.tokens_fence), (Some("access of second"), 2));
    assert_eq!((look.credential.generation, look.credential.due_at), (2, Some(at(99))));
}

pub(crate) async fn a_lease_that_was_given_back_is_not_prolonged(bench: &Bench) {
    let id = bench.put("anna").await;
    let claim = claimed(&bench.one, &id, 1).await;
    bench.wait(30);
    assert!(bench.one.renew(&claim, LEASE).await.unwrap(), "one that ran out is ours until it is ended");
    assert_eq!(bench.look(&id).await.leased_until, Some(at(60)));
    assert!(bench.one.settle(&claim, &not_processed()).await.unwrap());
    assert!(!bench.one.renew(&claim, LEASE).await.unwrap());
    assert_eq!(bench.look(&id).await.leased_until, None);
}

pub(crate) async fn a_late_answer_is_kept_as_an_orphan_and_can_be_adopted(bench: &Bench) {
    let id = bench.put("anna").await;
    let first = claimed(&bench.one, &id, 1).await;
    bench.wait(30);
    let second = claimed(&bench.two, &id, 1).await;
    let late = SealedTokens { extra: None, ..tokens("late", 31) };
    assert!(!bench.one.commit(&first, &late, None).await.unwrap());
    assert!(bench.one.keep_orphan(&first, &late).await.unwrap());
    for settlement in [not_processed(), ambiguous(true)] {
        assert!(!bench.one.settle(&first, &settlement).await.unwrap());
    }
    let journal = [(1, 1, Phase::Orphan, false), (2, 1, Phase::Sent, false)];
    assert_eq!(bench.journal(&id).await, journal, "an orphan stays one");
    let kept = bench.look(&id).await.journal.remove(0);
    assert_eq!(kept.started_at, at(0));
    let kept = kept.answer.unwrap();
    assert_eq!(serde_json::to_value(&kept).unwrap(), serde_json::to_value(&late).unwrap());

    assert!(bench.two.settle(&second, &not_processed()).await.unwrap());
    assert!(bench.two.adopt(&id, 1, first.fence, &kept, Some(at(77))).await.unwrap());
    let look = bench.look(&id).await;
    assert_eq!((look.credential.generation, look.tokens_fence, look.fence), (2, 1, 2));
    assert_eq!((look.credential.refreshed_at, look.credential.due_at), (Some(at(31)), Some(at(77))));
    assert_eq!(access(&look.credential.tokens), Some("access of late"));
    assert_eq!(octets(look.credential.tokens.extra.as_ref()), Some("extra of first"));
    assert!(look.journal.is_empty());

    let unknown = Claim { credential: id, generation: 2, fence: 9 };
    bench.wait(5);
    assert!(bench.one.keep_orphan(&unknown, &late).await.unwrap());
    assert_eq!(bench.journal(&id).await, [(9, 2, Phase::Orphan, false)], "made where there was no row");
    assert_eq!(bench.look(&id).await.journal[0].started_at, at(35));
    assert_eq!(claimed(&bench.one, &id, 2).await.fence, 10, "above all that the journal knows");
}

pub(crate) async fn adopting_needs_only_the_generation_and_ends_the_present_lease(bench: &Bench) {
    let id = bench.put("anna").await;
    let claim = claimed(&bench.one, &id, 1).await;
    assert!(!bench.two.adopt(&id, 2, 1, &tokens("early", 5), None).await.unwrap());
    assert!(!bench.two.adopt(&random::id(), 1, 1, &tokens("nobody's", 5), None).await.unwrap());
    assert!(bench.two.adopt(&id, 1, 7, &tokens("found", 5), None).await.unwrap());
    assert!(!bench.two.adopt(&id, 1, 7, &tokens("twice", 5), None).await.unwrap());
    let look = bench.look(&id).await;
    assert_eq!((look.leased_until, look.tokens_fence), (None, 7));
    assert_eq!(in_short(&look.journal[0]), (1, 1, Phase::Sent, false), "of the holder, who must end it");
    assert!(!bench.one.commit(&claim, &tokens("beaten", 6), None).await.unwrap());
    assert_eq!(access(&bench.look(&id).await.credential.tokens), Some("access of found"));

    let next = claimed(&bench.one, &id, 2).await;
    assert_eq!(next.fence, 8, "above the fence that was adopted");
    assert!(bench.one.mark_broken(&next, BROKEN, None, at(9)).await.unwrap());
    assert!(bench.two.adopt(&id, 2, 8, &tokens("repair", 10), None).await.unwrap());
    assert_eq!(bench.look(&id).await.credential.broken, None, "adopting repairs");
}

pub(crate) async fn a_commit_takes_its_row_and_the_older_generations_with_it(bench: &Bench) {
    let id = bench.put("anna").await;
    // One call that nobody knows the end of, one orphan, and one that brings tokens: all of generation 1.
    claimed(&bench.one, &id, 1).await;
    bench.wait(30);
    let orphan = claimed(&bench.two, &id, 1).await;
    bench.wait(30);
    let third = claimed(&bench.one, &id, 1).await;
    assert!(bench.two.keep_orphan(&orphan, &tokens("orphan", 60)).await.unwrap());
    assert!(bench.one.commit(&third, &tokens("second", 60), None).await.unwrap());
    let left = [(1, 1, Phase::Sent, false), (2, 1, Phase::Orphan, false)];
    assert_eq!(bench.journal(&id).await, left, "the spent generation's rows stay");
    let fourth = claimed(&bench.one, &id, 2).await;
    assert!(bench.one.settle(&fourth, &ambiguous(false)).await.unwrap());
    let fifth = claimed(&bench.one, &id, 2).await;
    assert!(bench.one.commit(&fifth, &tokens("third", 61), None).await.unwrap());
    assert_eq!(bench.journal(&id).await, [(4, 2, Phase::Ambiguous, false)], "those before it are gone");
    assert_eq!(bench.one.backlog().await.unwrap().journal_rows, 1, "and not only out of sight");
    let look = bench.look(&id).await;
    assert_eq!((look.fence, look.tokens_fence, look.leased_until), (5, 5, None));
}

pub(crate) async fn a_refresh_without_refresh_token_or_extra_keeps_the_old_ones(bench: &Bench) {
    let id = bench.put("anna").await;
    let claim = claimed(&bench.one, &id, 1).await;
    let bare = SealedTokens { refresh_token: None, extra: None, expires_at: None, ..tokens("second", 20) };
    assert!(bench.one.commit(&claim, &bare, None).await.unwrap());
    let credential = bench.look(&id).await.credential;
    assert_eq!(access(&credential.tokens), Some("access of second"));
    assert_eq!(octets(credential.tokens.refresh_token.as_ref()), Some("refresh of first"));
    assert_eq!(octets(credential.tokens.extra.as_ref()), Some("extra of first"));
    assert_eq!((credential.tokens.expires_at, credential.due_at), (None, None));
    assert_eq!((credential.grant_started_at, credential.used_at), (Some(at(0)), Some(at(0))));
}

pub(crate) async fn ambiguous_calls_leave_one_row_a_generation_and_silence_sticks(bench: &Bench) {
    let id = bench.put("anna").await;
    for (fence, (silent, expected)) in (1..).zip([(false, false), (true, true), (false, true)]) {
        let claim = claimed(&bench.one, &id, 1).await;
        assert!(bench.one.settle(&claim, &ambiguous(silent)).await.unwrap());
        assert_eq!(bench.journal(&id).await, [(fence, 1, Phase::Ambiguous, expected)]);
        assert_eq!(bench.look(&id).await.journal[0].started_at, at(0), "since the first of them");
        bench.wait(10);
    }
    let claim = claimed(&bench.one, &id, 1).await;
    assert!(bench.one.commit(&claim, &tokens("second", 1), None).await.unwrap());
    let claim = claimed(&bench.one, &id, 2).await;
    assert!(bench.one.settle(&claim, &ambiguous(false)).await.unwrap());
    let journal = [(3, 1, Phase::Ambiguous, true), (5, 2, Phase::Ambiguous, false)];
    assert_eq!(bench.journal(&id).await, journal, "another generation has its own row");
}

pub(crate) async fn a_call_that_was_not_processed_leaves_no_row(bench: &Bench) {
    let id = bench.put("anna").await;
    let doubtful = claimed(&bench.one, &id, 1).await;
    assert!(bench.one.settle(&doubtful, &ambiguous(true)).await.unwrap());
    let claim = claimed(&bench.one, &id, 1).await;
    assert!(bench.one.settle(&claim, &not_processed()).await.unwrap());
    assert_eq!(bench.journal(&id).await, [(1, 1, Phase::Ambiguous, true)]);
    assert_eq!(bench.look(&id).await.leased_until, None);
    claimed(&bench.two, &id, 1).await;
}

pub(crate) async fn failures_are_counted_until_new_tokens_come(bench: &Bench) {
    let id = bench.put("anna").await;
    let state = async || {
        let credential = bench.look(&id).await.credential;
        (credential.failures, credential.last_error, credential.due_at)
    };
    let (first, again) = (Some(at(3300)), Some(at(60)));
    let error = |error: &str| Some(error.to_owned());
    for (settlement, expected) in [
        (failed("timeout"), (1, error("timeout"), first)),
        (Settlement { due_at: again, ..failed("invalid_client") }, (2, error("invalid_client"), again)),
        (ambiguous(false), (2, error("invalid_client"), again)),
    ] {
        let claim = claimed(&bench.one, &id, 1).await;
        assert!(bench.one.settle(&claim, &settlement).await.unwrap());
        assert_eq!(state().await, expected);
    }
    let claim = claimed(&bench.two, &id, 1).await;
    assert!(bench.two.commit(&claim, &tokens("second", 9), first).await.unwrap());
    assert_eq!(state().await, (0, None, first));
    let claim = claimed(&bench.two, &id, 2).await;
    let nul = bench.two.settle(&claim, &failed("a\0b")).await;
    assert!(matches!(nul, Err(store::Error::NulCharacter { column: "credentials.last_error" })), "{nul:?}");
}

pub(crate) async fn a_second_call_under_one_lease_raises_the_fence(bench: &Bench) {
    let id = bench.put("anna").await;
    let first = claimed(&bench.one, &id, 1).await;
    bench.wait(10);
    assert!(bench.one.settle(&first, &Settlement { keep_lease: true, ..ambiguous(true) }).await.unwrap());
    assert_eq!(bench.look(&id).await.leased_until, Some(at(30)), "kept as it was");
    assert!(is_refused(&bench.two, &seen_claim(&bench.two, &id, 1).await).await);
    let again = NewClaim { fence: first.fence, again: true, ..new_claim(&id, 1) };
    let second = bench.one.claim(&again).await.unwrap().unwrap();
    assert_eq!(second, Claim { fence: 2, ..first });
    assert!(is_refused(&bench.one, &again).await, "a second call after the first, once");
    assert_eq!(bench.look(&id).await.leased_until, Some(at(40)));
    let journal = [(1, 1, Phase::Ambiguous, true), (2, 1, Phase::Sent, false)];
    assert_eq!(bench.journal(&id).await, journal);
    assert!(!bench.one.commit(&first, &tokens("first call", 11), None).await.unwrap());
    assert!(bench.one.commit(&second, &tokens("second call", 11), None).await.unwrap());
}

pub(crate) async fn the_due_time_is_set_for_the_generation_that_was_seen(bench: &Bench) {
    let id = bench.put("anna").await;
    let claim = claimed(&bench.one, &id, 1).await;
    assert!(!bench.two.schedule(&id, 2, Some(at(5))).await.unwrap());
    assert_eq!(bench.look(&id).await.credential.due_at, Some(at(3300)));
    for due in [Some(at(5)), None] {
        assert!(bench.two.schedule(&id, 1, due).await.unwrap(), "whoever holds the lease");
        assert_eq!(bench.look(&id).await.credential.due_at, due);
    }
    assert_eq!(bench.look(&id).await.leased_until, Some(at(30)), "a live lease stays");
    bench.wait(30);
    assert!(bench.two.schedule(&id, 1, Some(at(7))).await.unwrap());
    let look = bench.look(&id).await;
    assert_eq!(
        (look.leased_until, look.fence, look.journal.len()),
        (None, 1, 1),
        "one that ran out is ended"
    );
    assert_eq!(bench.two.abandoned(9).await.unwrap(), []);
    assert!(!bench.one.renew(&claim, LEASE).await.unwrap());
    assert!(bench.one.commit(&claim, &tokens("second", 6), None).await.unwrap());
}

pub(crate) async fn what_failed_at_a_provider_that_is_back_is_due_at_once(bench: &Bench) {
    let mut ids = Vec::new();
    for subject in ["anna", "bert", "other_app", "elsewhere", "never_failed", "earlier", "broken"] {
        let change = |credential: &mut Credential| match subject {
            "other_app" => "another app".clone_into(&mut credential.client_id),
            "elsewhere" => credential.integration = "jira".parse().unwrap(),
            _ => {}
        };
        let id = bench.put_with(subject, change).await;
        if subject != "never_failed" {
            let claim = claimed(&bench.one, &id, 1).await;
            let due_at = Some(at(if subject == "earlier" { 5 } else { 100 }));
            let settled = bench.one.settle(&claim, &Settlement { due_at, ..failed("timeout") }).await;
            assert!(settled.unwrap());
        }
        if subject == "broken" {
            let claim = claimed(&bench.one, &id, 1).await;
            assert!(bench.one.mark_broken(&claim, BROKEN, None, at(1)).await.unwrap());
            assert!(bench.one.schedule(&id, 1, Some(at(100))).await.unwrap());
        }
        ids.push(id);
    }
    let github = "github".parse().unwrap();
    assert_eq!(bench.one.hasten(&github, "our app", at(10)).await.unwrap(), 2);
    assert_eq!(bench.two.hasten(&github, "our app", at(10)).await.unwrap(), 0);
    for (id, due) in ids.iter().zip([10, 10, 100, 100, 3300, 5, 100]) {
        assert_eq!(bench.look(id).await.credential.due_at, Some(at(due)));
    }
}

pub(crate) async fn each_due_credential_goes_to_one_of_two_replicas(bench: &Bench) {
    let mut ids = Vec::new();
    for second in 0..40 {
        let due = |credential: &mut Credential| credential.due_at = Some(at(second));
        ids.push(bench.put_with(&format!("anna{second}"), due).await);
    }
    let take = |replica: &Arc<dyn Refreshes>| {
        let replica = Arc::clone(replica);
        tokio::spawn(async move {
            let mut taken = Vec::new();
            loop {
                let next = replica.take_due(at(29), at(1000), &[], 3).await.unwrap();
                assert!(next.len() <= 3 && next.is_sorted_by_key(|due| due.since));
                if next.is_empty() {
                    return taken;
                }
                taken.extend(next);
            }
        })
    };
    let (one, two) = (take(&bench.one), take(&bench.two));
    let mut taken = one.await.unwrap();
    taken.extend(two.await.unwrap());
    taken.sort_by_key(|due| due.since);
    let wanted: Vec<_> = ids.iter().copied().zip((0..30).map(at)).collect();
    assert_eq!(taken.iter().map(|due| (due.credential, due.since)).collect::<Vec<_>>(), wanted);
    for (second, id) in (0..).zip(&ids) {
        let due = bench.look(id).await.credential.due_at;
        assert_eq!(due, Some(if second < 30 { at(1000) } else { at(second) }), "{second}");
    }
}

pub(crate) async fn what_is_broken_leased_or_excepted_is_not_taken(bench: &Bench) {
    let mut ids = Vec::new();
    for (second, subject) in (0..).zip(["broken", "leased", "excepted", "wanted", "other_app", "idle"]) {
        let change = |credential: &mut Credential| {
            credential.due_at = (subject != "idle").then(|| at(second));
            if subject == "excepted" {
                credential.integration = "zoho_crm".parse().unwrap();
            }
            if subject == "other_app" {
                credential.integration = "zoho_crm".parse().unwrap();
                "their \"own' app".clone_into(&mut credential.client_id);
            }
        };
        ids.push(bench.put_with(subject, change).await);
    }
    bench.wait(10);
    let claim = claimed(&bench.one, &ids[0], 1).await;
    assert!(bench.one.mark_broken(&claim, BROKEN, None, at(1)).await.unwrap());
    assert!(bench.one.schedule(&ids[0], 1, Some(at(0))).await.unwrap());
    claimed(&bench.one, &ids[1], 1).await;

    let zoho: IntegrationId = "zoho_crm".parse().unwrap();
    let except =
        [(zoho.clone(), "our app".to_owned()), (zoho.clone(), "\0".to_owned()), (zoho, "app".to_owned())];
    let taken = bench.two.take_due(at(10), at(500), &except, 10).await.unwrap();
    let wanted = Due {
        credential: ids[3],
        generation: 1,
        subject: "wanted".parse().unwrap(),
        integration: "github".parse().unwrap(),
        client_id: "our app".to_owned(),
        since: at(3),
    };
    assert_eq!(taken[0], wanted);
    assert_eq!(taken.iter().map(|due| due.credential).collect::<Vec<_>>(), [ids[3], ids[4]]);
    let except = [("zoho_crm".parse().unwrap(), "their \"own' app".to_owned())];
    bench.wait(30);
    let taken = bench.two.take_due(at(500), at(900), &except, 10).await.unwrap();
    let taken: Vec<_> = taken.iter().map(|due| due.credential).collect();
    assert_eq!(taken, [ids[1], ids[2], ids[3]], "a lease that ran out keeps nobody away");
}

pub(crate) async fn a_lease_that_ran_out_without_an_end_is_found(bench: &Bench) {
    let mut ids = Vec::new();
    for subject in ["anna", "bert", "carl", "dora"] {
        ids.push(bench.put(subject).await);
    }
    claimed(&bench.one, &ids[1], 1).await;
    bench.wait(1);
    claimed(&bench.one, &ids[0], 1).await;
    let ended = claimed(&bench.one, &ids[2], 1).await;
    assert!(bench.one.settle(&ended, &ambiguous(true)).await.unwrap());
    bench.wait(28);
    assert_eq!(bench.two.abandoned(10).await.unwrap(), []);
    bench.wait(1);
    let found = async |limit| {
        let found = bench.two.abandoned(limit).await.unwrap();
        found.into_iter().map(|due| (due.credential, due.since)).collect::<Vec<_>>()
    };
    assert_eq!(found(10).await, [(ids[1], at(30))]);
    bench.wait(1);
    assert_eq!(found(10).await, [(ids[1], at(30)), (ids[0], at(31))], "the oldest first");
    assert_eq!(found(1).await, [(ids[1], at(30))]);
    let next = claimed(&bench.two, &ids[1], 1).await;
    assert_eq!(found(10).await, [(ids[0], at(31))], "taken over");
    assert!(bench.two.commit(&next, &tokens("second", 40), None).await.unwrap());
}

pub(crate) async fn an_erased_credential_takes_its_journal_with_it(bench: &Bench) {
    let (id, other) = (bench.put("anna").await, bench.put("bert").await);
    let claim = claimed(&bench.one, &id, 1).await;
    claimed(&bench.one, &other, 1).await;
    assert_eq!(bench.two.backlog().await.unwrap().journal_rows, 2);
    bench.erase("anna", &id).await;
    assert_eq!(bench.two.backlog().await.unwrap().journal_rows, 1);
    assert!(!bench.one.keep_orphan(&claim, &tokens("late", 5)).await.unwrap());
    assert!(!bench.one.commit(&claim, &tokens("late", 5), None).await.unwrap());
    assert!(!bench.one.settle(&claim, &ambiguous(true)).await.unwrap());
    assert!(!bench.one.adopt(&id, 1, 1, &tokens("late", 5), None).await.unwrap());
    assert_eq!(bench.two.backlog().await.unwrap().journal_rows, 1);
    assert!(bench.two.look(&id).await.unwrap().is_none());
}

pub(crate) async fn a_hold_stops_claims_until_it_is_lifted(bench: &Bench) {
    let id = bench.put("anna").await;
    let claim = claimed(&bench.one, &id, 1).await;
    assert_eq!(bench.two.held().await.unwrap(), None);
    assert!(!bench.two.resume().await.unwrap());
    let hold = Hold { since: at(1), reason: "a restored backup".to_owned(), by: "operator".to_owned() };
    assert!(bench.two.hold(&hold).await.unwrap());
    let later = Hold { since: at(2), reason: "another".to_owned(), ..hold.clone() };
    assert!(!bench.one.hold(&later).await.unwrap());
    assert_eq!(bench.one.held().await.unwrap(), Some(hold));
    assert!(bench.look(&id).await.held);

    assert!(bench.one.commit(&claim, &tokens("second", 3), None).await.unwrap(), "what was sent comes home");
    assert!(is_refused(&bench.one, &seen_claim(&bench.one, &id, 2).await).await);
    assert!(bench.one.resume().await.unwrap());
    assert!(!bench.look(&id).await.held);
    claimed(&bench.one, &id, 2).await;
}

pub(crate) async fn a_grant_that_ends_is_warned_of_once_a_stage(bench: &Bench) {
    let day = 86_400;
    let mut ids = Vec::new();
    for (subject, end) in [("far", Some(40)), ("near", Some(5)), ("nearest", Some(3)), ("endless", None)] {
        let ends = |credential: &mut Credential| credential.grant_ends_at = end.map(|days| at(days * day));
        ids.push(bench.put_with(subject, ends).await);
    }
    let ending = async |before, days, limit| {
        bench.one.ending(at(before * day), days, limit).await.unwrap() as Vec<EndingGrant>
    };
    let found = ending(30, 30, 10).await;
    let nearest = EndingGrant {
        credential: ids[2],
        subject: "nearest".parse().unwrap(),
        integration: "github".parse().unwrap(),
        ends_at: at(3 * day),
        warned_days: None,
    };
    assert_eq!(found[0], nearest);
    assert_eq!(found.iter().map(|grant| grant.credential).collect::<Vec<_>>(), [ids[2], ids[1]]);
    assert_eq!(ending(30, 30, 1).await, found[..1]);
    assert_eq!(ending(3, 30, 10).await, [], "before, not at");

    let (one, two) = tokio::join!(bench.one.mark_warned(&nearest, 30), bench.two.mark_warned(&nearest, 30));
    assert!(one.unwrap() ^ two.unwrap(), "one of two replicas gives the warning");
    assert_eq!(ending(30, 30, 10).await, found[1..]);
    let next = ending(7, 7, 10).await;
    assert_eq!(next[0], EndingGrant { warned_days: Some(30), ..nearest.clone() }, "the next stage");
    assert!(!bench.two.mark_warned(&nearest, 7).await.unwrap());
    assert!(bench.two.mark_warned(&next[0], 7).await.unwrap());
    assert_eq!(ending(7, 7, 10).await, found[1..]);
    bench.erase("nearest", &ids[2]).await;
    assert!(!bench.two.mark_warned(&EndingGrant { warned_days: Some(7), ..nearest }, 1).await.unwrap());
}

pub(crate) async fn a_use_changes_nothing_else(bench: &Bench) {
    let (id, other) = (bench.put("anna").await, bench.put("bert").await);
    let unused = bench.put_with("carl", |credential| credential.used_at = None).await;
    claimed(&bench.one, &id, 1).await;
    let before = bench.look(&id).await;
    bench.one.note_use(&[], at(9)).await.unwrap();
    bench.one.note_use(&[id, random::id(), unused, id], at(9)).await.unwrap();
    bench.two.note_use(&[id], at(8)).await.unwrap();
    let mut after = bench.look(&id).await;
    assert_eq!(after.credential.used_at, Some(at(9)), "and never moves back");
    after.credential.used_at = before.credential.used_at;
    assert_eq!(format!("{after:?}"), format!("{before:?}"));
    assert_eq!(bench.look(&other).await.credential.used_at, Some(at(0)));
    assert_eq!(bench.look(&unused).await.credential.used_at, Some(at(9)));
}

pub(crate) async fn the_backlog_is_counted(bench: &Bench) {
    let due = |second| move |credential: &mut Credential| credential.due_at = Some(at(second));
    let first = bench.put_with("anna", due(5)).await;
    bench.put_with("bert", due(7)).await;
    assert_eq!(bench.one.backlog().await.unwrap(), Backlog::default(), "nothing waits yet");
    bench.wait(8);
    let backlog = Backlog { oldest_due: Some(at(5)), journal_rows: 0 };
    assert_eq!(bench.one.backlog().await.unwrap(), backlog);
    let claim = claimed(&bench.one, &first, 1).await;
    assert_eq!(bench.two.backlog().await.unwrap(), Backlog { journal_rows: 1, ..backlog });
    assert!(bench.one.mark_broken(&claim, BROKEN, None, at(9)).await.unwrap());
    assert!(bench.one.schedule(&first, 1, Some(at(5))).await.unwrap());
    let backlog = Backlog { oldest_due: Some(at(7)), journal_rows: 0 };
    assert_eq!(bench.two.backlog().await.unwrap(), backlog, "what is broken does not wait");
}

pub(crate) async fn a_commit_is_seen_in_the_standing_of_the_other_replica(world: &World) {
    let key = key("anna", "github");
    let new = new_connection(&key, "first", 1);
    let id = new.credential.id;
    world.one.connections.connect(&new).await.unwrap();
    let standing = async || world.two.connections.standing(&key).await.unwrap().unwrap();
    let in_memory = async || Arc::ptr_eq(&standing().await, &standing().await);
    eventually("the cache is in use", in_memory).await;

    let claim = claimed(&world.one.refreshes, &id, 1).await;
    assert!(world.one.refreshes.commit(&claim, &tokens("second", 2), Some(at(60))).await.unwrap());
    let own = world.one.connections.standing(&key).await.unwrap().unwrap();
    assert_eq!((own.generation, own.used_at), (2, Some(at(1))));
    eventually("the new tokens are seen", async || standing().await.generation == 2).await;
    let listed = world.two.connections.get(&key).await.unwrap().unwrap();
    assert_eq!((listed.due_at, listed.grant_ends_at), (Some(at(60)), None));

    eventually("the cache is in use", in_memory).await;
    world.one.refreshes.note_use(&[id], at(50)).await.unwrap();
    eventually("the use is seen", async || standing().await.used_at == Some(at(50))).await;
    let own = world.one.connections.standing(&key).await.unwrap().unwrap();
    assert_eq!(own.used_at, Some(at(50)));
}

pub(crate) async fn what_standings_do_not_show_leaves_them_in_memory(world: &World) {
    let Store { connections, refreshes, .. } = &world.one;
    let (key, later) = (key("anna", "github"), key("bert", "github"));
    let (mut new, mut last) = (new_connection(&key, "first", 1), new_connection(&later, "first", 1));
    // Not random: one id in some thousands shares its epoch with the other connection.
    (new.credential.id, last.credential.id) = ([1; 16].into(), [3; 16].into());
    let id = new.credential.id;
    connections.connect(&new).await.unwrap();
    connections.connect(&last).await.unwrap();
    // Our own notices come back, in the order of the commits: whoever has heard of a later one has heard them all.
    assert!(put_tokens(&world.two, &last.credential.id, 1, &tokens("next", 1)).await);
    let generation = async || connections.standing(&later).await.unwrap().unwrap().generation;
    eventually("new tokens are seen", async || generation().await == 2).await;
    // SQLite's writer, in turn, takes note of the other replica's change at its own next transaction.
    world.one.ping().await.unwrap();
    let standing = async || connections.standing(&key).await.unwrap().unwrap();
    eventually("the cache is in use", async || Arc::ptr_eq(&standing().await, &standing().await)).await;

    let loaded = standing().await;
    let claim = claimed(refreshes, &id, 1).await;
    assert!(refreshes.renew(&claim, LEASE).await.unwrap());
    assert!(refreshes.settle(&claim, &failed("timeout")).await.unwrap());
    assert!(refreshes.schedule(&id, 1, Some(at(1))).await.unwrap());
    assert_eq!(refreshes.take_due(at(2), at(3), &[], 1).await.unwrap().len(), 1);
    assert!(Arc::ptr_eq(&standing().await, &loaded), "it was loaded again");
}

pub(crate) async fn metadata_that_is_written_during_a_claim_stays(world: &World) {
    let key = key("anna", "github");
    let new = new_connection(&key, "first", 1);
    world.one.connections.connect(&new).await.unwrap();
    let claim = claimed(&world.one.refreshes, &new.credential.id, 1).await;
    let patch = object(json!({"plan": "gold"}));
    world.two.connections.merge_metadata(&key, &patch, Some(1), at(2)).await.unwrap();
    assert!(world.one.refreshes.commit(&claim, &tokens("second", 3), None).await.unwrap());
    let read = world.two.connections.get(&key).await.unwrap().unwrap();
    assert_eq!((read.metadata, read.generation), (patch, 2));
}

pub(crate) async fn leases_are_timed_by_the_clock_of_the_database(world: &World) {
    let new = new_connection(&key("anna", "github"), "first", 1);
    let id = new.credential.id;
    world.one.connections.connect(&new).await.unwrap();
    let before = SystemClock.now();
    claimed(&world.one.refreshes, &id, 1).await;
    let look = world.two.refreshes.look(&id).await.unwrap().unwrap();
    // The server of a test runs on this machine; its clock may round up.
    let after = SystemClock.now() + Duration::from_millis(1);
    let started = look.journal[0].started_at;
    assert!(before <= started && started <= look.now && look.now <= after, "{before} {started} {after}");
    let until = look.leased_until.unwrap();
    assert!(before + LEASE <= until && until <= started + LEASE, "{started} {until}");
    assert!(is_refused(&world.two.refreshes, &seen_claim(&world.two.refreshes, &id, 1).await).await);
    assert_eq!(world.two.refreshes.abandoned(9).await.unwrap(), []);
}

pub(crate) async fn rows_of_the_schema_before_get_their_due_time(world: &World) {
    let mut ids = Vec::new();
    for subject in ["due", "endless", "without", "broken"] {
        let mut new = new_connection(&key(subject, "github"), "first", 100);
        match subject {
            "endless" => new.credential.tokens.expires_at = None,
            "without" => new.credential.tokens.refresh_token = None,
            "broken" => new.credential.broken = Some((at(5), BROKEN)),
            _ => {}
        }
        ids.push(new.credential.id);
        world.one.connections.connect(&NewConnection { at: at(200), ..new }).await.unwrap();
    }
    world.end().await;
    let columns = [
        "fence",
        "tokens_fence",
        "lease_holder",
        "lease_until",
        "failures",
        "due_at",
        "used_at",
        "grant_started_at",
        "grant_ends_at",
        "warned_days",
    ];
    let later = ["account_id", "parent", "part"];
    let of_credentials = columns.iter().chain(&later).map(|column| ("credentials", column));
    let of_attempts = ["members", "held", "question", "answer_by"];
    let of_attempts = of_attempts.iter().map(|column| ("attempts", column));
    let columns: Vec<String> = of_credentials
        .chain(of_attempts)
        .map(|(table, column)| format!("ALTER TABLE {table} DROP COLUMN {column};"))
        .collect();
    let columns = columns.concat();
    let tables = "access_tokens refresh_answers families codes grants pushed_requests authorizations sign_ins memberships \
        teams users assertions applications signing_keys limits";
    let tables = format!("DROP TABLE {};", tables.replace(' ', "; DROP TABLE IF EXISTS "));
    let back = format!(
        "DROP INDEX credentials_by_due; DROP INDEX credentials_by_lease; DROP INDEX credentials_by_grant_end; \
         DROP INDEX credentials_by_account; DROP INDEX credentials_by_part; DROP INDEX attempts_by_question; \
         DROP INDEX attempts_by_answer; \
         DROP TABLE refresh_journal; DROP TABLE refresh_hold; DROP TABLE revocations; \
         DROP TABLE portal_browsers; DROP TABLE mails; DROP TABLE portal_sessions; DROP TABLE stripe_accounts; \
         DROP TABLE stripe_attempts; DROP TABLE stripe_events; DROP TABLE drills; DROP TABLE IF EXISTS limits; {tables} {columns} \
         DROP INDEX audit_by_subject; DROP INDEX audit_by_connection; ALTER TABLE audit DROP COLUMN subject; ALTER TABLE audit DROP COLUMN integration; \
         ALTER TABLE keyring DROP COLUMN created_at; ALTER TABLE keyring DROP COLUMN spread_at; \
         DELETE FROM refinery_schema_history WHERE version >= 2"
    );
    world.sql(&back).await;
    let store = Store::open(&crate::world::options(&world.url)).await.unwrap();
    for (id, due_at) in ids.iter().zip([Some(at(100 + 3300)), None, None, None]) {
        let look = store.refreshes.look(id).await.unwrap().unwrap();
        let credential = look.credential;
        assert_eq!(credential.due_at, due_at);
        assert_eq!((credential.used_at, credential.grant_started_at), (Some(at(200)), Some(at(100))));
        assert_eq!((look.fence, look.tokens_fence, credential.failures), (0, 0, 0));
    }
    claimed(&store.refreshes, &ids[0], 1).await;
    store.close().await;
}

#[tokio::test]
async fn a_simulated_store_that_is_down_answers_nothing_and_one_that_fails_over_forgets() {
    let store = Simulated::new(Arc::new(FixedClock::at(at(0))));
    let credential = new_connection(&key("anna", "github"), "first", 0).credential;
    let id = credential.id;
    store.put(credential);
    let before = store.snapshot();
    let claim = store.claim_now(&new_claim(&id, 1)).unwrap().unwrap();
    store.set_down(true);
    let error = store.commit(&claim, &tokens("second", 1), None).await.unwrap_err();
    assert!(matches!(error, store::Error::Unavailable(_)), "{error}");
    assert_eq!(store.credential(&id).unwrap().generation, 1);
    store.set_down(false);
    assert!(store.commit_now(&claim, &tokens("second", 1), None).unwrap());
    assert_eq!(store.credential(&id).unwrap().generation, 2);
    store.restore(before.clone());
    let look = store.look_now(&id).unwrap().unwrap();
    assert_eq!((look.credential.generation, look.fence, look.journal.len()), (1, 0, 0));
    store.remove(&id);
    store.restore(before);
    assert!(store.look_now(&id).unwrap().is_some(), "a snapshot is not touched by what comes after");
}
