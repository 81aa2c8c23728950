//! A list of tasks, each taken by exactly one worker (R5.2).

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicUsize, Ordering, UnsafeCell};

/// Tasks that own what they write, such as a partition's slots and its range of the tuple store.
///
/// Workers take them from the front by one atomic counter. Because a task is moved out to its only taker, the
/// exclusive borrows inside it need no further synchronisation.
pub struct Tasks<T> {
    tasks: Vec<UnsafeCell<Option<T>>>,
    next: CachePadded<AtomicUsize>,
}

// SAFETY: a task is reached only by the worker that drew its index, and each index is drawn once; so sharing the list
// moves each task to one thread at most, which `Send` allows.
unsafe impl<T: Send> Sync for Tasks<T> {}

impl<T> Tasks<T> {
    /// The list of `tasks`, in the order in which they are taken.
    pub fn new(tasks: impl IntoIterator<Item = T>) -> Self {
        let tasks = tasks.into_iter();
        let mut list = Vec::with_capacity(tasks.size_hint().0);
        // A loop, no chain of adapters: this is compiled for every phase of every join.
        for task in tasks {
            list.push(UnsafeCell::new(Some(task)));
        }
        Self {
            tasks: list,
            next: CachePadded::new(AtomicUsize::new(0)),
        }
    }

    /// Takes the next task and its index, until none is left.
    pub fn take(&self) -> Option<(usize, T)> {
        super::look();
        // Relaxed: the counter hands out indexes; the tasks themselves were there before the threads started.
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let cell = self.tasks.get(index)?;
        // SAFETY: the counter gave this index to this call alone, so nobody else reads or writes the cell.
        let task = cell.with_mut(|task| unsafe { (*task).take() });
        task.map(|task| (index, task))
    }

    /// How many tasks the list was made with.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether the list was made empty.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::parallel::{Team, ThreadStart};

    #[test]
    fn each_task_is_taken_once() {
        let mut cells = vec![0_u32; 1000];
        let tasks = Tasks::new(cells.chunks_mut(7));
        let team = Team::new(4, ThreadStart::Fresh);
        team.run(vec![(); 4], |_, ()| {
            while let Some((index, cells)) = tasks.take() {
                cells.iter_mut().for_each(|cell| *cell += index as u32 + 1);
            }
        });
        assert!(
            cells
                .iter()
                .enumerate()
                .all(|(i, &cell)| cell as usize == i / 7 + 1)
        );
    }
}
