//! The whole plans of a run.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::request::Request;
use crate::peers::{self, Peer};
use crate::verbs::Ending;
use crate::verbs::plan::folders::{Named, bundles};
use crate::verbs::plan::measure::{self, Rounds};
use crate::verbs::plan::sets::Set;
use crate::verbs::plan::{Common, executors};
use report::plans::PLANS_FILE;
use report::record::{Environment, Size};

/// What is measured of plans.
pub(super) struct Plans {
    sets: Vec<&'static Set>,
    /// Bundles that the command line names.
    folders: Vec<Named>,
}

impl Plans {
    /// The sets that are selected, or the bundles that are named in place of them.
    ///
    /// # Errors
    /// A bundle cannot be read.
    pub(super) fn new(request: &Request<'_>) -> Result<Self, Ending> {
        let named = &request.args.plans;
        let folders = match named.is_empty() {
            true => Vec::new(),
            false => bundles(named)?,
        };
        let sets = match request.args.sweep && folders.is_empty() {
            true => request.selection.plans.clone(),
            false => Vec::new(),
        };
        Ok(Self { sets, folders })
    }

    /// Whether there is nothing to measure.
    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.folders.is_empty()
    }

    /// Measures them, and writes what was measured into the run's folder; `tell` hears what comes next.
    pub(super) fn measure(
        &self,
        request: &Request<'_>,
        environment: &Environment,
        folder: &Path,
        interrupted: &AtomicBool,
        tell: impl Fn(&str),
    ) -> Result<(), Ending> {
        let is_measured = folder.join(PLANS_FILE).exists();
        if is_measured || self.is_empty() {
            return Ok(());
        }
        let args = request.args;
        let executors: Vec<String> = executors::names().map(str::to_owned).collect();
        let mut able = Vec::new();
        for name in &args.peers {
            let found = peers::named(&peers::folder(), std::slice::from_ref(name));
            if found
                .map_err(Ending::usage)?
                .iter()
                .all(Peer::executes_plans)
            {
                able.push(name.clone());
            }
        }
        let common = Common {
            threads: request.threads.last().copied(),
            ..Common::default()
        };
        let wanted = measure::Request {
            common: &common,
            executors: &executors,
            // Toggles that are named are those of joins.
            ablate: args.ablate.as_deref().filter(|named| named.is_empty()),
            peers: &able,
            samples: args.samples.unwrap_or(match args.size() {
                Size::Quick => 3,
                Size::Default => 5,
                Size::Full => 9,
            }),
            telemetry: false,
        };
        let mut rounds = Rounds::new(&wanted, environment.clone(), interrupted)?;
        for named in &self.folders {
            let bundle = named.open()?;
            tell(&named.name);
            rounds.measure(&bundle, &named.name)?;
        }
        let scale = Set::scale(args.size());
        for plan in self.sets.iter().flat_map(|set| set.plans(scale)) {
            let (name, bundle) = plan?;
            tell(&name);
            rounds.measure(&bundle, &name)?;
        }
        report::page::write_plans(folder, &rounds.finish()).map_err(Ending::usage)
    }
}
