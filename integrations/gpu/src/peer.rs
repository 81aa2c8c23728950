//! `joinery-gpu peer`: the device as a contender of the experiment, by the protocol of `harness/peers/README.md`.

use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use join_core::join::Phases;
use join_core::output::{Aggregate, Pair, Sink};
use joinery_gpu::{Device, DeviceKeys, HostKeys, Matches, join};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::{Ended, On};

/// A line of work: either `load` or `join`. A field that is not known here may change what is asked, and is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    load: Option<Load>,
    join: Option<Consumer>,
    kind: Option<String>,
    condition: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Consumer {
    Aggregate,
    Pairs,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Load {
    /// The device has its own.
    #[serde(rename = "threads")]
    _threads: IgnoredAny,
    build: Side,
    probe: Side,
}

/// The files of a side's key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Side {
    rows: u64,
    r#type: String,
    keys: PathBuf,
    valid: Option<PathBuf>,
    /// Only of strings, which are refused by their type.
    #[serde(default, rename = "ends")]
    _ends: IgnoredAny,
    /// Only read by conditions, which are refused.
    #[serde(default, rename = "values")]
    _values: IgnoredAny,
    /// Further columns of the key.
    #[serde(default)]
    more: Vec<IgnoredAny>,
}

/// The line that answers one.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Loaded {
        loaded: bool,
    },
    Joined {
        seconds: f64,
        rows: u64,
        sum_build: u64,
        sum_probe: u64,
        phases: Vec<PhaseTime>,
    },
    Error {
        error: String,
    },
}

#[derive(Debug, Serialize)]
struct PhaseTime {
    name: &'static str,
    seconds: f64,
}

/// Answers line by line until there are no more.
pub fn run(on: &On) -> Result<(), Ended> {
    let device = on.open()?;
    let mut sides = None;
    for line in io::stdin().lock().lines() {
        let answer = answer(&device, on.memory(), &mut sides, &line?);
        let answer = answer.unwrap_or_else(|Ended(error, _)| Answer::Error { error });
        let mut output = io::stdout().lock();
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

/// What tells these answers from those of other versions and devices.
pub fn version(on: &On) -> Result<String, Ended> {
    let device = on.open()?;
    let kind = match device.is_software() {
        true => " (software device)",
        false => "",
    };
    Ok(format!("{}{kind}", device.name()))
}

fn answer(
    device: &Device,
    memory: u64,
    sides: &mut Option<[HostKeys; 2]>,
    line: &str,
) -> Result<Answer, Ended> {
    let request: Request = serde_json::from_str(line)?;
    match (request.load, request.join) {
        (Some(Load { build, probe, .. }), None) => {
            // Before there are others: there may be no room for both.
            *sides = None;
            *sides = Some([build.read()?, probe.read()?]);
            Ok(Answer::Loaded { loaded: true })
        }
        (None, Some(consumer)) => {
            if let Some(kind) = request.kind.filter(|kind| kind != "inner") {
                return Err(wrong(&format!("the device joins inner only, not {kind}")));
            }
            if request.condition.is_some() {
                return Err(wrong("the device joins on equal keys without a condition"));
            }
            let sides = sides.as_ref().ok_or_else(|| wrong("nothing was loaded"))?;
            joined(device, memory, sides, consumer)
        }
        _ => Err(wrong("a line has either `load` or `join`")),
    }
}

fn wrong(what: &str) -> Ended {
    Ended(what.into(), 2)
}

/// The clock runs from keys in the memory of the processor to sums or pairs there: the way to the device and back counts.
fn joined(
    device: &Device,
    memory: u64,
    sides: &[HostKeys; 2],
    consumer: Consumer,
) -> Result<Answer, Ended> {
    let (start, mut phases, mut pairs) = (Instant::now(), Phases::start(), Vec::<Pair>::new());
    let [build, probe] = sides;
    let build = DeviceKeys::upload(device, memory, build)?;
    let left = memory.saturating_sub(build.bytes());
    let probe = DeviceKeys::upload(device, left, probe)?;
    phases.lap("upload");
    let mut take = |block: &[Pair]| pairs.extend_from_slice(block);
    let mut matches = match consumer {
        Consumer::Aggregate => Matches::Summed,
        Consumer::Pairs => Matches::Pairs(&mut take),
    };
    let found = join(device, memory, &build, &probe, &mut matches, &mut phases)?;
    let seconds = start.elapsed().as_secs_f64();
    let mut sums: Aggregate = found.sums;
    sums.emit_block(&pairs);
    let phases = phases.list().iter().map(|phase| PhaseTime {
        name: phase.name,
        seconds: phase.seconds,
    });
    Ok(Answer::Joined {
        seconds,
        rows: sums.rows,
        sum_build: sums.sum_build,
        sum_probe: sums.sum_probe,
        phases: phases.collect(),
    })
}

impl Side {
    fn read(&self) -> Result<HostKeys, Ended> {
        if !self.more.is_empty() {
            let columns = 1 + self.more.len();
            let what = format!("the device joins on one column, not on {columns}");
            return Err(wrong(&what));
        }
        let words = match &*self.r#type {
            "INT32" => 1,
            "INT64" => 2,
            other => {
                let what = format!("the device joins INT32 and INT64, not {other}");
                return Err(wrong(&what));
            }
        };
        let keys = words_of(&self.keys)?;
        let valid = match &self.valid {
            Some(path) => words_of(path)?,
            None => vec![u32::MAX; (keys.len() / words as usize).div_ceil(32)],
        };
        let keys = HostKeys::new(words, keys, valid).filter(|keys| keys.rows() == self.rows);
        keys.ok_or_else(|| {
            wrong(&format!(
                "{}: not of {} rows",
                self.keys.display(),
                self.rows
            ))
        })
    }
}

/// A file's words, the last one filled up with zeros.
fn words_of(path: &Path) -> Result<Vec<u32>, Ended> {
    let mut bytes = fs::read(path)
        .map_err(|error| wrong(&format!("cannot read {}: {error}", path.display())))?;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let words = bytes.as_chunks::<4>().0.iter();
    Ok(words.map(|&word| u32::from_le_bytes(word)).collect())
}
