//! The inner loop of a radix partitioning: each 8-byte tuple goes to the end of the partition that
//! its top bits name.
//!
//! The write-combined form collects a cache line a partition in a buffer that stays in cache and
//! streams full lines out ("software write-combining", Wassenberg and Sanders 2011; Balkesen et
//! al. 2013): no read for ownership, and one TLB lookup a line rather than one a tuple.

use super::region::{LINE_WORDS, Line};
use super::sequential::{stream, stream_done};

/// One thread's partitions: where each begins in its output, and where the next tuple goes.
#[derive(Debug)]
pub struct Partitions {
    bits: u32,
    /// In tuples, each a multiple of a line; one more than there are partitions.
    starts: Vec<usize>,
    cursors: Vec<usize>,
    buffers: Vec<Line>,
}

impl Partitions {
    /// Lines that the output must have beside those of the input, because every partition begins
    /// on a line of its own.
    pub fn slack_lines(bits: u32) -> usize {
        1 << bits
    }

    /// Lays out the `2^bits` partitions of `input` by counting. `bits` is 1 to 32.
    pub fn count(input: &[u64], bits: u32) -> Self {
        let mut counts = vec![0usize; 1 << bits];
        for &tuple in input {
            counts[partition(tuple, bits)] += 1;
        }
        let mut starts = Vec::with_capacity(counts.len() + 1);
        let mut start = 0;
        for count in &counts {
            starts.push(start);
            start += count.next_multiple_of(LINE_WORDS);
        }
        starts.push(start);
        Self {
            bits,
            cursors: starts[..counts.len()].to_vec(),
            buffers: vec![Line([0; LINE_WORDS]); counts.len()],
            starts,
        }
    }

    /// Where each partition's tuples lie in the output after a scatter.
    pub fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.starts
            .iter()
            .zip(&self.cursors)
            .map(|(&start, &end)| start..end)
    }

    /// Scatters `input`, which must be the one that was counted, with a plain store a tuple.
    pub fn scatter(&mut self, input: &[u64], output: &mut [Line]) {
        self.reset();
        for &tuple in input {
            let cursor = &mut self.cursors[partition(tuple, self.bits)];
            output[*cursor / LINE_WORDS].0[*cursor % LINE_WORDS] = tuple;
            *cursor += 1;
        }
    }

    /// As [`Partitions::scatter`], through one buffered line a partition.
    pub fn scatter_combined(&mut self, input: &[u64], output: &mut [Line]) {
        self.reset();
        for &tuple in input {
            let partition = partition(tuple, self.bits);
            let cursor = &mut self.cursors[partition];
            let buffer = &mut self.buffers[partition];
            buffer.0[*cursor % LINE_WORDS] = tuple;
            *cursor += 1;
            if cursor.is_multiple_of(LINE_WORDS) {
                stream(&mut output[*cursor / LINE_WORDS - 1], buffer);
            }
        }
        for (cursor, buffer) in self.cursors.iter().zip(&self.buffers) {
            let rest = cursor % LINE_WORDS;
            if rest > 0 {
                output[cursor / LINE_WORDS].0[..rest].copy_from_slice(&buffer.0[..rest]);
            }
        }
        stream_done();
    }

    fn reset(&mut self) {
        self.cursors
            .copy_from_slice(&self.starts[..self.starts.len() - 1]);
    }
}

#[inline(always)]
fn partition(tuple: u64, bits: u32) -> usize {
    (tuple >> (64 - bits)) as usize
}
