//! Dividing partitions among workers, however unequal they are.

use join_core::partition::Segments;

/// A partition and (a part of) its probes.
pub(crate) struct Task<'a, T> {
    /// The partition.
    pub(crate) part: usize,
    /// Slices of its probe entries.
    pub(crate) probes: Vec<&'a [T]>,
    len: usize,
}

/// How many times as large as others a partition is that has a frequent key: hashing spreads distinct ones more evenly.
const CROWDED: usize = 4;

/// The tasks, longest first, so that the last ones to be taken are short.
///
/// A partition with more probes than a sixteenth of a fair share is divided; each task builds the table anew, so a
/// part has at least as many probes as the partition has build entries. But where these are so many that a key must be
/// frequent, probes may have any number of matches: such a partition is divided once among all workers.
pub(crate) fn divide<'a, T>(
    builds: &Segments<'_, T>,
    probes: &Segments<'a, T>,
    workers: usize,
) -> Vec<Task<'a, T>> {
    let total: usize = (0..probes.parts()).map(|part| probes.len(part)).sum();
    let share = (total / (workers * 16)).max(1 << 14);
    let tuples: usize = (0..builds.parts()).map(|part| builds.len(part)).sum();
    let crowded = (tuples / builds.parts() * CROWDED).max(1 << 14);
    let mut tasks = Vec::with_capacity(probes.parts());
    for part in 0..probes.parts() {
        if probes.len(part) == 0 || builds.len(part) == 0 {
            continue;
        }
        let most = if workers == 1 {
            usize::MAX
        } else if builds.len(part) > crowded {
            probes.len(part).div_ceil(workers)
        } else {
            share.max(builds.len(part))
        };
        let mut task = Task {
            part,
            probes: Vec::new(),
            len: 0,
        };
        for mut slice in probes.slices(part).iter().copied() {
            while task.len + slice.len() > most {
                let (now, later) = slice.split_at(most - task.len);
                task.probes.push(now);
                task.len = most;
                tasks.push(std::mem::replace(
                    &mut task,
                    Task {
                        part,
                        probes: Vec::new(),
                        len: 0,
                    },
                ));
                slice = later;
            }
            task.len += slice.len();
            task.probes.push(slice);
        }
        if task.len > 0 {
            tasks.push(task);
        }
    }
    if workers > 1 {
        tasks.sort_by_key(|task| std::cmp::Reverse(builds.len(task.part) + task.len));
    }
    tasks
}
