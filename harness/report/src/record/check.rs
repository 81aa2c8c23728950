//! What no run can have measured, whoever wrote it.

use super::Record;

/// Times below this are none: clocks count in nanoseconds.
pub const LEAST_SECONDS: f64 = 1e-9;

/// Times beyond this are none: thirty years.
pub const MOST_SECONDS: f64 = 1e9;

/// Whether something can have taken that long.
pub fn is_time(seconds: f64) -> bool {
    (LEAST_SECONDS..=MOST_SECONDS).contains(&seconds)
}

impl Record {
    /// What in this record cannot be, in words. A time that no clock tells is not meant: such a sample is a failed one.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Record::Sample(sample) => threads(sample.threads)
                .or_else(|| time("seconds", sample.seconds))
                .or_else(|| {
                    let system = sample.system.as_ref()?;
                    let waited = system.waited_seconds.unwrap_or(0.0);
                    let mut times = [system.cpu_seconds, waited, system.stolen_seconds].into_iter();
                    times.find_map(|seconds| time("what the system gave", seconds))
                })
                .or_else(|| {
                    let mut phases = sample.phases.iter();
                    phases.find_map(|phase| time("the seconds of a phase", phase.seconds))
                }),
            Record::Schedule(schedule) => {
                let mut cells = schedule.cells.iter();
                time("seconds", schedule.seconds)
                    .or_else(|| cells.find_map(|cell| threads(cell.threads)))
            }
            Record::Limit(limit) => threads(limit.threads).or_else(|| {
                (limit.value < 0.0).then(|| format!("value is {}, below 0", limit.value))
            }),
            Record::Ingest(ingest) => {
                threads(ingest.workers).or_else(|| time("seconds", ingest.seconds))
            }
            Record::Failure(failure) => threads(failure.threads),
            Record::Memory(memory) => threads(memory.threads),
            Record::Tags(tags) => {
                let slots = tags.directory_slots_per_tuple;
                (slots < 0.0).then(|| format!("directory_slots_per_tuple is {slots}, below 0"))
            }
            Record::Run(_)
            | Record::Workload(_)
            | Record::Variant(_)
            | Record::Build(_)
            | Record::Note(_)
            | Record::End(_) => None,
        }
    }
}

fn time(what: &str, seconds: f64) -> Option<String> {
    (seconds < 0.0).then(|| format!("{what}: {seconds} is no time"))
}

fn threads(threads: u32) -> Option<String> {
    (threads == 0).then(|| "0 threads cannot work".to_owned())
}
