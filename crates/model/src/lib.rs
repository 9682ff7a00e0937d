//! The words that every plane of Claviger shares. No input, no output: only types, their rules and their text forms.
//!
//! - [`id`]: who and what a row is about
//! - [`secret`]: values that must not be printed
//! - [`clock`]: time, as an argument
//! - [`scope`], [`pkce`], [`token`]: the OAuth words, as their RFCs spell them
//! - [`credential`], [`connection`], [`attempt`]: the records of the connect plane and their states
//! - [`portal`]: pages, and invitations to them
//! - [`application`], [`redirect_uri`]: who may ask for access to us, and where it is answered
//! - [`oauth_error`]: the error codes of OAuth, as their RFCs register them
//! - [`api_key`]: what the product's backend may do
//! - [`audit`]: what is remembered of every security-relevant act
//! - [`problem`]: the one registry of error codes

pub mod api_key;
pub mod application;
pub mod attempt;
pub mod audit;
pub mod clock;
pub mod connection;
pub mod credential;
pub mod id;
pub mod oauth_error;
pub mod pkce;
pub mod portal;
pub mod problem;
pub mod redirect_uri;
pub mod scope;
pub mod secret;
pub mod token;

pub use api_key::{ApiKeyScope, ApiKeyScopes};
pub use application::{AccessTokenFormat, ApplicationSettings, ClientAuthentication, GrantType};
pub use attempt::{Binding, Origin};
pub use audit::{Actor, AuditEvent, Outcome};
pub use clock::{Clock, FixedClock, SystemClock, Timestamp};
pub use connection::{ConnectionState, ReconnectReason};
pub use credential::Account;
pub use id::{
    ApiKeyId, AttemptId, AuthorizationId, ClientId, ConnectionId, CredentialId, FamilyId, GrantId, GroupId,
    IntegrationId, InvalidId, Label, MailId, PortalSessionId, ProviderId, RequestId, RevocationId,
    SigningKeyId, StripeAccountId, StripeAttemptId, SubjectId, TeamId, UserId, WriterId,
};
pub use oauth_error::OauthErrorCode;
pub use portal::{MailStatus, PortalPage};
pub use problem::{Action, ProblemCode};
pub use redirect_uri::{InvalidRedirectUri, RedirectUri};
pub use scope::Scopes;
pub use secret::Secret;
pub use token::{
    AccessToken, ClientSecret, CodeVerifier, EmailAddress, LinkToken, RefreshToken, SigningKeySecret,
    TokenExtra,
};
