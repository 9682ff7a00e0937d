//! How an entry says whose account a token is for.

use serde::Deserialize;

use super::recipe::{Method, SuccessMember};
use super::template::{JoinedMembers, MemberPath};

/// Whose account it is, as `endpoints.userinfo` tells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The request's method: GET (unless it says otherwise) or POST.
    #[serde(default = "get")]
    pub method: Method,
    /// The body of a POST: JSON, such as a GraphQL query; at most 2048 characters. Without it the body is empty.
    pub body: Option<String>,
    /// A member that must have this value, else the answer is a refusal whatever its status.
    pub success: Option<SuccessMember>,
    /// Where the account's stable id stands: a text or a number. Several members are joined with `:`.
    pub id: JoinedMembers,
    /// Where the name that a person recognises stands.
    pub name: Option<MemberPath>,
    /// The scope without which the endpoint refuses.
    pub needs_scope: Option<String>,
}

const fn get() -> Method {
    Method::Get
}
