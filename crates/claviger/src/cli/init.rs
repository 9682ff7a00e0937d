//! The first step of real use: a configuration with comments, and a key. What is there already is never overwritten.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use toml::Value;

use super::answer::{self, Paper, wrapped};
use super::{End, files};
use crate::config::layers::{FILE_NAME, embedded_database};
use crate::wiring;

/// How often a person is asked for the public URL.
const ASKED: usize = 3;

/// The longest answer that is read, in octets.
const LONGEST: u64 = 4096;

#[derive(Args)]
pub(super) struct InitArgs {
    /// The file to write [default: claviger.toml here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the key and the embedded database are to lie
    #[arg(long, value_name = "DIR", default_value = "data")]
    data_dir: PathBuf,
    /// The https address under which browsers and providers will reach the public listener
    #[arg(long, value_name = "URL", value_parser = public_url)]
    public_url: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn public_url(text: &str) -> Result<String, String> {
    wiring::good_public_url(text).map_err(|error| format!("{}; {}", error.what, error.mend))
}

pub(super) fn run(args: &InitArgs) -> anyhow::Result<End> {
    answer::answered(args.json, || init(args))
}

fn init(args: &InitArgs) -> anyhow::Result<End> {
    let config = absolute(args.config.as_deref().unwrap_or(Path::new(FILE_NAME)))?;
    let data_dir = absolute(&args.data_dir)?;
    let key = data_dir.join("key");
    for file in [&config, &key, &embedded_database(&data_dir)] {
        if file.symlink_metadata().is_ok() {
            return exists(file);
        }
    }
    let public_url = match &args.public_url {
        Some(url) => Some(url.clone()),
        None if !args.json && io::stdin().is_terminal() && io::stderr().is_terminal() => ask()?,
        None => None,
    };
    let text = configuration(public_url.as_deref(), &data_dir, &key)?;
    wiring::make_data_dir(&data_dir)?;
    if !files::create_key(&key).with_context(|| key.display().to_string())? {
        return exists(&key);
    }
    let created = files::create(&config, &text).with_context(|| config.display().to_string());
    if !matches!(created, Ok(true)) {
        // Nobody has used it: this process made it a moment ago.
        fs::remove_file(&key).with_context(|| key.display().to_string())?;
        created?;
        return exists(&config);
    }
    tell(args.json, &config, &key, public_url.as_deref())?;
    Ok(End::Done)
}

fn exists(file: &Path) -> anyhow::Result<End> {
    bail!(
        "{} exists already, and nothing is overwritten\n  mend: name another place with --config and --data-dir, or go \
         on with what is there: claviger doctor",
        file.display()
    )
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}

/// Asks the person at the terminal; an empty line leaves it open.
fn ask() -> anyhow::Result<Option<String>> {
    let (mut input, mut out) = (io::stdin().lock(), io::stderr());
    for _ in 0..ASKED {
        write!(out, "Public URL, such as https://auth.example.com (empty: later): ")?;
        out.flush()?;
        let mut line = String::new();
        io::Read::take(&mut input, LONGEST).read_line(&mut line)?;
        match line.trim() {
            "" => return Ok(None),
            text => match public_url(text) {
                Ok(url) => return Ok(Some(url)),
                Err(problem) => writeln!(out, "{problem}")?,
            },
        }
    }
    Ok(None)
}

fn text_of(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{}: its name is not text in UTF-8", path.display()))
}

fn configuration(public_url: Option<&str>, data_dir: &Path, key: &Path) -> anyhow::Result<String> {
    let address = match public_url {
        Some(url) => format!("public_url = {}", Value::from(url)),
        None => "# To be filled in:\n# public_url = \"https://auth.example.com\"".to_owned(),
    };
    let url = public_url.unwrap_or("https://auth.example.com");
    let data_dir = Value::from(text_of(data_dir)?);
    let key = Value::from(format!("file:{}", text_of(key)?));
    Ok(format!(
        r#"# The configuration of Claviger. It names only what differs from the defaults; all settings with their values:
# claviger config show --effective
#
# Secrets do not belong here: write "env:NAME" or "file:PATH".

# The https address under which browsers and providers reach [public] below.
{address}

# Who speaks TLS in front of us: only these are believed about where a request comes from, and limits count by that.
trusted_proxies = ["127.0.0.1", "::1"]

# What a person calls the product, in the pages that they see.
# product_name = "Rowan"

# The product's front end, where a browser goes after an attempt that names no returnTo.
# frontend_url = "https://app.example.com"

# Where the embedded database lies. Only its owner may read it.
data_dir = {data_dir}

# The key that wraps the keys of the store. Keep a copy where the backups of the database are not: one without the other
# opens nothing.
key = {key}

[public]
# Browsers and OAuth clients, through a proxy that speaks https under public_url.
listen = "127.0.0.1:8080"

[backend]
# The product's backend and the operator: never to be reached from outside.
listen = "127.0.0.1:8081"

[connect]
# Where returnTo may point: addresses, below which everything is allowed.
# return_to = ["https://app.example.com"]

[database]
# For more than one process: PostgreSQL in place of the embedded database.
# url = "env:DATABASE_URL"

[mail]
# The mail server that takes invitations.
# host = "smtp.example.com"
# username = "rowan"
# password = "env:MAIL_PASSWORD"
# from = "Rowan <hello@rowan.example>"

# To be filled in: an app at each provider that is to be connected. Register this address there:
# {url}/api/oauth/callback/github
#
# [integrations.github]
# client_id = "Iv1.…"
# client_secret = "env:GITHUB_CLIENT_SECRET"
"#
    ))
}

fn tell(as_json: bool, config: &Path, key: &Path, public_url: Option<&str>) -> anyhow::Result<()> {
    let base = public_url.unwrap_or("https://auth.example.com");
    let callback = format!("{base}/api/oauth/callback/{{integration}}");
    let at = if config.file_name().is_some_and(|name| name == FILE_NAME) && here(config) {
        String::new()
    } else {
        format!(" --config {}", config.display())
    };
    let mut fill_in = vec!["integrations"];
    if public_url.is_none() {
        fill_in.insert(0, "public_url");
    }
    if as_json {
        return answer::json(json!({
            "config": config.display().to_string(), "key": key.display().to_string(), "toFillIn": fill_in,
            "callbackUrl": public_url.map(|_| callback),
        }));
    }
    let width = Paper::of_stdout().width;
    let later =
        if public_url.is_none() { "Set public_url in the configuration, then register" } else { "Register" };
    let mut lines = vec![
        format!("Wrote {}", config.display()),
        format!("and the key {}; keep a copy of it apart from the backups of the database.", key.display()),
        String::new(),
        "What comes next:".to_owned(),
    ];
    for (number, step) in [
        format!("{later} the callback URL at the provider, for GitHub: {base}/api/oauth/callback/github"),
        "Put the app's credentials into the configuration: [integrations.github]".to_owned(),
        format!("claviger doctor{at}\nclaviger serve{at}"),
    ]
    .iter()
    .enumerate()
    {
        for (index, line) in wrapped(step, width - 5).iter().enumerate() {
            let head = if index == 0 { format!("  {}. ", number + 1) } else { " ".repeat(5) };
            lines.push(format!("{head}{line}"));
        }
    }
    let lines = lines
        .iter()
        .flat_map(|line| if line.starts_with("  ") { vec![line.clone()] } else { wrapped(line, width) });
    let text: Vec<String> = lines.collect();
    answer::print(&format!("{}\n", text.join("\n")))
}

/// Whether the file lies where the program was started, so that it is found without being named.
fn here(config: &Path) -> bool {
    std::env::current_dir().is_ok_and(|here| config.parent() == Some(&here))
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use super::*;
    use crate::config::layers::DEFAULTS;

    /// Every setting that a text describes, with those that stand in comments, as `section.name`.
    fn described(text: &str) -> Vec<String> {
        let (mut section, mut settings) = (String::new(), Vec::new());
        for line in text.lines() {
            let line = line.strip_prefix("# ").unwrap_or(line);
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = format!("{name}.");
            } else if let Some((name, _)) = line.split_once(" = ")
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            {
                settings.push(format!("{section}{name}"));
            }
        }
        settings
    }

    #[test]
    fn every_setting_of_it_is_one_also_those_in_comments() {
        let text = configuration(None, Path::new("/var/lib/claviger"), Path::new("/etc/key")).unwrap();
        let (written, known) = (described(&text), described(DEFAULTS));
        assert!(written.len() > 12, "{written:?}");
        for setting in &written {
            assert!(known.contains(setting), "{setting} is no setting");
        }
    }

    #[test]
    fn names_with_quotes_stay_names() {
        let odd = Path::new("/etc/a\"b\\c\nd");
        let text = configuration(Some("https://auth.rowan.example"), odd, &odd.join("key")).unwrap();
        let table: Table = text.parse().unwrap();
        assert_eq!(table["data_dir"].as_str(), odd.to_str());
        assert_eq!(table["public_url"].as_str(), Some("https://auth.rowan.example"));
    }
}
