use std::sync::Arc;

use model::SystemClock;
use store::Store;

use super::{ConfigArgs, End, block_on, say};
use crate::{logging, wiring};

pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<End> {
    let config = args.load()?;
    logging::start(&config.log);
    block_on(async {
        let options = wiring::store_options(&config, Arc::new(SystemClock))?;
        let migrated = Store::migrate(&options).await?;
        match migrated.applied {
            0 => say(format_args!("The schema is up to date (version {}).", migrated.version))?,
            1 => say(format_args!("Applied 1 migration; the schema is at version {}.", migrated.version))?,
            count => say(format_args!(
                "Applied {count} migrations; the schema is at version {}.",
                migrated.version
            ))?,
        }
        Ok(End::Done)
    })
}
