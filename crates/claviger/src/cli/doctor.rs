//! What is still missing, each with its mend. Nothing is made and nothing is migrated: what is not there is an answer.

mod disk;
mod outside;

use std::sync::Arc;

use clap::Args;
use connect::integrations::ConfiguredIntegration;
use model::SystemClock;
use provider::catalog::Catalog;
use provider::client::HttpClient;
use store::Error;
use store::health::{Health, look};
use vault::{Keyring, MasterKey};

use super::report::Report;
use super::{ConfigArgs, End, answer, block_on, db_check};
use crate::config::groups::with_groups;
use crate::config::{Config, mail, stripe};
use crate::wiring;

#[derive(Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<End> {
    answer::answered(args.json, || {
        let mut report = Report::default();
        match args.config.load_with_origins() {
            Ok((config, layers)) => {
                let from = layers.file().map_or("the defaults".to_owned(), |file| file.display().to_string());
                report.good("configuration", format!("{from} can be read"));
                block_on(async {
                    examine(&mut report, &config).await;
                    Ok(())
                })?;
            }
            Err(error) => report.mistake("configuration", &error),
        }
        report.print(args.json)
    })
}

async fn examine(report: &mut Report, config: &Config) {
    // The whole check at the end tells them again.
    let mut told = Vec::new();
    let public_url = match wiring::public_url(config) {
        Ok(url) => Some(url),
        Err(error) => {
            report.mistake("public_url", &error);
            None
        }
    };
    let master = match wiring::master_key(config, &mut told) {
        Ok(master) => {
            report.good("key", "is there");
            Some(master)
        }
        Err(error) => {
            report.mistake("key", &error);
            None
        }
    };
    disk::key_files(report, &config.key);
    disk::data_dir(report, &config.data_dir);
    let http = match wiring::http_client(&config.outbound) {
        Ok(http) => Some(http),
        Err(error) => {
            report.mistake("outbound", &error);
            None
        }
    };
    let integrations = integrations(report, config);
    database(report, config, master.as_ref()).await;
    stripe_settings(report, config, http.as_ref());
    if let Some(url) = &public_url {
        outside::public_url(report, url).await;
    }
    match &http {
        Some(http) => outside::clock(report, http, &integrations).await,
        None => report.skipped("clock", "no provider can be asked"),
    }
    match mail::mailer(config, &mut told) {
        Ok(Some(mailer)) => outside::mail(report, &mailer).await,
        Ok(None) => report.skipped("mail", "no mail server is configured, so no invitation is mailed"),
        Err(error) => report.mistake("mail", &error),
    }
    match wiring::check(config) {
        Ok(checked) => {
            for warning in checked.warnings {
                report.warning(warning);
            }
        }
        Err(error) if error.key.as_deref().is_some_and(|key| report.names(key)) => {}
        Err(error) => report.mistake("configuration", &error),
    }
}

/// Looks at every integration by itself, so that one that is wrong hides none of the others; answers the token endpoints of
/// those that could be used.
fn integrations(report: &mut Report, config: &Config) -> Vec<String> {
    let catalog = match Catalog::load(config.catalog.directory.as_deref()) {
        Ok(catalog) => catalog,
        Err(error) => {
            let mend = "correct the entry; docs/adding-a-provider.md lists every field";
            report.bad("catalog.directory", error.to_string(), mend);
            return Vec::new();
        }
    };
    let all = match with_groups(&config.integrations, &config.groups, &catalog) {
        Ok(all) => all,
        Err(error) => {
            report.mistake("groups", &error);
            return Vec::new();
        }
    };
    if all.is_empty() {
        let mend = "add an app at a provider, such as [integrations.github], or give it through the API";
        report.attention("integrations", "none is configured", mend);
    }
    let mut endpoints = Vec::new();
    for (name, integration) in &all {
        match wiring::check_integration(name, integration, &catalog, &mut Vec::new()) {
            Ok((_, configured)) => {
                credentials(report, name, &configured);
                let entry = catalog.get(&configured.provider);
                let found = entry.and_then(|entry| entry.endpoints(&configured.parameters, None).ok());
                endpoints.extend(found.map(|endpoints| endpoints.token));
            }
            Err(error) => report.mistake(&format!("integrations.{name}"), &error),
        }
    }
    endpoints
}

fn credentials(report: &mut Report, name: &str, configured: &ConfiguredIntegration) {
    let setting = |field: &str| format!("integrations.{name}.{field}");
    match (&configured.client_id, &configured.client_secret) {
        (Some(_), Some(_)) => report.good(format!("integrations.{name}"), "has its app's credentials"),
        (Some(_), None) => report.attention(
            setting("client_secret"),
            "is not set, which is right only for an app that the provider knows as a public client",
            "set it as \"env:NAME\" or \"file:PATH\"",
        ),
        (None, _) => report.attention(
            setting("client_id"),
            "is not set, so that nobody can connect unless the API brings an app",
            "set it and client_secret, as the provider shows them",
        ),
    }
}

async fn database(report: &mut Report, config: &Config, master: Option<&MasterKey>) {
    let options = match wiring::address_options(config, Arc::new(SystemClock)) {
        Ok(options) => options,
        Err(error) => {
            return report.mistake("database.url", &error);
        }
    };
    let file = db_check::sqlite_file(&options);
    if file.is_none() {
        disk::spool(report, config);
    }
    if let Some(file) = file.filter(|file| !file.exists()) {
        let what = format!("{} does not exist yet", file.display());
        if config.database.migrate {
            report.attention("database", what, "none needed before the first start, which makes it");
        } else {
            report.bad("database", what, "run: claviger migrate");
        }
        return;
    }
    match look(&options, false).await {
        Ok(health) => {
            report.good("database", "answers");
            db_check::schema(report, &health);
            if let Some(master) = master {
                store_key(report, &health, master);
            }
        }
        Err(Error::Privilege(what)) => report.bad("database", what, "run these statements as the owner"),
        Err(error) => {
            let what = format!("{:#}", anyhow::Error::from(error));
            report.bad("database", what, "start it, or correct database.url; claviger db check tells more");
        }
    }
}

fn store_key(report: &mut Report, health: &Health, master: &MasterKey) {
    let check = "store key";
    if health.keyring.is_empty() {
        return report.good(check, "the store has none yet; the first start makes it");
    }
    match Keyring::open_keys(master, &health.keyring) {
        Ok(_) => report.good(check, "the key is the store's"),
        Err(error) => report.bad(check, error.to_string(), "give the key that this store was made with"),
    }
}

fn stripe_settings(report: &mut Report, config: &Config, http: Option<&HttpClient>) {
    let Some(http) = http else { return };
    match stripe::settings(config, http, &mut Vec::new()) {
        Ok(Some(_)) => report.good("stripe", "its key is there"),
        Ok(None) => report.skipped("stripe", "is not configured"),
        Err(error) => report.mistake("stripe", &error),
    }
}
