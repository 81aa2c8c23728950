use super::super::NO_ROW;
use super::*;
use crate::conformance::Random;
use crate::input::{StringColumn, StringSlice};
use crate::table::Value;

/// A side of so many rows: pages with and without NULLs, slices of every width, strings, one of them in pages of its own.
struct Side {
    columns: Vec<Column>,
    bytes: Vec<u8>,
    words: Vec<u128>,
    bits: Vec<u8>,
}

impl Side {
    fn new(rows: usize) -> Self {
        let row = |row: usize| row as i64;
        let long = "long ".repeat(3000);
        let string = |row: usize| match row {
            17 => long.clone(),
            _ => "s".repeat(row % 23),
        };
        let strings: Vec<_> = (0..rows)
            .map(|at| (at % 5 != 2).then(|| string(at)))
            .collect();
        Self {
            columns: vec![
                Column::from_options((0..rows).map(|at| (at % 7 != 3).then_some(at as i32 * 3))),
                Column::from_i64(&(0..rows).map(|at| row(at) << 33).collect::<Vec<_>>()),
                Column::from_strings(strings.iter().map(Option::as_ref)),
            ],
            bytes: (0..rows).map(|at| at as u8).collect(),
            words: (0..rows).map(|at| (at as u128) << 77 | 5).collect(),
            bits: vec![0b0110_1101; rows / 8 + 2],
        }
    }

    /// What is gathered from.
    fn sources(&self) -> Vec<RowColumn<'_>> {
        let (first, rest) = self.words.split_at(self.words.len() / 3);
        let slices = vec![
            FixedSlice::new(first).unwrap(),
            FixedSlice::new(rest)
                .unwrap()
                .with_nulls(&self.bits, 3)
                .unwrap(),
        ];
        let bytes = vec![FixedSlice::new(&self.bytes).unwrap()];
        let paged = self
            .columns
            .iter()
            .map(|column| RowColumn::new(column).unwrap());
        paged
            .chain(
                [slices, bytes]
                    .map(|slices| RowColumn::Fixed(FixedColumn::of_slices(slices).unwrap())),
            )
            .collect()
    }

    /// The bytes of each column's value in a row.
    fn values(&self, row: u32) -> Vec<Option<Vec<u8>>> {
        let row = row as usize;
        let paged = self
            .columns
            .iter()
            .map(|column| match column.values().nth(row) {
                Some(Value::Int32(value)) => Some(value.to_ne_bytes().to_vec()),
                Some(Value::Int64(value)) => Some(value.to_ne_bytes().to_vec()),
                Some(Value::Varchar(string)) => Some(string.into_owned()),
                _ => None,
            });
        let second = row.checked_sub(self.words.len() / 3);
        let is_null = second.is_some_and(|at| self.bits[(at + 3) / 8] >> ((at + 3) % 8) & 1 == 0);
        let word = (!is_null).then(|| self.words[row].to_ne_bytes().to_vec());
        paged.chain([word, Some(vec![self.bytes[row]])]).collect()
    }
}

/// Pairs in any order, once in a while without a row of a side.
fn pairs(len: usize, rows: [usize; 2]) -> Vec<Pair> {
    let mut random = Random::of(len as u64, "pairs");
    let mut row = |rows: usize| match random.once_in(40) {
        true => NO_ROW,
        false => random.below(rows as u64) as u32,
    };
    (0..len)
        .map(|_| Pair {
            build: row(rows[0]),
            probe: row(rows[1]),
        })
        .collect()
}

/// Pairs of rows one after the other, from the first again after the last.
fn in_order(len: usize, rows: [usize; 2]) -> Vec<Pair> {
    let pair = |at: usize| Pair {
        build: (at % rows[0]) as u32,
        probe: (at % rows[1]) as u32,
    };
    (0..len).map(pair).collect()
}

const ROWS: [usize; 2] = [300, 1500];

#[test]
fn rows_are_those_of_the_pairs() {
    let sides = ROWS.map(Side::new);
    let known: Vec<Vec<Vec<Option<Vec<u8>>>>> = sides
        .iter()
        .zip(ROWS)
        .map(|(side, rows)| (0..rows as u32).map(|row| side.values(row)).collect())
        .collect();
    let lens = [0, 1, 63, 2047, 2048, 2049, 20_000];
    let ways = [pairs, in_order];
    for (len, pairs) in lens
        .into_iter()
        .flat_map(|len| ways.map(|way| (len, way(len, ROWS))))
    {
        let memory = Memory::unlimited();
        let [build, probe] = [0, 1].map(|nth: usize| (sides[nth].sources(), ROWS[nth]));
        let consumer = RowsConsumer::new(build, probe, Form::Buffers, &memory).unwrap();
        for pairs in pairs.chunks(777) {
            consumer.consume(0, pairs);
        }
        let Rows::Buffers(chunks) = consumer.finish().unwrap() else {
            panic!("pages in place of buffers");
        };
        assert_eq!(chunks.iter().map(|chunk| chunk.rows).sum::<usize>(), len);
        let found = chunks
            .iter()
            .flat_map(|chunk| (0..chunk.rows).map(move |at| (chunk, at)));
        for ((chunk, at), pair) in found.zip(&pairs) {
            let found = chunk
                .columns
                .iter()
                .map(|values| values.get(at).map(<[u8]>::to_vec));
            let of = |nth: usize, row: u32| match row {
                NO_ROW => vec![None; known[nth][0].len()],
                row => known[nth][row as usize].clone(),
            };
            let expected = [of(0, pair.build), of(1, pair.probe)].concat();
            assert!(found.eq(expected), "{len} pairs, {pair:?}");
        }
        drop(chunks);
        assert_eq!(memory.used(), 0);
    }
}

#[test]
fn pages_hold_what_buffers_hold() {
    let sides = ROWS.map(Side::new);
    let pairs = pairs(20_000, ROWS);
    let columns = |nth: usize| (sides[nth].sources()[..3].to_vec(), ROWS[nth]);
    let memory = Memory::unlimited();
    let consumer = RowsConsumer::new(columns(0), columns(1), Form::Pages, &memory).unwrap();
    consumer.consume(0, &pairs);
    let Rows::Pages(found, held) = consumer.finish().unwrap() else {
        panic!("buffers in place of pages");
    };
    assert!(memory.used() > 0);
    drop(held);
    assert_eq!((found.len(), memory.used()), (6, 0));
    for (nth, column) in found.iter().enumerate() {
        let source = &sides[nth / 3].columns[nth % 3];
        let values: Vec<Value<'_>> = source.values().collect();
        let rows = pairs
            .iter()
            .map(|pair| if nth < 3 { pair.build } else { pair.probe });
        let expected = rows.map(|row| match row {
            NO_ROW => Value::Null,
            row => values[row as usize].clone(),
        });
        assert!(column.values().eq(expected), "column {nth}");
    }
}

#[test]
fn marks_are_truths() {
    let consumer = RowsConsumer::new(
        (vec![RowColumn::Truth], 9),
        (Vec::new(), 9),
        Form::Buffers,
        &Memory::unlimited(),
    );
    let consumer = consumer.unwrap();
    let pairs = [0, 1, 2].map(|build| Pair { build, probe: 0 });
    consumer.consume(0, &pairs);
    let Rows::Buffers(chunks) = consumer.finish().unwrap() else {
        panic!("pages in place of buffers");
    };
    let found = [0, 1, 2].map(|at| chunks[0].columns[0].get(at));
    assert_eq!(found, [Some(&[0][..]), Some(&[1]), None]);
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let short = Column::from_i64(&[1, 2]);
    let memory = Memory::unlimited();
    let new = |columns, form| RowsConsumer::new((columns, 3), (Vec::new(), 0), form, &memory).err();
    assert_eq!(
        new(vec![RowColumn::new(&short).unwrap()], Form::Buffers)
            .unwrap()
            .to_string(),
        "a column to be joined has 2 rows, but the keys of its side have 3; both need as many"
    );
    assert_eq!(
        new(vec![RowColumn::Truth], Form::Pages),
        Some(RowsError::NoPage)
    );
    let words = StringSlice::with_offsets(&[0, 3, 2, 4], b"four").unwrap();
    let words = RowColumn::Strings(StringColumn::of_slices(vec![words]).unwrap());
    assert_eq!(
        new(vec![words], Form::Buffers),
        Some(RowsError::OutsideStrings)
    );
    assert!(FixedSlice::new(&[[0_u8; 3]]).is_none());
    assert!(
        FixedSlice::new(&[0_u8])
            .unwrap()
            .with_nulls(&[1], 8)
            .is_none()
    );
    let mixed = vec![
        FixedSlice::new(&[0_u8]).unwrap(),
        FixedSlice::new(&[0_u16]).unwrap(),
    ];
    assert!(FixedColumn::of_slices(mixed).is_none());
}

#[test]
fn memory_that_runs_out_is_said() {
    let sides = ROWS.map(Side::new);
    let pairs = pairs(30_000, ROWS);
    for form in [Form::Buffers, Form::Pages] {
        let mut refused = 0;
        for limit in (0..).map(|step: usize| 1 << step) {
            let memory = Memory::limited(limit);
            let columns = |nth: usize| (sides[nth].sources()[..3].to_vec(), ROWS[nth]);
            let consumer = RowsConsumer::new(columns(0), columns(1), form, &memory).unwrap();
            consumer.consume(0, &pairs);
            let made = consumer.finish();
            refused += usize::from(made.is_err());
            let has_all = made.map(|rows| rows.len());
            assert_eq!(memory.used(), 0);
            if let Ok(rows) = has_all {
                assert_eq!(rows, pairs.len());
                break;
            }
        }
        assert!(refused > 10, "{form:?}");
    }
}
