//! Executors against the oracle, on plans that are made.

use plan_executor::oracle;

use super::sets::Set;
use crate::experiment::executor::{Equipment, Equipped};
use crate::verbs::Ending;
use registry::EXECUTORS;

/// Small enough for the oracle.
const SCALE: f64 = 0.002;

/// Executes every plan of the sets with every executor, alone and with others; returns how many plans there are, and what
/// is wrong.
pub fn verify(sets: &[&Set]) -> Result<(usize, Vec<String>), Ending> {
    let mut benches = Vec::new();
    for executor in EXECUTORS {
        for threads in [1, 3] {
            let equipment = Equipment {
                threads: Some(threads),
                ..Equipment::default()
            };
            benches.push(Equipped::new(executor.name, &equipment).map_err(Ending::Usage)?);
        }
    }
    let (mut plans, mut faults) = (0, Vec::new());
    for plan in sets.iter().flat_map(|set| set.plans(SCALE)) {
        let (name, bundle) = plan?;
        plans += 1;
        let rows = oracle::execute(&bundle);
        let expected = (rows.len() as u64, oracle::checksum(&rows));
        for bench in &benches {
            let found = bench.execute(&bundle).map(|(execution, _)| {
                let result = execution.result;
                (result.rows(), result.checksum())
            });
            let what = match found {
                Ok(answer) if answer == expected => continue,
                Ok((rows, checksum)) => format!("{rows} rows, checksum {checksum}"),
                Err(error) => error.to_string(),
            };
            faults.push(format!(
                "{} on {name} with {} threads: {what}; the oracle has {} rows, {}",
                bench.title(),
                bench.threads,
                expected.0,
                expected.1
            ));
        }
    }
    Ok((plans, faults))
}
