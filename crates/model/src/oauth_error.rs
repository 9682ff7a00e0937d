//! The error codes of OAuth: registered by their RFCs, and with the HTTP status that those give them at endpoints that programs
//! call. At the authorization endpoint they travel in the redirect.

use std::fmt;

macro_rules! oauth_error_codes {
    ($($(#[$doc:meta])* $variant:ident => $status:literal, $word:literal;)*) => {
        /// A registered error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum OauthErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl OauthErrorCode {
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
        }
    };
}

oauth_error_codes! {
    /// A parameter is missing, repeated, malformed, or contradicts another (RFC 6749 §4.1.2.1, §5.2).
    InvalidRequest => 400, "invalid_request";
    /// The application is unknown, or did not prove who it is (RFC 6749 §5.2).
    InvalidClient => 401, "invalid_client";
    /// The code or refresh token is not, or no longer, good (RFC 6749 §5.2).
    InvalidGrant => 400, "invalid_grant";
    /// The application may not use this grant type (RFC 6749 §5.2).
    UnauthorizedClient => 400, "unauthorized_client";
    /// We know no such grant type (RFC 6749 §5.2).
    UnsupportedGrantType => 400, "unsupported_grant_type";
    /// We know no such response type (RFC 6749 §4.1.2.1).
    UnsupportedResponseType => 400, "unsupported_response_type";
    /// A scope is unknown, malformed, or more than was agreed to (RFC 6749 §5.2).
    InvalidScope => 400, "invalid_scope";
    /// The person, or we, said no (RFC 6749 §4.1.2.1).
    AccessDenied => 400, "access_denied";
    /// Something went wrong on our side (RFC 6749 §4.1.2.1).
    ServerError => 500, "server_error";
    /// We can't just now (RFC 6749 §4.1.2.1).
    TemporarilyUnavailable => 503, "temporarily_unavailable";
    /// The access token is not, or no longer, good (RFC 6750 §3.1).
    InvalidToken => 401, "invalid_token";
    /// The access token is good for less than this (RFC 6750 §3.1).
    InsufficientScope => 403, "insufficient_scope";
    /// The resource is not one of ours, or not what was agreed to (RFC 8707 §2).
    InvalidTarget => 400, "invalid_target";
    /// `prompt=none`, and the person is not signed in (OpenID Connect Core §3.1.2.6).
    LoginRequired => 400, "login_required";
    /// `prompt=none`, and the person has not agreed yet (OpenID Connect Core §3.1.2.6).
    ConsentRequired => 400, "consent_required";
    /// `prompt=none`, and the person has to choose (OpenID Connect Core §3.1.2.6).
    InteractionRequired => 400, "interaction_required";
    /// `request` is not understood (OpenID Connect Core §3.1.2.6).
    RequestNotSupported => 400, "request_not_supported";
    /// `request_uri` is no name of a request that was pushed (OpenID Connect Core §6.2).
    RequestUriNotSupported => 400, "request_uri_not_supported";
    /// `request_uri` names no request that was pushed (RFC 9101 §6.2, RFC 9126 §2.2).
    InvalidRequestUri => 400, "invalid_request_uri";
    /// `registration` is not understood (OpenID Connect Core §3.1.2.6).
    RegistrationNotSupported => 400, "registration_not_supported";
    /// We revoke no tokens of that type (RFC 7009 §2.2.1).
    UnsupportedTokenType => 400, "unsupported_token_type";
    /// A redirect URI of a registration is not allowed (RFC 7591 §3.2.2).
    InvalidRedirectUri => 400, "invalid_redirect_uri";
    /// Another field of a registration is not allowed (RFC 7591 §3.2.2).
    InvalidClientMetadata => 400, "invalid_client_metadata";
    /// Too many requests. Not registered by an RFC: RFC 6585 §4 has the status alone.
    TooManyRequests => 429, "too_many_requests";
}

impl fmt::Display for OauthErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
