//! Generated tables of IMDB's shape. Every cell is a function of seed, table, column and row, so a table is the same in
//! every query. Keys are kept in memory once they are asked for, and an index from key to rows with them.

use std::sync::OnceLock;
use std::thread;

use generated::{Permutation, Popularity, Stream};
use join_core::parallel::{Tasks, assisted};

use super::Options;
use super::schema::{self, ColumnShape, FIXED_ROWS, Kind, TABLES, TableShape};

/// Ranks of popularity are shifted by this share of their number, so that no key has more than a hundred times the mean.
const SHIFT: f64 = 0.001;

/// What text is made of.
const LETTERS: &[u8; 64] = b"eeeeaaaiiooouu  ttnnssrrlldhcmpgbfvkyzwjqxETASNRMCDLBKPG0123456-";

/// Lengths around the limits of a page's text and of a page of long text.
const LIMITS: [usize; 4] = [8185, 8186, 8188, 8189];

/// All tables.
pub(super) struct Tables {
    options: Options,
    tables: Vec<Vec<Keys>>,
}

/// The keys of a column, once they are asked for.
#[derive(Default)]
struct Keys {
    values: OnceLock<Vec<u32>>,
    rows: OnceLock<RowsOfKey>,
}

/// The rows that have a key, for every key.
pub(super) struct RowsOfKey {
    ends: Vec<u32>,
    rows: Vec<u32>,
}

impl RowsOfKey {
    fn new(keys: &[u32], largest: usize) -> RowsOfKey {
        // `ends[k + 1]` counts the rows of key k, then says where they begin, then where they end.
        let mut ends = vec![0; largest + 2];
        for &key in keys {
            ends[key as usize + 1] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let mut rows = vec![0; keys.len()];
        for (row, &key) in (0..).zip(keys) {
            let end = &mut ends[key as usize];
            rows[*end as usize] = row;
            *end += 1;
        }
        RowsOfKey { ends, rows }
    }

    /// The rows of a key, in order.
    pub fn of(&self, key: u32) -> &[u32] {
        match self.ends.get(key as usize) {
            Some(&end) => &self.rows[self.ends[key as usize - 1] as usize..end as usize],
            None => &[],
        }
    }
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Null,
    Int(i32),
    Text(&'a [u8]),
}

impl Tables {
    pub fn new(options: &Options) -> Tables {
        let keys = |table: &TableShape| table.columns.iter().map(|_| Keys::default()).collect();
        Tables {
            options: options.clone(),
            tables: TABLES.iter().map(keys).collect(),
        }
    }

    /// The rows of a table.
    pub fn rows(&self, table: &TableShape) -> u32 {
        match table.rows {
            rows @ ..=FIXED_ROWS => rows as u32,
            rows => ((rows as f64 * self.options.scale).round() as u32).max(1),
        }
    }

    /// The keys of a column, 0 where it is NULL.
    pub fn keys(&self, table: &'static TableShape, column: usize) -> &[u32] {
        let keys = &self.tables[number(table)][column];
        keys.values.get_or_init(|| self.draw_keys(table, column))
    }

    /// The rows of each key of a column.
    pub fn rows_of_key(&self, table: &'static TableShape, column: usize) -> &RowsOfKey {
        let index = &self.tables[number(table)][column].rows;
        index.get_or_init(|| {
            let keys = self.keys(table, column);
            RowsOfKey::new(keys, keys.iter().copied().max().unwrap_or(0) as usize)
        })
    }

    fn draw_keys(&self, table: &'static TableShape, column: usize) -> Vec<u32> {
        let shape = &table.columns[column];
        let Kind::Key {
            table: to,
            clustered,
        } = shape.kind
        else {
            return (1..=self.rows(table)).collect();
        };
        let target = schema::table(to).expect("every key has its table");
        let ranks = Ranks::new(&self.options, self.rows(target), to, table.name, shape.name);
        let draws = self.stream(&[table.name, shape.name]);
        let nulls = self.nulls(shape);
        let rank = |row: usize| {
            let mut draws = draws.row(row as u64);
            (!draws.chance(nulls)).then(|| ranks.popularity.rank(&mut draws))
        };
        if !clustered {
            let key = |row| rank(row).map_or(0, |rank| ranks.key(rank));
            return filled(self.rows(table) as usize, key);
        }
        // As many rows in a run as draw the rank, and the runs in an order of their own.
        let drawn = filled(self.rows(table) as usize, |row| {
            rank(row).unwrap_or_default() as u32
        });
        let mut counts = vec![0_u32; ranks.order.len()];
        drawn.iter().for_each(|&rank| counts[rank as usize] += 1);
        let mut keys = drawn;
        keys.clear();
        for place in 0..ranks.order.len() as u64 {
            let rank = ranks.order.of(place);
            let count = counts[rank as usize] as usize;
            keys.resize(keys.len() + count, ranks.key(rank));
        }
        keys
    }

    fn stream(&self, names: &[&str]) -> Stream {
        Stream::new(self.options.seed, label(names))
    }

    fn nulls(&self, column: &ColumnShape) -> f64 {
        (column.nulls * self.options.nulls).min(1.0)
    }

    /// Reads a column.
    pub fn column(&self, table: &'static TableShape, column: usize) -> Cells<'_> {
        let shape = &table.columns[column];
        Cells {
            keys: match shape.kind {
                Kind::Key { .. } => self.keys(table, column),
                _ => &[],
            },
            shape,
            nulls: self.nulls(shape),
            draws: self.stream(&[table.name, shape.name]),
            length: self.options.text_length,
            long: self.options.long_texts,
            buffer: Vec::new(),
        }
    }
}

/// Ranks of popularity, and the keys that have them.
struct Ranks {
    popularity: Popularity,
    /// How popular a key is everywhere, and in this column alone.
    common: Shuffle,
    own: Shuffle,
    /// The order of the runs of a clustered column.
    order: Shuffle,
    /// The share of ranks that are of the common order.
    correlation: f64,
    which: Stream,
}

impl Ranks {
    fn new(options: &Options, keys: u32, to: &str, table: &str, column: &str) -> Ranks {
        let seed = options.seed;
        let order = |names: &[&str]| Shuffle::new(keys, Stream::new(seed, label(names)));
        Ranks {
            popularity: Popularity::new(keys.into(), options.skew, SHIFT),
            common: order(&["popular", to]),
            own: order(&["popular", to, table, column]),
            order: order(&["runs", table, column]),
            // Many tables refer to movies and people; a kind is as frequent in one as in another.
            correlation: match to {
                "title" | "name" => options.correlation,
                _ => 1.0,
            },
            which: Stream::new(seed, label(&["correlated", to])),
        }
    }

    fn key(&self, rank: u64) -> u32 {
        let order = match self.which.row(rank).chance(self.correlation) {
            true => &self.common,
            false => &self.own,
        };
        order.of(rank) as u32 + 1
    }
}

/// The numbers 0..n in some order.
struct Shuffle(Permutation, u32);

impl Shuffle {
    fn new(n: u32, seed: Stream) -> Shuffle {
        Shuffle(Permutation::through(u64::from(n) - 1, seed), n)
    }

    fn of(&self, place: u64) -> u64 {
        self.0.of(place)
    }

    fn len(&self) -> usize {
        self.1 as usize
    }
}

/// A column that can be read at any row.
pub(super) struct Cells<'a> {
    keys: &'a [u32],
    shape: &'static ColumnShape,
    nulls: f64,
    draws: Stream,
    length: f64,
    long: f64,
    buffer: Vec<u8>,
}

impl Cells<'_> {
    /// Whether the column is NULL in this row.
    pub fn is_null(&self, row: u32) -> bool {
        match self.shape.kind {
            Kind::Id => false,
            Kind::Key { .. } => self.keys[row as usize] == 0,
            _ => self.draws.row(row.into()).chance(self.nulls),
        }
    }

    /// The value of a row.
    pub fn at(&mut self, row: u32) -> Cell<'_> {
        let mut draws = self.draws.row(row.into());
        match self.shape.kind {
            Kind::Id => return Cell::Int(row as i32 + 1),
            Kind::Key { .. } => {
                return match self.keys[row as usize] {
                    0 => Cell::Null,
                    key => Cell::Int(key as i32),
                };
            }
            _ => {}
        }
        if draws.chance(self.nulls) {
            return Cell::Null;
        }
        let Kind::Text { length } = self.shape.kind else {
            let Kind::Number { low, high } = self.shape.kind else {
                return Cell::Null;
            };
            return Cell::Int(low + draws.below((high - low + 1) as u64) as i32);
        };
        // Short codes are of one length; names and notes are not, and a few of them are long.
        let bytes = if length < 6.0 {
            length as usize
        } else if draws.chance(self.long) {
            match LIMITS.get(draws.below(8) as usize) {
                Some(&limit) => limit,
                None => LIMITS[0] + draws.below(24_000) as usize,
            }
        } else {
            let tail = if draws.chance(1.0 / 64.0) { 4.0 } else { 1.0 };
            let bytes = length * self.length * tail * (0.3 + 1.3 * draws.unit());
            (bytes as usize).max(1)
        };
        self.buffer.clear();
        while self.buffer.len() < bytes {
            let letter = |shift: u64, bits: u64| LETTERS[(bits >> (6 * shift)) as usize % 64];
            let bits = draws.bits();
            self.buffer.extend((0..10).map(|shift| letter(shift, bits)));
        }
        Cell::Text(&self.buffer[..bytes])
    }
}

fn number(table: &'static TableShape) -> usize {
    let found = TABLES.iter().position(|other| other.name == table.name);
    found.expect("a table of the schema")
}

/// A number for a series of draws, by names.
pub(super) fn label(names: &[&str]) -> u64 {
    // FNV-1a over the names, each ended by a byte that no name has.
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// `rows` values, on all cores.
fn filled(rows: usize, value: impl Fn(usize) -> u32 + Sync) -> Vec<u32> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut values = vec![0; rows];
    let share = rows.div_ceil(cores).max(1 << 16);
    let parts = Tasks::new(values.chunks_mut(share));
    assisted(parts.len(), || {
        while let Some((part, values)) = parts.take() {
            for (slot, row) in values.iter_mut().zip(part * share..) {
                *slot = value(row);
            }
        }
    });
    drop(parts);
    values
}

#[cfg(test)]
mod tests {
    use super::super::schema::table;
    use super::*;

    fn data(options: Options) -> Tables {
        Tables::new(&Options {
            scale: 0.002,
            ..options
        })
    }

    #[test]
    fn every_row_is_found_by_its_key() {
        let data = data(Options::default());
        for (name, column) in [("cast_info", "movie_id"), ("cast_info", "person_role_id")] {
            let table = table(name).unwrap();
            let column = table.column(column).unwrap();
            let keys = data.keys(table, column);
            let index = data.rows_of_key(table, column);
            let mut found = 0;
            for key in 1..=keys.iter().copied().max().unwrap() {
                let rows = index.of(key);
                assert!(rows.iter().all(|&row| keys[row as usize] == key));
                assert!(rows.is_sorted());
                found += rows.len();
            }
            let nulls = keys.iter().filter(|&&key| key == 0).count();
            assert_eq!(found + nulls, keys.len());
            assert_eq!(nulls > 0, name == "cast_info" && column == 3);
        }
    }

    #[test]
    fn rows_of_a_movie_lie_together_where_they_should() {
        let data = data(Options::default());
        let table = table("movie_info").unwrap();
        let keys = data.keys(table, table.column("movie_id").unwrap());
        let runs = keys.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // 15 million rows of 2.5 million movies, scaled; chance would make a run of nearly every row.
        assert!(runs < keys.len() / 4, "{runs} runs in {} rows", keys.len());
        let info_types = data.keys(table, table.column("info_type_id").unwrap());
        assert!(info_types.iter().all(|key| (1..=113).contains(key)));
    }

    #[test]
    fn options_do_what_they_say() {
        let note = |options| {
            let data = data(options);
            let table = table("movie_companies").unwrap();
            let mut cells = data.column(table, table.column("note").unwrap());
            let rows = data.rows(table);
            let (mut nulls, mut bytes, mut long) = (0, 0, 0);
            for row in 0..rows {
                match cells.at(row) {
                    Cell::Null => nulls += 1,
                    Cell::Text(text) => {
                        bytes += text.len();
                        long += usize::from(text.len() > 8185);
                    }
                    Cell::Int(_) => panic!("a note is text"),
                }
                assert_eq!(cells.at(row) == Cell::Null, cells.is_null(row));
            }
            (f64::from(nulls) / f64::from(rows), bytes, long)
        };
        let options = Options {
            long_texts: 0.0,
            ..Options::default()
        };
        let (nulls, bytes, long) = note(options.clone());
        assert!((0.45..0.51).contains(&nulls) && long == 0);
        let few = Options {
            nulls: 0.5,
            ..options.clone()
        };
        assert!((0.21..0.27).contains(&note(few).0));
        let twice = Options {
            text_length: 2.0,
            ..options.clone()
        };
        assert!(note(twice).1 > bytes * 19 / 10);
        let some = Options {
            long_texts: 0.01,
            ..options.clone()
        };
        assert!(note(some).2 > 5);

        let top = |skew, correlation| {
            let data = data(Options {
                skew,
                correlation,
                ..options.clone()
            });
            let counts = |name: &str| {
                let table = table(name).unwrap();
                let column = table.column("movie_id").unwrap();
                let index = data.rows_of_key(table, column);
                let keys = data.keys(table, column).iter().copied().max().unwrap();
                let mut counts: Vec<(usize, u32)> =
                    (1..=keys).map(|key| (index.of(key).len(), key)).collect();
                counts.sort_unstable_by(|a, b| b.cmp(a));
                counts.truncate(100);
                counts
            };
            let (info, cast) = (counts("movie_info"), counts("cast_info"));
            let both = |key| cast.iter().any(|&(_, other)| other == key);
            (info[0].0, info.iter().filter(|(_, key)| both(*key)).count())
        };
        let (flat, steep) = (top(0.0, 0.0), top(0.8, 1.0));
        assert!(flat.0 < 25 && steep.0 > 100, "{flat:?} {steep:?}");
        assert!(flat.1 < 15 && steep.1 > 50, "{flat:?} {steep:?}");
    }
}
