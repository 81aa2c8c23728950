//! Dividing partitions among workers, however unequal they are.

use std::borrow::Cow;

use join_core::partition::Segments;

/// A partition and (a part of) its probes.
pub(crate) struct Task<'a, T: Clone> {
    /// The partition.
    pub(crate) part: usize,
    /// Slices of its probe entries.
    pub(crate) probes: Cow<'a, [&'a [T]]>,
    len: usize,
}

/// How many times as large as others a partition is that has a frequent key: hashing spreads distinct ones more evenly.
const CROWDED: usize = 4;

/// The tasks, longest first, so that the last ones to be taken are short.
///
/// A partition with more probes than a sixteenth of a fair share is divided; each task builds the table anew, so a
/// part has at least as many probes as the partition has build entries. But where these are so many that a key must be
/// frequent, probes may have any number of matches: such a partition is divided once among all workers.
pub(crate) fn divide<'a, T: Clone>(
    builds: &Segments<'_, T>,
    probes: &'a Segments<'_, T>,
    workers: usize,
) -> Vec<Task<'a, T>> {
    let total: usize = (0..probes.parts()).map(|part| probes.len(part)).sum();
    let share = (total / (workers * 16)).max(1 << 14);
    let tuples: usize = (0..builds.parts()).map(|part| builds.len(part)).sum();
    let crowded = (tuples / builds.parts() * CROWDED).max(1 << 14);
    let mut tasks = Vec::with_capacity(probes.parts());
    for part in 0..probes.parts() {
        let (build_len, len) = (builds.len(part), probes.len(part));
        if len == 0 || build_len == 0 {
            continue;
        }
        let most = if workers == 1 {
            usize::MAX
        } else if build_len > crowded {
            len.div_ceil(workers)
        } else {
            share.max(build_len)
        };
        let task = |probes, len| Task { part, probes, len };
        if len <= most {
            tasks.push(task(Cow::Borrowed(probes.slices(part)), len));
            continue;
        }
        let (mut taken, mut taken_len) = (Vec::new(), 0);
        for mut slice in probes.slices(part).iter().copied() {
            while taken_len + slice.len() > most {
                let (now, later) = slice.split_at(most - taken_len);
                taken.push(now);
                tasks.push(task(Cow::Owned(std::mem::take(&mut taken)), most));
                (taken_len, slice) = (0, later);
            }
            taken_len += slice.len();
            taken.push(slice);
        }
        if taken_len > 0 {
            tasks.push(task(Cow::Owned(taken), taken_len));
        }
    }
    if workers > 1 {
        tasks.sort_by_key(|task| std::cmp::Reverse(builds.len(task.part) + task.len));
    }
    tasks
}
