//! `table import` and `table export`: the program of the package `tables`, built when it is first asked for.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::verbs::Ending;

/// Runs `tables` with this verb and these arguments in the current folder. Whatever it says of itself comes through.
pub fn run(verb: &str, arguments: &[OsString]) -> Result<(), Ending> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(&cargo)
        .args(["run", "--package", "tables", "--manifest-path"])
        .arg(&manifest)
        .args(["--", verb])
        .args(arguments)
        .status()
        .map_err(|error| {
            Ending::Usage(format!(
                "table {verb}: {} cannot be started: {error}; it builds the converter, put it on the PATH",
                Path::new(&cargo).display()
            ))
        })?;
    match status.success() {
        true => Ok(()),
        false => Err(Ending::Said),
    }
}
