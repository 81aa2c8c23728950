//! Disturbed samples stand beside others of their rounds, and what depends on them is said.

use std::path::Path;

use report::page::{PAGE_FILE, draw};
use report::record::*;
use report::summary::summarise;

mod synthetic;

/// The synthetic run of joins, with what the system gave each sample.
fn records() -> Vec<Record> {
    let mut records = synthetic::records(6);
    for record in &mut records {
        if let Record::Sample(sample) = record {
            sample.system = Some(SystemUse {
                cpu_seconds: sample.seconds,
                waited_seconds: Some(0.0),
                ..SystemUse::default()
            });
        }
    }
    records
}

fn read(records: &[Record]) -> Run {
    let lines = records.iter().map(|r| serde_json::to_string(r).unwrap());
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    parse_run(Path::new("run"), text.as_bytes()).unwrap()
}

/// Each sample of a toggle once more before it, ten times as long and marked.
fn disturbed(records: &[Record]) -> Vec<Record> {
    let mut found = Vec::new();
    for record in records {
        if let Record::Sample(sample) = record
            && !sample.toggles.is_empty()
        {
            let mut marked = sample.clone();
            marked.disturbed = true;
            marked.seconds *= 10.0;
            marked.system.as_mut().unwrap().waited_seconds = Some(9.0 * sample.seconds);
            marked.phases.clear();
            found.push(Record::Sample(marked));
        }
        found.push(record.clone());
    }
    found
}

#[test]
fn a_disturbed_sample_beside_another_changes_no_result_and_the_verdicts_it_would_change_are_listed()
{
    let records = records();
    let quiet = summarise(&read(&records));
    let found = summarise(&read(&disturbed(&records)));
    assert_eq!(
        (&found.results, &found.ablations),
        (&quiet.results, &quiet.ablations)
    );
    let of_quiet = quiet.disturbance.unwrap();
    assert_eq!((of_quiet.disturbed, of_quiet.waited), (0, Some(0.0)));
    assert!(of_quiet.verdicts.is_empty());
    let of = found.disturbance.unwrap();
    assert_eq!(of.samples, of_quiet.samples + of.disturbed);
    assert!(of.disturbed > 0 && of.waited.unwrap() > 0.0);
    assert!(
        of.verdicts.iter().any(|verdict| verdict.of_all == "slower"),
        "{of:?}"
    );
}

#[test]
fn a_round_that_has_disturbed_samples_alone_counts_as_it_first_came() {
    let mut records = records();
    let mut last = Vec::new();
    for record in &mut records {
        if let Record::Sample(sample) = record {
            sample.disturbed = true;
            let mut again = sample.clone();
            again.seconds *= 3.0;
            again.phases.clear();
            last.push(Record::Sample(again));
        }
    }
    let once = summarise(&read(&records));
    let end = records.pop().unwrap();
    records.extend(last);
    records.push(end);
    let twice = summarise(&read(&records));
    assert_eq!(once.results, twice.results);
}

#[test]
fn the_page_says_how_much_was_disturbed() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = RecordWriter::create(folder.path()).unwrap();
    for record in disturbed(&records()) {
        writer.write(&record).unwrap();
    }
    drop(writer);
    draw(folder.path()).unwrap();
    let page = std::fs::read_to_string(folder.path().join(PAGE_FILE)).unwrap();
    assert!(page.contains("<li>Disturbances: "));
    assert!(page.contains("<h2 id=\"disturbed\">"));
}
