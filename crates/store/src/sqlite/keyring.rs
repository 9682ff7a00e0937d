use async_trait::async_trait;
use vault::WrappedKey;

use super::{Sqlite, all, execute};
use crate::keyring::KeyringRows;
use crate::rows::keyring_columns;
use crate::{Result, rows, value};

pub(super) const ALL: &str = concat!("SELECT ", keyring_columns!(), " FROM keyring ORDER BY version");
const ADD: &str = concat!(
    "INSERT INTO keyring (",
    keyring_columns!(),
    ") VALUES (?1, ?2, ?3) ON CONFLICT (version) DO NOTHING"
);

#[async_trait]
impl KeyringRows for Sqlite {
    async fn all(&self) -> Result<Vec<WrappedKey>> {
        self.scan(|database| all(database, ALL, &[], rows::wrapped_key)).await
    }

    async fn add(&self, key: &WrappedKey) -> Result<()> {
        let values = value::wrapped_key(key);
        self.writer.write(&[], move |database| execute(database, ADD, &values).map(drop)).await
    }
}
