//! Tables: what is left of an input that other inputs are joined with, by its key.

use join_core::memory::{Buffer, OutOfMemory, Reservation};

use super::hands::{Hands, SHARE};
use super::index::{Index, bounds_of, direct_range};
use super::keys::{KeyList, PlanKey};
use super::options::Options;
use super::resolve::{Children, Resolved};

/// An input whose rows are found by their key.
pub(super) struct ReducedTable {
    pub input: usize,
    pub content: Content,
}

/// What a table says of a key.
pub(super) enum Content {
    /// How many rows it stands for, and nothing else: key `min + i` for `counts[i]`; the last is 0.
    Counts {
        min: i64,
        range: u64,
        counts: Buffer<u32>,
    },
    /// The same of keys that are not dense: how many entries each has, or what these add up to, or one where it has any.
    HashedCounts {
        index: Index,
        weights: Option<Vec<u32>>,
        once: bool,
        _reserved: Reservation,
    },
    /// Its rows.
    Rows { index: Index, entries: Entries },
}

/// What is wanted of the rows of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Which they are.
    Rows,
    /// How many each key has.
    Counts,
    /// Which keys have any.
    Whether,
}

/// Rows of a table in the order of its index, of a root in the order of its scan.
pub(super) struct Entries {
    /// Row ids.
    pub rows: Vec<u32>,
    /// How many rows each stands for, unless one.
    pub weights: Option<Vec<u32>>,
    /// Of each table below that the result shows something of, the entries that each row is joined with.
    pub children: Children,
    /// How many result rows come of all entries before each, and of all; `None` where each makes one.
    pub before: Option<Vec<u64>>,
    /// Keeps all of it counted.
    reserved: Vec<Reservation>,
}

impl Entries {
    /// The rows of a root.
    pub fn of_root(
        resolved: Resolved,
        tables: &[ReducedTable],
        hands: Hands<'_>,
    ) -> Result<Entries, OutOfMemory> {
        let mut entries = Entries {
            rows: resolved.rows,
            weights: resolved.weights,
            children: resolved.children,
            before: None,
            reserved: resolved.reserved,
        };
        entries.sum(tables, hands)?;
        Ok(entries)
    }

    /// Result rows that come of a range of entries.
    #[inline(always)]
    pub fn results(&self, start: u32, end: u32) -> u64 {
        match &self.before {
            None => u64::from(end - start),
            Some(before) => before[end as usize] - before[start as usize],
        }
    }

    /// Sums up how many result rows come of each: of shares of them by themselves, and then of all.
    fn sum(&mut self, tables: &[ReducedTable], hands: Hands<'_>) -> Result<(), OutOfMemory> {
        if self.weights.is_none() && self.children.is_empty() {
            return Ok(());
        }
        let count = self.rows.len();
        self.reserved.push(hands.memory.reserve(8 * (count + 1))?);
        let results = |entry: usize| {
            let mut results = self.weights.as_ref().map_or(1, |w| u64::from(w[entry]));
            for (table, ranges) in &self.children {
                let [start, end] = ranges[entry];
                results = results.saturating_mul(tables[*table].entries().results(start, end));
            }
            // Beyond 2^32 the result is refused anyway; cut there, the sum of all entries cannot overflow.
            results.min(1 << 32)
        };
        let mut before = vec![0; count + 1];
        let shares = before[1..].chunks_mut(SHARE).enumerate();
        hands.each(shares, |(nth, share)| {
            let mut sum = 0;
            for (entry, before) in (nth * SHARE..).zip(share) {
                sum += results(entry);
                *before = sum;
            }
        });
        let mut sum = 0;
        let shares = before[1..].chunks_mut(SHARE).map(|share| {
            let before = sum;
            sum += share.last().copied().unwrap_or(0);
            (before, share)
        });
        hands.each(shares.skip(1), |(sum, share)| {
            share.iter_mut().for_each(|before| *before += sum);
        });
        self.before = Some(before);
        Ok(())
    }

    pub fn bytes(&self) -> usize {
        4 * self.rows.len()
            + self.weights.as_ref().map_or(0, |weights| 4 * weights.len())
            + self
                .children
                .iter()
                .map(|(_, ranges)| 8 * ranges.len())
                .sum::<usize>()
            + self.before.as_ref().map_or(0, |before| 8 * before.len())
    }
}

impl ReducedTable {
    /// A table of resolved rows by their keys.
    pub fn new(
        input: usize,
        resolved: Resolved,
        wanted: Wanted,
        options: &Options,
        tables: &[ReducedTable],
        hands: Hands<'_>,
    ) -> Result<ReducedTable, OutOfMemory> {
        let memory = hands.memory;
        let Resolved {
            rows,
            keys,
            weights,
            children,
            reserved: _resolved,
        } = resolved;
        let keys = keys.expect("an input that is no root has a key");
        let content = match &keys {
            KeyList::Int32(keys) if wanted != Wanted::Rows => {
                counts(keys, weights, wanted, options, hands)?
            }
            KeyList::Int64(keys) if wanted != Wanted::Rows => {
                counts(keys, weights, wanted, options, hands)?
            }
            _ => {
                let Options { direct, tags, .. } = *options;
                let (index, order) = match &keys {
                    KeyList::Int32(keys) => Index::new(keys, direct, tags, hands)?,
                    KeyList::Int64(keys) => Index::new(keys, direct, tags, hands)?,
                };
                let row_bytes = 4 + weights.as_ref().map_or(0, |_| 4) + 8 * children.len();
                let reserved = memory.reserve(rows.len() * row_bytes)?;
                let mut entries = Entries {
                    rows: hands.pick(&rows, &order),
                    weights: weights.map(|weights| hands.pick(&weights, &order)),
                    children: children
                        .into_iter()
                        .map(|(table, ranges)| (table, hands.pick(&ranges, &order)))
                        .collect(),
                    before: None,
                    reserved: vec![reserved],
                };
                entries.sum(tables, hands)?;
                Content::Rows { index, entries }
            }
        };
        Ok(ReducedTable { input, content })
    }

    /// The rows of a table that has them.
    pub fn entries(&self) -> &Entries {
        match &self.content {
            Content::Rows { entries, .. } => entries,
            _ => unreachable!("only tables with rows are shown in the result"),
        }
    }

    /// The tables under this one that the result shows something of.
    pub fn children(&self) -> &[(usize, Vec<[u32; 2]>)] {
        match &self.content {
            Content::Rows { entries, .. } => &entries.children,
            Content::Counts { .. } | Content::HashedCounts { .. } => &[],
        }
    }

    pub fn bytes(&self) -> usize {
        match &self.content {
            Content::Counts { counts, .. } => counts.bytes(),
            Content::HashedCounts { index, weights, .. } => {
                index.bytes() + weights.as_ref().map_or(0, |weights| 4 * weights.len())
            }
            Content::Rows { index, entries } => index.bytes() + entries.bytes(),
        }
    }

    pub fn name(&self) -> String {
        match &self.content {
            Content::Counts { .. } => "direct counts".to_owned(),
            Content::HashedCounts { .. } => "hashed counts".to_owned(),
            Content::Rows { index, .. } => format!("{} rows", index.name()),
        }
    }
}

fn counts<K: PlanKey>(
    keys: &[K],
    weights: Option<Vec<u32>>,
    wanted: Wanted,
    options: &Options,
    hands: Hands<'_>,
) -> Result<Content, OutOfMemory> {
    let chunks: Vec<&[K]> = keys.chunks(SHARE).collect();
    let bounds = bounds_of(&chunks, hands).unwrap_or_default();
    let Some(range) = direct_range(bounds, keys.len()).filter(|_| options.direct) else {
        let (index, order) = Index::new(keys, false, options.tags, hands)?;
        let bytes = weights.as_ref().map_or(0, |weights| 4 * weights.len());
        let reserved = hands.memory.reserve(bytes)?;
        return Ok(Content::HashedCounts {
            index,
            weights: weights.map(|weights| hands.pick(&weights, &order)),
            once: wanted == Wanted::Whether,
            _reserved: reserved,
        });
    };
    let min = bounds.0.wide();
    let size = (range as usize + 1, keys.len());
    let slot = |key: K| key.distance(min) as usize;
    // Beyond 2^32 the result is refused anyway.
    let sum = |a: u32, b: u32| a.saturating_add(b);
    let counts = match weights {
        _ if wanted == Wanted::Whether => {
            let note = |counts: &mut [u32], keys: &[K]| {
                keys.iter().for_each(|&key| counts[slot(key)] = 1);
            };
            hands.noted(chunks, size, note, u32::max)?
        }
        None => {
            let note = |counts: &mut [u32], keys: &[K]| {
                keys.iter().for_each(|&key| counts[slot(key)] += 1);
            };
            hands.noted(chunks, size, note, sum)?
        }
        Some(weights) => {
            let parts = chunks.into_iter().zip(weights.chunks(SHARE));
            let note = |counts: &mut [u32], (keys, weights): (&[K], &[u32])| {
                for (&key, &weight) in keys.iter().zip(weights) {
                    let count = &mut counts[slot(key)];
                    *count = sum(*count, weight);
                }
            };
            hands.noted(parts, size, note, sum)?
        }
    };
    Ok(Content::Counts { min, range, counts })
}
