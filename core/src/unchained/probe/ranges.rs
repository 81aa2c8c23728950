//! Lookup without expand: each key's matches as ranges of the tuple store.
//!
//! A group at a time: slots are found as a staged probe finds them, and then compared by [`RangeGroup`].

use super::staged::{pass, survive};
use super::{Scheme, Unchained};
use crate::hash::KeyHash;
use crate::input::KeyBlock;
use crate::join::{Kernel, MAX_GROUP, RangeTable, Schedule};
use crate::key::{Key, Tuple};
use crate::output::RangeBuffer;
use crate::simd::{Candidates, RangeGroup};
use crate::tag::TagScheme;

impl<K: Key, S: Scheme> RangeTable<K> for Unchained<K, S> {
    fn store(&self) -> &[Tuple<K>] {
        self.tuples()
    }

    fn find(&self, block: KeyBlock<'_, K>, kernel: Kernel, found: &mut RangeBuffer) {
        let table = self.view();
        let group = match kernel.schedule {
            // In the cache a group hides nothing, and costs least when it is long.
            Schedule::Direct => MAX_GROUP,
            _ => kernel.group(),
        };
        let mut hashes = [0_u64; MAX_GROUP];
        let mut indexes = [0_u8; MAX_GROUP];
        let mut survivors = [Candidates::default(); MAX_GROUP];
        let mut ask_tags = S::Tags::ENABLED;
        for block in block.chunks(group) {
            let keys = block.keys;
            S::Hash::hash_block(keys.iter().copied(), &mut hashes);
            let hashes = &hashes[..keys.len()];
            let survived = if ask_tags {
                let passed = pass(table, hashes, &mut indexes);
                // As in a staged probe: a tag that says yes was read for nothing.
                ask_tags = 8 * passed < 7 * keys.len();
                let passed = indexes[..passed].iter().map(|&index| usize::from(index));
                survive(
                    table,
                    passed.map(|index| (index, hashes[index])),
                    &mut survivors,
                )
            } else {
                for &hash in hashes {
                    table.prefetch_range(hash);
                }
                survive(table, hashes.iter().copied().enumerate(), &mut survivors)
            };
            let group = RangeGroup {
                store: table.tuples,
                base: 0,
                keys,
                rows: block.rows,
                candidates: &survivors[..survived],
            };
            group.find(kernel.compare, found);
        }
    }
}
