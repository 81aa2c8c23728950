//! The repair that the chunk loader's page offers instead of aligned slots: readers take fixed sections of a stream and look for
//! a row start near each boundary (S5).
//!
//! The format has no mark to look for, so a place is *taken for* a row start when as many rows as asked for can be read
//! from there. It works where the bytes of rows follow one another (one worker, or flushes of whole rows) and the
//! columns leave little to chance; nothing repairs a row whose other half another worker's flush has separated from it.
//! [`measure`] says how often it fails.

use std::ops::Range;

use crate::chunks::Chunks;
use crate::framing::{Event, Framing, Limits, Row};

/// What a row must look like.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Fields of a row.
    pub fields: u16,
    /// For each field the length that it must have unless it is NULL; empty where the types are not known.
    pub widths: Vec<Option<u32>>,
    /// The longest row.
    pub row_bytes: u64,
    /// Rows that must follow one another for their first to be taken for one.
    pub confirm: u32,
}

impl Rule {
    /// The length of a row at the start of `bytes`.
    fn row(&self, bytes: &[u8]) -> Option<usize> {
        let limits = Limits {
            row_bytes: self.row_bytes,
            fields: Some(self.fields),
        };
        let Ok((length, Some(Event::Row))) = Framing::at_row(limits, 0).next(bytes) else {
            return None;
        };
        let row = Row {
            offset: 0,
            bytes: &bytes[..length],
        };
        let fits = |(field, width): (Option<&[u8]>, &Option<u32>)| match (field, width) {
            (Some(value), Some(width)) => value.len() == *width as usize,
            _ => true,
        };
        row.fields().zip(&self.widths).all(fits).then_some(length)
    }

    /// Whether rows can be read from here.
    fn is_start(&self, bytes: &[u8]) -> bool {
        let mut at = 0;
        for _ in 0..self.confirm {
            if at == bytes.len() {
                return at > 0;
            }
            match self.row(&bytes[at..]) {
                Some(length) => at += length,
                None => return false,
            }
        }
        true
    }

    /// Bytes behind a section that its reader may need: no row that begins in it needs more, nor do those that confirm it.
    pub fn reach(&self) -> u64 {
        self.row_bytes.saturating_mul(self.confirm.max(1).into())
    }

    fn next_start(&self, bytes: &[u8], range: Range<usize>) -> Option<usize> {
        range.into_iter().find(|&at| self.is_start(&bytes[at..]))
    }

    /// The starts of the rows that a reader finds who is given `section` of `bytes`: those that start in it. At its
    /// start it takes a row for granted if it is `known` to begin one. Where a row cannot be read it looks for the next
    /// start.
    pub fn read(&self, bytes: &[u8], section: Range<usize>, known: bool) -> Vec<usize> {
        let mut starts = Vec::new();
        let mut at = if known {
            Some(section.start)
        } else {
            self.next_start(bytes, section.clone())
        };
        while let Some(start) = at.filter(|&at| at < section.end) {
            at = match self.row(&bytes[start..]) {
                Some(length) => {
                    starts.push(start);
                    Some(start + length)
                }
                None => self.next_start(bytes, start + 1..section.end),
            };
        }
        starts
    }
}

/// How the repair fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Sections that were read.
    pub sections: u64,
    /// Sections with a row too many, too few, or mangled.
    pub wrong_sections: u64,
    /// Rows that are there.
    pub rows: u64,
    /// Rows that were not found.
    pub lost: u64,
    /// Places that were taken for rows and are none.
    pub invented: u64,
    /// Rows that were found and end with another worker's bytes, with nothing to show it.
    pub mangled: u64,
}

/// A row of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrueRow {
    /// Where it starts.
    pub start: usize,
    /// Whether all its bytes follow.
    pub intact: bool,
}

/// The rows of chunks by the address of their first byte, as their manifest knows them. The chunks must have been
/// verified.
pub fn truth(chunks: &Chunks) -> Vec<TrueRow> {
    let sections = &chunks.manifest().sections;
    let mut rows = Vec::new();
    for (number, section) in sections.iter().enumerate() {
        let first = (section.offset + section.head) as usize;
        let whole = chunks.section(number);
        rows.extend(whole.rows().flatten().map(|row| TrueRow {
            start: first + row.offset,
            intact: true,
        }));
        if section.tail > 0 {
            let end = section.offset + section.used;
            rows.push(TrueRow {
                start: (end - section.tail) as usize,
                intact: sections
                    .get(number + 1)
                    .is_some_and(|next| next.worker == section.worker && next.offset == end),
            });
        }
    }
    rows
}

/// The sections of so many bytes that readers take, without those in which nothing was written; and how many those are.
pub fn sections(chunks: &Chunks, section: u64) -> (Vec<Range<u64>>, u64) {
    let written = &chunks.manifest().sections;
    let end = written.last().map_or(0, |last| last.offset + last.used);
    let (mut all, mut empty, mut from, section) = (Vec::new(), 0, 0, section.max(1));
    while from < end {
        let to = end.min(from + section);
        all.push(from..to);
        let next = written.partition_point(|section| section.offset + section.used <= to);
        let next = written.get(next).map_or(end, |section| section.offset);
        let skipped = next.saturating_sub(to) / section;
        empty += skipped;
        from = to + skipped * section;
    }
    (all, empty)
}

/// Reads chunks in sections of `section` bytes and compares with all rows of them.
pub fn measure(chunks: &Chunks, truth: &[TrueRow], section: u64, rule: &Rule) -> Failures {
    let (all, empty) = sections(chunks, section);
    // In what is empty there is nothing to be found: a row has fields.
    let mut failures = Failures {
        sections: empty,
        ..Failures::default()
    };
    let end = all.last().map_or(0, |last| last.end);
    for own in all {
        let length = own.end - own.start;
        let bytes = (end - own.start).min(length.saturating_add(rule.reach()));
        let bytes = chunks.bytes(own.start, bytes);
        let found = rule.read(&bytes, 0..length as usize, own.start == 0);
        failures.add(&found, own, truth);
    }
    failures
}

impl Failures {
    /// Counts what was found in a section: places from its start on, in order.
    pub fn add(&mut self, found: &[usize], section: Range<u64>, truth: &[TrueRow]) {
        let start = section.start as usize;
        let first = truth.partition_point(|row| row.start < start);
        let last = truth.partition_point(|row| row.start < section.end as usize);
        let there = &truth[first..last];
        let right: Vec<&TrueRow> = there
            .iter()
            .filter(|row| found.binary_search(&(row.start - start)).is_ok())
            .collect();
        let (lost, invented) = (there.len() - right.len(), found.len() - right.len());
        let mangled = right.iter().filter(|row| !row.intact).count();
        self.sections += 1;
        self.wrong_sections += u64::from(lost + invented + mangled > 0);
        self.mangled += mangled as u64;
        self.rows += there.len() as u64;
        self.lost += lost as u64;
        self.invented += invented as u64;
    }
}
