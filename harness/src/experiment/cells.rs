//! The contenders of a join.

use std::collections::HashSet;

use join_core::join::DynJoin;
use join_core::table::Column;

use super::{Contender, key};
use crate::peers::Setup;
use crate::question::{Less, Payload};
use registry::{Configuration, HEADLINES, NotCompiled, Part, TOGGLES, Toggle, Variant};
use report::record::{CONTROL_A, CONTROL_B, Toggles, WorkloadRecord};

/// A workload in memory.
pub struct Data<'a> {
    /// What it is and what it must answer.
    pub record: WorkloadRecord,
    /// The columns of the key, those of the build and those of the probe side; one at least.
    pub columns: &'a [(Column, Column)],
    /// What pairs must fulfil besides equal keys.
    pub condition: Option<&'a Less>,
    /// The columns that rows of the results are made of.
    pub payload: Option<&'a Payload>,
    /// Whether the consumer wants the pairs, not count and sums.
    pub pairs: bool,
}

/// One thing that is measured.
pub struct Cell {
    /// What records say of it.
    pub contender: Contender,
    /// What does it.
    pub work: Work,
}

/// What does the work of a cell.
pub enum Work {
    /// A join of this process.
    Join {
        /// Its settings.
        configuration: Configuration,
        /// The join.
        join: Box<dyn DynJoin>,
    },
    /// Another engine.
    Peer(Setup),
}

impl Cell {
    /// How much longer than a variant's its samples take, by and large.
    pub fn slowness(&self) -> f64 {
        if self.contender.is_peer { 5.0 } else { 1.0 }
    }

    fn new(
        variant: &Variant,
        configuration: Configuration,
        toggles: Toggles,
        label: Option<&str>,
        threads: u32,
    ) -> Result<Self, NotCompiled> {
        let join = variant.join(&configuration)?;
        #[cfg(feature = "slowed")]
        let join = super::slowed::slowed(&variant.name, join);
        let mut contender = Contender::new(&variant.name, toggles, label, threads);
        let is_headline = HEADLINES.contains(&&*variant.name);
        contender.is_wanted |= is_headline && contender.name.toggles.is_empty();
        Ok(Self {
            work: Work::Join {
                join,
                configuration,
            },
            contender,
        })
    }
}

/// What there is for toggles to show on.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Whether the consumer wants the pairs.
    pub pairs: bool,
    /// Whether keys are hashed before they are joined, and compared after that.
    pub verified: bool,
}

/// The cells of a workload, each once.
#[derive(Default)]
pub struct Cells {
    cells: Vec<Cell>,
    names: HashSet<String>,
}

impl Cells {
    /// Adds a cell unless it is there. The control's first name stands for the variant itself.
    fn push(&mut self, mut cell: Cell) {
        let name = &mut cell.contender.name;
        if name.label.is_none() && name.toggles.is_empty() {
            name.label = Some(CONTROL_A.to_owned());
            let stands = self.names.contains(&key(name));
            name.label = None;
            if stands {
                return;
            }
        }
        if self.names.insert(key(name)) {
            self.cells.push(cell);
        }
    }

    /// Adds a variant in its own configuration at each thread count.
    pub fn variant(&mut self, variant: &Variant, threads: &[u32]) -> Result<(), NotCompiled> {
        for &threads in threads {
            self.push(Cell::new(
                variant,
                variant.base,
                Toggles::new(),
                None,
                threads,
            )?);
        }
        Ok(())
    }

    /// Adds the control: a variant against itself under two names. To be called before the variant itself is added.
    pub fn control(&mut self, variant: &Variant, threads: &[u32]) -> Result<(), NotCompiled> {
        for &threads in threads {
            for label in [CONTROL_A, CONTROL_B] {
                let cell = Cell::new(variant, variant.base, Toggles::new(), Some(label), threads)?;
                self.push(cell);
            }
        }
        Ok(())
    }

    /// Adds the settings of `toggles` that differ from the variant's own, one at a time, and the variant itself. Toggles
    /// of a part that the variant does not have, or that does not show here, are left out.
    pub fn ablation(
        &mut self,
        variant: &Variant,
        toggles: &[&Toggle],
        shown: Shown,
        threads: &[u32],
    ) -> Result<(), NotCompiled> {
        let shows = |part: Part| match part {
            Part::Rows => false,
            Part::Keys => shown.verified && !shown.pairs,
            part => part.needs_pairs() == shown.pairs,
        };
        self.settings(variant, toggles, shows, threads)
    }

    /// The same of toggles that show only where the consumer wants rows.
    pub fn ablation_of_rows(
        &mut self,
        variant: &Variant,
        threads: &[u32],
    ) -> Result<(), NotCompiled> {
        let all: Vec<_> = TOGGLES.iter().collect();
        self.settings(variant, &all, |part| part == Part::Rows, threads)
    }

    fn settings(
        &mut self,
        variant: &Variant,
        toggles: &[&Toggle],
        shows: impl Fn(Part) -> bool,
        threads: &[u32],
    ) -> Result<(), NotCompiled> {
        let shows = |toggle: &Toggle| variant.has(toggle.part) && shows(toggle.part);
        let toggles: Vec<_> = toggles.iter().filter(|toggle| shows(toggle)).collect();
        if toggles.is_empty() {
            return Ok(());
        }
        self.variant(variant, threads)?;
        for &threads in threads {
            for toggle in &toggles {
                for setting in toggle.settings {
                    let configuration = setting.of(&variant.base);
                    if configuration != variant.base {
                        let named =
                            Toggles::from([(toggle.name.to_owned(), setting.name.to_owned())]);
                        self.push(Cell::new(variant, configuration, named, None, threads)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds a peer at each thread count.
    pub fn peer(&mut self, setup: &Setup, threads: &[u32]) {
        for &threads in threads {
            self.push(Cell {
                contender: Contender::peer(&setup.name, threads),
                work: Work::Peer(setup.clone()),
            });
        }
    }

    /// The cells.
    pub fn into_vec(self) -> Vec<Cell> {
        self.cells
    }
}
