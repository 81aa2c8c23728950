//! `harness plan check`: executors against the oracle, or against each other.

use join_core::checksum::Checksum;
use plan_executor::{Bundle, oracle};

use super::folders::bundles;
use super::{CheckArgs, line};
use crate::experiment::executor::Equipped;
use crate::verbs::Ending;
use registry::EXECUTORS;

/// Executes every bundle with every executor. One that cannot be executed does not keep the others from being checked.
pub(super) fn run(args: &CheckArgs) -> Result<(), Ending> {
    let equipment = args.common.equipment()?;
    let benches = EXECUTORS
        .iter()
        .map(|executor| Equipped::new(executor.name, &equipment))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Ending::Usage)?;
    let bundles = bundles(&args.common.bundles)?;
    let (mut wrong, mut failed) = (0, 0);
    for named in &bundles {
        let bundle = named.open()?;
        let answers = Answers::of(&bundle, &benches, args.oracle_up_to);
        answers.say(&named.title)?;
        wrong += usize::from(answers.differ());
        failed += usize::from(answers.failed);
    }
    let unchecked = format!(
        "{failed} of {} bundles were not executed by all executors, for the reasons above; raise --memory or make their inputs smaller",
        bundles.len()
    );
    match (wrong, failed) {
        (0, 0) => Ok(()),
        (0, _) => Err(Ending::Usage(unchecked)),
        (_, 0) => Err(Ending::Wrong(format!("{wrong} wrong answers"))),
        _ => Err(Ending::Wrong(format!("{wrong} wrong answers; {unchecked}"))),
    }
}

/// What is said of a bundle.
#[derive(Default)]
struct Answers {
    /// Who answered, and what: rows and their checksum.
    given: Vec<(String, u64, Checksum)>,
    /// Who did not, and why.
    missing: Vec<String>,
    /// Whether one of these is an executor.
    failed: bool,
}

impl Answers {
    /// Asks the executors, and the oracle as far as tables and nodes have up to `oracle_up_to` rows.
    fn of(bundle: &Bundle, benches: &[Equipped], oracle_up_to: u64) -> Answers {
        let mut answers = Answers::default();
        let rows = bundle.tables().iter().map(|table| table.num_rows() as u64);
        if rows.sum::<u64>() <= oracle_up_to {
            let memory = benches[0].memory(bundle);
            match oracle::execute_within(bundle, oracle_up_to, &memory) {
                Ok(rows) => {
                    let checksum = oracle::checksum(&rows);
                    let rows = rows.len() as u64;
                    answers.given.push(("oracle".to_owned(), rows, checksum));
                }
                Err(oracle::OracleError::Rows { node, limit }) => answers.missing.push(format!(
                    "oracle: not asked, as node {node} yields more than {limit} rows; --oracle-up-to allows more"
                )),
                Err(error) => answers.missing.push(format!("oracle: not asked, {error}")),
            }
        }
        for bench in benches {
            let name = bench.name.clone();
            match bench.execute(bundle) {
                Ok((execution, _)) => {
                    let result = execution.result;
                    answers.given.push((name, result.rows(), result.checksum()));
                }
                Err(error) => {
                    answers.missing.push(format!("{name}: {error}"));
                    answers.failed = true;
                }
            }
        }
        answers
    }

    fn differ(&self) -> bool {
        let mut answers = self.given.iter().map(|(_, rows, sum)| (rows, sum));
        let first = answers.next();
        answers.any(|answer| Some(answer) != first)
    }

    fn say(&self, bundle: &str) -> Result<(), Ending> {
        match &self.given[..] {
            _ if self.differ() => {
                line(&format!("WRONG  {bundle}"))?;
                for (name, rows, checksum) in &self.given {
                    line(&format!("       {name}: {rows} rows, checksum {checksum}"))?;
                }
            }
            [(_, rows, checksum), _, ..] => {
                let names: Vec<&str> = self.given.iter().map(|answer| &answer.0[..]).collect();
                line(&format!(
                    "ok     {bundle:<8} {rows:>10} rows  {checksum}  {}",
                    names.join(" = ")
                ))?;
            }
            _ => line(&format!("FAILED {bundle}: nothing to compare"))?,
        }
        let mut missing = self.missing.iter();
        missing.try_for_each(|why| line(&format!("       {why}")))
    }
}
