//! The peers of a run: those that were asked for and are installed.

use crate::peers::{self, Setup};
use crate::record::{Environment, PEER, Run, VariantRecord};
use crate::verbs::Ending;

/// What is run of the peers, and what there is to say of the others.
pub(super) struct Peers {
    pub(super) setups: Vec<Setup>,
    pub(super) notes: Vec<String>,
}

impl Peers {
    /// Finds the peers of these names, and which of them are installed.
    pub(super) fn find(names: &[String], environment: &Environment) -> Result<Self, Ending> {
        let mut found = Self {
            setups: Vec::new(),
            notes: Vec::new(),
        };
        for peer in peers::named(&peers::folder(), names).map_err(Ending::usage)? {
            match peer.version() {
                Ok(version) => {
                    let (setups, note) = peer.setups(&version, environment);
                    found.setups.extend(setups);
                    found.notes.extend(note);
                }
                Err(missing) => found.notes.push(missing.to_string()),
            }
        }
        Ok(found)
    }

    /// The records that name them.
    pub(super) fn records(&self) -> impl Iterator<Item = VariantRecord> {
        self.setups.iter().map(|setup| VariantRecord {
            name: setup.name.clone(),
            family: PEER.to_owned(),
            build: None,
            probe: None,
            description: setup.description.clone(),
        })
    }

    /// The names of those that a run has measured, as [`Peers::names`] has them.
    pub(super) fn of(run: &Run) -> String {
        let peers = run.variants.iter().filter(|variant| variant.is_peer());
        let names: Vec<&str> = peers.map(|peer| peer.name.as_str()).collect();
        names.join(", ")
    }

    /// The names of those that are run.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.setups.iter().map(|s| s.name.as_str()).collect();
        names.join(", ")
    }
}
