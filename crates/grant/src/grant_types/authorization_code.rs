//! RFC 6749 §4.1.3: a code becomes tokens, once.

use model::{Actor, AuditEvent, CodeVerifier, FamilyId, GrantType, OauthErrorCode, Outcome};
use store::families::{Code, Family, Redeemed};
use subtle_eq::same;
use vault::TokenHash;
use vault::token_family::FamilyToken;

use crate::application::Client;
use crate::form::Form;
use crate::issue::{Subject, TokenAnswer};
use crate::scope::narrowed_resources;
use crate::{Error, Grant, Refusal, Result};

/// Compares in constant time.
mod subtle_eq {
    use vault::TokenHash;

    pub(super) fn same(one: &str, other: &str) -> bool {
        TokenHash::of(one) == TokenHash::of(other)
    }
}

fn invalid_grant(description: &'static str) -> Error {
    Error::refused(OauthErrorCode::InvalidGrant, description)
}

impl Grant {
    pub(crate) async fn by_code(&self, client: &Client, form: &Form) -> Result<TokenAnswer> {
        let text = form.need("code")?;
        let hash = TokenHash::of(text);
        let unknown = || invalid_grant("the code is unknown, or no longer good");
        let code = self.store().families.code(&hash).await?.ok_or_else(unknown)?;
        // Bound to the application that it was issued to. Somebody else's try changes nothing.
        if code.client_id != client.id {
            return Err(unknown());
        }
        check_verifier(&code, form)?;
        check_redirect_uri(&code, client, form)?;
        let now = self.now();
        // Only after all that: whoever has merely seen a code can't end what its owner got for it (RFC 9700 §4.5).
        if let Some(family) = code.redeemed {
            self.replayed(client, &family).await?;
            return Err(unknown());
        }
        if code.expires_at <= now {
            return Err(unknown());
        }
        let audience = narrowed_resources(&code.resources, form.resources())?;
        let refresh_token = client
            .settings
            .allows(GrantType::RefreshToken)
            .then(|| FamilyToken::first(&client.settings.refresh_token_prefix));
        let access_ttl = client.access_token_ttl(self);
        let (idle_until, ends_at) = match refresh_token {
            Some(_) => (now + client.refresh_token_idle(self), now + client.refresh_token_ttl(self)),
            None => (now + access_ttl, now + access_ttl),
        };
        let family = Family {
            id: vault::random::id(),
            grant: code.grant,
            client_id: client.id.clone(),
            user: code.user,
            team: code.team.clone(),
            handle: refresh_token.as_ref().map(FamilyToken::handle_hash),
            current: refresh_token.as_ref().map(FamilyToken::hash),
            generation: 1,
            scopes: code.scopes.clone(),
            resources: code.resources.clone(),
            auth_time: code.auth_time,
            created_at: now,
            idle_until: idle_until.min(ends_at),
            ends_at,
        };
        let subject = Subject::of_family(&family);
        let issued = self.make_access_token(client, &subject, &family.scopes, audience).await?;
        let id_token = if family.scopes.contains("openid") {
            let nonce = code.nonce.as_deref();
            Some(self.make_id_token(client, &family, nonce, issued.token.expose()).await?)
        } else {
            None
        };
        let answer = issued.answer(refresh_token.as_ref().map(FamilyToken::token), id_token);
        let access = issued.hash();
        match self.store().families.redeem(&hash, now, &family, &access, &issued.record).await? {
            Redeemed::Done => Ok(answer),
            // Of several at the same time one gets tokens; the others were no replay of it.
            Redeemed::Used | Redeemed::Gone => Err(unknown()),
        }
    }

    /// RFC 6749 §4.1.2: everything that was issued for the code is revoked.
    async fn replayed(&self, client: &Client, family: &FamilyId) -> Result<()> {
        let was_live = self.store().families.revoke(family).await?;
        let event = AuditEvent::new(self.now(), "code.replayed", Outcome::Denied, Actor::System);
        let event = event.target(&client.id).fact("family", family.to_string());
        self.remember(event.fact("revoked", was_live)).await
    }
}

/// RFC 7636 §4.6, and RFC 9700 §4.8.2: a verifier without a challenge is somebody else's code.
fn check_verifier(code: &Code, form: &Form) -> Result<()> {
    let verifier = form.get("code_verifier")?;
    match (&code.code_challenge, verifier) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) => {
            let is_well_formed = (43..=128).contains(&verifier.len())
                && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
            let own = vault::code_challenge(&CodeVerifier::from(verifier));
            if is_well_formed && same(&own, challenge) {
                Ok(())
            } else {
                Err(invalid_grant("code_verifier does not match code_challenge"))
            }
        }
        (Some(_), None) => Err(invalid_grant("code_verifier is missing")),
        (None, Some(_)) => Err(invalid_grant("the authorization request had no code_challenge")),
    }
}

/// RFC 6749 §4.1.3: the redirect URI of the authorization request, if that named one.
fn check_redirect_uri(code: &Code, client: &Client, form: &Form) -> Result<()> {
    match form.get("redirect_uri")? {
        Some(uri) if uri == code.redirect_uri => Ok(()),
        Some(_) => Err(invalid_grant("redirect_uri is not the one of the authorization request")),
        None if !code.redirect_uri_named || client.settings.redirect_uri_optional => Ok(()),
        None => Err(Refusal::new(
            OauthErrorCode::InvalidRequest,
            "redirect_uri is missing; the authorization request named one (RFC 6749 section 4.1.3)",
        )
        .into()),
    }
}
