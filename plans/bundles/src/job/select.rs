//! Which rows the filters of a query keep.
//!
//! PostgreSQL's estimates say how many, and multiply as if filters were independent; rows drawn independently would make
//! nearly all results empty. Real filters agree: a query about horror films asks for the genre, for keywords of horror, and
//! for its companies. So a share of the rows that a filter keeps, [`Options::correlation`](super::Options::correlation),
//! are those of *witnesses*: result rows of the query without its filters, found by walking its joins. The others are
//! drawn from all rows.

use std::collections::BTreeSet;

use generated::{Draws, Permutation, Stream};

use super::data::{Cells, RowsOfKey, Tables, label};
use super::nulls::asked;
use super::plans::Planned;
use super::schema::{Kind, TableShape};
use crate::shape::{Attribute, Tree};

/// Witnesses that are looked for; more would not make results less empty.
const WITNESSES: usize = 1000;

/// Walks in a row that find no witness, after which no more are begun.
const VAIN: usize = 200;

/// Rows of a key that a walk tries.
const TRIES: usize = 256;

/// Rows that a walk looks at in all.
const STEPS: usize = 20_000;

/// The rows of an input.
pub(super) enum Kept {
    /// All of its table.
    All,
    /// These, in order.
    Some(Vec<u32>),
}

/// The rows of a query's inputs.
pub(super) struct Selection {
    /// By scan.
    pub kept: Vec<Kept>,
    /// How many rows the result has at least.
    pub witnesses: usize,
}

/// A scan of the query.
struct Input<'a> {
    table: &'static TableShape,
    rows: u32,
    /// What the filter keeps, if there is one.
    filter: Option<Filter<'a>>,
    /// Its join columns, and the classes of columns that are equal in a result.
    columns: Vec<Key<'a>>,
}

struct Key<'a> {
    class: usize,
    keys: &'a [u32],
    rows: RowsWith<'a>,
}

/// Where the rows of a key are.
enum RowsWith<'a> {
    /// At the key less one.
    Id,
    Index(&'a RowsOfKey),
}

struct Filter<'a> {
    keep: usize,
    /// How many rows of witnesses it keeps at most.
    agreeing: usize,
    /// The rows of witnesses.
    chosen: BTreeSet<u32>,
    /// Columns that must be NULL, or must not be.
    asked: Vec<(Cells<'a>, bool)>,
    draws: Stream,
}

impl Filter<'_> {
    fn passes(&self, row: u32) -> bool {
        let mut asked = self.asked.iter();
        asked.all(|(cells, null)| cells.is_null(row) == *null)
    }

    /// Whether a witness may have this row.
    fn takes(&self, row: u32) -> bool {
        match self.chosen.len() < self.agreeing {
            true => self.passes(row),
            false => self.chosen.contains(&row),
        }
    }
}

/// The rows that the filters of `query` keep.
pub(super) fn select(
    data: &Tables,
    query: &Planned,
    tables: &[&'static TableShape],
    correlation: f64,
    seed: u64,
) -> Selection {
    let mut walk = Walk {
        inputs: inputs(data, query, tables, correlation, seed),
        path: Vec::new(),
        steps: 0,
    };
    let mut draws = Stream::new(seed, label(&["witnesses", &query.name])).row(0);
    let witnesses = match correlation > 0.0 {
        true => walk.witnesses(&mut draws),
        false => 0,
    };
    let kept = walk.inputs.into_iter().map(|input| match input.filter {
        None => Kept::All,
        Some(filter) => Kept::Some(filled(filter, input.rows)),
    });
    Selection {
        kept: kept.collect(),
        witnesses,
    }
}

/// The chosen rows and as many others as the filter keeps.
fn filled(filter: Filter<'_>, rows: u32) -> Vec<u32> {
    let mut kept = vec![0_u64; rows.div_ceil(64) as usize];
    let mut count = filter.chosen.len();
    for &row in &filter.chosen {
        kept[row as usize / 64] |= 1 << (row % 64);
    }
    let order = Permutation::through(u64::from(rows) - 1, filter.draws);
    for place in 0..u64::from(rows) {
        if count >= filter.keep {
            break;
        }
        let row = order.of(place) as u32;
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        if kept[word] & bit == 0 && filter.passes(row) {
            kept[word] |= bit;
            count += 1;
        }
    }
    let is_kept = |row: &u32| kept[*row as usize / 64] >> (row % 64) & 1 == 1;
    (0..rows).filter(is_kept).collect()
}

fn inputs<'a>(
    data: &'a Tables,
    query: &Planned,
    tables: &[&'static TableShape],
    correlation: f64,
    seed: u64,
) -> Vec<Input<'a>> {
    let classes = classes(&query.tree);
    let scans = query.scans.iter().zip(tables);
    let inputs = scans.map(|(scan, table)| {
        let rows = data.rows(table);
        let filter = scan.filter.as_ref().map(|filter| {
            let share = (scan.rows / table.rows as f64).min(1.0);
            let keep = ((share * f64::from(rows)).round() as usize).max(1);
            let asked = asked(filter, table).into_iter();
            Filter {
                keep,
                agreeing: (correlation * keep as f64).ceil() as usize,
                chosen: BTreeSet::new(),
                asked: asked
                    .map(|asked| (data.column(table, asked.column), asked.null))
                    .collect(),
                draws: Stream::new(seed, label(&["filter", &query.name, &scan.alias])),
            }
        });
        let mut columns = Vec::new();
        for (class, attributes) in classes.iter().enumerate() {
            let own = attributes.iter().filter(|own| own.alias == scan.alias);
            for column in own.filter_map(|attribute| table.column(&attribute.column)) {
                columns.push(Key {
                    class,
                    keys: data.keys(table, column),
                    rows: match table.columns[column].kind {
                        Kind::Id => RowsWith::Id,
                        _ => RowsWith::Index(data.rows_of_key(table, column)),
                    },
                });
            }
        }
        Input {
            table,
            rows,
            filter,
            columns,
        }
    });
    inputs.collect()
}

/// The columns that are equal in every row of the result.
fn classes(tree: &Tree) -> Vec<BTreeSet<Attribute>> {
    let mut classes = Vec::new();
    add_classes(tree, &mut classes);
    classes
}

fn add_classes(tree: &Tree, classes: &mut Vec<BTreeSet<Attribute>>) {
    if let Tree::Join(join) = tree {
        add_classes(&join.left, classes);
        add_classes(&join.right, classes);
        let mut equal = BTreeSet::from([join.left_key.clone(), join.right_key.clone()]);
        classes.retain(|class| {
            let meets = !class.is_disjoint(&equal);
            if meets {
                equal.extend(class.iter().cloned());
            }
            !meets
        });
        classes.push(equal);
    }
}

/// The search for witnesses.
struct Walk<'a> {
    inputs: Vec<Input<'a>>,
    /// The rows of the walk so far.
    path: Vec<(usize, u32)>,
    steps: usize,
}

impl Walk<'_> {
    /// Finds witnesses, and lets the filters choose their rows. Returns how many there are.
    fn witnesses(&mut self, draws: &mut Draws) -> usize {
        let (mut found, mut vain) = (BTreeSet::new(), 0);
        while found.len() < WITNESSES && vain < VAIN {
            let (input, row) = self.start(draws);
            (self.steps, vain) = (0, vain + 1);
            self.path.clear();
            if !self.enter(input, row, None, draws) {
                continue;
            }
            let mut witness = self.path.clone();
            witness.sort_unstable();
            for &(input, row) in &witness {
                if let Some(filter) = &mut self.inputs[input].filter {
                    filter.chosen.insert(row);
                }
            }
            if found.insert(witness) {
                vain = 0;
            }
        }
        found.len()
    }

    /// Where a walk begins: at a row that the filter has chosen which leaves least of its table, or anywhere in the
    /// smallest table that joins two others.
    fn start(&self, draws: &mut Draws) -> (usize, u32) {
        let closed = self
            .inputs
            .iter()
            .enumerate()
            .filter_map(|(number, input)| {
                let filter = input.filter.as_ref()?;
                let full = filter.chosen.len() == filter.agreeing;
                let share = filter.agreeing as f64 / f64::from(input.rows);
                full.then_some((number, share, &filter.chosen))
            });
        if let Some((input, _, chosen)) = closed.min_by(|a, b| a.1.total_cmp(&b.1)) {
            let place = draws.below(chosen.len() as u64) as usize;
            let row = chosen.iter().nth(place).copied().unwrap_or_default();
            return (input, row);
        }
        let inputs = || self.inputs.iter().enumerate();
        let joining = inputs().filter(|(_, input)| input.columns.len() > 1);
        let smallest = joining
            .min_by_key(|(_, input)| input.table.rows)
            .or(inputs().next());
        let (number, input) = smallest.expect("a plan has a scan");
        (number, draws.below(input.rows.into()) as u32)
    }

    /// Goes on from a row of an input, which was reached by its column of class `from`, to all other inputs that are
    /// joined with it. If there is a witness, its rows are appended to the path.
    fn enter(&mut self, input: usize, row: u32, from: Option<usize>, draws: &mut Draws) -> bool {
        self.steps += 1;
        let own = &self.inputs[input];
        if own.filter.as_ref().is_some_and(|filter| !filter.takes(row)) {
            return false;
        }
        let length = self.path.len();
        self.path.push((input, row));
        for column in 0..self.inputs[input].columns.len() {
            let Key { class, keys, .. } = &self.inputs[input].columns[column];
            let (class, key) = (*class, keys[row as usize]);
            if Some(class) == from {
                continue;
            }
            if key == 0 || !self.follow(class, key, input, draws) {
                self.path.truncate(length);
                return false;
            }
        }
        true
    }

    /// Finds a row of this key in every input of a class but the one that the walk comes from.
    fn follow(&mut self, class: usize, key: u32, from: usize, draws: &mut Draws) -> bool {
        (0..self.inputs.len()).all(|input| {
            let mut columns = self.inputs[input].columns.iter();
            let column = columns.find(|column| column.class == class);
            let Some(column) = column.filter(|_| input != from) else {
                return true;
            };
            match column.rows {
                RowsWith::Id => {
                    let row = key - 1;
                    row < self.inputs[input].rows && self.enter(input, row, Some(class), draws)
                }
                RowsWith::Index(index) => {
                    let rows = index.of(key);
                    let first = draws.below(rows.len() as u64) as usize;
                    let order = rows[first..].iter().chain(&rows[..first]).take(TRIES);
                    order
                        .copied()
                        .any(|row| self.steps < STEPS && self.enter(input, row, Some(class), draws))
                }
            }
        })
    }
}
