//! What is left of it all when time goes by.

use model::{AuthorizationId, UserId};
use serde_json::json;
use store::authorizations::{Authorization, PushedRequest};
use store::families::{AccessToken, Family, Redeemed};
use store::grants::Grant;
use vault::random;

use crate::families::{access, code, family, rotation};
use crate::grants::{grant, user};
use crate::world::{World, at, hash};

const HOUR: i64 = 3600;

/// Everything that traffic leaves behind.
const TABLES: [&str; 7] =
    ["authorizations", "pushed_requests", "grants", "codes", "families", "refresh_answers", "access_tokens"];

/// What becomes of a family; the name of its application.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// Refreshed every hour, until its end after twelve.
    Used,
    /// Never refreshed: over after six hours.
    Forgotten,
    /// Revoked after three hours.
    Revoked,
    /// Its grant is withdrawn after five hours.
    Withdrawn,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Used, Self::Forgotten, Self::Revoked, Self::Withdrawn];

    const fn client_id(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Forgotten => "forgotten",
            Self::Revoked => "revoked",
            Self::Withdrawn => "withdrawn",
        }
    }
}

struct Begun {
    hour: i64,
    fate: Fate,
    name: String,
    family: Family,
}

/// A request is pushed and looked at, and has its code: all named `name`.
async fn ask(world: &World, agreed: &Grant, name: &str, second: i64) -> AuthorizationId {
    let (store, client_id) = (&world.one, agreed.client_id.clone());
    let pushed = PushedRequest { client_id, request: json!({}), expires_at: at(second + 60) };
    store.authorizations.push(&hash(name), &pushed).await.unwrap();
    let looked_at = Authorization {
        id: random::id(),
        client_id: pushed.client_id,
        request: pushed.request,
        browser: hash("browser"),
        user: Some((agreed.user, at(second))),
        login: None,
        created_at: at(second),
        expires_at: at(second + 2 * HOUR),
        decided_at: None,
    };
    store.authorizations.create(&looked_at).await.unwrap();
    assert!(store.families.add_code(&hash(name), &code(agreed, second)).await.unwrap());
    looked_at.id
}

/// Of two requests one is given up, and the code of the other redeemed.
async fn sign_in(world: &World, hour: i64, user: UserId, fate: Fate) -> Begun {
    let (store, second) = (&world.one, hour * HOUR);
    let name = format!("{} of hour {hour}", fate.client_id());
    let agreed = Grant { client_id: fate.client_id().parse().unwrap(), ..grant(user, second) };
    let agreed = store.grants.agree(&agreed).await.unwrap();
    ask(world, &agreed, &format!("{name}, given up"), second).await;
    let id = ask(world, &agreed, &name, second).await;
    let pushed = store.authorizations.take_pushed(&hash(&name), &agreed.client_id, at(second)).await.unwrap();
    assert!(pushed.is_some());
    assert!(store.authorizations.decide(&id, at(second)).await.unwrap());
    let family = Family {
        idle_until: at(second + 6 * HOUR),
        ends_at: at(second + 12 * HOUR),
        ..family(&agreed, &name, second)
    };
    let (code, access) = (hash(&name), access(&family, second));
    let redeemed = store.families.redeem(&code, at(second), &family, &code, &access).await.unwrap();
    assert_eq!(redeemed, Redeemed::Done);
    Begun { hour, fate, name, family }
}

/// What happens at an hour to what was begun before it; `false` once its end has come.
async fn live_on(world: &World, begun: &Begun, hour: i64) -> bool {
    let (store, age, id) = (&world.two, hour - begun.hour, begun.family.id);
    match (begun.fate, age) {
        (Fate::Used, _) => {
            let mut rotation = rotation(&begun.family, &begun.name, age, hour * HOUR);
            rotation.idle_until = at((hour + 6) * HOUR);
            let rotated = store.families.rotate(&rotation, at(hour * HOUR)).await.unwrap();
            assert_eq!(rotated, age < 12, "{} at the age of {age} h", begun.name);
            rotated
        }
        (Fate::Forgotten, 6) => {
            assert!(store.families.of_handle(&hash(&begun.name)).await.unwrap().is_some(), "{}", begun.name);
            false
        }
        (Fate::Revoked, 3) => !store.families.revoke(&id).await.unwrap(),
        (Fate::Withdrawn, 5) => store.grants.withdraw(&begun.family.grant).await.unwrap().is_none(),
        _ => true,
    }
}

/// Little by little, until there is nothing left to do.
async fn sweep(world: &World, second: i64) {
    loop {
        let tokens = world.one.families.sweep(at(second), 50).await.unwrap();
        let requests = world.two.authorizations.sweep(at(second), 50).await.unwrap();
        if tokens + requests == 0 {
            return;
        }
    }
}

pub(crate) async fn a_week_of_traffic_ends_at_a_flat_size(world: &World) {
    let mut users = Vec::new();
    for number in 0..24 {
        users.push(user(world, &number.to_string()).await);
    }
    let (mut alive, mut sizes) = (Vec::new(), Vec::new());
    for hour in 0..7 * 24_i64 {
        let mut still = Vec::new();
        for begun in alive {
            if live_on(world, &begun, hour).await {
                still.push(begun);
            }
        }
        alive = still;
        let user = users[usize::try_from(hour % 24).unwrap()];
        let [first, second, third, fourth] = Fate::ALL.map(|fate| sign_in(world, hour, user, fate));
        alive.extend(<[_; 4]>::from(tokio::join!(first, second, third, fourth)));
        let own =
            AccessToken { family: None, user: None, team: None, ..access(&alive[0].family, hour * HOUR) };
        world.one.families.add_access_token(&hash(&format!("own of hour {hour}")), &own).await.unwrap();
        sweep(world, hour * HOUR + 1).await;
        if hour % 24 == 23 {
            let mut size = Vec::new();
            for table in TABLES {
                size.push((table, world.count(table).await));
            }
            sizes.push(size);
        }
    }
    assert_eq!(sizes[1], sizes[6], "day by day: {sizes:?}");
    assert!(sizes[1].iter().all(|(_, rows)| *rows > 0), "there is something left at all: {sizes:?}");
    // 12 used, 6 forgotten, 3 revoked, 5 withdrawn.
    assert_eq!(sizes[6][4], ("families", 26));
    assert_eq!(alive.len(), 26);
}
