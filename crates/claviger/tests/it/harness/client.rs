//! OAuth clients that nobody here wrote: the scripts of `tests/foreign/clients`.

use std::path::Path;

use serde_json::Value;

use super::script;

/// Runs a client with this input (`tests/foreign/clients/person.mjs` says what is in it), and gives what it saw. Without
/// its interpreter a line says that the test is skipped.
pub(crate) async fn client(name: &str, input: &Value) -> Option<Value> {
    let is_python = Path::new(name).extension().is_some_and(|extension| extension == "py");
    let interpreter = if is_python { "CLAVIGER_TEST_PYTHON" } else { "CLAVIGER_TEST_NODE" };
    let mut command = script(interpreter, &format!("clients/{name}"))?;
    let temporary = tempfile::tempdir().unwrap();
    command.arg(input.to_string()).env("TMPDIR", temporary.path()).env("PYTHONDONTWRITEBYTECODE", "1");
    // The server that it talks to may be in this thread.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let [printed, complaint] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{name} with {input}:\n{printed}\n{complaint}");
    let seen = serde_json::from_str(printed.trim());
    Some(seen.unwrap_or_else(|error| panic!("{name} printed {printed:?}: {error}")))
}
