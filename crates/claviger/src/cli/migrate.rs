use std::sync::Arc;

use clap::Args;
use model::SystemClock;
use serde_json::json;
use store::{Migrated, Store};

use super::{ConfigArgs, End, answer, block_on, say};
use crate::{logging, wiring};

#[derive(Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MigrateArgs) -> anyhow::Result<End> {
    answer::answered(args.json, || {
        let config = args.config.load()?;
        logging::start(&config.log);
        let migrated = block_on(async {
            let options = wiring::store_options(&config, Arc::new(SystemClock))?;
            Ok(Store::migrate(&options).await?)
        })?;
        if args.json {
            answer::json(json!({ "applied": migrated.applied, "schema": migrated.version }))?;
        } else {
            tell(migrated)?;
        }
        Ok(End::Done)
    })
}

fn tell(Migrated { applied, version }: Migrated) -> anyhow::Result<()> {
    match applied {
        0 => say(format_args!("The schema is up to date (version {version}).")),
        1 => say(format_args!("Applied 1 migration; the schema is at version {version}.")),
        count => say(format_args!("Applied {count} migrations; the schema is at version {version}.")),
    }
}
