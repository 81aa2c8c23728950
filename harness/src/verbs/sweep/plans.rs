//! The whole plans of a run.

use std::sync::atomic::AtomicBool;

use super::request::Request;
use crate::experiment::executor::Equipment;
use crate::experiment::plans::{Plans, case};
use crate::experiment::{Budget, HEADLINE, Runner, Stop, session};
use crate::peers::Found;
use crate::verbs::Ending;
use crate::verbs::plan::folders::{Named, bundles};
use crate::verbs::plan::sets::Set;
use registry::EXECUTORS;
use report::record::{Environment, Size};

/// What is measured of plans.
pub(super) struct Selected<'a> {
    sets: Vec<&'static Set>,
    /// Bundles that the command line names.
    folders: Vec<Named>,
    /// What they are executed with; none where there are none.
    plans: Option<Plans<'a>>,
    samples: u32,
    size: Size,
}

impl<'a> Selected<'a> {
    /// The sets that are selected, or the bundles that are named in place of them.
    ///
    /// # Errors
    /// A bundle cannot be read.
    pub(super) fn new(
        request: &Request<'_>,
        environment: &Environment,
        interrupted: &'a AtomicBool,
    ) -> Result<Self, Ending> {
        let args = request.args;
        let folders = match args.plans.is_empty() {
            true => Vec::new(),
            false => bundles(&args.plans)?,
        };
        let sets = match args.sweep && folders.is_empty() {
            true => request.selection.plans.clone(),
            false => Vec::new(),
        };
        let mut found = Self {
            sets,
            folders,
            plans: None,
            samples: args.samples.unwrap_or(match args.size() {
                Size::Quick => 3,
                Size::Default | Size::Full => HEADLINE,
            }),
            size: args.size(),
        };
        if found.len() > 0 {
            let names: Vec<String> = EXECUTORS.iter().map(|e| e.name.to_owned()).collect();
            let equipment = Equipment {
                threads: request.threads.last().copied(),
                ..Equipment::default()
            };
            // Toggles that are named are those of joins.
            let ablate = args.ablate.as_deref().filter(|named| named.is_empty());
            let peers = Found::of_plans(&args.peers, environment, true).map_err(Ending::Usage)?;
            let plans = Plans::new(&names, &equipment, ablate, &peers.setups, interrupted);
            found.plans = Some(plans.map_err(Ending::Usage)?);
        }
        Ok(found)
    }

    /// How many plans there are.
    pub(super) fn len(&self) -> usize {
        let sets = self.sets.iter().map(|set| set.len());
        sets.sum::<usize>() + self.folders.len()
    }

    /// Measures them.
    pub(super) fn measure(&mut self, runner: &mut Runner<'_>) -> Result<(), Stop> {
        let Some(plans) = &mut self.plans else {
            return Ok(());
        };
        session::variants(runner, plans.records())?;
        let budget = Budget::Samples {
            variant: self.samples,
            peer: self.samples,
        };
        let broken =
            |name: &str, ending: Ending| Stop::Workload(name.to_owned(), ending.to_string());
        for named in &self.folders {
            let bundle = named.open().map_err(|ending| broken(&named.name, ending))?;
            let case = case(&named.name, named.group.as_deref(), "", &bundle);
            let mut bench = plans.bench(&bundle);
            runner.case_unless_measured(&case, &mut bench, budget)?;
        }
        let scale = Set::scale(self.size);
        for set in &self.sets {
            for plan in set.plans(scale) {
                let (name, bundle) = plan.map_err(|ending| broken(set.name, ending))?;
                let case = case(&name, Some(set.name), set.sentence, &bundle);
                let mut bench = plans.bench(&bundle);
                runner.case_unless_measured(&case, &mut bench, budget)?;
            }
        }
        Ok(())
    }
}
