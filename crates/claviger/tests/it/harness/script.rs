//! Programs of `tests/foreign`, in the interpreter that the environment names.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// The script in `interpreter` (`CLAVIGER_TEST_NODE`, `CLAVIGER_TEST_PYTHON`), or a line that says that the test is
/// skipped.
pub(crate) fn script(interpreter: &str, name: &str) -> Option<Command> {
    let variables = [interpreter, "CLAVIGER_TEST_FOREIGN"].map(std::env::var);
    let [Ok(program), Ok(folder)] = variables else {
        let required = std::env::var("CLAVIGER_TEST_REQUIRE").as_deref() == Ok("1");
        assert!(!required, "CLAVIGER_TEST_REQUIRE=1, but {interpreter} or CLAVIGER_TEST_FOREIGN is missing");
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "skipped: {test} (no {interpreter}; run `cargo xtask test`)");
        return None;
    };
    let mut command = Command::new(program);
    command.arg(PathBuf::from(folder).join(name));
    Some(command)
}
