//! Filters of scans, for those who read inputs before there is a tree of them.

use join_core::memory::OutOfMemory;

use super::filter::{Filter, Test, WithTest};
use super::hands::Hands;
use super::index::bounds_of;
use super::keys::PlanKey;
use crate::Context;

/// The keys of some rows: it tells rows of others that join with none of them, but for a few, from those that do.
pub struct KeyFilter(Filter);

impl KeyFilter {
    /// The filter of these keys of 32 bits; none of no keys. What lies under a NULL may be among them, and will pass.
    ///
    /// # Errors
    /// If memory runs out.
    pub fn of_int32(
        keys: &[&[i32]],
        context: &Context<'_>,
    ) -> Result<Option<KeyFilter>, OutOfMemory> {
        KeyFilter::of(keys, context)
    }

    /// The filter of these keys of 64 bits, as of [`KeyFilter::of_int32`].
    ///
    /// # Errors
    /// If memory runs out.
    pub fn of_int64(
        keys: &[&[i64]],
        context: &Context<'_>,
    ) -> Result<Option<KeyFilter>, OutOfMemory> {
        KeyFilter::of(keys, context)
    }

    fn of<K: PlanKey>(
        keys: &[&[K]],
        context: &Context<'_>,
    ) -> Result<Option<KeyFilter>, OutOfMemory> {
        let &Context { team, memory } = context;
        let rows = keys.iter().map(|keys| keys.len()).sum();
        let hands = Hands {
            workers: team.workers_for(rows),
            team,
            memory,
        };
        let bounds = bounds_of(keys, hands);
        let filter = bounds.map(|bounds| Filter::new(keys, bounds, true, hands));
        Ok(filter.transpose()?.map(KeyFilter))
    }

    /// Which of these keys pass: bit i of word j is key 64 j + i. Keys are as wide as those that the filter was made of.
    pub fn int32s(&self, keys: &[i32]) -> Vec<u64> {
        Filter::dispatch(Some(&self.0), Words(keys))
    }

    /// Which of these keys pass, as [`KeyFilter::int32s`] says.
    pub fn int64s(&self, keys: &[i64]) -> Vec<u64> {
        Filter::dispatch(Some(&self.0), Words(keys))
    }
}

/// Tests keys, 64 a word.
struct Words<'k, K>(&'k [K]);

impl<K: PlanKey> WithTest<K> for Words<'_, K> {
    type Output = Vec<u64>;

    fn with<T: Test<K>>(self, test: T) -> Vec<u64> {
        let word = |keys: &[K]| {
            let bits = keys.iter().enumerate();
            bits.fold(0, |word, (bit, &key)| {
                word | u64::from(test.test(key)) << bit
            })
        };
        self.0.chunks(64).map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    use join_core::memory::Memory;
    use join_core::parallel::Team;

    use super::*;

    #[test]
    fn keys_pass_and_nearly_all_others_do_not() {
        let (team, memory) = (Team::single(), Memory::unlimited());
        let context = Context {
            team: &team,
            memory: &memory,
        };
        // One key, dense ones, and some that are far apart.
        for (count, stride) in [(1, 1), (1000, 3), (1000, 1 << 40)] {
            let keys: Vec<i64> = (0..count).map(|key| key * stride - 500).collect();
            let (first, last) = keys.split_at(keys.len() / 2);
            let filter = KeyFilter::of_int64(&[first, last], &context)
                .unwrap()
                .unwrap();
            let passed = |keys: &[i64]| {
                let words = filter.int64s(keys);
                assert_eq!(words.len(), keys.len().div_ceil(64));
                words
                    .iter()
                    .map(|word| word.count_ones() as usize)
                    .sum::<usize>()
            };
            assert_eq!(passed(&keys), keys.len());
            let others: Vec<i64> = keys.iter().map(|key| key + (1 << 20) + 1).collect();
            assert!(passed(&others) <= keys.len() / 10, "{}", passed(&others));
        }
        assert!(KeyFilter::of_int32(&[], &context).unwrap().is_none());
        let few = KeyFilter::of_int32(&[&[3, 5]], &context).unwrap().unwrap();
        assert_eq!(few.int32s(&[1, 3, 4, 5, 6]), [0b1010]);
    }
}
