//! How a run ends.

use std::path::Path;

use super::Ending;
use crate::console::tell;
use crate::experiment::session::Finished;
use report::charts::{scale, threads_text};
use report::record::{VariantRecord, read_run};
use report::summary::{CellFailure, Cells, SUMMARY_FILE, Summary};

impl Finished {
    /// Says who was fastest, names the page, and says whether the run went on to its end and everything answered rightly.
    pub(super) fn conclude(&self) -> Result<(), Ending> {
        let text = std::fs::read(self.folder.join(SUMMARY_FILE)).map_err(Ending::usage)?;
        let summary: Summary = serde_json::from_slice(&text).map_err(Ending::usage)?;
        for line in fastest(&summary) {
            say!("{line}");
        }
        self.say_page()?;
        self.failures()
    }

    /// Names the page, and says whether the run went on to its end.
    ///
    /// # Errors
    /// It was interrupted.
    pub fn say_page(&self) -> Result<(), Ending> {
        say!("{}", self.page.display());
        if self.interrupted {
            return Err(Ending::Interrupted(format!(
                "interrupted; what was measured is in {}, and --resume {} with the same options goes on",
                self.page.display(),
                self.folder.display()
            )));
        }
        Ok(())
    }

    /// Whether everything answered rightly.
    ///
    /// # Errors
    /// Something did not, or the run cannot be read.
    pub fn failures(&self) -> Result<(), Ending> {
        failures(&self.folder, &self.page)
    }
}

/// Whether the run can be read, and a line per workload: the fastest variant and its time, and the fastest peer against it.
fn fastest(summary: &Summary) -> Vec<String> {
    let lines = summary.fastest.iter().map(|fastest| {
        let against = summary.against(&fastest.workload).next();
        let peer = against.map_or_else(String::new, |against| {
            format!(
                "  {} with {} takes {}",
                against.peer,
                threads_text(against.peer_threads),
                scale::times(against.ratio.median)
            )
        });
        format!(
            "{:<24} {:<44} {:<9} {:>9}{peer}",
            fastest.workload,
            fastest.name(),
            threads_text(fastest.threads),
            scale::seconds(fastest.seconds.median)
        )
    });
    match summary.fastest.is_empty() {
        true => Vec::new(),
        false => std::iter::once("fastest:".to_owned())
            .chain(lines)
            .chain([summary.noise_floor.verdict()])
            .collect(),
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
    use crate::machine;
    use report::record::{
        Answer, FailureRecord, JOIN, PEER, Record, RecordWriter, RunRecord, Toggles, WorkloadRecord,
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
                join_kind: None,
                condition: None,
                payload_bytes: None,
                experiment: JOIN.to_owned(),
                expected: Some(Answer::default()),
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
                label: None,
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
