//! The peers of a run: those that were asked for and are installed.

use super::{Error, Peer, Setup};
use report::record::{Environment, PEER, Run, VariantRecord};

/// What is run of the peers, and what there is to say of the others.
#[derive(Debug, Default)]
pub struct Found {
    /// What is run.
    pub setups: Vec<Setup>,
    /// Why others are not.
    pub notes: Vec<String>,
}

impl Found {
    /// Finds the peers of these names, and which of them are installed.
    ///
    /// # Errors
    /// There is no such peer, or its definition is wrong.
    pub fn find(names: &[String], environment: &Environment) -> Result<Self, Error> {
        let mut found = Self::default();
        for peer in super::named(&super::folder(), names)? {
            found.add(&peer, environment);
        }
        Ok(found)
    }

    /// Those of these names that execute plans.
    ///
    /// # Errors
    /// As [`Found::find`]; or one executes no plans, and it is not to be `left_out` for that.
    pub fn of_plans(
        names: &[String],
        environment: &Environment,
        left_out: bool,
    ) -> Result<Self, String> {
        let folder = super::folder();
        let mut found = Self::default();
        for peer in super::named(&folder, names).map_err(|error| error.to_string())? {
            match (peer.executes_plans(), left_out) {
                (true, _) => found.add(&peer, environment),
                (false, true) => {}
                (false, false) => {
                    let known = super::all(&folder).map_err(|error| error.to_string())?;
                    let able = known.iter().filter(|peer| peer.executes_plans());
                    let able: Vec<&str> = able.map(|peer| peer.name.as_str()).collect();
                    return Err(format!(
                        "--peers {}: it executes no plans (`plans = true` is not in its peer.toml); those that do: {}",
                        peer.name,
                        able.join(", ")
                    ));
                }
            }
        }
        Ok(found)
    }

    /// Those of these names that answer queries.
    ///
    /// # Errors
    /// As [`Found::find`]; or one answers none.
    pub fn of_queries(names: &[String], environment: &Environment) -> Result<Self, String> {
        let mut found = Self::default();
        for peer in super::named(&super::folder(), names).map_err(|error| error.to_string())? {
            if !peer.answers_queries() {
                return Err(format!(
                    "--peers {}: it answers no queries (`queries = true` is not in its peer.toml)",
                    peer.name
                ));
            }
            found.add(&peer, environment);
        }
        Ok(found)
    }

    fn add(&mut self, peer: &Peer, environment: &Environment) {
        match peer.version() {
            Ok(version) => {
                let (setups, note) = peer.setups(&version, environment);
                self.setups.extend(setups);
                self.notes.extend(note);
            }
            Err(missing) => self.notes.push(missing.to_string()),
        }
    }

    /// The records that name them.
    pub fn records(&self) -> impl Iterator<Item = VariantRecord> {
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
    pub fn change(&self, run: &Run) -> Option<(String, String)> {
        let then: Vec<&VariantRecord> = run.variants.iter().filter(|v| v.is_peer()).collect();
        let now: Vec<VariantRecord> = self.records().collect();
        let is_same = |then: &VariantRecord| {
            let mut same = now.iter().filter(|now| now.name == then.name);
            same.any(|now| then.definition.is_none() || then.definition == now.definition)
        };
        // Before the first schedule not all of them may stand there.
        let all = run.schedules.is_empty() || then.len() == now.len();
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
