//! RFC 6749 §6, RFC 9700 §4.14: a refresh token becomes the next one, with an access token.
//!
//! An answer can be lost on its way, and two workers of one application can refresh at once. So within the leeway a spent token
//! brings the same answer again, the very same tokens; there is one live branch always. After it, somebody has what they should
//! not: the whole family ends.

use model::{Actor, AuditEvent, OauthErrorCode, Outcome, Secret};
use serde::{Deserialize, Serialize};
use store::families::{Family, Rotation};
use vault::kept_answer::KeptAnswer;
use vault::token_family::{self, Decision, FamilyToken, Presented};

use crate::application::Client;
use crate::form::Form;
use crate::issue::{Subject, TokenAnswer};
use crate::scope::{narrowed, narrowed_resources};
use crate::{Error, Grant, Result};

fn invalid_grant() -> Error {
    Error::refused(OauthErrorCode::InvalidGrant, "the refresh token is unknown, or no longer good")
}

impl Grant {
    pub(crate) async fn by_refresh_token(&self, client: &Client, form: &Form) -> Result<TokenAnswer> {
        let presented = FamilyToken::parse(form.need("refresh_token")?).ok_or_else(invalid_grant)?;
        let hash = presented.hash();
        // Whoever loses a rotation finds the winner's answer in the next round.
        loop {
            let family = self.store().families.of_handle(&presented.handle_hash()).await?;
            // Bound to the application that it was issued to. Somebody else's try changes nothing.
            let family = family.filter(|family| family.client_id == client.id).ok_or_else(invalid_grant)?;
            let current = family.current.ok_or_else(invalid_grant)?;
            let now = self.now();
            let kept =
                if current == hash { None } else { self.store().families.kept_answer(&hash, now).await? };
            let state =
                token_family::Family { current, idle_until: family.idle_until, ends_at: family.ends_at };
            let with = Presented { hash, kept_answer: kept.is_some() };
            match token_family::decide(&state, with, now, client.refresh_leeway(self)) {
                Decision::Ended => return Err(invalid_grant()),
                Decision::Reuse => {
                    self.metrics.refreshed("reused");
                    self.reused(client, &family).await?;
                    return Err(invalid_grant());
                }
                Decision::SameAnswer => {
                    self.metrics.refreshed("repeated");
                    return same_answer(kept, form, &presented, &family);
                }
                Decision::Rotate => {
                    if let Some(answer) = self.rotate(client, form, &presented, &family).await? {
                        self.metrics.refreshed("rotated");
                        return Ok(answer);
                    }
                }
            }
        }
    }

    /// Spends the token for the next; `None` when somebody was faster.
    async fn rotate(
        &self,
        client: &Client,
        form: &Form,
        presented: &FamilyToken,
        family: &Family,
    ) -> Result<Option<TokenAnswer>> {
        let scopes = narrowed(&family.scopes, form.get("scope")?)?;
        let audience = narrowed_resources(&family.resources, form.resources())?;
        let now = self.now();
        let next = presented.next(&client.settings.refresh_token_prefix);
        let issued = self.make_access_token(client, &Subject::of_family(family), &scopes, audience).await?;
        let answer = issued.answer(Some(next.token()), None);
        let leeway = client.refresh_leeway(self);
        let kept = (!leeway.is_zero()).then(|| {
            let kept = Kept { audience: issued.record.audience.clone(), answer: &answer };
            let kept = KeptAnswer::seal(presented, family.id, &kept.to_secret());
            (kept.as_bytes().to_vec(), now + leeway)
        });
        let rotation = Rotation {
            family: family.id,
            spent: presented.hash(),
            next: next.hash(),
            idle_until: (now + client.refresh_token_idle(self)).min(family.ends_at),
            answer: kept,
            access_token: issued.hash(),
            access: issued.record,
        };
        Ok(self.store().families.rotate(&rotation, now).await?.then_some(answer))
    }

    /// RFC 9700 §4.14.2: the family ends; the consent stays, so the person can come again.
    async fn reused(&self, client: &Client, family: &Family) -> Result<()> {
        if !self.store().families.revoke(&family.id).await? {
            return Ok(());
        }
        let event = AuditEvent::new(self.now(), "refresh_token.reused", Outcome::Denied, Actor::System);
        let event = event.target(&client.id).fact("family", family.id.to_string());
        self.remember(event.fact("user", family.user.to_string())).await
    }
}

/// An answer that is kept, with what it is good for.
#[derive(Serialize, Deserialize)]
struct Kept<A> {
    audience: Vec<String>,
    answer: A,
}

impl Kept<&TokenAnswer> {
    fn to_secret(&self) -> Secret<String> {
        Secret::new(serde_json::to_string(self).unwrap_or_default())
    }
}

/// Opens the answer that is kept for whoever presents the token again. Whoever asks for something else than was asked for the first
/// time gets nothing: not a token that is good elsewhere, or for more.
fn same_answer(
    kept: Option<Vec<u8>>,
    form: &Form,
    presented: &FamilyToken,
    family: &Family,
) -> Result<TokenAnswer> {
    let kept = kept.map(KeptAnswer::from_row).ok_or_else(invalid_grant)?;
    let opened = kept.open(presented, family.id).map_err(|error| Error::Keys(error.into()))?;
    let kept: Kept<TokenAnswer> = serde_json::from_str(opened.expose())
        .map_err(|_| Error::Keys("a kept answer is no answer".into()))?;
    if narrowed(&family.scopes, form.get("scope")?)?.to_string() != kept.answer.scope() {
        let description = "the refresh token was used a moment ago for other scopes";
        return Err(Error::refused(OauthErrorCode::InvalidScope, description));
    }
    if narrowed_resources(&family.resources, form.resources())? != kept.audience {
        let description = "the refresh token was used a moment ago for other resources";
        return Err(Error::refused(OauthErrorCode::InvalidTarget, description));
    }
    Ok(kept.answer)
}
