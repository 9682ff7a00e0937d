//! OpenID Connect Core 1.0 and Discovery 1.0, by the code flow. What an OpenID provider needs not do is not done: no request objects,
//! no `claims` parameter, no other flows; and what is asked for that is not there is refused by the name that Core gives it.

mod discovery;
mod id_token;
mod request;
mod userinfo;

use serde_json::Value;

use super::rig::{Ask, Rig, text};

/// What `app` asks when it wants to know who is there.
fn openid() -> Ask {
    Ask::of("app").with("scope", "openid")
}

/// What the ID token of such an answer says, if we have signed it.
async fn id_claims(rig: &Rig, tokens: &Value) -> Value {
    Value::Object(rig.verified(text(tokens, "id_token")).await.claims)
}
