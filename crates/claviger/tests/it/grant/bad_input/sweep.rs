//! What is over goes, in small batches, and what is live stays.

use std::time::Duration;

use tokio_postgres::NoTls;

use crate::grant::on_both;
use crate::grant::rfc7523;
use crate::grant::rig::{Ask, EMAIL, Rig, proof, text};
use crate::harness::browser::parameter;
use crate::harness::{Browser, World};

/// What comes and goes.
const TABLES: [&str; 8] = [
    "authorizations",
    "pushed_requests",
    "codes",
    "families",
    "refresh_answers",
    "access_tokens",
    "sign_ins",
    "assertions",
];

/// How many rows a table has.
async fn rows(world: &World, table: &str) -> i64 {
    let statement = format!("SELECT count(*) FROM {table}");
    let text = world.text();
    let database = text.lines().find_map(|line| line.strip_prefix("url = "));
    let Some(database) = database else {
        let file = rusqlite::Connection::open(world.data().join("claviger.db")).unwrap();
        return file.query_row(&statement, [], |row| row.get(0)).unwrap();
    };
    let (client, connection) = tokio_postgres::connect(database.trim_matches('"'), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(&statement, &[]).await.unwrap().get(0)
}

/// Everything that an application and a person can leave behind.
async fn live_a_little(rig: &Rig) -> String {
    let signer = rfc7523::key(vault::SigningAlgorithm::Es256);
    if rig.world.server.app.grant.client("signer").await.unwrap().is_none() {
        rfc7523::register(rig, "signer", signer.public_jwk()).await;
        rfc7523::ask(rig, &signer.sign("JWT", &rfc7523::claims(rig))).await.expect(200);
    }
    rig.authorize(&Browser::new(), &Ask::of("app")).await.expect(303);
    let ask = Ask::of("app").without("client_id");
    rig.post("/oauth/par", &[&ask.pairs()[..], &proof("app")].concat()).await.expect(201);
    rig.code(&Ask::of("app")).await;
    let tokens = rig.tokens("app").await;
    let next = rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200).json();
    text(&next, "refresh_token").to_owned()
}

async fn sweep(rig: &Rig) {
    while rig.world.server.app.grant.sweep(2).await.unwrap() {}
}

on_both! {
    async fn when_everything_is_over_nothing_is_left_of_it(rig: Rig) {
        let grant = &rig.world.server.app.grant;
        let mut token = String::new();
        for _ in 0..4 {
            token = live_a_little(&rig).await;
        }
        for table in TABLES {
            assert!(rows(&rig.world, table).await > 0, "nothing is in {table} to begin with");
        }
        sweep(&rig).await;
        rig.refresh("app", &token).await.expect(200);
        rig.world.pass(Duration::from_hours(24 * 366));
        sweep(&rig).await;
        for table in TABLES {
            assert_eq!(rows(&rig.world, table).await, 0, "{table}");
        }
        // The consent stays, and who gave it.
        let user = grant.user_of_email(EMAIL).await.unwrap().id;
        assert_eq!(grant.consents(Some(&user), None, None, 10).await.unwrap().len(), 1);
    }

    async fn a_sweep_takes_nothing_that_is_live(rig: Rig) {
        let browser = Browser::new();
        let token = live_a_little(&rig).await;
        let back = rig.agree(&browser, &Ask::of("app")).await;
        let unused = parameter(&back, "code").unwrap();
        let page = rig.authorize(&Browser::new(), &Ask::of("app")).await.expect(303).location();
        assert!(page.path().starts_with("/oauth/authorize/aut_"));
        sweep(&rig).await;
        rig.redeem("app", &unused).await.expect(200);
        rig.world.pass(Duration::from_hours(2));
        sweep(&rig).await;
        rig.refresh("app", &token).await.expect(200);
        // Who is signed in still is.
        let back = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
        assert!(parameter(&back, "code").is_some(), "{back}");
    }

    /// A replay of a code is known as one for an hour after the code's end; then it is only unknown.
    async fn a_replayed_code_still_ends_its_family_after_a_sweep(rig: Rig) {
        let code = rig.code(&Ask::of("app")).await;
        let tokens = rig.redeem("app", &code).await.expect(200).json();
        rig.world.pass(Duration::from_mins(50));
        sweep(&rig).await;
        rig.redeem("app", &code).await.expect(400);
        rig.refresh("app", text(&tokens, "refresh_token")).await.expect(400);
    }
}
