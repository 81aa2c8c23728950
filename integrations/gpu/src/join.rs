//! Joins on the device, of key columns that are there: an unchained table of the build side, then pairs or their sums.

use join_core::join::Phases;
use join_core::output::{Aggregate, Pair};
use wgpu::{Buffer, BufferUsages, CommandEncoder, ComputePipeline};

use crate::GpuError;
use crate::device::{Device, kernels_of, mapped};
use crate::keys::{DeviceKeys, KeyPart};

/// Rows of the probe side that are compared at once. With as many pairs as each may have then, the number of pairs fits
/// into a word.
const PROBED: u64 = 1 << 19;
/// As many where pairs are summed: what one dispatch takes.
const SUMMED: u64 = 1 << 21;
/// Rows of the build side that one dispatch takes.
const BUILT: u64 = 1 << 20;
/// Tuples that a row is compared with at once: `WALKED` in `join.wgsl`.
const WALKED: u64 = 4096;
/// Words that a workgroup sums up: `BLOCK` in `join.wgsl`.
const BLOCK: u64 = 4096;
/// Threads of the other workgroups.
const GROUP: u64 = 64;
/// Rows that are worth a table, or a dispatch.
const LEAST_TABLE: u64 = 1 << 10;
/// Pairs that are brought back at once, at most and at least.
const MOST_PAIRS: u64 = 1 << 22;
const LEAST_PAIRS: u64 = 1 << 10;
/// Words of a workgroup's sums.
const SUM_WORDS: u64 = 6;

/// The entry points of `join.wgsl`, for keys of so many words.
#[derive(Debug)]
pub(crate) struct JoinKernels {
    count_slots: ComputePipeline,
    scatter: ComputePipeline,
    scan_blocks: ComputePipeline,
    scan_totals: ComputePipeline,
    scan_add: ComputePipeline,
    count_pairs: ComputePipeline,
    write_pairs: ComputePipeline,
    sum_pairs: ComputePipeline,
}

impl JoinKernels {
    pub(crate) fn compile(device: &wgpu::Device, words: u32) -> JoinKernels {
        let source = concat!(include_str!("scan.wgsl"), include_str!("join.wgsl"));
        let constants = [("WORDS", f64::from(words))];
        let kernel = kernels_of(device, source, &constants);
        JoinKernels {
            count_slots: kernel("count_slots"),
            scatter: kernel("scatter"),
            scan_blocks: kernel("scan_blocks"),
            scan_totals: kernel("scan_totals"),
            scan_add: kernel("scan_add"),
            count_pairs: kernel("count_pairs"),
            write_pairs: kernel("write_pairs"),
            sum_pairs: kernel("sum_pairs"),
        }
    }
}

/// What becomes of the matches.
pub enum Matches<'m> {
    /// They are counted and summed.
    Summed,
    /// Handed on, a block at a time.
    Pairs(&'m mut dyn FnMut(&[Pair])),
}

/// What a join on the device found.
#[derive(Debug, Default)]
pub struct Joined {
    /// Count and sums, where they are wanted.
    pub sums: Aggregate,
    /// Tables that were built: more than one where the build side does not fit into one.
    pub tables: usize,
    /// Bytes of a table.
    pub table_bytes: u64,
}

/// What a kernel is told: `Step` in `join.wgsl`.
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Step {
    first: u32,
    rows: u32,
    base: u32,
    shift: u32,
    walked: u32,
    window: u32,
    room: u32,
}

/// How the memory is divided.
#[derive(Clone, Copy, Debug)]
struct Division {
    /// Rows of a table.
    built: u64,
    /// Rows that are compared at once.
    probed: u64,
    /// Pairs that are brought back at once; 0 where they are summed.
    pairs: u64,
}

/// A table on the device.
struct Table {
    shift: u32,
    directory: Buffer,
    tuples: Buffer,
    /// Times that a row of the probe side must be compared.
    walks: u64,
}

/// Joins two key columns within so many bytes of the device's memory, those of the columns included. The phases are
/// `build`, `probe` and `download`.
///
/// # Errors
/// If the columns are of two types, the memory is too little, or the device fails.
pub fn join(
    device: &Device,
    memory: u64,
    build: &DeviceKeys,
    probe: &DeviceKeys,
    matches: &mut Matches<'_>,
    phases: &mut Phases,
) -> Result<Joined, GpuError> {
    if build.words() != probe.words() {
        return Err(GpuError::KeyTypes);
    }
    let is_summed = matches!(matches, Matches::Summed);
    let division = Division::fitting(device, memory, build, probe, is_summed)?;
    let kernels = device.join_kernels(build.words());
    Run {
        device,
        kernels,
        division,
        build,
        probe,
    }
    .join(matches, phases)
}

/// Slots of a table of so many rows, as a power of two: about one a row.
fn slot_bits(rows: u64) -> u32 {
    rows.next_power_of_two().trailing_zeros().clamp(1, 28)
}

impl Division {
    fn fitting(
        device: &Device,
        memory: u64,
        build: &DeviceKeys,
        probe: &DeviceKeys,
        is_summed: bool,
    ) -> Result<Division, GpuError> {
        let bound = device.most_bound();
        let keys = build.bytes() + probe.bytes();
        let pairs = (memory.saturating_sub(keys) / 128).min(bound / 8);
        let mut division = Division {
            built: build.rows().max(1),
            probed: if is_summed { SUMMED } else { PROBED }.min(probe.largest_part().max(1)),
            pairs: match is_summed {
                true => 0,
                false => pairs.clamp(LEAST_PAIRS, MOST_PAIRS),
            },
        };
        let needed = |division: &Division| keys + division.memory(build.words());
        let fits = |division: &Division| {
            let buffers = division.buffers(build.words());
            needed(division) <= memory && buffers.into_iter().all(|bytes| bytes <= bound)
        };
        while !fits(&division) {
            let larger = match division.built > LEAST_TABLE {
                true => &mut division.built,
                false => &mut division.probed,
            };
            if *larger <= LEAST_TABLE {
                break;
            }
            *larger = larger.div_ceil(2);
        }
        match fits(&division) {
            true => Ok(division),
            false => Err(GpuError::TooLittle {
                given: memory,
                least: needed(&division),
            }),
        }
    }

    fn slots(&self) -> u64 {
        1 << slot_bits(self.built)
    }

    /// Bytes of the directory, of the tuples, of the places of pairs, of pairs, and of sums.
    fn buffers(&self, words: u32) -> [u64; 5] {
        [
            4 * (self.slots() + 1),
            4 * u64::from(words + 1) * self.built,
            4 * (self.probed + 1),
            8 * self.pairs,
            4 * SUM_WORDS * self.probed.div_ceil(GROUP),
        ]
    }

    /// All of them, with what sums of blocks take, and pairs on their way back.
    fn memory(&self, words: u32) -> u64 {
        let blocks = self.slots().max(self.probed + 1).div_ceil(BLOCK);
        self.buffers(words).into_iter().sum::<u64>() + 8 * self.pairs + 4 * blocks
    }
}

struct Run<'a> {
    device: &'a Device,
    kernels: &'a JoinKernels,
    division: Division,
    build: &'a DeviceKeys,
    probe: &'a DeviceKeys,
}

/// Where the pairs of some rows of the probe side go through.
struct Way {
    places: Buffer,
    blocks: Buffer,
    sums: Buffer,
    /// Where words and sums come back.
    back: Buffer,
    /// Pairs, and where they come back.
    pairs: Option<[Buffer; 2]>,
}

const BACK: BufferUsages = BufferUsages::MAP_READ.union(BufferUsages::COPY_DST);

impl Way {
    /// Room for so many pairs.
    fn make_room(&mut self, device: &Device, pairs: u64) {
        let bytes = 8 * pairs;
        let kept = self
            .pairs
            .take()
            .filter(|[on_device, _]| on_device.size() >= bytes);
        let made = || {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
            [device.buffer(bytes, usage), device.buffer(bytes, BACK)]
        };
        self.pairs = Some(kept.unwrap_or_else(made));
    }
}

impl Run<'_> {
    fn join(&self, matches: &mut Matches<'_>, phases: &mut Phases) -> Result<Joined, GpuError> {
        let Division { built, probed, .. } = self.division;
        let [directory, tuples, places, _, of_sums] = self.division.buffers(self.build.words());
        let storage = |bytes| {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
            self.device.buffer(bytes, usage)
        };
        let blocks = self.division.slots().max(probed + 1).div_ceil(BLOCK);
        let mut way = Way {
            places: storage(places),
            blocks: storage(4 * blocks),
            sums: storage(of_sums),
            back: self.device.buffer(of_sums.max(4), BACK),
            pairs: None,
        };
        let mut joined = Joined {
            table_bytes: directory + tuples,
            ..Joined::default()
        };
        for first in (0..self.build.rows()).step_by(built as usize) {
            let table = self.table(first..self.build.rows().min(first + built), &way)?;
            joined.tables += 1;
            phases.lap("build");
            for part in self.probe.parts() {
                for first in (0..part.rows()).step_by(probed as usize) {
                    let rows = probed.min(part.rows() - first);
                    for walk in 0..table.walks {
                        let step = Step {
                            first: first as u32,
                            rows: rows as u32,
                            base: part.first(),
                            shift: table.shift,
                            walked: (walk * WALKED) as u32,
                            ..Step::default()
                        };
                        match matches {
                            Matches::Summed => self.sum(&table, part, step, &way)?,
                            Matches::Pairs(take) => {
                                self.pairs(&table, part, step, &mut way, *take, phases)?;
                            }
                        }
                    }
                }
            }
            phases.lap("probe");
        }
        if let Matches::Summed = matches {
            joined.sums = self.sums(&way)?;
        }
        phases.lap("download");
        Ok(joined)
    }

    /// A table of these rows of the build side.
    fn table(&self, rows: std::ops::Range<u64>, way: &Way) -> Result<Table, GpuError> {
        let bits = slot_bits(rows.end - rows.start);
        let [_, tuples, ..] = self.division.buffers(self.build.words());
        let storage = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
        let directory = self.device.buffer(4 * ((1 << bits) + 1), storage);
        let tuples = self.device.buffer(tuples, storage);
        let fullest = self.device.buffer(4, storage);
        let steps = self.build.parts().iter().flat_map(|part| {
            let first = u64::from(part.first());
            let from = rows.start.max(first).min(first + part.rows());
            let to = rows.end.min(first + part.rows()).max(from);
            (from..to).step_by(BUILT as usize).map(move |at| {
                let step = Step {
                    first: (at - first) as u32,
                    rows: BUILT.min(to - at) as u32,
                    base: part.first(),
                    shift: 32 - bits,
                    ..Step::default()
                };
                (part, step)
            })
        });
        let mut encoder = self.encoder();
        for (part, step) in steps.clone() {
            let bound = [(1, &part.keys), (2, &part.valid), (3, &directory)];
            let bound = [&bound[..], &[(5, &fullest)]].concat();
            let groups = u64::from(step.rows).div_ceil(GROUP);
            self.dispatch(
                &mut encoder,
                &self.kernels.count_slots,
                step,
                &bound,
                groups,
            );
        }
        self.scan(&mut encoder, &directory, 1, 1 << bits, &way.blocks);
        for (part, step) in steps {
            let bound = [
                (1, &part.keys),
                (2, &part.valid),
                (3, &directory),
                (4, &tuples),
            ];
            let groups = u64::from(step.rows).div_ceil(GROUP);
            self.dispatch(&mut encoder, &self.kernels.scatter, step, &bound, groups);
        }
        encoder.copy_buffer_to_buffer(&fullest, 0, &way.back, 0, 4);
        let fullest = self.bring(encoder, &way.back, 4, |words: &[u32]| words[0])?;
        Ok(Table {
            shift: 32 - bits,
            directory,
            tuples,
            walks: u64::from(fullest).div_ceil(WALKED).max(1),
        })
    }

    fn sum(&self, table: &Table, part: &KeyPart, step: Step, way: &Way) -> Result<(), GpuError> {
        let mut encoder = self.encoder();
        let bound = [
            (1, &part.keys),
            (2, &part.valid),
            (6, &table.directory),
            (7, &table.tuples),
            (12, &way.sums),
        ];
        let groups = u64::from(step.rows).div_ceil(GROUP);
        self.dispatch(&mut encoder, &self.kernels.sum_pairs, step, &bound, groups);
        let submission = self.device.queue.submit([encoder.finish()]);
        self.device.wait(&submission)
    }

    fn pairs(
        &self,
        table: &Table,
        part: &KeyPart,
        step: Step,
        way: &mut Way,
        take: &mut dyn FnMut(&[Pair]),
        phases: &mut Phases,
    ) -> Result<(), GpuError> {
        let rows = u64::from(step.rows);
        let mut encoder = self.encoder();
        let bound = [
            (1, &part.keys),
            (2, &part.valid),
            (6, &table.directory),
            (7, &table.tuples),
        ];
        let counted = [&bound[..], &[(8, &way.places)]].concat();
        let kernels = self.kernels;
        let groups = (rows + 1).div_ceil(GROUP);
        self.dispatch(&mut encoder, &kernels.count_pairs, step, &counted, groups);
        self.scan(&mut encoder, &way.places, 0, rows + 1, &way.blocks);
        encoder.copy_buffer_to_buffer(&way.places, 4 * rows, &way.back, 0, 4);
        let all = self.bring(encoder, &way.back, 4, |words: &[u32]| u64::from(words[0]))?;
        phases.lap("probe");
        let most = self.division.pairs.min(all.next_power_of_two());
        way.make_room(self.device, most);
        let Some([pairs, back]) = &way.pairs else {
            return Ok(());
        };
        let written = [&bound[..], &[(10, &way.places), (11, pairs)]].concat();
        for window in (0..all).step_by(self.division.pairs as usize) {
            let found = self.division.pairs.min(all - window);
            let step = Step {
                window: window as u32,
                room: found as u32,
                ..step
            };
            let mut encoder = self.encoder();
            let groups = rows.div_ceil(GROUP);
            self.dispatch(&mut encoder, &kernels.write_pairs, step, &written, groups);
            let submission = self.device.queue.submit([encoder.finish()]);
            self.device.wait(&submission)?;
            phases.lap("probe");
            let mut encoder = self.encoder();
            encoder.copy_buffer_to_buffer(pairs, 0, back, 0, 8 * found);
            self.bring(encoder, back, 8 * found, |pairs: &[Pair]| take(pairs))?;
            phases.lap("download");
        }
        Ok(())
    }

    /// The sums of all workgroups.
    fn sums(&self, way: &Way) -> Result<Aggregate, GpuError> {
        let bytes = way.sums.size();
        let mut encoder = self.encoder();
        encoder.copy_buffer_to_buffer(&way.sums, 0, &way.back, 0, bytes);
        self.bring(encoder, &way.back, bytes, |words: &[u32]| {
            let mut all = Aggregate::default();
            for share in words.as_chunks::<{ SUM_WORDS as usize }>().0 {
                let sum = |at: usize| u64::from(share[at + 1]) << 32 | u64::from(share[at]);
                all.merge(&Aggregate {
                    rows: sum(0),
                    sum_build: sum(2),
                    sum_probe: sum(4),
                });
            }
            all
        })
    }

    fn encoder(&self) -> CommandEncoder {
        let device = &self.device.device;
        device.create_command_encoder(&Default::default())
    }

    /// Sums of the words in front of each, in place: of `words` from `first` on.
    fn scan(
        &self,
        encoder: &mut CommandEncoder,
        scanned: &Buffer,
        first: u64,
        words: u64,
        blocks: &Buffer,
    ) {
        let step = Step {
            first: first as u32,
            rows: words as u32,
            ..Step::default()
        };
        let JoinKernels {
            scan_blocks,
            scan_totals,
            scan_add,
            ..
        } = self.kernels;
        let groups = words.div_ceil(BLOCK);
        let both = [(8, scanned), (9, blocks)];
        self.dispatch(encoder, scan_blocks, step, &both, groups);
        self.dispatch(encoder, scan_totals, step, &both[1..], 1);
        self.dispatch(encoder, scan_add, step, &both, groups);
    }

    fn dispatch(
        &self,
        encoder: &mut CommandEncoder,
        kernel: &ComputePipeline,
        step: Step,
        bound: &[(u32, &Buffer)],
        groups: u64,
    ) {
        let device = self.device;
        let told = device.filled(bytemuck::bytes_of(&step));
        let bound = [&[(0, &told)], bound].concat();
        let group = device.group(kernel, &bound);
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(kernel);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(groups as u32, 1, 1);
    }

    /// Has it all done, and takes what has come back.
    fn bring<W: bytemuck::Pod, T>(
        &self,
        encoder: CommandEncoder,
        back: &Buffer,
        bytes: u64,
        take: impl FnOnce(&[W]) -> T,
    ) -> Result<T, GpuError> {
        let submission = self.device.queue.submit([encoder.finish()]);
        back.map_async(wgpu::MapMode::Read, .., |_| ());
        self.device.wait(&submission)?;
        let view = mapped(back)?;
        let taken = take(bytemuck::cast_slice(&view[..bytes as usize]));
        drop(view);
        back.unmap();
        Ok(taken)
    }
}
