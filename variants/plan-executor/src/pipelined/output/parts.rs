//! Parts of the result for workers to take.

use std::ops::Range;

use super::BATCH;
use super::levels::Level;

/// Result rows of a part, at most,
const MOST: u64 = 1 << 14;

/// and parts that each worker would have then: the last ones are waited for.
const PARTS_EACH: u64 = 8;

/// Levels of which parts are chosen, at most: so a plan of many joins needs no deep stack.
const DEEPEST: usize = 32;

/// What comes of these entries of the first levels: of one entry of each but the last of them.
#[derive(Clone, Default)]
pub(super) struct Part(pub(super) Vec<Range<u32>>);

/// The result in parts of about equally many rows, for so many workers. What comes of one entry of the root is several where it
/// is much: such as the cast of a film under a company that has nothing but this film.
pub(super) fn parts(levels: &[Level<'_>], workers: usize) -> Vec<Part> {
    let entries = 0..levels[0].entries.rows.len() as u32;
    let results = levels[0].entries.results(0, entries.end);
    let most = (results / (workers as u64 * PARTS_EACH)).clamp(BATCH, MOST);
    let mut dividing = Dividing {
        levels,
        most,
        above: Vec::new(),
        parts: Vec::new(),
    };
    dividing.divide(entries, results);
    dividing.parts
}

struct Dividing<'l> {
    levels: &'l [Level<'l>],
    most: u64,
    /// One entry of each of the first levels.
    above: Vec<Range<u32>>,
    parts: Vec<Part>,
}

impl Dividing<'_> {
    /// Divides what comes of these entries of the next level, so many rows.
    fn divide(&mut self, entries: Range<u32>, results: u64) {
        let of = self.levels[self.above.len()].entries;
        // Rows that come of each row of these entries, by other levels.
        let times = results / of.results(entries.start, entries.end).max(1);
        let most = self.most.div_ceil(times.max(1));
        let mut start = entries.start;
        while start < entries.end {
            let end = match &of.before {
                None => entries.end.min(start.saturating_add(most as u32)),
                Some(before) => {
                    let until = before[start as usize] + most;
                    let end = before.partition_point(|&sum| sum < until) as u32;
                    end.clamp(start + 1, entries.end)
                }
            };
            let found = times * of.results(start, end);
            self.above.push(start..end);
            match self.levels.get(self.above.len()) {
                Some(below)
                    if end - start == 1 && found > 2 * self.most && self.above.len() < DEEPEST =>
                {
                    let parent = self.above[below.parent].start as usize;
                    let children = &self.levels[below.parent].entries.children;
                    let [start, end] = children[below.child].1[parent];
                    self.divide(start..end, found);
                }
                _ => self.parts.push(Part(self.above.clone())),
            }
            self.above.pop();
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use join_core::memory::Memory;
    use join_core::parallel::Team;

    use super::*;
    use crate::pipelined::hands::Hands;
    use crate::pipelined::keys::KeyList;
    use crate::pipelined::options::Options;
    use crate::pipelined::output::levels;
    use crate::pipelined::resolve::Resolved;
    use crate::pipelined::table::{Entries, ReducedTable, Wanted};

    /// A root of one row, joined with one row that is joined with as many as `few`, and with as many as `many`: how many rows of the
    /// result each part has.
    fn sizes(few: u32, many: u32) -> Vec<u64> {
        let (team, memory) = (Team::single(), Memory::unlimited());
        let hands = Hands {
            workers: 2,
            team: &team,
            memory: &memory,
        };
        let resolved = |rows: u32, children| Resolved {
            rows: (0..rows).collect(),
            keys: Some(KeyList::Int32(vec![7; rows as usize])),
            children,
            ..Resolved::default()
        };
        let mut tables: Vec<ReducedTable> = Vec::new();
        for (rows, children) in [
            (few, vec![]),
            (1, vec![(0, vec![[0, few]])]),
            (many, vec![]),
        ] {
            let (input, options) = (1 + tables.len(), Options::default());
            let resolved = resolved(rows, children);
            let table = ReducedTable::new(input, resolved, Wanted::Rows, &options, &tables, hands);
            tables.push(table.unwrap());
        }
        let root = resolved(1, vec![(1, vec![[0, 1]]), (2, vec![[0, many]])]);
        let root = Entries::of_root(root, &tables, hands).unwrap();
        let levels = levels(0, &root, &tables);
        let all = u64::from(few * many);
        let of_level = |level: usize| levels[level].entries.rows.len() as u64;
        let parts = parts(&levels, hands.workers);
        let sizes = parts.iter().map(|Part(entries)| {
            let chosen = entries.iter().enumerate();
            chosen.fold(all, |rows, (level, range)| {
                rows / of_level(level) * range.len() as u64
            })
        });
        sizes.collect()
    }

    #[test]
    fn what_comes_of_one_entry_is_several_parts() {
        for (few, many) in [(300, 1000), (1, 100_000), (100_000, 1)] {
            let sizes = sizes(few, many);
            let all = u64::from(few * many);
            assert_eq!(sizes.iter().sum::<u64>(), all);
            let most = sizes.iter().max();
            assert!(*most.unwrap() <= 2 * all / 16, "{sizes:?}");
        }
        assert_eq!(sizes(30, 50), [1500], "too few to be divided");
    }
}
