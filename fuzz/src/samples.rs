//! Arbitrary bytes as the records of a run. What is accepted must be summarised, drawn and compared, with numbers for
//! numbers and text that a document may hold; what is not must be described in one line.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use report::compare;
use report::page::Drawn;
use report::record::parse_run;

/// What XML and HTML may hold.
fn is_legal(c: char) -> bool {
    (!c.is_control() || matches!(c, '\n' | '\r' | '\t')) && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

fuzz_target!(|input: &[u8]| {
    let run = match parse_run(Path::new("samples.jsonl"), input) {
        Ok(run) => run,
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control));
            return;
        }
    };
    let drawn = Drawn::new(&run);
    let summary = &drawn.summary;
    for cell in summary.results.iter().chain(&summary.peers) {
        let interval = cell.seconds;
        assert!(interval.low <= interval.median && interval.median <= interval.high);
        assert!(interval.low > 0.0 && interval.high.is_finite());
        assert!(cell.tuples_per_second.is_finite());
        assert!(cell.limit_ratio.is_none_or(f64::is_finite));
    }
    let plans = drawn.plan_charts.iter().chain(&drawn.once_charts);
    for chart in drawn.charts.iter().chain(plans).flatten() {
        assert!(chart.svg.chars().all(is_legal));
    }
    let comparison = compare::compare(&run, &run);
    assert_eq!(comparison.counts.faster + comparison.counts.slower, 0);
    compare::findings(&comparison);
});
