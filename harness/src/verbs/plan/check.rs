//! `harness plan check`: executors against the oracle, or against each other.

use plan_executor::oracle;

use super::executor::Bench;
use super::executors::EXECUTORS;
use super::folders::bundles;
use super::{CheckArgs, line};
use crate::verbs::Ending;

/// Executes every bundle with every executor.
pub(super) fn run(args: &CheckArgs) -> Result<(), Ending> {
    let benches = EXECUTORS
        .iter()
        .map(|executor| Bench::new(executor.name, &args.common))
        .collect::<Result<Vec<_>, _>>()?;
    let bundles = bundles(&args.common.bundles)?;
    let mut wrong = 0;
    for named in &bundles {
        let bundle = named.open()?;
        let mut answers = Vec::new();
        let rows: usize = bundle.tables().iter().map(|table| table.num_rows()).sum();
        if rows as u64 <= args.oracle_up_to {
            let rows = oracle::execute(&bundle);
            answers.push(("oracle", rows.len() as u64, oracle::checksum(&rows)));
        }
        for bench in &benches {
            let (execution, _) = bench
                .execute(&bundle)
                .map_err(|error| Ending::Usage(format!("{}: {error}", named.name)))?;
            let result = execution.result;
            answers.push((&bench.name[..], result.rows(), result.checksum()));
        }
        let (_, rows, checksum) = answers[0];
        let differs = answers
            .iter()
            .any(|answer| (answer.1, answer.2) != (rows, checksum));
        if differs {
            wrong += 1;
            line(&format!("WRONG  {}", named.name))?;
            for (name, rows, checksum) in &answers {
                line(&format!("       {name}: {rows} rows, checksum {checksum}"))?;
            }
        } else {
            let names: Vec<&str> = answers.iter().map(|answer| answer.0).collect();
            line(&format!(
                "ok     {:<8} {rows:>10} rows  {checksum}  {}",
                named.name,
                names.join(" = ")
            ))?;
        }
    }
    match wrong {
        0 => Ok(()),
        _ => Err(Ending::Wrong(format!("{wrong} wrong answers"))),
    }
}
