//! The database's own security and health. What the store sees comes from [`store::health`]; what the file system shows is
//! looked at here.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use model::SystemClock;
use rustix::fs::statvfs;
use store::health::{EngineHealth, Health, PostgresHealth, SqliteHealth, look};
use store::{Error, Options};

use super::report::Report;
use super::{ConfigArgs, End, answer, block_on};
use crate::wiring;

/// Less than this, in octets, is soon full: the log of a busy hour.
const LITTLE_SPACE: u64 = 1024 * 1024 * 1024;

/// Less than this stops commits within minutes.
const NO_SPACE: u64 = 64 * 1024 * 1024;

/// The oldest server that we are tested with.
const OLDEST_SERVER: i64 = 15;

/// What a file's mode lets everybody do who does not own it.
pub(super) const FOR_OTHERS: u32 = 0o077;

#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Compare every index of an embedded database with its table, which reads the whole file
    #[arg(long)]
    thorough: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CheckArgs) -> anyhow::Result<End> {
    answer::answered(args.json, || {
        let config = args.config.load()?;
        let options = wiring::address_options(&config, Arc::new(SystemClock))?;
        let mut report = Report::default();
        let file = sqlite_file(&options);
        let looked = match &file {
            Some(file) if !file.exists() => anyhow::bail!(
                "there is no database yet: {} does not exist\n  mend: name the right directory with --data-dir, or run: \
                 claviger migrate",
                file.display()
            ),
            _ => block_on(async { Ok(look(&options, args.thorough).await) })?,
        };
        match looked {
            Ok(health) => {
                schema(&mut report, &health);
                match &health.engine {
                    EngineHealth::Sqlite(sqlite) => of_sqlite(&mut report, sqlite, args.thorough),
                    EngineHealth::Postgres(postgres) => of_postgres(&mut report, postgres),
                }
            }
            Err(Error::Privilege(what)) => {
                report.bad("privileges", what, "run these statements as the owner");
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(file) = file {
            permissions(&mut report, &file)?;
            space(&mut report, &file)?;
        }
        report.print(args.json)
    })
}

/// The file of an embedded database.
pub(super) fn sqlite_file(options: &Options) -> Option<PathBuf> {
    let path = options.url.strip_prefix("sqlite:")?;
    Some(PathBuf::from(path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path)))
}

/// What both engines have.
pub(super) fn schema(report: &mut Report, health: &Health) {
    let check = "schema";
    match health.schema_error() {
        None => report.good(check, format!("is at version {}", health.schema)),
        Some(_) if health.foreign => report.bad(
            check,
            "the database holds tables that are not ours",
            "name a database of its own with database.url or --data-dir",
        ),
        Some(error @ Error::NotMigrated { .. }) => {
            report.bad(check, error.to_string(), "run: claviger migrate");
        }
        Some(error) => report.bad(check, error.to_string(), "start the version that made it"),
    }
    match &health.read_only {
        None => report.good("writable", "the database takes writes"),
        Some(why) => {
            report.bad("writable", why, "give this user the right to write, or name the primary server");
        }
    }
}

fn of_sqlite(report: &mut Report, health: &SqliteHealth, thorough: bool) {
    if health.damage.is_empty() {
        let how = if thorough { "integrity_check" } else { "quick_check" };
        report.good("integrity", format!("SQLite's {how} finds nothing"));
    } else {
        let mend = "stop the server, keep a copy of the file, and restore a backup";
        report.bad("integrity", health.damage.join("\n"), mend);
    }
    match health.orphans {
        0 => report.good("references", "no row refers to one that is gone"),
        count => {
            let what = format!("{count} rows refer to rows that are gone");
            report.bad("references", what, "restore a backup");
        }
    }
    match health.journal_mode.as_str() {
        "wal" => report.good("journal", "is a write-ahead log"),
        other => report.attention(
            "journal",
            format!("the journal mode is {other}; reads and writes wait for each other"),
            "the next start of claviger turns the write-ahead log on; keep other programs from turning it off",
        ),
    }
    if health.synchronous_full && health.foreign_keys {
        report.good("settings", "commits wait for the disk, and foreign keys are enforced");
    } else {
        report.bad(
            "settings",
            "SQLite does not take our settings",
            "this is a fault of the program; please report it",
        );
    }
}

fn permissions(report: &mut Report, file: &Path) -> io::Result<()> {
    let mut open = Vec::new();
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        let name = PathBuf::from(name);
        // The log comes and goes with its users.
        if let Ok(found) = name.metadata()
            && found.permissions().mode() & FOR_OTHERS != 0
        {
            open.push(name.display().to_string());
        }
    }
    if open.is_empty() {
        report.good("file permissions", "only their owner may read the files");
    } else {
        let names = open.join(" ");
        report.bad("file permissions", format!("others may read {names}"), format!("chmod 600 {names}"));
    }
    directory(report, "directory permissions", parent(file))
}

/// Whether others may look into a directory of ours, or even change it.
pub(super) fn directory(report: &mut Report, check: &str, directory: &Path) -> io::Result<()> {
    let (name, mode) = (directory.display(), directory.metadata()?.permissions().mode());
    let mend = format!("chmod 700 {name}");
    if mode & 0o022 != 0 {
        report.bad(check, format!("others may change what is in {name}"), mend);
    } else if mode & 0o055 != 0 {
        report.attention(check, format!("others may see what is in {name}"), mend);
    } else {
        report.good(check, format!("only its owner may look into {name}"));
    }
    Ok(())
}

fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn space(report: &mut Report, file: &Path) -> io::Result<()> {
    let found = statvfs(parent(file))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let what = format!("{} MiB are free", free / (1024 * 1024));
    let mend = "make room on the disk, or move the data directory";
    if free < NO_SPACE {
        report.bad("disk space", what, mend);
    } else if free < LITTLE_SPACE {
        report.attention("disk space", what, mend);
    } else {
        report.good("disk space", what);
    }
    Ok(())
}

fn of_postgres(report: &mut Report, health: &PostgresHealth) {
    let role = format!("\"{}\"", health.role.replace('"', "\"\""));
    let version = health.server_version / 10_000;
    if version >= OLDEST_SERVER {
        report.good("server", format!("is PostgreSQL {version}"));
    } else {
        report.bad("server", format!("is PostgreSQL {version}"), "upgrade it to 15 or newer");
    }
    match (health.tls, health.is_this_machine) {
        (true, _) => report.good("encryption", "the connection is encrypted"),
        (false, true) => report.good("encryption", "the server is this machine; nothing leaves it"),
        (false, false) => report.bad(
            "encryption",
            "the connection to another machine is not encrypted",
            "leave sslmode=disable out of database.url",
        ),
    }
    if health.superuser {
        let mend = "make a role of its own: CREATE ROLE claviger LOGIN, and give it to database.url";
        report.bad("role", format!("{role} is a superuser and may do everything"), mend);
    } else if health.attributes.is_empty() {
        report.good("role", format!("{role} may do nothing beyond its tables"));
    } else {
        let attributes = &health.attributes;
        let less: Vec<String> = attributes.iter().map(|name| format!("NO{name}")).collect();
        let mend = format!("ALTER ROLE {role} {}", less.join(" "));
        report.bad("role", format!("{role} may do more than it needs: {}", attributes.join(", ")), mend);
    }
    if health.may_change_schema {
        report.attention(
            "schema rights",
            format!("{role} may change the schema"),
            "let another role own the tables, and name it in database.migrate_url",
        );
    } else {
        report.good("schema rights", format!("{role} can't change the schema"));
    }
    if health.lacking.is_empty() {
        report.good("privileges", "nothing is lacking");
    } else {
        let grants: Vec<String> =
            health.lacking.iter().map(|what| format!("GRANT {what} TO {role}")).collect();
        let what = format!("{role} lacks {}", health.lacking.join(", "));
        report.bad("privileges", what, format!("run as their owner: {}", grants.join("; ")));
    }
    audit(report, health, &role);
    let (free, wanted) = (health.connections_free, health.connections_wanted);
    let what = format!("{free} are free, and one process opens up to {wanted}");
    if usize::try_from(free).is_ok_and(|free| free >= wanted) {
        report.good("connections", what);
    } else {
        report.attention("connections", what, "raise max_connections, or the role's CONNECTION LIMIT");
    }
}

fn audit(report: &mut Report, health: &PostgresHealth, role: &str) {
    let check = "audit trail";
    if health.audit_rewrites.is_empty() {
        return report.good(check, format!("{role} may only append to it"));
    }
    let what = health.audit_rewrites.join(", ");
    let mend = if health.superuser || health.may_change_schema {
        "let another role own the tables, and grant this one SELECT, INSERT on audit alone".to_owned()
    } else {
        format!("REVOKE {what} ON audit FROM {role}")
    };
    report.attention(
        check,
        format!("{role} may rewrite it ({what}); its chain would tell, but not prevent it"),
        mend,
    );
}
