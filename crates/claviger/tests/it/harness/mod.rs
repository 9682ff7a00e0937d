//! What the tests share: a server in this process with a clock that stands still, the sandbox beside it, a browser
//! without a screen, a Chromium and what is asked of every page in it, a mail server, and the program itself as a process
//! of its own.

pub(crate) mod browser;
pub(crate) mod chromium;
mod client;
pub(crate) mod look;
pub(crate) mod played;
pub(crate) mod process;
mod script;
pub(crate) mod smtp;
pub(crate) mod stage;
pub(crate) mod stripe;
pub(crate) mod third_party;
pub(crate) mod world;

pub(crate) use browser::{Answer, Browser};
pub(crate) use client::client;
pub(crate) use process::Program;
pub(crate) use script::script;
pub(crate) use smtp::{Smtp, SmtpOptions};
pub(crate) use stage::Stage;
pub(crate) use third_party::ThirdParty;
pub(crate) use world::World;

/// Tells one test to both databases, each in a fresh one. Without PostgreSQL that half says that it was skipped.
macro_rules! on_both_stores {
    ($($(#[$meta:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {$(
        $(#[$meta])*
        async fn $name($world: $crate::harness::World) $body

        mod $name {
            use $crate::harness::World;

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(World::on_sqlite().await).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                if let Some(world) = World::on_postgresql().await {
                    super::$name(world).await;
                }
            }
        }
    )*};
}
pub(crate) use on_both_stores;
