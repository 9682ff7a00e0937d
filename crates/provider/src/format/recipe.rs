//! How an entry says that an answer is read and that a token is named in a call.

use serde::Deserialize;

use super::template::MemberPath;

/// How to read a token answer (RFC 6749 §5.1 unless the provider is different).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenRecipe {
    /// The body's encoding. Errors are read as JSON where they are JSON.
    pub encoding: Encoding,
    /// A member that must have this value, else the answer is an error whatever its status.
    pub success: Option<SuccessMember>,
    /// Where the access token stands.
    pub access_token: MemberPath,
    /// Where the refresh token stands.
    pub refresh_token: MemberPath,
    /// Where the token type stands.
    pub token_type: MemberPath,
    /// Where the lifetime in seconds stands.
    pub expires_in: MemberPath,
    /// Where the granted scopes stand.
    pub scope: MemberPath,
    /// Where the error code stands.
    pub error: MemberPath,
    /// Where the error's description stands.
    pub error_description: MemberPath,
    /// Members of the provider's own at the top of the answer, which are kept with the token.
    pub keep: Vec<String>,
}

impl Default for TokenRecipe {
    fn default() -> Self {
        Self {
            encoding: Encoding::Json,
            success: None,
            access_token: MemberPath::member("access_token"),
            refresh_token: MemberPath::member("refresh_token"),
            token_type: MemberPath::member("token_type"),
            expires_in: MemberPath::member("expires_in"),
            scope: MemberPath::member("scope"),
            error: MemberPath::member("error"),
            error_description: MemberPath::member("error_description"),
            keep: Vec::new(),
        }
    }
}

/// The encoding of a token answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// RFC 6749 §5.1.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// A member that tells success where the status does not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessMember {
    /// Where it stands.
    pub member: MemberPath,
    /// The value that means success.
    pub equals: Literal,
}

/// A simple value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Literal {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

/// How a token is named to an endpoint other than the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenCall {
    /// The request's method.
    pub method: Method,
    /// Who asks.
    pub authentication: CallAuthentication,
    /// Where the parameter goes.
    pub body: Placement,
    /// The parameter that carries the token (RFC 7009 §2.1: `token`).
    #[serde(default = "token")]
    pub parameter: String,
}

/// How a grant is given back. The address is `endpoints.revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// How the call is made.
    pub call: TokenCall,
    /// Which token it takes.
    pub takes: TokenKind,
    /// What ends.
    pub ends: Ends,
    /// A member that a 2xx answer must have with this value, else it did not succeed.
    pub success: Option<SuccessMember>,
    /// Error codes which say that there was nothing left to give back, whatever the status.
    #[serde(default)]
    pub gone_errors: Vec<String>,
}

/// How a token is looked up. The address is `endpoints.introspect`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// How the call is made.
    pub call: TokenCall,
}

/// A request that tells whether an access token works. The address is `endpoints.validate`; a 2xx answer means yes,
/// 401 or one of `refused_errors` means no, anything else tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// The request's method.
    pub method: Method,
    /// The JSON of a POST's body.
    pub body: Option<String>,
    /// A member that a 2xx answer must have with this value, else it says nothing or names one of `refused_errors`.
    pub success: Option<SuccessMember>,
    /// Error codes which say that the token does not work, whatever the status.
    #[serde(default)]
    pub refused_errors: Vec<String>,
}

/// A request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// DELETE.
    Delete,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallAuthentication {
    /// Nobody in particular: the token speaks for itself.
    None,
    /// The client, in the header (RFC 6749 §2.3.1).
    Basic,
    /// The client, in the body.
    Post,
    /// The access token, in the entry's access header.
    AccessToken,
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// A form in the body.
    Form,
    /// A JSON object in the body.
    Json,
    /// The query.
    Query,
    /// Nowhere: the access header says it.
    Nowhere,
}

/// A kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// RFC 6749 §1.4.
    AccessToken,
    /// RFC 6749 §1.5.
    RefreshToken,
}

/// What a revocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// The one token.
    Token,
    /// The refresh token and every access token made from it.
    TokenFamily,
    /// The whole grant of this person to this client.
    Grant,
}

fn token() -> String {
    "token".to_owned()
}
