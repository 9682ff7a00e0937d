use super::{ConfigArgs, End};
use crate::wiring;

pub(super) fn run(args: &ConfigArgs) -> End {
    let checked = args.load().and_then(|config| wiring::check(&config));
    match checked {
        Ok(checked) => {
            for warning in &checked.warnings {
                println!("warning: {warning}");
            }
            println!("The configuration is good.");
            End::Done
        }
        Err(error) => {
            eprintln!("{error}");
            End::BadNews
        }
    }
}
