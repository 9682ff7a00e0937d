use clap::Args;

use super::report::Report;
use super::{ConfigArgs, End, say};
use crate::config::ConfigError;
use crate::wiring::{self, Checked};

#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CheckArgs) -> anyhow::Result<End> {
    let checked = args.config.load().and_then(|config| wiring::check(&config));
    if args.json {
        return report(checked).print(true);
    }
    match checked {
        Ok(checked) => {
            for warning in &checked.warnings {
                say(format_args!("warning: {warning}"))?;
            }
            say("The configuration is good.")?;
            Ok(End::Done)
        }
        Err(error) => {
            eprintln!("{error}");
            Ok(End::BadNews)
        }
    }
}

fn report(checked: Result<Checked, ConfigError>) -> Report {
    let (name, mut report) = ("configuration", Report::default());
    match checked {
        Ok(checked) => {
            report.good(name, "could be served");
            for warning in checked.warnings {
                report.warning(warning);
            }
        }
        Err(error) => report.mistake(name, &error),
    }
    report
}
