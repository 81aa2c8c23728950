//! A join of columns that stay on the device, against the processor's from the same chunks.

use aligned_ingest::pages::{NumericAs, to_table};
use aligned_ingest::ssb::SsbTable;
use aligned_ingest::{Chunks, PlacementKind};
use join_core::join::{Context, DynJoin, JoinInput, Phases};
use join_core::memory::Memory;
use join_core::output::Aggregate;
use join_core::parallel::Team;
use join_core::table::{Column, Table};
use join_core::unchained::DefaultScheme;
use joinery_gpu::{Device, DeviceKeys, GpuError, Matches, Reader, join};
use partitioned_join::{PartitionedJoin, Settings};
use report::stats::{Interval, median};

use super::{Args, Clock, in_memory, warn};
use crate::{Ended, On, print, team};

/// Chunks, and the column that is their key.
struct Side {
    chunks: Chunks,
    key: String,
}

impl Side {
    /// Copies and parses the rows; the key stays on the device.
    fn upload(&self, device: &Device, on: &On) -> Result<DeviceKeys, Ended> {
        // Two sides, and what joins them.
        let reader = Reader::new(device, &self.chunks, on.memory() / 3, 1)?;
        Ok(reader.read_keys(&self.key, &mut |_| ())?.0)
    }

    /// All columns, as the processor reads them.
    fn table(&self, team: &Team) -> Result<Table, Ended> {
        Ok(to_table(&self.chunks, "t", NumericAs::Fp64, team)?.table)
    }

    /// The key among them.
    fn key<'t>(&self, table: &'t Table) -> Result<&'t Column, Ended> {
        let column = table.column(&self.key);
        column.ok_or_else(|| GpuError::NoColumn(self.key.clone()).into())
    }
}

fn sides(args: &Args, on: &str) -> Result<[Side; 2], Ended> {
    let wrong = |what: &str| Ended(what.into(), 2);
    let (probe_key, build_key) = on
        .split_once('=')
        .ok_or_else(|| wrong("--join has the form COLUMN=COLUMN, the probe side first"))?;
    let (probe, build) = match (&args.folder, &args.build, args.rows) {
        (None, None, Some(rows)) => {
            let of = |table| in_memory(table, PlacementKind::Aligned, rows, args.slot << 20);
            (of(SsbTable::Lineorder)?, of(SsbTable::Part)?)
        }
        (Some(folder), Some(build), _) => (Chunks::open(folder)?, Chunks::open(build)?),
        _ => {
            return Err(wrong(
                "--join of a folder needs that of the build side: --build",
            ));
        }
    };
    let side = |chunks, key: &str| Side {
        chunks,
        key: key.trim().to_owned(),
    };
    Ok([side(build, build_key), side(probe, probe_key)])
}

/// Phases of several rounds: the median of each.
#[derive(Default)]
struct Rounds(Vec<(&'static str, Vec<f64>)>);

impl Rounds {
    fn add(&mut self, phases: &Phases) {
        for phase in phases.list() {
            match self.0.iter_mut().find(|(name, _)| *name == phase.name) {
                Some((_, all)) => all.push(phase.seconds),
                None => self.0.push((phase.name, vec![phase.seconds])),
            }
        }
    }

    fn tell(self, bytes: f64) -> Result<(), Ended> {
        for (name, seconds) in &self.0 {
            let median = median(seconds).unwrap_or_default();
            let rate = match *name {
                "upload" | "parse" => format!("{:>8.3} GB/s", bytes / 1e9 / median),
                _ => String::new(),
            };
            print(&format!("  {name:<10} {median:>9.4} s  {rate}"))?;
        }
        Ok(())
    }
}

pub fn run(args: &Args, on: &str) -> Result<(), Ended> {
    let [build, probe] = sides(args, on)?;
    let (device, team) = (args.on.open()?, team());
    let rows = |side: &Side| side.chunks.manifest().rows;
    let bytes = (build.chunks.manifest().used + probe.chunks.manifest().used) as f64;
    print(&format!(
        "{} rows joined with {}, {:.1} MB, on {}",
        rows(&probe),
        rows(&build),
        bytes / 1e6,
        device.name(),
    ))?;
    warn(&device)?;
    let bus = super::measured(args.rounds, Clock::Wall, || {
        Ok(device.copy(args.on.memory() / 16, bytes as u64)?)
    })?;
    print(&format!(
        "bus: copying alone: {:.4} s, {:.3} GB/s",
        bus.median,
        bytes / 1e9 / bus.median
    ))?;
    let (mut found, mut rounds) = (None, Rounds::default());
    let took = super::measured(args.rounds, Clock::Wall, || {
        let mut phases = Phases::start();
        found = Some(on_device(&device, args, &build, &probe, &mut phases)?);
        rounds.add(&phases);
        Ok(())
    })?;
    told("device", took)?;
    rounds.tell(bytes)?;
    let (mut expected, mut rounds) = (None, Rounds::default());
    let took = super::measured(args.rounds, Clock::Wall, || {
        let mut phases = Phases::start();
        expected = Some(on_processor(&build, &probe, &team, &mut phases)?);
        rounds.add(&phases);
        Ok(())
    })?;
    told(&format!("processor, {} threads", team.threads()), took)?;
    rounds.tell(bytes)?;
    match (found, expected) {
        (Some(found), Some(expected)) if found == expected => {
            print(&format!("{} results, the same sums on both", found.rows))
        }
        (found, expected) => Err(Ended(
            format!("the device has {found:?}, the processor {expected:?}"),
            1,
        )),
    }
}

fn told(what: &str, took: Interval) -> Result<(), Ended> {
    let Interval { median, low, high } = took;
    print(&format!("{what}: {median:.4} s ({low:.4} to {high:.4})"))
}

fn on_device(
    device: &Device,
    args: &Args,
    build: &Side,
    probe: &Side,
    phases: &mut Phases,
) -> Result<Aggregate, Ended> {
    let (build, probe) = (
        build.upload(device, &args.on)?,
        probe.upload(device, &args.on)?,
    );
    phases.lap("upload");
    let memory = args.on.memory();
    Ok(join(device, memory, &build, &probe, &mut Matches::Summed, phases)?.sums)
}

fn on_processor(
    build: &Side,
    probe: &Side,
    team: &Team,
    phases: &mut Phases,
) -> Result<Aggregate, Ended> {
    let tables = (build.table(team)?, probe.table(team)?);
    phases.lap("parse");
    let memory = Memory::unlimited();
    let input = JoinInput::new(build.key(&tables.0)?, probe.key(&tables.1)?)?;
    let join = PartitionedJoin::<DefaultScheme>::new(Settings::default());
    let outcome = join.join(&input, &Context::new(team, &memory))?;
    phases.lap("join");
    Ok(outcome.results.aggregate().unwrap_or_default())
}
