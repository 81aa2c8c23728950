//! Other engines that execute plans.

use crate::peers::{self, Setup};
use crate::verbs::Ending;
use report::record::Environment;

/// What is run of the peers of these names, with notes on those that are not installed.
pub(super) fn find(
    names: &[String],
    environment: &Environment,
) -> Result<(Vec<Setup>, Vec<String>), Ending> {
    let folder = peers::folder();
    let (mut setups, mut notes) = (Vec::new(), Vec::new());
    for peer in peers::named(&folder, names).map_err(Ending::usage)? {
        if !peer.executes_plans() {
            let known = peers::all(&folder).map_err(Ending::usage)?;
            let able: Vec<&str> = known
                .iter()
                .filter(|peer| peer.executes_plans())
                .map(|peer| peer.name.as_str())
                .collect();
            return Err(Ending::Usage(format!(
                "--peers {}: it executes no plans (`plans = true` is not in its peer.toml); those that do: {}",
                peer.name,
                able.join(", ")
            )));
        }
        match peer.version() {
            Ok(version) => {
                let (found, note) = peer.setups(&version, environment);
                setups.extend(found);
                notes.extend(note);
            }
            Err(missing) => notes.push(missing.to_string()),
        }
    }
    Ok((setups, notes))
}
