//! Our own authorization server. The names of these tests are the conformance statement: `cargo nextest list` shows a test for each
//! row of the checklist of RFC 9700 and OAuth 2.1 (`checklist`), and for each MUST of the RFCs that binds a server here.

pub(crate) mod rig;

mod api;
mod bad_input;
mod checklist;
mod cimd;
mod clients;
mod consents;
mod login;
mod oidc;
mod pages;
mod protect;
mod races;
mod requirement_002;
mod rfc6749;
mod rfc6750;
mod rfc7009;
mod rfc7523;
mod rfc7591;
mod rfc7592;
mod rfc7636;
mod rfc7662;
mod rfc8414;
mod rfc8707;
mod rfc9068;
mod rfc9126;
mod rfc9207;
mod rfc9728;

/// Tells one test to both databases, each in a fresh one.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($rig:ident: Rig) $body:block)*) => {$(
        $(#[$meta])*
        async fn $name($rig: $crate::grant::rig::Rig) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$name($crate::grant::rig::Rig::new().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgresql() {
                if let Some(rig) = $crate::grant::rig::Rig::on_postgresql().await {
                    super::$name(rig).await;
                }
            }
        }
    )*};
}
use on_both;
