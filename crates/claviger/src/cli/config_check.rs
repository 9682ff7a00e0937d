use super::{ConfigArgs, End, say};
use crate::wiring;

pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<End> {
    let checked = args.load().and_then(|config| wiring::check(&config));
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
