//! Verbs that other packages do, because what they need takes minutes to compile and no sweep needs it: the package's
//! program is built when it is first asked for.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use super::Ending;

/// Runs the program of `package` with these arguments in the current folder. Whatever it says of itself comes through;
/// `verb` is what it is run for.
pub(super) fn run<'a>(
    package: &str,
    verb: &str,
    arguments: impl IntoIterator<Item = &'a OsString>,
) -> Result<(), Ending> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    if !is_built(package) {
        // Cargo itself is quiet, so that a refused call says one line.
        let _ = writeln!(
            io::stderr(),
            "{verb}: building the program for this, which takes a minute"
        );
    }
    let status = Command::new(&cargo)
        .args(["run", "--quiet", "--package", package, "--manifest-path"])
        .arg(&manifest)
        .arg("--")
        .args(arguments)
        .status()
        .map_err(|error| {
            Ending::Usage(format!(
                "{verb}: {} cannot be started: {error}; it builds the program for this, put it on the PATH",
                Path::new(&cargo).display()
            ))
        })?;
    match status.success() {
        true => Ok(()),
        false => Err(Ending::Said),
    }
}

/// Whether the program of `package` lies beside this one.
fn is_built(package: &str) -> bool {
    let folder = env::current_exe().ok();
    folder.is_some_and(|own| own.with_file_name(package).exists())
}
