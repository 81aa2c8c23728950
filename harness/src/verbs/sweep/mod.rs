//! `--sweep` and `--ablate`: measure, record, draw.

mod folder;
mod measure;
mod peers;
mod plans;
mod request;

use std::path::Path;

use jiff::Timestamp;

use super::{ALLOCATOR, Ending, interrupt_flag};
use crate::cli::MeasureArgs;
use crate::console::{self, tell};
use crate::machine;
use crate::measure::{Bench, Progress, Runner, Stop};
use report::record::{EndRecord, Record, VariantRecord, read_run};
use report::summary::{CellFailure, Cells};
use request::Request;

/// Measures and reports.
pub(super) fn run(args: &MeasureArgs) -> Result<(), Ending> {
    let environment = machine::environment(ALLOCATOR);
    let request = Request::new(args, &environment)?;
    let items = request.items();
    Request::check(&items)?;
    let plans = plans::Plans::new(&request)?;
    let budget = request.budget();
    let estimate = request.estimate(&items, budget)?;
    let command = console::command_line();
    let (folder, writer, before) = folder::open(args, &command, &request, &environment)?;
    let interrupted = interrupt_flag();
    for note in &request.peers.notes {
        tell!("{note}");
    }
    let then = if plans.is_empty() {
        ""
    } else {
        "; then whole plans"
    };
    tell!("{}{then}", estimate.text);
    let mut runner = Runner::new(
        writer,
        before,
        Bench::new(&environment, &interrupted),
        budget,
        args.seed.unwrap_or(1),
        &interrupted,
        Progress::new(
            estimate.seconds,
            items.len() + usize::from(!plans.is_empty()),
        ),
    );
    let joins = request.measure(&mut runner, &items, estimate.seconds, &environment);
    let measured = match joins {
        Ok(()) if plans.is_empty() => Ok(()),
        Ok(()) => {
            let progress = runner.progress();
            progress.workload("plans", 0.0);
            let tell = |plan: &str| progress.step(1.0, plan);
            let measured = plans.measure(&request, &environment, &folder, &interrupted, tell);
            progress.done("executors");
            measured
        }
        Err(Stop::Interrupted) => Err(Ending::Interrupted(String::new())),
        Err(error) => {
            runner.progress().finish();
            return Err(Ending::usage(error));
        }
    };
    let end = Record::End(EndRecord {
        complete: measured.is_ok(),
        finished: Timestamp::now().to_string(),
    });
    runner.record(&end, |_| false).map_err(Ending::usage)?;
    runner.progress().finish();
    let page = report::page::draw(&folder).map_err(Ending::usage)?;
    say!("{}", page.display());
    match measured {
        Err(Ending::Interrupted(_)) => Err(Ending::Interrupted(format!(
            "interrupted; what was measured is in {}, and --resume {} with the same options goes on",
            page.display(),
            folder.display()
        ))),
        measured => measured.and_then(|()| failures(&folder, &page)),
    }
}

/// How a whole run ends: whether every variant answered, and rightly. The records say so, be they of this session or one
/// before. What peers fail at is theirs, and only told.
fn failures(folder: &Path, page: &Path) -> Result<(), Ending> {
    let run = read_run(folder).map_err(Ending::usage)?;
    let cells = Cells::new(&run);
    let is_peer = |failure: &&CellFailure| {
        let variant = run.variant(&failure.variant);
        variant.is_some_and(VariantRecord::is_peer)
    };
    let count = |failures: &[&CellFailure]| failures.iter().map(|f| f.times).sum::<usize>();
    let (peers, ours): (Vec<_>, Vec<_>) = cells.failures().partition(is_peer);
    let (wrong, failed): (Vec<_>, Vec<_>) = ours.into_iter().partition(|failure| failure.wrong);
    if !peers.is_empty() {
        tell!(
            "{} measurements of peers failed; the report lists them",
            count(&peers)
        );
    }
    let page = page.display();
    let failed = match count(&failed) {
        0 => String::new(),
        failed => format!("{failed} measurements failed"),
    };
    match (count(&wrong), failed.as_str()) {
        (0, "") => Ok(()),
        (0, failed) => Err(Ending::Wrong(format!(
            "{failed}: a variant gave no answer; {page} lists them with their errors"
        ))),
        (wrong, failed) => {
            let and = if failed.is_empty() { "" } else { ", and " };
            Err(Ending::Wrong(format!(
                "{wrong} wrong answers{and}{failed}; they are listed in {page} and not charted"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::record::{
        Answer, Checksum, FailureRecord, PEER, RecordWriter, RunRecord, Toggles, WorkloadRecord,
    };

    /// How a run ends in which these variants, of these families, failed, each with a wrong answer or with none.
    fn end_of(failed: &[(&str, &str, bool)]) -> Result<(), Ending> {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = RecordWriter::create(folder.path()).unwrap();
        let mut records = vec![
            Record::Run(RunRecord::of_a_test(machine::environment("test"))),
            Record::Workload(WorkloadRecord {
                name: "w".to_owned(),
                group: None,
                sentence: String::new(),
                build_rows: 1,
                probe_rows: 1,
                key_type: "INT32".to_owned(),
                build_bytes: 1,
                probe_bytes: 1,
                expected: Answer {
                    rows: 0,
                    sum_build: 0,
                    sum_probe: 0,
                    checksum: Checksum(0),
                },
                keys: None,
            }),
        ];
        for &(variant, family, wrong) in failed {
            records.push(Record::Variant(VariantRecord {
                name: variant.to_owned(),
                family: family.to_owned(),
                build: None,
                probe: None,
                description: String::new(),
                definition: None,
            }));
            records.push(Record::Failure(FailureRecord {
                round: 0,
                workload: "w".to_owned(),
                variant: variant.to_owned(),
                toggles: Toggles::new(),
                threads: 1,
                error: "an error".to_owned(),
                wrong,
            }));
        }
        for record in &records {
            writer.write(record).unwrap();
        }
        failures(folder.path(), Path::new("page"))
    }

    #[test]
    fn a_variant_without_an_answer_is_not_passed_over() {
        let text = |failed: &[(&str, &str, bool)]| match end_of(failed) {
            Ok(()) => "fine".to_owned(),
            Err(Ending::Wrong(text)) => text,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(text(&[]), "fine");
        let ours = [("a", "baseline", false), ("b", "baseline", false)];
        assert!(text(&ours).starts_with("2 measurements failed"));
        let wrong = ("c", "baseline", true);
        let both = text(&[ours[0], wrong]);
        assert!(
            both.starts_with("1 wrong answers, and 1 measurements failed"),
            "{both}"
        );
        assert!(text(&[wrong]).starts_with("1 wrong answers;"));
        // A peer's fault is its own.
        assert_eq!(text(&[("d", PEER, true), ("e", PEER, false)]), "fine");
    }
}
