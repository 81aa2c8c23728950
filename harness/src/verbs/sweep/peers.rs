//! The peers of a run: those that were asked for and are installed.

use crate::peers::{self, Setup};
use crate::verbs::Ending;
use report::record::{Environment, PEER, Run, VariantRecord};

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
            definition: Some(setup.checksum()),
        })
    }

    /// What is not as it was in `run`, if anything: the peers of then, and those of now.
    pub(super) fn change(&self, run: &Run) -> Option<(String, String)> {
        let then: Vec<&VariantRecord> = run.variants.iter().filter(|v| v.is_peer()).collect();
        let now: Vec<VariantRecord> = self.records().collect();
        let is_same = |then: &VariantRecord| {
            let mut same = now.iter().filter(|now| now.name == then.name);
            same.any(|now| then.definition.is_none() || then.definition == now.definition)
        };
        // Before the first plan not all of them may stand there.
        let all = run.plans.is_empty() || then.len() == now.len();
        if all && then.iter().all(|then| is_same(then)) {
            return None;
        }
        let names = |peers: &[&VariantRecord], with_definition: bool| {
            let name = |peer: &&VariantRecord| match peer.definition {
                Some(definition) if with_definition => {
                    format!("{} defined as {definition}", peer.name)
                }
                _ => peer.name.clone(),
            };
            peers.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let now: Vec<&VariantRecord> = now.iter().collect();
        let plain = (names(&then, false), names(&now, false));
        // The same names: then it is the definitions that differ.
        Some(match plain.0 == plain.1 {
            true => (names(&then, true), names(&now, true)),
            false => plain,
        })
    }
}
