//! Peers: other engines on the same data, each a program in a process of its own that speaks the protocol of
//! `harness/peers/README.md`. Nothing here knows an engine.

mod definition;
mod found;
mod keys;
mod plan;
mod pool;
mod process;

use std::path::{Path, PathBuf};

pub use definition::{Error, Missing, Peer, Setup};
pub use found::Found;
pub use keys::{KeyFiles, Side};
pub use plan::PlanFiles;
pub use pool::{Pool, Wanted, limit};
pub use process::{Executed, Fault, Joined, Process};
pub(crate) use process::{group, kill, possible};

use crate::nearest::did_you_mean;

/// The folder of peers: that of the source this program was built from, else `peers` in the working folder.
pub fn folder() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    if source.is_dir() {
        source
    } else {
        PathBuf::from("peers")
    }
}

/// All peers of a folder, by name. There are none where there is no folder.
///
/// # Errors
/// A peer's definition cannot be read.
pub fn all(folder: &Path) -> Result<Vec<Peer>, Error> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join(definition::FILE).is_file())
        .collect();
    folders.sort();
    folders.iter().map(|folder| Peer::read(folder)).collect()
}

/// The peers of these names: folders of `folder`, or paths of folders elsewhere.
///
/// # Errors
/// There is no such peer, or its definition cannot be read.
pub fn named(folder: &Path, names: &[String]) -> Result<Vec<Peer>, Error> {
    let mut found: Vec<Peer> = Vec::new();
    for name in names {
        let peer = if name.contains(['/', '\\']) {
            Peer::read(Path::new(name))?
        } else {
            let known = all(folder)?;
            let names = known.iter().map(|peer| peer.name.as_str());
            let unknown = Error::Unknown {
                name: name.clone(),
                near: did_you_mean(name, names),
            };
            let mut known = known.into_iter();
            known.find(|peer| peer.name == *name).ok_or(unknown)?
        };
        if !found.iter().any(|other| other.name == peer.name) {
            found.push(peer);
        }
    }
    Ok(found)
}
