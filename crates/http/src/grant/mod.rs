//! What operators register with our own authorization server, and what people have agreed to there: one file a noun.

pub mod applications;
pub mod grants;
pub mod settings;
pub mod users;

use serde::{Deserialize, Deserializer};

/// A member that is there. So `null` is told from what is left out, and refused where it means nothing.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
