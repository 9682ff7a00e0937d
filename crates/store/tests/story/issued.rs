//! Grants and all that is issued on them, as rows of their own making.

use data_encoding::HEXLOWER;

use crate::world::{World, hash};

/// The tables in which [`issue`] writes a row each, and how many each has.
pub(crate) async fn count(world: &World) -> [i64; 5] {
    let mut counts = [0; 5];
    let tables = ["grants", "codes", "families", "refresh_answers", "access_tokens"];
    for (count, table) in counts.iter_mut().zip(tables) {
        *count = world.count(table).await;
    }
    counts
}

/// The SHA-256 of a text, as SQL has it.
pub(crate) fn hashed(world: &World, text: &str) -> String {
    let hex = HEXLOWER.encode(hash(text).as_bytes());
    if world.is_sqlite() { format!("X'{hex}'") } else { format!("'\\x{hex}'::bytea") }
}

pub(crate) fn id(prefix: &str, number: u32) -> String {
    format!("{prefix}_{number:032x}")
}

/// Writes a consent, a code, and a family with an answer and an access token; `number` tells them from others.
pub(crate) async fn issue(world: &World, number: u32, user: &str, team: &str, client_id: &str) {
    world.sql(&issuing(world, number, user, team, client_id)).await;
}

/// The statements of [`issue`].
pub(crate) fn issuing(world: &World, number: u32, user: &str, team: &str, client_id: &str) -> String {
    let (grant, family) = (id("gnt", number), id("fam", number));
    let hashed = |what: &str| hashed(world, &format!("{what} {number}"));
    let (code, handle, current) = (hashed("code"), hashed("handle"), hashed("current"));
    let (spent, token) = (hashed("spent"), hashed("token"));
    let whose = format!("'{client_id}', '{user}', '{team}'");
    format!(
        "INSERT INTO grants (id, client_id, \"user\", team, scopes, resources, created_at, updated_at) \
         VALUES ('{grant}', {whose}, '[]', '[]', 1, 1); \
         INSERT INTO codes (code, grant_id, client_id, \"user\", team, redirect_uri, redirect_uri_named, scopes, resources, \
         auth_time, issued_at, expires_at) VALUES ({code}, '{grant}', {whose}, 'https://x', 1, '[]', '[]', 1, 1, 2); \
         INSERT INTO families (id, grant_id, client_id, \"user\", team, handle, current, generation, scopes, resources, \
         auth_time, created_at, idle_until, ends_at, over_at) \
         VALUES ('{family}', '{grant}', {whose}, {handle}, {current}, 2, '[]', '[]', 1, 1, 2, 2, 2); \
         INSERT INTO refresh_answers (spent, family, answer, kept_until) VALUES ({spent}, '{family}', {spent}, 2); \
         INSERT INTO access_tokens (token, family, client_id, \"user\", team, scopes, audience, issued_at, expires_at) \
         VALUES ({token}, '{family}', {whose}, '[]', '[]', 1, 2);"
    )
}

/// Writes what an application has without a consent: a token for itself, a request that it pushed, and one that a person is
/// looking at, who may be signed in.
pub(crate) async fn ask(world: &World, number: u32, client_id: &str, user: Option<&str>) {
    own_token(world, number, client_id).await;
    push(world, number, client_id).await;
    authorization(world, number, client_id, user).await;
}

pub(crate) async fn own_token(world: &World, number: u32, client_id: &str) {
    let token = hashed(world, &format!("own token {number}"));
    world
        .sql(&format!(
            "INSERT INTO access_tokens (token, client_id, scopes, audience, issued_at, expires_at) \
             VALUES ({token}, '{client_id}', '[]', '[]', 1, 2)"
        ))
        .await;
}

pub(crate) async fn push(world: &World, number: u32, client_id: &str) {
    let uri = hashed(world, &format!("uri {number}"));
    world
        .sql(&format!(
            "INSERT INTO pushed_requests (uri, client_id, request, expires_at) VALUES ({uri}, '{client_id}', '{{}}', 2)"
        ))
        .await;
}

pub(crate) async fn authorization(world: &World, number: u32, client_id: &str, user: Option<&str>) {
    let (id, browser) = (id("aut", number), hashed(world, "browser"));
    let user = user.map_or_else(|| "NULL, NULL".to_owned(), |user| format!("'{user}', 1"));
    world
        .sql(&format!(
            "INSERT INTO authorizations (id, client_id, request, browser, \"user\", auth_time, created_at, expires_at) \
             VALUES ('{id}', '{client_id}', '{{}}', {browser}, {user}, 1, 2)"
        ))
        .await;
}

/// Writes a user who may have consents.
pub(crate) async fn user(world: &World, number: u32) -> String {
    let id = id("usr", number);
    world
        .sql(&format!(
            "INSERT INTO users (id, backend, login, created_at, updated_at) VALUES ('{id}', 'local', '{number}', 1, 1)"
        ))
        .await;
    id
}
