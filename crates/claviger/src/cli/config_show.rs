use std::fmt::Write as _;

use anstyle::Style;
use clap::Args;
use serde_json::{Value as Json, json};
use toml::Value;

use super::answer::{self, Paper};
use super::{ConfigArgs, End};
use crate::config::layers::Origin;
use crate::config::shown::{self, Setting};

#[derive(Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Everything in force, also what is the default
    #[arg(long)]
    effective: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<End> {
    answer::answered(args.json, || {
        let (_, layers) = args.config.load_with_origins()?;
        let mut settings = shown::settings(&layers)?;
        settings.retain(|setting| args.effective || !setting.is_default);
        if args.json {
            let settings: Vec<Json> = settings.iter().map(as_json).collect();
            let file = layers.file().map(|file| file.display().to_string());
            answer::json(json!({ "file": file, "settings": settings }))?;
        } else {
            answer::print(&text(&settings, Paper::of_stdout()))?;
        }
        Ok(End::Done)
    })
}

fn as_json(setting: &Setting) -> Json {
    let (kind, place) = match &setting.origin {
        Origin::Default => ("default", None),
        Origin::File(place) => ("file", Some(place.as_str())),
        Origin::Variable(name) => ("environment", Some(name.as_str())),
        Origin::Flag(name) => ("flag", Some(*name)),
    };
    json!({
        "path": setting.path, "value": setting.value, "origin": { "kind": kind, "place": place },
        "default": setting.is_default,
    })
}

/// As TOML that could be a configuration again, but for what is hidden; the origin is its comment.
fn text(settings: &[Setting], paper: Paper) -> String {
    if settings.is_empty() {
        return "Everything is as by default; --effective shows it.\n".to_owned();
    }
    let quiet = Style::new().dimmed();
    let mut text = String::new();
    for setting in settings {
        let path: Vec<String> = setting.path.iter().map(|name| key(name)).collect();
        let line = format!("{} = {}", path.join("."), setting.value);
        let origin = match &setting.origin {
            Origin::Default => "default",
            Origin::File(place) | Origin::Variable(place) => place,
            Origin::Flag(name) => name,
        };
        let origin: String = origin.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        // Writing into a text can't fail.
        let _ = if line.chars().count() + 4 + origin.chars().count() <= paper.width {
            writeln!(text, "{line}  {quiet}# {origin}{quiet:#}")
        } else {
            writeln!(text, "{quiet}# {origin}{quiet:#}\n{line}")
        };
    }
    text
}

/// A name as TOML has it.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}
