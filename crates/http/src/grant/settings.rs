//! What a body says of an application: to register one, or to change one.

use ::grant::Settings;
use ::grant::application::{NewApplication, Profile};
use model::{
    AccessTokenFormat, ApplicationSettings, ClientAuthentication, ClientId, GrantType, RedirectUri, Scopes,
    Secret,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::said;
use crate::problem::Problem;

/// The members that a new application and a changed one have in common, once.
macro_rules! with_settings {
    ($(#[$meta:meta])* pub struct $name:ident { $($own:tt)* }) => {
        #[derive(Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        $(#[$meta])*
        pub struct $name {
            $($own)*
            /// Where answers may go: compared byte for byte, but for the port of a loopback address.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Vec<String>)]
            redirect_uris: Option<Vec<RedirectUri>>,
            /// `authorization_code`, `refresh_token`, `client_credentials`.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Vec<String>)]
            grant_types: Option<Vec<GrantType>>,
            /// Its public keys (RFC 7517 §5), where it proves who it is by a signature.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Option<Object>)]
            jwks: Option<Option<Value>>,
            /// What it may ask for, of the scopes under `[grant.scopes]`.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Vec<String>)]
            scopes: Option<Scopes>,
            /// `opaque` or `jwt` (RFC 9068).
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = String)]
            access_token_format: Option<AccessTokenFormat>,
            /// How long access tokens live, in seconds; `null` for the server's default, as for the three that follow.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Option<u32>)]
            access_token_ttl: Option<Option<u32>>,
            /// How long a refresh token lives that is not used, in seconds.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Option<u32>)]
            refresh_token_idle: Option<Option<u32>>,
            /// How long the refresh tokens that one consent began live at most, in seconds.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Option<u32>)]
            refresh_token_ttl: Option<Option<u32>>,
            /// How long a refresh token that was used brings the same answer again, in seconds; 0 for not at all.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Option<u32>)]
            refresh_leeway: Option<Option<u32>>,
            /// What access tokens begin with.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = String)]
            access_token_prefix: Option<String>,
            /// What refresh tokens begin with.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = String)]
            refresh_token_prefix: Option<String>,
            /// Whether every authorization request must have a code challenge (RFC 7636).
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = bool)]
            require_pkce: Option<bool>,
            /// Whether the token request may leave out the redirect URI that the authorization request named.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = bool)]
            redirect_uri_optional: Option<bool>,
            /// What the consent page says about it besides.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Option<String>)]
            consent_text: Option<Option<String>>,
            /// Where people find out about it; an https address.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Option<String>)]
            homepage: Option<Option<String>>,
            /// The origins whose scripts may call the token endpoint.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Vec<String>)]
            cors_origins: Option<Vec<String>>,
            /// The resources that it answers for, of those under `grant.resources`: it may introspect tokens that are good there.
            /// Our own address stands for tokens that name no resource.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Vec<String>)]
            serves: Option<Vec<String>>,
            /// The login back ends that its users may come from; `null` for all.
            #[serde(default, deserialize_with = "said")]
            #[schema(value_type = Option<Vec<String>>)]
            login: Option<Option<Vec<String>>>,
        }

        impl $name {
            /// What was said takes the place of what is there; the rest stays.
            fn write(&self, own: &mut ApplicationSettings) {
                set(&mut own.redirect_uris, self.redirect_uris.as_ref());
                set(&mut own.grant_types, self.grant_types.as_ref());
                set(&mut own.jwks, self.jwks.as_ref());
                set(&mut own.scopes, self.scopes.as_ref());
                set(&mut own.access_token_format, self.access_token_format.as_ref());
                set(&mut own.access_token_ttl, self.access_token_ttl.as_ref());
                set(&mut own.refresh_token_idle, self.refresh_token_idle.as_ref());
                set(&mut own.refresh_token_ttl, self.refresh_token_ttl.as_ref());
                set(&mut own.refresh_leeway, self.refresh_leeway.as_ref());
                set(&mut own.access_token_prefix, self.access_token_prefix.as_ref());
                set(&mut own.refresh_token_prefix, self.refresh_token_prefix.as_ref());
                set(&mut own.require_pkce, self.require_pkce.as_ref());
                set(&mut own.redirect_uri_optional, self.redirect_uri_optional.as_ref());
                set(&mut own.consent_text, self.consent_text.as_ref());
                set(&mut own.homepage, self.homepage.as_ref());
                set(&mut own.cors_origins, self.cors_origins.as_ref());
                set(&mut own.serves, self.serves.as_ref());
                set(&mut own.login, self.login.as_ref());
            }
        }
    };
}

fn set<T: Clone>(own: &mut T, said: Option<&T>) {
    if let Some(said) = said {
        own.clone_from(said);
    }
}

with_settings! {
    /// An application that is to be registered. What is left out is as its profile has it, and all scopes.
    #[schema(as = applications::Create)]
    pub struct Create {
        /// What people call it.
        name: String,
        /// `plain`, or `zapier`: what Zapier needs.
        #[serde(default)]
        #[schema(value_type = String, default = "plain")]
        profile: Profile,
        /// The client id that it has already; else one is made.
        #[serde(default, deserialize_with = "said")]
        #[schema(value_type = String)]
        client_id: Option<ClientId>,
        /// The secret that it has already, 16 to 255 characters that nobody can guess; else one is made.
        #[serde(default, deserialize_with = "said")]
        #[schema(value_type = String)]
        client_secret: Option<String>,
        /// Whether it can't prove who it is: it runs in browsers or on people's machines. Short for `authentication` `none`.
        #[serde(default, deserialize_with = "said")]
        #[schema(value_type = bool)]
        public: Option<bool>,
        /// How it proves who it is: `client_secret`, `private_key_jwt` (RFC 7523 §2.2) or `none`.
        #[serde(default, deserialize_with = "said")]
        #[schema(value_type = String)]
        authentication: Option<ClientAuthentication>,
    }
}

impl Create {
    /// What is to be registered.
    pub(super) fn application(self, settings: &Settings) -> Result<NewApplication, Problem> {
        let mut own = self.profile.settings(&self.name, Vec::new());
        own.scopes = settings.all_scopes();
        self.write(&mut own);
        own.authentication = match (self.public, self.authentication) {
            (Some(public), Some(said)) if public != (said == ClientAuthentication::None) => {
                return Err(Problem::field("public", "invalid_format", "contradicts authentication"));
            }
            (_, Some(said)) => said,
            (Some(true), None) => ClientAuthentication::None,
            (_, None) => own.authentication,
        };
        let secret = self.client_secret.map(Secret::new);
        Ok(NewApplication { client_id: self.client_id, secret, settings: own })
    }
}

with_settings! {
    /// A change of an application. What is left out stays.
    #[schema(as = applications::Patch)]
    pub struct Patch {
        /// What people call it.
        #[serde(default, deserialize_with = "said")]
        #[schema(value_type = String)]
        name: Option<String>,
    }
}

impl Patch {
    /// Makes the change.
    pub(super) fn change(&self, own: &mut ApplicationSettings) {
        set(&mut own.name, self.name.as_ref());
        self.write(own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_stays_and_null_takes_away() {
        let mut own = Profile::Zapier.settings("Zapier", Vec::new());
        own.consent_text = Some("text".to_owned());
        own.access_token_ttl = Some(60);
        let before = own.clone();
        let patch = |text: &str| serde_json::from_str::<Patch>(text);
        patch("{}").unwrap().change(&mut own);
        assert_eq!(own, before);
        patch(r#"{"consentText":null,"accessTokenTtl":null,"requirePkce":true}"#).unwrap().change(&mut own);
        let after =
            ApplicationSettings { consent_text: None, access_token_ttl: None, require_pkce: true, ..before };
        assert_eq!(own, after);
        for refused in
            [r#"{"name":null}"#, r#"{"requirePkce":null}"#, r#"{"scopes":null}"#, r#"{"clientId":"x"}"#]
        {
            assert!(patch(refused).is_err(), "{refused}");
        }
    }
}
