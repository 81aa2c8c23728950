//! The tables that a root is multiplied by, in an order in which few entries must be carried along.

use crate::pipelined::table::{Entries, ReducedTable};

/// The root, or a table that its rows are multiplied by.
pub(in crate::pipelined) struct Level<'t> {
    pub(super) entries: &'t Entries,
    pub(super) input: usize,
    /// The level whose entries say which of this table's they are joined with; the root's own is 0.
    pub(super) parent: usize,
    /// Which of the parent's children this is.
    pub(super) child: usize,
    /// The levels before this one that are the parents of levels behind it.
    pub(super) carried: Vec<usize>,
}

/// The root, which is of `input`, and the tables under it, parents first.
///
/// A table is followed by all that is under it, of several children the one with most under it last. So a level has at
/// most as many parents waiting as the number of levels can be halved, and all levels together carry little.
pub(in crate::pipelined) fn levels<'t>(
    input: usize,
    root: &'t Entries,
    tables: &'t [ReducedTable],
) -> Vec<Level<'t>> {
    let sizes = sizes(tables);
    let level = |input, entries, parent, child| Level {
        entries,
        input,
        parent,
        child,
        carried: Vec::new(),
    };
    let mut levels = vec![level(input, root, 0, 0)];
    let mut open: Vec<(usize, usize, usize)> = Vec::new();
    loop {
        let parent = levels.len() - 1;
        let children = levels[parent].entries.children.iter().enumerate();
        let first = open.len();
        open.extend(children.map(|(child, &(table, _))| (table, parent, child)));
        open[first..].sort_by_key(|&(table, ..)| std::cmp::Reverse(sizes[table]));
        let Some((table, parent, child)) = open.pop() else {
            break;
        };
        let ReducedTable { input, .. } = tables[table];
        levels.push(level(input, tables[table].entries(), parent, child));
    }
    carry(&mut levels);
    levels
}

/// How many tables there are under each, with itself. Tables are made after those under them.
fn sizes(tables: &[ReducedTable]) -> Vec<usize> {
    let mut sizes: Vec<usize> = Vec::with_capacity(tables.len());
    for table in tables {
        let children = table.children().iter();
        sizes.push(1 + children.map(|&(child, _)| sizes[child]).sum::<usize>());
    }
    sizes
}

/// Finds out what each level carries.
fn carry(levels: &mut [Level<'_>]) {
    let mut last_child = vec![0; levels.len()];
    for (number, level) in levels.iter().enumerate() {
        last_child[level.parent] = number;
    }
    let mut waiting: Vec<usize> = Vec::new();
    for (number, level) in levels.iter_mut().enumerate() {
        waiting.retain(|&parent| last_child[parent] > number);
        level.carried.clone_from(&waiting);
        if last_child[number] > number {
            waiting.push(number);
        }
    }
}
