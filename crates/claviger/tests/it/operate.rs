//! The operator's commands: beside a server that runs, on its store or through it, on both databases.

mod applications;
mod bad_input;
mod commands;
mod requirement_004;
mod rig;
mod shapes;
mod users;

/// Tells one test to a program that serves from each database. Without PostgreSQL that half says that it was skipped.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($rig:ident: Rig) $body:block)*) => {$(
        $(#[$meta])*
        async fn $name($rig: crate::operate::rig::Rig) $body

        mod $name {
            // The sandbox goes on while a command is waited for.
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                super::$name(crate::operate::rig::Rig::new(None).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgresql() {
                if let Some(database) = store::testing::fresh_postgres().await {
                    super::$name(crate::operate::rig::Rig::new(Some(&database)).await).await;
                }
            }
        }
    )*};
}
pub(crate) use on_both_databases;
