//! Joining what is left of an input with the tables of its classes.
//!
//! Nothing is multiplied out: a row keeps the range of entries that it is joined with in each table, so what is made
//! here is never larger than the input (a factorised result: Bakibayev, Olteanu, Závodný, VLDB 2012).

use std::ops::Range;

use join_core::memory::{OutOfMemory, Reservation};
use join_core::parallel::Tasks;

use super::hands::Hands;
use super::keys::{KeyList, PlanKey};
use super::scan::{Chunk, Reduced};
use super::table::{Content, ReducedTable};

/// Rows of a block: its arrays stay in the L1 cache.
const BLOCK: usize = 1024;

/// Bytes of a row of a block, beside its ranges: its place, before and after a probe, and its weight.
const BLOCK_ROW_BYTES: usize = 12;

/// Rows of a task.
const TASK: usize = 1 << 14;

/// Of tables that the result shows something of, the entries that each row is joined with.
pub(super) type Children = Vec<(usize, Vec<[u32; 2]>)>;

/// Rows that are joined with all tables below.
#[derive(Default)]
pub(super) struct Resolved {
    pub rows: Vec<u32>,
    /// Their keys in the class above, where there is one.
    pub keys: Option<KeyList>,
    /// How many rows each stands for, unless one.
    pub weights: Option<Vec<u32>>,
    pub children: Children,
    /// Keeps all of it counted.
    pub reserved: Vec<Reservation>,
}

/// A table to be probed, and the input's key to probe it with.
pub(super) struct Probe<'t> {
    pub number: usize,
    pub table: &'t ReducedTable,
    pub key: usize,
}

/// Joins `reduced`, which has rows, with the tables of `probes`; keeps the keys of number `above`.
pub(super) fn resolve(
    reduced: Reduced,
    probes: &[Probe<'_>],
    above: Option<usize>,
    hands: Hands<'_>,
) -> Result<Resolved, OutOfMemory> {
    let Hands {
        workers,
        team,
        memory,
    } = hands;
    // What several workers found is put together in memory of its own.
    let copies = usize::from(reduced.chunks.len() > 1 || workers > 1);
    if probes.is_empty() {
        let _parts = memory.reserve(copies * reduced.bytes())?;
        let mut chunks = reduced.chunks.into_iter().map(|mut chunk| Resolved {
            rows: chunk.rows,
            keys: above.map(|above| chunk.keys.swap_remove(above)),
            ..Resolved::default()
        });
        let mut all = chunks.next().unwrap_or_default();
        all.make_room(reduced.len);
        chunks.for_each(|more| all.append(more));
        all.reserved = reduced.reserved;
        return Ok(all);
    }
    let key_bytes = above.map_or(0, |above| reduced.chunks[0].keys[above].width());
    let shown = probes.iter().filter(|probe| probe.shows_rows()).count();
    let counted = usize::from(shown < probes.len());
    let row_bytes = 4 + key_bytes + 4 * counted + 8 * shown;
    let reserved = memory.reserve(reduced.len * row_bytes)?;
    let _parts = memory.reserve(copies * reduced.len * row_bytes)?;
    let block = BLOCK.min(reduced.len);
    let _blocks = memory.reserve(workers * block * (BLOCK_ROW_BYTES + 8 * shown))?;
    let parts = reduced.chunks.iter().flat_map(|chunk| {
        let rows = chunk.rows.len();
        (0..rows.div_ceil(TASK)).map(move |task| (chunk, task * TASK..rows.min((task + 1) * TASK)))
    });
    let tasks = Tasks::new(parts);
    // The first takes over what the others have found.
    let rooms = (0..workers).map(|worker| match worker {
        0 => reduced.len,
        _ => reduced.len / workers,
    });
    let found = team.run(rooms.collect(), |_, room| {
        let mut resolver = Resolver::new(probes, above, block, room);
        while let Some((_, (chunk, rows))) = tasks.take() {
            for start in rows.clone().step_by(BLOCK) {
                resolver.block(chunk, start..rows.end.min(start + BLOCK));
            }
        }
        resolver.out
    });
    let mut found = found.into_iter();
    let mut all = found.next().unwrap_or_default();
    found.for_each(|more| all.append(more));
    all.reserved.push(reserved);
    Ok(all)
}

impl Resolved {
    /// Makes room for so many rows in all, where there are only rows and keys.
    fn make_room(&mut self, rows: usize) {
        let more = rows - self.rows.len();
        self.rows.reserve_exact(more);
        if let Some(keys) = &mut self.keys {
            keys.reserve(more);
        }
    }

    fn append(&mut self, mut more: Resolved) {
        self.rows.append(&mut more.rows);
        match (&mut self.keys, &mut more.keys) {
            (Some(KeyList::Int32(keys)), Some(KeyList::Int32(more))) => keys.append(more),
            (Some(KeyList::Int64(keys)), Some(KeyList::Int64(more))) => keys.append(more),
            (keys @ None, Some(_)) => *keys = more.keys,
            _ => {}
        }
        if let (Some(weights), Some(more)) = (&mut self.weights, &mut more.weights) {
            weights.append(more);
        }
        for ((_, ranges), (_, more)) in self.children.iter_mut().zip(&mut more.children) {
            ranges.append(more);
        }
    }
}

/// One worker's share.
struct Resolver<'t> {
    probes: &'t [Probe<'t>],
    above: Option<usize>,
    room: usize,
    out: Resolved,
    /// Places in the block that are left.
    places: Vec<u32>,
    next: Vec<u32>,
    weights: Vec<u32>,
    ranges: Vec<Vec<[u32; 2]>>,
}

impl<'t> Resolver<'t> {
    /// A resolver of blocks of at most `block` rows, of which about `room` will be left.
    fn new(
        probes: &'t [Probe<'t>],
        above: Option<usize>,
        block: usize,
        room: usize,
    ) -> Resolver<'t> {
        let shown = probes.iter().filter(|probe| probe.shows_rows());
        let counted = probes.iter().any(|probe| !probe.shows_rows());
        let children = shown.map(|probe| (probe.number, Vec::with_capacity(room)));
        let children: Children = children.collect();
        Resolver {
            probes,
            above,
            places: Vec::with_capacity(block),
            next: Vec::with_capacity(block),
            weights: vec![1; block],
            ranges: vec![vec![[0; 2]; block]; children.len()],
            room,
            out: Resolved {
                rows: Vec::with_capacity(room),
                weights: counted.then(|| Vec::with_capacity(room)),
                children,
                ..Resolved::default()
            },
        }
    }

    fn block(&mut self, chunk: &Chunk, rows: Range<usize>) {
        self.places.clear();
        self.places.extend(0..rows.len() as u32);
        if self.out.weights.is_some() {
            self.weights[..rows.len()].fill(1);
        }
        let mut ranges = self.ranges.iter_mut();
        for probe in self.probes {
            let shown = if probe.shows_rows() {
                ranges.next()
            } else {
                None
            };
            self.next.clear();
            let target = Target {
                places: &self.places,
                next: &mut self.next,
                weights: &mut self.weights,
                ranges: shown.map(|ranges| &mut ranges[..]),
            };
            match &chunk.keys[probe.key] {
                KeyList::Int32(keys) => target.probe(probe.table, &keys[rows.clone()]),
                KeyList::Int64(keys) => target.probe(probe.table, &keys[rows.clone()]),
            }
            std::mem::swap(&mut self.places, &mut self.next);
            if self.places.is_empty() {
                return;
            }
        }
        let places = self.places.iter().map(|&place| place as usize);
        let (out, room) = (&mut self.out, self.room);
        out.rows
            .extend(places.clone().map(|place| chunk.rows[rows.start + place]));
        if let Some(above) = self.above {
            match &chunk.keys[above] {
                KeyList::Int32(keys) => {
                    let list = out
                        .keys
                        .get_or_insert_with(|| KeyList::Int32(Vec::with_capacity(room)));
                    let keys = &keys[rows.clone()];
                    i32::of_mut(list).extend(places.clone().map(|place| keys[place]));
                }
                KeyList::Int64(keys) => {
                    let list = out
                        .keys
                        .get_or_insert_with(|| KeyList::Int64(Vec::with_capacity(room)));
                    let keys = &keys[rows.clone()];
                    i64::of_mut(list).extend(places.clone().map(|place| keys[place]));
                }
            }
        }
        if let Some(weights) = &mut out.weights {
            weights.extend(places.clone().map(|place| self.weights[place]));
        }
        for ((_, list), ranges) in out.children.iter_mut().zip(&self.ranges) {
            list.extend(places.clone().map(|place| ranges[place]));
        }
    }
}

impl Probe<'_> {
    /// Whether rows of the table appear in the result; if not, they are counted.
    fn shows_rows(&self) -> bool {
        matches!(self.table.content, Content::Rows { .. })
    }
}

/// Where the outcome of one probe of a block goes.
struct Target<'b> {
    places: &'b [u32],
    next: &'b mut Vec<u32>,
    weights: &'b mut [u32],
    ranges: Option<&'b mut [[u32; 2]]>,
}

impl Target<'_> {
    fn probe<K: PlanKey>(self, table: &ReducedTable, keys: &[K]) {
        let Target {
            places,
            next,
            weights,
            ranges,
        } = self;
        match &table.content {
            Content::Counts { min, range, counts } => {
                for &place in places {
                    let slot = keys[place as usize].distance(*min).min(*range);
                    let count = counts[slot as usize];
                    if count > 0 {
                        let weight = &mut weights[place as usize];
                        *weight = weight.saturating_mul(count);
                        next.push(place);
                    }
                }
            }
            Content::HashedCounts {
                index,
                weights: entries,
                once,
                ..
            } => index.lookup(keys, places, |place, start, end| {
                let count = match entries {
                    _ if *once => 1,
                    None => end - start,
                    Some(entries) => entries[start as usize..end as usize]
                        .iter()
                        .fold(0, |sum: u32, &weight| sum.saturating_add(weight)),
                };
                let weight = &mut weights[place as usize];
                *weight = weight.saturating_mul(count);
                next.push(place);
            }),
            Content::Rows { index, .. } => {
                let ranges = ranges.expect("tables with rows have ranges");
                index.lookup(keys, places, |place, start, end| {
                    ranges[place as usize] = [start, end];
                    next.push(place);
                });
            }
        }
    }
}
