//! The flights: two at a time, one on its way to the device while the other is read there.

use std::time::{Duration, Instant};

use aligned_ingest::overlap::{Failures, TrueRow, sections};
use aligned_ingest::pages::{NumericAs, read_piece, readers, types};
use aligned_ingest::{Chunks, ChunksError, Piece};
use wgpu::{BindGroup, Buffer, BufferUsages, MapMode, SubmissionIndex};

use crate::GpuError;
use crate::device::{Device, mapped};
use crate::flight::{Checksums, Lane, Most, Search, flights};
use crate::keys::{DeviceKeys, KeyPart};
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
    /// How rows are looked for, where the manifest is not to say where they start.
    search: Option<Search>,
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

/// What becomes of the columns, beside their sums.
enum Wanted<'w> {
    Sums,
    /// They come back, flight by flight.
    Back(&'w mut dyn FnMut(&Landed<'_>) -> Result<(), GpuError>),
    /// One of them stays on the device.
    Keys(usize, &'w mut DeviceKeys),
    /// Where rows start comes back in place of them: for each lane, from its first byte on.
    Starts(&'w mut dyn FnMut(&Lane, &[usize])),
}

/// The buffers of a flight on the device.
struct Slot {
    bytes: Buffer,
    lanes: Buffer,
    /// Where rows are looked for: how far each lane may look, and by which rule.
    reaches: Buffer,
    search: Buffer,
    plan: Buffer,
    counts: Buffer,
    places: Buffer,
    flags: Buffer,
    starts: Buffer,
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
        let used = chunks.manifest().used;
        Self::with(device, chunks, memory, used, None, |most| {
            flights(chunks, shares.max(1), most)
        })
    }

    /// A reader that does without the manifest's sections and the index, and looks for rows near the start of each of its
    /// own.
    ///
    /// # Errors
    /// If the memory is too little for a section, or the columns are not known.
    pub fn searching(
        device: &'a Device,
        chunks: &'a Chunks,
        memory: u64,
        search: Search,
    ) -> Result<Reader<'a>, GpuError> {
        let (all, _) = sections(chunks, search.section);
        let all = (all.len() as u64 * search.of_lane()).saturating_add(search.reach());
        Self::with(device, chunks, memory, all, Some(search), |most| {
            search.flights(chunks, most)
        })
    }

    fn with(
        device: &'a Device,
        chunks: &'a Chunks,
        memory: u64,
        all: u64,
        search: Option<Search>,
        flights: impl FnOnce(Most) -> Result<Vec<Vec<Lane>>, GpuError>,
    ) -> Result<Reader<'a>, GpuError> {
        let columns = &chunks.manifest().columns;
        if columns.is_empty() {
            return Err(aligned_ingest::pages::PagesError::NoColumns.into());
        }
        let all = all.min(device.most_flight());
        let layout = Layout::fitting(columns, memory, device.most_bound(), all)?;
        let most = Most {
            bytes: layout.bytes,
            lane: device.most_lane(),
            texts: layout.texts,
        };
        Ok(Reader {
            device,
            chunks,
            flights: flights(most)?,
            search,
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

    /// Bytes on the device per byte of rows that its fullest flight has there.
    pub fn memory_per_byte(&self) -> f64 {
        let of_flight = |flight: &Vec<Lane>| flight.iter().map(Lane::bytes).sum::<u64>();
        let fullest = self.flights.iter().map(of_flight).max().unwrap_or(0);
        self.layout.memory() as f64 / fullest.max(1) as f64
    }

    /// Reads everything, and calls `progress` with the bytes that were read after each flight.
    ///
    /// # Errors
    /// What is wrong with the chunks or the device.
    pub fn read(&self, progress: &mut dyn FnMut(u64)) -> Result<(Totals, Timing), GpuError> {
        self.fly(&mut Wanted::Sums, progress)
    }

    /// The same; the column of this name stays on the device, beside what the reader takes there.
    ///
    /// # Errors
    /// If there is none, or it is no key; what is wrong with the chunks or the device.
    pub fn read_keys(
        &self,
        name: &str,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(DeviceKeys, Timing), GpuError> {
        let mut named = self.chunks.manifest().columns.iter();
        let column = named.position(|column| column.name == name);
        let column = column.ok_or_else(|| GpuError::NoColumn(name.to_owned()))?;
        let kind = self.layout.columns[column].kind;
        if matches!(kind, Kind::Bytes | Kind::Float4 | Kind::Float8) {
            return Err(GpuError::NoKeys(name.to_owned()));
        }
        let mut keys = DeviceKeys::new(kind.words() as u32);
        let mut wanted = Wanted::Keys(column, &mut keys);
        let (_, timing) = self.fly(&mut wanted, progress)?;
        Ok((keys, timing))
    }

    /// The same; each flight's columns come back.
    pub(crate) fn read_back(
        &self,
        land: &mut dyn FnMut(&Landed<'_>) -> Result<(), GpuError>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Totals, Timing), GpuError> {
        self.fly(&mut Wanted::Back(land), progress)
    }

    /// How a search fares on the device, as [`measure`](aligned_ingest::overlap::measure) says of the processor's with
    /// known types, and where the time went. `truth` is that of the same module.
    ///
    /// # Errors
    /// As [`Reader::searching`]; if the device fails.
    pub fn measure(
        device: &'a Device,
        chunks: &'a Chunks,
        memory: u64,
        search: Search,
        truth: &[TrueRow],
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Failures, Timing), GpuError> {
        let reader = Self::searching(device, chunks, memory, search)?;
        let (_, empty) = sections(chunks, search.section);
        let mut failures = Failures {
            sections: empty,
            ..Failures::default()
        };
        let mut take =
            |lane: &Lane, found: &[usize]| failures.add(found, lane.range.clone(), truth);
        let (_, timing) = reader.fly(&mut Wanted::Starts(&mut take), progress)?;
        Ok((failures, timing))
    }

    fn fly(
        &self,
        wanted: &mut Wanted<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Totals, Timing), GpuError> {
        let mut run = Run {
            reader: self,
            totals: Totals::new(self.layout.columns.len()),
            of_sections: vec![0; self.chunks.manifest().sections.len()],
            timing: Timing::default(),
        };
        let lanes = self.flights.iter().map(Vec::len).max().unwrap_or(1);
        let mut slots = [(); 2].map(|()| Slot::new(self, lanes as u64, wanted));
        self.device.fault()?;
        let mut checksums = Checksums::new(self.chunks);
        let all = self.flights.len();
        // A flight lands before its slot is taken by the one after the next.
        for number in 0..all + 2 {
            let slot = &mut slots[number % 2];
            if let Some((landed, submission)) = slot.flying.take() {
                run.land(slot, &self.flights[landed], &submission, wanted)?;
                progress(self.flights[landed].iter().map(Lane::bytes).sum());
            }
            if number < all {
                let began = Instant::now();
                let submission = slot.start(self, &self.flights[number], &mut checksums)?;
                run.timing.copying += began.elapsed();
                slot.flying = Some((number, submission));
            }
        }
        if self.search.is_some() {
            return Ok((run.totals, run.timing));
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
        let pieces = self.chunks.pieces(usize::MAX).into_iter();
        let mut pieces = pieces.filter(|piece| piece.section == number);
        match pieces.all(|piece| self.chunks.piece(&piece).rows().all(|row| row.is_ok())) {
            true => GpuError::Wrong { section: number },
            false => ChunksError::Starts { section: number }.into(),
        }
    }
}

impl Slot {
    fn new(reader: &Reader<'_>, lanes: u64, wanted: &Wanted<'_>) -> Slot {
        let Reader { device, layout, .. } = reader;
        let kernels = &device.kernels;
        let words = |words: u64, usage| device.buffer(4 * words, BufferUsages::STORAGE | usage);
        let (to, from) = (BufferUsages::COPY_DST, BufferUsages::COPY_SRC);
        let bytes = device.buffer(layout.bytes, BufferUsages::STORAGE | to);
        let lane_bounds = words(2 * lanes, to);
        let searched = if reader.search.is_some() { lanes } else { 0 };
        let reaches = words(2 * searched, to);
        let search = words(2, to);
        let plan = words(layout.plan(0).len() as u64, to);
        let counts = words((1 + layout.texts) * lanes, from);
        let places = words((1 + layout.texts) * lanes + 2, from);
        let flags = words(FIRST_FLAG + layout.valid, to | from);
        let starts = words(layout.rows, from);
        let offsets = words(layout.texts * (layout.rows + 1), from);
        let values = words(layout.values, from);
        let text = device.buffer(layout.text(), BufferUsages::STORAGE | to | from);
        let of_sums = layout.columns.len() as u64 * u64::from(SUM_THREADS) * 3;
        let sums = words(of_sums, from);
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
            (11, &search),
            (12, &reaches),
        ];
        let of = |numbers: &[usize]| -> Vec<_> { numbers.iter().map(|&n| all[n]).collect() };
        let (counting, placing) = match reader.search {
            Some(_) => (
                device.group(&kernels.count_overlapped, &of(&[0, 1, 2, 3, 5, 11, 12])),
                device.group(&kernels.place_overlapped, &of(&[0, 1, 2, 4, 6, 7, 11, 12])),
            ),
            None => (
                device.group(&kernels.count, &of(&[0, 1, 2, 3, 5])),
                device.group(&kernels.place, &of(&[0, 1, 2, 4, 6, 7])),
            ),
        };
        let groups = [
            counting,
            device.group(&kernels.scan, &of(&[2, 3, 4])),
            placing,
            device.group(&kernels.fill, &of(&[0, 2, 4, 5, 6, 7, 8, 9])),
            device.group(&kernels.add, &of(&[2, 4, 5, 7, 8, 9, 10])),
        ];
        let back = BufferUsages::MAP_READ | to;
        let columns = 4 * (layout.values + layout.valid + layout.texts * (layout.rows + 1));
        Slot {
            figures: device.buffer(4 * (FIRST_FLAG + lanes + 1 + of_sums), back),
            results: match wanted {
                Wanted::Back(_) => Some(device.buffer(columns + layout.text() + 4, back)),
                Wanted::Starts(_) => Some(device.buffer(4 * layout.rows, back)),
                Wanted::Sums | Wanted::Keys(..) => None,
            },
            bytes,
            lanes: lane_bounds,
            reaches,
            search,
            plan,
            counts,
            places,
            flags,
            starts,
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
        let bounds = match &reader.search {
            Some(search) => self.copy_stretch(device, chunks, flight, search)?,
            None => self.copy_rows(device, chunks, flight, checksums)?,
        };
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
            let (count, place) = match reader.search {
                Some(_) => (&kernels.count_overlapped, &kernels.place_overlapped),
                None => (&kernels.count, &kernels.place),
            };
            let steps = [
                (count, by_lane),
                (&kernels.scan, 2),
                (place, by_lane),
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

impl Slot {
    /// Where bytes of rows are copied to, so many of them.
    fn view(&self, device: &Device, bytes: u64) -> Result<wgpu::QueueWriteBufferView, GpuError> {
        let padded = wgpu::BufferSize::new(bytes.next_multiple_of(4)).ok_or(GpuError::Memory)?;
        let view = device.queue.write_buffer_with(&self.bytes, 0, padded);
        device.fault()?;
        let mut view = view.ok_or(GpuError::Memory)?;
        let padding = view.len() - bytes as usize;
        view.slice(bytes as usize..)
            .copy_from_slice(&[0; 4][..padding]);
        Ok(view)
    }

    /// Copies the lanes of a flight, one behind the other. Returns where they start and end.
    fn copy_rows(
        &self,
        device: &Device,
        chunks: &Chunks,
        flight: &[Lane],
        checksums: &mut Checksums<'_>,
    ) -> Result<Vec<u32>, GpuError> {
        let mut view = self.view(device, flight.iter().map(Lane::bytes).sum())?;
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
        Ok(bounds)
    }

    /// Copies the sections of a flight and what its last one may reach. Returns where they start and end.
    fn copy_stretch(
        &self,
        device: &Device,
        chunks: &Chunks,
        flight: &[Lane],
        search: &Search,
    ) -> Result<Vec<u32>, GpuError> {
        let from = flight.first().map_or(0, |lane| lane.range.start);
        let written = chunks.manifest().sections.last();
        let end = written.map_or(0, |last| last.offset + last.used);
        let reach = |lane: &Lane| end.min(lane.range.end.saturating_add(search.reach()));
        let to = flight.last().map_or(from, reach);
        let mut view = self.view(device, to - from)?;
        let bytes = chunks.bytes(from, to - from);
        view.slice(..bytes.len()).copy_from_slice(&bytes);
        let place = |address: u64| (address - from) as u32;
        let bounds = flight.iter().map(|lane| &lane.range);
        let bounds = bounds.flat_map(|range| [place(range.start), place(range.end)]);
        let reaches = flight
            .iter()
            .flat_map(|lane| [place(reach(lane)), u32::from(lane.range.start == 0)]);
        let reaches: Vec<u32> = reaches.collect();
        let queue = &device.queue;
        queue.write_buffer(&self.reaches, 0, bytemuck::cast_slice(&reaches));
        queue.write_buffer(
            &self.search,
            0,
            bytemuck::cast_slice(&[search.confirm, search.longest as u32]),
        );
        Ok(bounds.collect())
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
        wanted: &mut Wanted<'_>,
    ) -> Result<(), GpuError> {
        let Reader { device, layout, .. } = self.reader;
        let began = Instant::now();
        device.wait(submission)?;
        self.timing.waiting += began.elapsed();
        let view = mapped(&slot.figures)?;
        let words: &[u32] = bytemuck::cast_slice(&view);
        let (flags, words) = words.split_at(FIRST_FLAG as usize);
        let (rows, words) = words.split_at(flight.len());
        let is_searching = self.reader.search.is_some();
        if let Some(lane) = flight.get(flags[0] as usize) {
            let address = lane.range.start;
            return Err(match is_searching {
                true => GpuError::Unfinished { address },
                false => self.reader.blame(lane.section),
            });
        }
        // What is no row may have any values.
        if flags[1] != NONE && !is_searching {
            let mut end = 0;
            let has = |rows: &u32| {
                end += rows;
                flags[1] < end
            };
            let lane = rows.iter().position(has).unwrap_or(0);
            return Err(self.reader.blame(flight[lane].section));
        }
        for (lane, &rows) in flight.iter().zip(rows) {
            if !is_searching {
                self.of_sections[lane.section] += u64::from(rows);
            }
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
        let all = rows.iter().map(|&rows| u64::from(rows)).sum();
        if let Wanted::Keys(column, keys) = wanted {
            slot.keep(device, layout, *column, keys.extend(device, all)?);
        }
        if let Some(results) = &slot.results {
            let began = Instant::now();
            slot.bring_back(device, layout, results, all, text, wanted)?;
            self.timing.waiting += began.elapsed();
            let view = mapped(results)?;
            match wanted {
                Wanted::Back(land) => land(&landed(layout, flight, rows, &view, all, text))?,
                Wanted::Starts(take) => of_lanes(flight, rows, bytemuck::cast_slice(&view), *take),
                Wanted::Sums | Wanted::Keys(..) => {}
            }
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
    /// Copies a column's values to where they stay.
    fn keep(&self, device: &Device, layout: &Layout, column: usize, to: &KeyPart) {
        let column = layout.columns[column];
        let (valid, values) = words_of(column.kind, to.rows());
        let mut encoder = device.device.create_command_encoder(&Default::default());
        if to.rows() > 0 {
            let from = 4 * (FIRST_FLAG + column.valid);
            encoder.copy_buffer_to_buffer(&self.flags, from, &to.valid, 0, 4 * valid);
            encoder.copy_buffer_to_buffer(&self.values, 4 * column.at, &to.keys, 0, 4 * values);
        }
        device.queue.submit([encoder.finish()]);
    }

    fn bring_back(
        &self,
        device: &Device,
        layout: &Layout,
        results: &Buffer,
        rows: u64,
        text: u64,
        wanted: &Wanted<'_>,
    ) -> Result<(), GpuError> {
        let (mut parts, mut columns) = (Vec::new(), &layout.columns[..]);
        if let Wanted::Starts(_) = wanted {
            parts.push((&self.starts, 0, 4 * rows));
            columns = &[];
        }
        for column in columns {
            let (valid, values) = words_of(column.kind, rows);
            parts.push((&self.flags, 4 * (FIRST_FLAG + column.valid), 4 * valid));
            parts.push(match column.kind {
                Kind::Bytes => (&self.offsets, 4 * column.at * (layout.rows + 1), 4 * values),
                _ => (&self.values, 4 * column.at, 4 * values),
            });
        }
        if !columns.is_empty() {
            parts.push((&self.text, 0, text.next_multiple_of(4)));
        }
        let mut encoder = device.device.create_command_encoder(&Default::default());
        gather(&mut encoder, results, &parts);
        let submission = device.queue.submit([encoder.finish()]);
        results.map_async(MapMode::Read, .., |_| ());
        device.wait(&submission)
    }
}

/// Hands on where the rows of each lane start.
fn of_lanes(lanes: &[Lane], rows: &[u32], starts: &[u32], take: &mut dyn FnMut(&Lane, &[usize])) {
    let from = lanes.first().map_or(0, |lane| lane.range.start);
    let mut rest = starts;
    for (lane, &rows) in lanes.iter().zip(rows) {
        let (own, after) = rest.split_at(rows as usize);
        let begin = (lane.range.start - from) as usize;
        let own: Vec<usize> = own.iter().map(|&start| start as usize - begin).collect();
        take(lane, &own);
        rest = after;
    }
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
