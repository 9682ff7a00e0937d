//! The one registry of error codes. Whatever Claviger refuses, it refuses with one of these; no handler invents one.
//!
//! The code is for programs and stable. The sentence for people stands beside it in English and Estonian, in the
//! message files of the `http` crate; a test there fails when a code lacks one.

use std::fmt;

/// What the caller can do about it (RFC 9457 extension member `action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing helps but changing the request or the configuration.
    None,
    /// The same request may work later.
    Retry,
    /// The person has to connect again.
    Reconnect,
    /// Mend the named members.
    FixFields,
    /// Send a valid key.
    SignIn,
}

impl Action {
    /// The action's word in problem documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Retry => "retry",
            Self::Reconnect => "reconnect",
            Self::FixFields => "fix_fields",
            Self::SignIn => "sign_in",
        }
    }
}

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident => $status:literal, $word:literal, $action:ident;)*) => {
        /// A stable error code with its HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[$doc])* $variant,)*
        }

        impl ProblemCode {
            /// All of them, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as programs read it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What the caller can do about it.
            pub const fn action(self) -> Action {
                match self { $(Self::$variant => Action::$action,)* }
            }
        }
    };
}

problem_codes! {
    // The request
    /// The body is not JSON.
    MalformedJson => 400, "malformed_json", None;
    /// A member is unknown, missing, of the wrong type or out of its bounds.
    ValidationFailed => 422, "validation_failed", FixFields;
    /// A path or query parameter is missing, repeated or malformed.
    InvalidParameter => 400, "invalid_parameter", None;
    /// The body is over the route's limit.
    PayloadTooLarge => 413, "payload_too_large", None;
    /// The body's content type is not the one that the route reads.
    UnsupportedMediaType => 415, "unsupported_media_type", None;
    /// The path exists, the method does not.
    MethodNotAllowed => 405, "method_not_allowed", None;
    /// No such path.
    RouteNotFound => 404, "route_not_found", None;
    // The caller
    /// A form that another site sent.
    ForeignForm => 403, "foreign_form", None;
    /// No API key, or not one that we know.
    InvalidApiKey => 401, "invalid_api_key", SignIn;
    /// The API key lacks the scope.
    InsufficientScope => 403, "insufficient_scope", None;
    // Subjects, integrations, connections
    /// `subjects.must_exist` is on, and the subject does not.
    SubjectNotFound => 404, "subject_not_found", None;
    /// No integration has that name.
    IntegrationNotFound => 404, "integration_not_found", None;
    /// The catalog has no group of that name.
    GroupNotFound => 404, "group_not_found", None;
    /// No member of the group has app credentials.
    GroupNotConfigured => 400, "group_not_configured", None;
    /// No catalog entry has that name.
    ProviderNotFound => 404, "provider_not_found", None;
    /// The integration has no app credentials.
    IntegrationNotConfigured => 400, "integration_not_configured", None;
    /// The integration stands in the configuration file and can be changed only there.
    IntegrationInConfiguration => 409, "integration_in_configuration", None;
    /// The subject has no such connection.
    ConnectionNotFound => 404, "connection_not_found", None;
    /// No API key has that id.
    ApiKeyNotFound => 404, "api_key_not_found", None;
    /// The provider's grant is dead; only the person can repair it.
    ReconnectRequired => 409, "reconnect_required", Reconnect;
    /// The connection can't be refreshed: the provider gave no refresh token.
    NoRefreshToken => 409, "no_refresh_token", None;
    /// The consent yielded no tokens of that part: its scopes were not asked for, or not granted.
    TokenNotGranted => 404, "token_not_granted", Reconnect;
    /// The provider did not answer, or answered that it can't just now.
    ProviderUnavailable => 503, "provider_unavailable", Retry;
    /// The provider refuses our app's credentials or configuration.
    ProviderConfiguration => 502, "provider_configuration", None;
    /// The connection is being refreshed, or an answer of an earlier refresh is still to come.
    RefreshUnderWay => 503, "refresh_under_way", Retry;
    /// The provider may end the whole grant for what is asked, and nobody has said that it shall be done all the same.
    GrantAtRisk => 409, "grant_at_risk", None;
    /// The operator holds all refreshing, as after the restore of a backup.
    RefreshingHeld => 503, "refreshing_held", Retry;
    /// The write stated a generation that has passed.
    GenerationConflict => 409, "generation_conflict", Retry;
    /// `returnTo` is not on the configured list.
    ReturnToNotAllowed => 400, "return_to_not_allowed", None;
    // The callback
    /// The state is missing, unknown or already used.
    InvalidState => 400, "invalid_state", Reconnect;
    /// The attempt took longer than it may.
    ExpiredState => 400, "expired_state", Reconnect;
    /// The callback came in on another integration's path.
    WrongIntegration => 400, "wrong_integration", Reconnect;
    /// The callback's `iss` is not the provider's (RFC 9207).
    WrongIssuer => 400, "wrong_issuer", Reconnect;
    /// Another browser than the one that began.
    ForeignBrowser => 400, "foreign_browser", Reconnect;
    /// The link that starts an attempt is unknown, used or expired.
    InvalidTicket => 400, "invalid_ticket", Reconnect;
    /// The person refused (RFC 6749 §4.1.2.1).
    AccessDenied => 400, "access_denied", Reconnect;
    /// Only an administrator of the person's organisation may consent.
    AdminConsentRequired => 400, "admin_consent_required", Reconnect;
    /// The provider sent another error to the callback.
    ProviderRefused => 400, "provider_refused", Reconnect;
    /// The person consented with another account than before, and kept the one that was connected.
    AccountKept => 400, "account_kept", Reconnect;
    /// The provider answered the code exchange with an error, or with something that is no token answer.
    ExchangeFailed => 502, "exchange_failed", Reconnect;
    // Portal sessions
    /// No portal session has that id.
    PortalSessionNotFound => 404, "portal_session_not_found", None;
    /// The person was done, or the session was withdrawn.
    PortalSessionOver => 409, "portal_session_over", None;
    /// The portal session was made without a mail address.
    NothingToMail => 409, "nothing_to_mail", None;
    /// No mail server is configured.
    MailNotConfigured => 400, "mail_not_configured", None;
    /// The subject has been sent as many mails as an hour allows.
    TooManyMails => 429, "too_many_mails", Retry;
    /// The link is unknown, was used, or was taken back.
    InvalidLink => 400, "invalid_link", None;
    /// The link of an invitation is too old; another can be mailed.
    InvitationExpired => 400, "invitation_expired", None;
    /// What the link leads to is done.
    AlreadyDone => 409, "already_done", None;
    /// The browser keeps no cookies, so that it can't be known again.
    CookiesNeeded => 400, "cookies_needed", None;
    /// The page needs a link that was opened in this browser.
    PortalSessionNeeded => 401, "portal_session_needed", None;
    /// The page was shown to another session than the one that the browser has opened since.
    SessionChanged => 409, "session_changed", None;
    // Stripe
    /// Stripe is not configured.
    StripeNotConfigured => 400, "stripe_not_configured", None;
    /// Stripe did not answer, or answered that it can't just now.
    StripeUnavailable => 503, "stripe_unavailable", Retry;
    /// Stripe refuses our key, our platform or what we asked for.
    StripeConfiguration => 502, "stripe_configuration", None;
    /// The callback names another account than the attempt is about.
    AccountMismatch => 400, "account_mismatch", None;
    /// Stripe knows no such account of our platform.
    StripeAccountUnknown => 400, "stripe_account_unknown", None;
    /// The subject has no account at Stripe.
    StripeAccountNotFound => 404, "stripe_account_not_found", None;
    /// The account is another subject's.
    AccountTaken => 409, "account_taken", None;
    /// The subject has another account, which an operator has to unlink first.
    AccountLinked => 409, "account_linked", None;
    /// The account took away our access; an operator has to unlink it first.
    AccountDeauthorized => 409, "account_deauthorized", None;
    /// An event's signature is missing, wrong or too old.
    InvalidSignature => 400, "invalid_signature", None;
    // Our own authorization server: pages
    /// The authorization request names no application that we know (RFC 6749 §4.1.2.1).
    UnknownApplication => 400, "unknown_application", None;
    /// The document at the application's client id can't be read, or says what is not allowed (Client ID Metadata Documents).
    ClientDocumentUnusable => 400, "client_document_unusable", None;
    /// The redirect URI is not registered for the application (RFC 6749 §3.1.2.4).
    RedirectUriNotRegistered => 400, "redirect_uri_not_registered", None;
    /// The authorization request can't be read at all.
    AuthorizationMalformed => 400, "authorization_malformed", None;
    /// The request that was pushed is unknown, used, or too old (RFC 9126 §4).
    PushedRequestOver => 400, "pushed_request_over", None;
    /// The authorization request was decided, or has waited too long.
    AuthorizationOver => 400, "authorization_over", None;
    /// Another browser than the one that came with the request.
    AuthorizationForeignBrowser => 400, "authorization_foreign_browser", None;
    /// People can't sign in this way here.
    SignInWayUnavailable => 400, "sign_in_way_unavailable", None;
    /// What somebody brings back from another sign-in page was used, is too old, or never began here.
    SignInAnswerOver => 400, "sign_in_answer_over", None;
    /// Nobody is signed in in this browser.
    SignInNeeded => 401, "sign_in_needed", SignIn;
    /// Too often.
    TooManyRequests => 429, "too_many_requests", Retry;
    /// Something that we need is out of reach or full.
    TemporarilyUnavailable => 503, "temporarily_unavailable", Retry;
    // Applications, users, consents
    /// No application has that client id.
    ApplicationNotFound => 404, "application_not_found", None;
    /// The application stands in the configuration file and can be changed only there.
    ApplicationInConfiguration => 409, "application_in_configuration", None;
    /// What the application is stands in the document at its client id, and can be changed only there.
    ApplicationHasDocument => 409, "application_has_document", None;
    /// The application proves who it is in another way than by a secret.
    ApplicationHasNoSecret => 409, "application_has_no_secret", None;
    /// Another application has that client id.
    ClientIdTaken => 409, "client_id_taken", None;
    /// No user has that id or address.
    UserNotFound => 404, "user_not_found", None;
    /// Another user has that address.
    UserExists => 409, "user_exists", None;
    /// The user's password is kept elsewhere.
    UserIsElsewhere => 409, "user_is_elsewhere", None;
    /// The user is no member of the team.
    MembershipNotFound => 404, "membership_not_found", None;
    /// No consent has that id.
    GrantNotFound => 404, "grant_not_found", None;
    // Keys
    /// Another master key wraps the data keys by now than the one that this process was started with.
    MasterKeyChanged => 409, "master_key_changed", None;
    /// This process can't open the newest data key, and seals nothing until it is restarted with the new master key.
    KeysOutdated => 503, "keys_outdated", Retry;
    // Ourselves
    /// The store does not answer.
    StoreUnavailable => 503, "store_unavailable", Retry;
    /// The process is stopping or still starting.
    NotReady => 503, "not_ready", Retry;
    /// Something went wrong on our side.
    InternalError => 500, "internal_error", None;
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_once_and_in_snake_case() {
        let words: std::collections::BTreeSet<_> = ProblemCode::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), ProblemCode::ALL.len());
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}
