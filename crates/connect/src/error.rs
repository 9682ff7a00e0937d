//! Why the connect plane did not do it.

use std::sync::Arc;
use std::time::Duration;

use model::{GroupId, IntegrationId, PortalSessionId, ProblemCode, ReconnectReason, SubjectId, Timestamp};
use provider::answer::AnswerError;
use store::connections::ConnectionKey;

/// Why the connect plane did not do it; each has its code in the registry.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator wants subjects to be made beforehand, and this one was not.
    #[error("the subject {subject} does not exist")]
    SubjectNotFound {
        /// The subject.
        subject: SubjectId,
    },
    /// Neither the configuration, the store nor the catalog has it.
    #[error("no integration is named {integration}")]
    IntegrationNotFound {
        /// The name.
        integration: IntegrationId,
    },
    /// The catalog has no such group.
    #[error("no group is named {group}")]
    GroupNotFound {
        /// The name.
        group: GroupId,
    },
    /// No member of the group has app credentials.
    #[error("no member of the group {group} is configured")]
    GroupNotConfigured {
        /// The group.
        group: GroupId,
    },
    /// The configuration or the request names a provider that the catalog lacks.
    #[error("the catalog has no provider {provider}")]
    ProviderNotFound {
        /// The name.
        provider: String,
    },
    /// There is no `client_id` (or secret, or parameter) for it.
    #[error("the integration {integration} is not configured: {missing}")]
    IntegrationNotConfigured {
        /// The integration.
        integration: IntegrationId,
        /// What is missing.
        missing: String,
    },
    /// The configuration file has it; the API can't change it.
    #[error("the integration {integration} stands in the configuration file")]
    IntegrationInConfiguration {
        /// The integration.
        integration: IntegrationId,
    },
    /// A parameter is out of its bounds.
    #[error("{name}: {rule}")]
    InvalidParameter {
        /// Its name, as the request spells it.
        name: &'static str,
        /// The rule that it broke.
        rule: String,
    },
    /// `returnTo` is not on the list.
    #[error("returnTo is not on the list of connect.return_to")]
    ReturnToNotAllowed,
    /// The subject has no such connection, or it is disconnected.
    #[error("{subject} has no connection to {integration}")]
    ConnectionNotFound {
        /// The subject.
        subject: SubjectId,
        /// The integration.
        integration: IntegrationId,
    },
    /// Only the person can repair it.
    #[error("the connection needs the person again: {}", reason.word())]
    ReconnectRequired {
        /// Which one.
        key: ConnectionKey,
        /// Why.
        reason: ReconnectReason,
        /// Since when.
        since: Timestamp,
    },
    /// It can't be refreshed: the provider gave no refresh token.
    #[error("the connection has no refresh token")]
    NoRefreshToken,
    /// The consent has yielded no such tokens.
    #[error("the consent has yielded no tokens of the part {part}")]
    TokenNotGranted {
        /// The part.
        part: String,
    },
    /// The provider did not answer, or said that it can't just now.
    #[error("the provider did not answer")]
    ProviderUnavailable {
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// The provider refuses our app.
    #[error("the provider refuses our app: {}", error.as_deref().unwrap_or("no reason given"))]
    ProviderConfiguration {
        /// The provider's `error` member.
        error: Option<String>,
    },
    /// Somebody refreshes the connection, or an answer of an earlier refresh is still to come.
    #[error("the connection is being refreshed")]
    RefreshUnderWay {
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// The provider may take the attempt for a theft, and end the whole grant.
    #[error("{integration} may end the whole grant for it")]
    GrantAtRisk {
        /// Where.
        integration: IntegrationId,
    },
    /// The operator wants nothing refreshed for now.
    #[error("refreshing is held until the operator says otherwise")]
    RefreshingHeld,
    /// The write stated a generation that has passed.
    #[error("the connection has generation {generation} by now")]
    GenerationConflict {
        /// The generation that it has.
        generation: i64,
    },
    /// The link that starts an attempt is unknown, used or expired.
    #[error("the link is unknown, was used, or has expired")]
    InvalidTicket,
    /// There is no such portal session.
    #[error("there is no portal session {id}")]
    PortalSessionNotFound {
        /// Its id.
        id: PortalSessionId,
    },
    /// The person was done, or it was withdrawn.
    #[error("the portal session {id} is over")]
    PortalSessionOver {
        /// Its id.
        id: PortalSessionId,
    },
    /// The session was made without a mail address.
    #[error("the portal session has no mail address")]
    NothingToMail,
    /// The operator has configured no mail server.
    #[error("no mail server is configured")]
    MailNotConfigured,
    /// The subject has been sent as many mails as an hour allows.
    #[error("the subject has been sent as many mails as an hour allows")]
    TooManyMails {
        /// When there may be another.
        retry_after: Duration,
    },
    /// The link to a page is unknown, was used, or was taken back.
    #[error("the link is unknown, was used, or was taken back")]
    InvalidLink,
    /// The link of an invitation is too old; another can be mailed.
    #[error("the invitation has expired")]
    InvitationExpired,
    /// What the link leads to is done.
    #[error("what the link leads to is done")]
    AlreadyDone,
    /// The browser has not opened a link, or long ago.
    #[error("the page needs a portal session")]
    PortalSessionNeeded,
    /// The operator has configured no Stripe.
    #[error("Stripe is not configured")]
    StripeNotConfigured,
    /// Stripe did not answer, or said that it can't just now.
    #[error("Stripe did not answer")]
    StripeUnavailable {
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// Stripe refuses our key, our platform or what we asked for.
    #[error("Stripe refuses: {}", error.as_deref().unwrap_or("no reason given"))]
    StripeConfiguration {
        /// Stripe's code.
        error: Option<String>,
    },
    /// The state of a callback can't be used.
    #[error("the state is {reason}")]
    InvalidState {
        /// `invalid`, `used`, `over` where its portal session is, or `replaced` where the subject has been given another account.
        reason: &'static str,
    },
    /// The attempt took longer than it may.
    #[error("the attempt has expired")]
    ExpiredState,
    /// The callback names another account than the attempt is about.
    #[error("the account is not the one that the attempt is about")]
    AccountMismatch,
    /// Stripe knows no such account of our platform.
    #[error("Stripe knows no such account of our platform")]
    StripeAccountUnknown,
    /// The subject has no account at Stripe.
    #[error("{subject} has no account at Stripe")]
    StripeAccountNotFound {
        /// The subject.
        subject: SubjectId,
    },
    /// The account is another subject's.
    #[error("the account is another subject's")]
    AccountTaken,
    /// The subject has another account.
    #[error("the subject has another account")]
    AccountLinked,
    /// The account took away our access.
    #[error("the account took away our access")]
    AccountDeauthorized,
    /// An event's signature is not to be believed.
    #[error("the signature is not to be believed: {reason}")]
    InvalidSignature {
        /// Why, as a stable word.
        reason: &'static str,
    },
    /// The code exchange did not yield tokens.
    #[error("the code exchange failed")]
    ExchangeFailed(#[source] Box<AnswerError>),
    /// What everybody who waited for the same refresh is told.
    #[error(transparent)]
    Shared(Arc<Error>),
    /// The work stopped before its end; the log says why.
    #[error("the work stopped before its end")]
    Interrupted,
    /// Another master key wraps the data keys by now than the one that this process was started with.
    #[error("the master key was changed since this process was started; restart it with the new one")]
    MasterKeyChanged,
    /// Another master key wraps a data key that is newer than those of this process.
    #[error("there is a newer data key that this process can't open; restart it with the new master key")]
    KeysOutdated,
    /// The keyring does not open.
    #[error("the keyring does not open")]
    Keyring(#[source] vault::KeyringError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A sealed value did not open: changed, moved, or of an unknown key.
    #[error("a sealed value of {table} does not open")]
    Vault {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: vault::OpenError,
    },
}

impl Error {
    /// The code in the registry.
    pub fn code(&self) -> ProblemCode {
        match self {
            Self::SubjectNotFound { .. } => ProblemCode::SubjectNotFound,
            Self::IntegrationNotFound { .. } => ProblemCode::IntegrationNotFound,
            Self::GroupNotFound { .. } => ProblemCode::GroupNotFound,
            Self::GroupNotConfigured { .. } => ProblemCode::GroupNotConfigured,
            Self::ProviderNotFound { .. } => ProblemCode::ProviderNotFound,
            Self::IntegrationNotConfigured { .. } => ProblemCode::IntegrationNotConfigured,
            Self::IntegrationInConfiguration { .. } => ProblemCode::IntegrationInConfiguration,
            Self::InvalidParameter { .. } => ProblemCode::InvalidParameter,
            Self::ReturnToNotAllowed => ProblemCode::ReturnToNotAllowed,
            Self::ConnectionNotFound { .. } => ProblemCode::ConnectionNotFound,
            Self::TokenNotGranted { .. } => ProblemCode::TokenNotGranted,
            Self::NoRefreshToken => ProblemCode::NoRefreshToken,
            Self::Shared(error) => error.code(),
            Self::ReconnectRequired { .. } => ProblemCode::ReconnectRequired,
            Self::ProviderUnavailable { .. } => ProblemCode::ProviderUnavailable,
            Self::ProviderConfiguration { .. } => ProblemCode::ProviderConfiguration,
            Self::RefreshUnderWay { .. } => ProblemCode::RefreshUnderWay,
            Self::GrantAtRisk { .. } => ProblemCode::GrantAtRisk,
            Self::RefreshingHeld => ProblemCode::RefreshingHeld,
            Self::GenerationConflict { .. } => ProblemCode::GenerationConflict,
            Self::InvalidTicket => ProblemCode::InvalidTicket,
            Self::ExchangeFailed(_) => ProblemCode::ExchangeFailed,
            Self::PortalSessionNotFound { .. } => ProblemCode::PortalSessionNotFound,
            Self::PortalSessionOver { .. } => ProblemCode::PortalSessionOver,
            Self::NothingToMail => ProblemCode::NothingToMail,
            Self::MailNotConfigured => ProblemCode::MailNotConfigured,
            Self::TooManyMails { .. } => ProblemCode::TooManyMails,
            Self::InvalidLink => ProblemCode::InvalidLink,
            Self::InvitationExpired => ProblemCode::InvitationExpired,
            Self::AlreadyDone => ProblemCode::AlreadyDone,
            Self::PortalSessionNeeded => ProblemCode::PortalSessionNeeded,
            Self::StripeNotConfigured => ProblemCode::StripeNotConfigured,
            Self::StripeUnavailable { .. } => ProblemCode::StripeUnavailable,
            Self::StripeConfiguration { .. } => ProblemCode::StripeConfiguration,
            Self::InvalidState { .. } => ProblemCode::InvalidState,
            Self::ExpiredState => ProblemCode::ExpiredState,
            Self::AccountMismatch => ProblemCode::AccountMismatch,
            Self::StripeAccountUnknown => ProblemCode::StripeAccountUnknown,
            Self::StripeAccountNotFound { .. } => ProblemCode::StripeAccountNotFound,
            Self::AccountTaken => ProblemCode::AccountTaken,
            Self::AccountLinked => ProblemCode::AccountLinked,
            Self::AccountDeauthorized => ProblemCode::AccountDeauthorized,
            Self::InvalidSignature { .. } => ProblemCode::InvalidSignature,
            Self::Store(store::Error::Unavailable(_)) => ProblemCode::StoreUnavailable,
            Self::MasterKeyChanged => ProblemCode::MasterKeyChanged,
            Self::KeysOutdated => ProblemCode::KeysOutdated,
            Self::Store(_) | Self::Vault { .. } | Self::Keyring(_) | Self::Interrupted => {
                ProblemCode::InternalError
            }
        }
    }
}
