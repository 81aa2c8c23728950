//! The flights: two at a time, one on its way to the device while the other is read there.

use std::time::{Duration, Instant};

use aligned_ingest::pages::{NumericAs, read_piece, readers, types};
use aligned_ingest::{Chunks, ChunksError, Piece};
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, Buffer, BufferUsages, ComputePipeline, MapMode,
    SubmissionIndex,
};

use crate::GpuError;
use crate::device::Device;
use crate::flight::{Checksums, Lane, Most, flights};
use crate::layout::{FIRST_FLAG, Kind, Layout, SUM_THREADS};
use crate::totals::Totals;

/// A flag that was not raised.
const NONE: u32 = u32::MAX;
/// Threads of a workgroup.
const GROUP: u64 = 64;
/// Workgroups of a dispatch.
const MOST_GROUPS: u64 = 65_535;

/// Where the time went. What the device does while rows are copied is in neither.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Checksums, and copying rows to where the device takes them from.
    pub copying: Duration,
    /// Waiting for the device.
    pub waiting: Duration,
    /// Bytes of rows.
    pub bytes: u64,
}

/// Reads chunks on a device.
pub struct Reader<'a> {
    device: &'a Device,
    chunks: &'a Chunks,
    layout: Layout,
    flights: Vec<Vec<Lane>>,
}

/// The columns of a flight in the memory of the processor.
pub struct Landed<'a> {
    /// Its lanes, and the rows of each.
    pub lanes: &'a [Lane],
    /// Rows of each lane.
    pub rows: &'a [u32],
    /// The columns.
    pub columns: Vec<LandedColumn<'a>>,
    /// Bytes of all columns of bytes.
    pub text: &'a [u8],
}

/// A column of a flight.
pub struct LandedColumn<'a> {
    /// What it holds.
    pub kind: Kind,
    /// A bit per row, one where it is not NULL.
    pub valid: &'a [u32],
    /// Values of one or two words; of bytes, where each starts in the text, and where the last one ends.
    pub words: &'a [u32],
}

/// The buffers of a flight on the device.
struct Slot {
    bytes: Buffer,
    lanes: Buffer,
    plan: Buffer,
    counts: Buffer,
    places: Buffer,
    flags: Buffer,
    offsets: Buffer,
    values: Buffer,
    text: Buffer,
    sums: Buffer,
    /// Flags, counts of lanes, bytes of the text, sums.
    figures: Buffer,
    /// The columns, if they are wanted.
    results: Option<Buffer>,
    groups: [BindGroup; 5],
    flying: Option<(usize, SubmissionIndex)>,
}

impl<'a> Reader<'a> {
    /// A reader that takes at most `memory` bytes on the device, for as many shares as [`Chunks::pieces`] has readers.
    ///
    /// # Errors
    /// If that is too little, or the columns are not known.
    pub fn new(
        device: &'a Device,
        chunks: &'a Chunks,
        memory: u64,
        shares: usize,
    ) -> Result<Reader<'a>, GpuError> {
        let manifest = chunks.manifest();
        if manifest.columns.is_empty() {
            return Err(aligned_ingest::pages::PagesError::NoColumns.into());
        }
        let all = manifest.used.min(device.most_flight());
        let layout = Layout::fitting(&manifest.columns, memory, device.most_bound(), all)?;
        let most = Most {
            bytes: layout.bytes,
            lane: device.most_lane(),
            texts: layout.texts,
        };
        Ok(Reader {
            device,
            chunks,
            flights: flights(chunks, shares.max(1), most)?,
            layout,
        })
    }

    /// The chunks.
    pub fn chunks(&self) -> &'a Chunks {
        self.chunks
    }

    /// Flights, and lanes in all of them.
    pub fn flights_and_lanes(&self) -> (usize, usize) {
        (self.flights.len(), self.flights.iter().map(Vec::len).sum())
    }

    /// Reads everything, and calls `progress` with the bytes that were read after each flight.
    ///
    /// # Errors
    /// What is wrong with the chunks or the device.
    pub fn read(&self, progress: &mut dyn FnMut(u64)) -> Result<(Totals, Timing), GpuError> {
        self.fly(false, &mut |_| Ok(()), progress)
    }

    /// The same; each flight's columns come back.
    pub(crate) fn read_back(
        &self,
        land: &mut dyn FnMut(&Landed<'_>) -> Result<(), GpuError>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Totals, Timing), GpuError> {
        self.fly(true, land, progress)
    }

    fn fly(
        &self,
        is_wanted: bool,
        land: &mut dyn FnMut(&Landed<'_>) -> Result<(), GpuError>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Totals, Timing), GpuError> {
        let mut run = Run {
            reader: self,
            totals: Totals::new(self.layout.columns.len()),
            of_sections: vec![0; self.chunks.manifest().sections.len()],
            timing: Timing::default(),
        };
        let lanes = self.flights.iter().map(Vec::len).max().unwrap_or(1);
        let mut slots = [(); 2].map(|()| Slot::new(self, lanes as u64, is_wanted));
        self.device.fault()?;
        let mut checksums = Checksums::new(self.chunks);
        let all = self.flights.len();
        // A flight lands before its slot is taken by the one after the next.
        for number in 0..all + 2 {
            let slot = &mut slots[number % 2];
            if let Some((landed, submission)) = slot.flying.take() {
                run.land(slot, &self.flights[landed], &submission, land)?;
                progress(self.flights[landed].iter().map(Lane::bytes).sum());
            }
            if number < all {
                let began = Instant::now();
                let submission = slot.start(self, &self.flights[number], &mut checksums)?;
                run.timing.copying += began.elapsed();
                slot.flying = Some((number, submission));
            }
        }
        checksums.reach(run.of_sections.len(), 0)?;
        for (number, (&found, section)) in run
            .of_sections
            .iter()
            .zip(&self.chunks.manifest().sections)
            .enumerate()
        {
            if found != section.rows {
                return Err(self.blame(number));
            }
        }
        Ok((run.totals, run.timing))
    }

    /// What the processor says of a section with which the device finds fault.
    fn blame(&self, number: usize) -> GpuError {
        let manifest = self.chunks.manifest();
        let section = &manifest.sections[number];
        let mut found = 0;
        for row in self.chunks.section(number).rows() {
            if let Err(error) = row {
                return ChunksError::Framing {
                    section: number,
                    error,
                }
                .into();
            }
            found += 1;
        }
        if found != section.rows {
            return ChunksError::Rows {
                section: number,
                found,
                expected: section.rows,
            }
            .into();
        }
        let whole = Piece {
            section: number,
            range: section.head..section.used - section.tail,
        };
        if let Ok(types) = types(&manifest.columns, NumericAs::Fp64) {
            let piece = self.chunks.piece(&whole);
            if let Err(error) = read_piece(&manifest.columns, &piece, &mut readers(&types)) {
                return error.into();
            }
        }
        match self.chunks.index() {
            Some(_) => ChunksError::Starts { section: number }.into(),
            None => GpuError::Wrong { section: number },
        }
    }
}

impl Slot {
    fn new(reader: &Reader<'_>, lanes: u64, is_wanted: bool) -> Slot {
        let Reader { device, layout, .. } = reader;
        let kernels = &device.kernels;
        let words = |words: u64, usage| device.buffer(4 * words, BufferUsages::STORAGE | usage);
        let (none, to, from) = (
            BufferUsages::empty(),
            BufferUsages::COPY_DST,
            BufferUsages::COPY_SRC,
        );
        let bytes = device.buffer(layout.bytes, BufferUsages::STORAGE | to);
        let lane_bounds = words(2 * lanes, to);
        let plan = words(layout.plan(0).len() as u64, to);
        let counts = words((1 + layout.texts) * lanes, from);
        let places = words((1 + layout.texts) * lanes + 2, from);
        let flags = words(FIRST_FLAG + layout.valid, to | from);
        let starts = words(layout.rows, none);
        let offsets = words(layout.texts * (layout.rows + 1), from);
        let values = words(layout.values, from);
        let text = device.buffer(layout.text(), BufferUsages::STORAGE | to | from);
        let of_sums = layout.columns.len() as u64 * u64::from(SUM_THREADS) * 3;
        let sums = words(of_sums, from);
        let group = |kernel: &ComputePipeline, bound: &[(u32, &Buffer)]| {
            let entries: Vec<_> = bound
                .iter()
                .map(|(binding, buffer)| BindGroupEntry {
                    binding: *binding,
                    resource: buffer.as_entire_binding(),
                })
                .collect();
            device.device.create_bind_group(&BindGroupDescriptor {
                label: None,
                layout: &kernel.get_bind_group_layout(0),
                entries: &entries,
            })
        };
        let all = [
            (0, &bytes),
            (1, &lane_bounds),
            (2, &plan),
            (3, &counts),
            (4, &places),
            (5, &flags),
            (6, &starts),
            (7, &offsets),
            (8, &values),
            (9, &text),
            (10, &sums),
        ];
        let of = |numbers: &[usize]| -> Vec<_> { numbers.iter().map(|&n| all[n]).collect() };
        let groups = [
            group(&kernels.count, &of(&[0, 1, 2, 3, 5])),
            group(&kernels.scan, &of(&[2, 3, 4])),
            group(&kernels.place, &of(&[0, 1, 2, 4, 6, 7])),
            group(&kernels.fill, &of(&[0, 2, 4, 5, 6, 7, 8, 9])),
            group(&kernels.add, &of(&[2, 4, 5, 7, 8, 9, 10])),
        ];
        let back = BufferUsages::MAP_READ | to;
        let columns = 4 * (layout.values + layout.valid + layout.texts * (layout.rows + 1));
        Slot {
            figures: device.buffer(4 * (FIRST_FLAG + lanes + 1 + of_sums), back),
            results: is_wanted.then(|| device.buffer(columns + layout.text() + 4, back)),
            bytes,
            lanes: lane_bounds,
            plan,
            counts,
            places,
            flags,
            offsets,
            values,
            text,
            sums,
            groups,
            flying: None,
        }
    }

    /// Copies a flight's rows to the device and begins to read them there.
    fn start(
        &mut self,
        reader: &Reader<'_>,
        flight: &[Lane],
        checksums: &mut Checksums<'_>,
    ) -> Result<SubmissionIndex, GpuError> {
        let Reader {
            device,
            layout,
            chunks,
            ..
        } = reader;
        let queue = &device.queue;
        let all: u64 = flight.iter().map(Lane::bytes).sum();
        let padded = wgpu::BufferSize::new(all.next_multiple_of(4)).ok_or(GpuError::Memory)?;
        let view = queue.write_buffer_with(&self.bytes, 0, padded);
        let Some(mut view) = view else {
            device.fault()?;
            return Err(GpuError::Memory);
        };
        let (mut at, mut bounds) = (0usize, Vec::with_capacity(2 * flight.len()));
        for lane in flight {
            let offset = chunks.manifest().sections[lane.section].offset;
            let bytes = chunks.bytes(offset + lane.range.start, lane.bytes());
            checksums.reach(lane.section, lane.range.end)?;
            let end = at + bytes.len();
            view.slice(at..end).copy_from_slice(&bytes);
            bounds.extend([at as u32, end as u32]);
            at = end;
        }
        let padding = view.len() - at;
        view.slice(at..).copy_from_slice(&[0; 4][..padding]);
        drop(view);
        let lanes = flight.len() as u64;
        let plan = layout.plan(lanes as u32);
        queue.write_buffer(&self.lanes, 0, bytemuck::cast_slice(&bounds));
        queue.write_buffer(&self.plan, 0, bytemuck::cast_slice(&plan));
        queue.write_buffer(
            &self.flags,
            0,
            bytemuck::cast_slice(&[NONE; FIRST_FLAG as usize]),
        );
        let mut encoder = device.device.create_command_encoder(&Default::default());
        encoder.clear_buffer(&self.flags, 4 * FIRST_FLAG, None);
        encoder.clear_buffer(&self.text, 0, None);
        {
            let kernels = &device.kernels;
            let by_lane = lanes.div_ceil(GROUP) as u32;
            let by_row = layout.rows.div_ceil(GROUP).clamp(1, MOST_GROUPS) as u32;
            let steps = [
                (&kernels.count, by_lane),
                (&kernels.scan, 2),
                (&kernels.place, by_lane),
                (&kernels.fill, by_row),
                (&kernels.add, SUM_THREADS / GROUP as u32),
            ];
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for ((kernel, groups), bound) in steps.into_iter().zip(&self.groups) {
                pass.set_pipeline(kernel);
                pass.set_bind_group(0, bound, &[]);
                pass.dispatch_workgroups(groups, 1, 1);
            }
        }
        let text = 4 * (lanes + 1 + layout.texts * lanes);
        let parts = [
            (&self.flags, 0, 4 * FIRST_FLAG),
            (&self.counts, 0, 4 * lanes),
            (&self.places, text, 4),
            (&self.sums, 0, self.sums.size()),
        ];
        gather(&mut encoder, &self.figures, &parts);
        let submission = queue.submit([encoder.finish()]);
        self.figures.map_async(MapMode::Read, .., |_| ());
        Ok(submission)
    }
}

/// Copies parts of buffers one behind the other: each its offset and bytes. Returns the bytes.
fn gather(encoder: &mut wgpu::CommandEncoder, to: &Buffer, parts: &[(&Buffer, u64, u64)]) -> u64 {
    parts.iter().fold(0, |at, &(from, offset, bytes)| {
        if bytes > 0 {
            encoder.copy_buffer_to_buffer(from, offset, to, at, bytes);
        }
        at + bytes
    })
}

/// What became of the flights so far.
struct Run<'a> {
    reader: &'a Reader<'a>,
    totals: Totals,
    of_sections: Vec<u64>,
    timing: Timing,
}

impl Run<'_> {
    /// Waits for a flight and takes its figures, and its columns if they are wanted.
    fn land(
        &mut self,
        slot: &mut Slot,
        flight: &[Lane],
        submission: &SubmissionIndex,
        land: &mut dyn FnMut(&Landed<'_>) -> Result<(), GpuError>,
    ) -> Result<(), GpuError> {
        let Reader { device, layout, .. } = self.reader;
        let began = Instant::now();
        device.wait(submission)?;
        self.timing.waiting += began.elapsed();
        let view = mapped(&slot.figures)?;
        let words: &[u32] = bytemuck::cast_slice(&view);
        let (flags, words) = words.split_at(FIRST_FLAG as usize);
        let (rows, words) = words.split_at(flight.len());
        if let Some(lane) = flight.get(flags[0] as usize) {
            return Err(self.reader.blame(lane.section));
        }
        if flags[1] != NONE {
            let mut end = 0;
            let has = |rows: &u32| {
                end += rows;
                flags[1] < end
            };
            let lane = rows.iter().position(has).unwrap_or(0);
            return Err(self.reader.blame(flight[lane].section));
        }
        for (lane, &rows) in flight.iter().zip(rows) {
            self.of_sections[lane.section] += u64::from(rows);
            self.totals.rows += u64::from(rows);
            self.timing.bytes += lane.bytes();
        }
        let (text, sums) = (u64::from(words[0]), &words[1..]);
        let per_column = sums.chunks_exact(3 * SUM_THREADS as usize);
        for (column, sums) in self.totals.columns.iter_mut().zip(per_column) {
            for sum in sums.as_chunks::<3>().0 {
                column.values += u64::from(sum[0]);
                let both = u64::from(sum[2]) << 32 | u64::from(sum[1]);
                column.sum = column.sum.wrapping_add(both);
            }
        }
        if let Some(results) = &slot.results {
            let all = rows.iter().map(|&rows| u64::from(rows)).sum();
            let began = Instant::now();
            slot.bring_back(device, layout, results, all, text)?;
            self.timing.waiting += began.elapsed();
            let view = mapped(results)?;
            land(&landed(layout, flight, rows, &view, all, text))?;
            drop(view);
            results.unmap();
        }
        drop(view);
        slot.figures.unmap();
        Ok(())
    }
}

/// The words of a column that so many rows take on the device: of validity, and of values or offsets.
fn words_of(kind: Kind, rows: u64) -> (u64, u64) {
    let values = match kind {
        Kind::Bytes => rows + 1,
        _ => kind.words() * rows,
    };
    (rows.div_ceil(32), values)
}

impl Slot {
    fn bring_back(
        &self,
        device: &Device,
        layout: &Layout,
        results: &Buffer,
        rows: u64,
        text: u64,
    ) -> Result<(), GpuError> {
        let mut parts = Vec::new();
        for column in &layout.columns {
            let (valid, values) = words_of(column.kind, rows);
            parts.push((&self.flags, 4 * (FIRST_FLAG + column.valid), 4 * valid));
            parts.push(match column.kind {
                Kind::Bytes => (&self.offsets, 4 * column.at * (layout.rows + 1), 4 * values),
                _ => (&self.values, 4 * column.at, 4 * values),
            });
        }
        parts.push((&self.text, 0, text.next_multiple_of(4)));
        let mut encoder = device.device.create_command_encoder(&Default::default());
        gather(&mut encoder, results, &parts);
        let submission = device.queue.submit([encoder.finish()]);
        results.map_async(MapMode::Read, .., |_| ());
        device.wait(&submission)
    }
}

fn mapped(buffer: &Buffer) -> Result<wgpu::BufferView, GpuError> {
    let view = buffer.get_mapped_range(..);
    view.map_err(|error| GpuError::Device(error.to_string()))
}

fn landed<'b>(
    layout: &Layout,
    lanes: &'b [Lane],
    of_lanes: &'b [u32],
    bytes: &'b [u8],
    rows: u64,
    text: u64,
) -> Landed<'b> {
    let mut rest = bytes;
    let mut take = |words: u64| {
        let (part, after) = rest.split_at(4 * words as usize);
        rest = after;
        bytemuck::cast_slice(part)
    };
    let columns = layout.columns.iter().map(|column| {
        let (valid, values) = words_of(column.kind, rows);
        LandedColumn {
            kind: column.kind,
            valid: take(valid),
            words: take(values),
        }
    });
    let columns = columns.collect();
    Landed {
        lanes,
        rows: of_lanes,
        columns,
        text: &rest[..text as usize],
    }
}
