//! What takes turns on a bundle.

use std::collections::HashSet;

use plan_executor::Options;

use super::executor::{Bench, POOL};
use super::executors::EXECUTORS;
use super::measure::Request;
use crate::verbs::Ending;
use report::plans::Kind;

/// The executors of the request; for an ablation the first one again for each technique, without it.
pub(super) fn benches(request: &Request<'_>) -> Result<Vec<(Bench, Kind)>, Ending> {
    let default = [EXECUTORS[0].name.to_owned()];
    let names = match request.executors {
        [] => &default[..],
        names => names,
    };
    let mut benches = Vec::new();
    for name in names {
        benches.push((Bench::new(name, request.common)?, Kind::Executor));
    }
    if let Some(techniques) = request.ablate {
        let all = Options::NAMES.iter().map(|(name, _)| (*name).to_owned());
        let techniques = match techniques {
            [] => all
                .chain([POOL.to_owned()])
                .filter(|technique| !request.common.without.contains(technique))
                .collect(),
            techniques => techniques.to_vec(),
        };
        let mut control = Bench::new(&names[0], request.common)?;
        control.name += " again";
        benches.push((control, Kind::Control));
        for technique in techniques {
            let mut common = request.common.clone();
            common.without.push(technique);
            benches.push((Bench::new(&names[0], &common)?, Kind::Ablation));
        }
    }
    Ok(benches)
}

/// Refuses names that records could not tell apart.
pub(super) fn distinct<'n>(names: impl Iterator<Item = &'n str>) -> Result<(), Ending> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Ending::Usage(format!(
                "{name} is to be measured twice; name each executor, technique and peer once"
            )));
        }
    }
    Ok(())
}
