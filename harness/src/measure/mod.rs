//! Measuring: cells, rounds, one sample, and the run that holds them.
//!
//! A *cell* is a variant in a configuration at a thread count on a workload. Cells are measured in rounds, each round in
//! an order of its own, so that drift of the machine hits all alike and ratios can be paired within a round. Round 0
//! only checks answers and learns costs; it leaves no sample.

pub mod ingest;
pub mod memory;
mod progress;
mod rounds;
mod run;
mod sample;
#[cfg(feature = "slowed")]
mod slowed;
pub mod tags;

pub use progress::Progress;
pub use rounds::Budget;
pub use run::{Runner, Stop};
pub use sample::{Bench, Failed, Measured};

use std::collections::HashSet;

use join_core::join::DynJoin as Join;
use join_core::table::Column;

use crate::peers::Setup;
use crate::record::{CONTROL_A, CONTROL_B, PlannedCell, Toggles, WorkloadRecord};
use registry::{Configuration, NotCompiled, Part, Toggle, Variant};

/// A workload in memory.
pub struct Data<'a> {
    /// What it is and what it must answer.
    pub record: WorkloadRecord,
    /// The build side's keys.
    pub build: &'a Column,
    /// The probe side's keys.
    pub probe: &'a Column,
    /// Whether the consumer wants the pairs, not count and sums.
    pub pairs: bool,
}

/// One thing that is measured.
pub struct Cell {
    /// What records say of it; `rounds` is not decided yet.
    pub name: PlannedCell,
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
        join: Box<dyn Join>,
    },
    /// Another engine.
    Peer(Setup),
}

impl Cell {
    /// Whether another engine does its work.
    pub fn is_peer(&self) -> bool {
        matches!(self.work, Work::Peer(_))
    }

    /// How much longer than a variant's its samples take, by and large.
    pub fn slowness(&self) -> f64 {
        if self.is_peer() { 5.0 } else { 1.0 }
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
        let join = slowed::slowed(&variant.name, join);
        Ok(Self {
            work: Work::Join {
                join,
                configuration,
            },
            name: PlannedCell {
                variant: variant.name.clone(),
                toggles,
                label: label.map(str::to_owned),
                threads,
                rounds: 0,
            },
        })
    }
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
        let plain = cell.name.label.is_none() && cell.name.toggles.is_empty();
        if plain {
            cell.name.label = Some(CONTROL_A.to_owned());
            let stands = self.names.contains(&key(&cell.name));
            cell.name.label = None;
            if stands {
                return;
            }
        }
        if self.names.insert(key(&cell.name)) {
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
    /// of a part that the variant does not have, or that shows only where the consumer wants `pairs`, are left out.
    pub fn ablation(
        &mut self,
        variant: &Variant,
        toggles: &[&Toggle],
        pairs: bool,
        threads: &[u32],
    ) -> Result<(), NotCompiled> {
        let shows =
            |toggle: &Toggle| variant.has(toggle.part) && (toggle.part == Part::Merge) == pairs;
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
                name: PlannedCell {
                    variant: setup.name.clone(),
                    toggles: Toggles::new(),
                    label: None,
                    threads,
                    rounds: 0,
                },
                work: Work::Peer(setup.clone()),
            });
        }
    }

    /// The cells.
    pub fn into_vec(self) -> Vec<Cell> {
        self.cells
    }
}

/// A text that no other cell of a workload has.
pub(crate) fn key(cell: &PlannedCell) -> String {
    let label = cell.label.as_deref().unwrap_or("");
    format!(
        "{} {:?} {label} {}",
        cell.variant, cell.toggles, cell.threads
    )
}
