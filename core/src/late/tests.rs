use super::*;
use crate::conformance::{SimpleProbe, SortedBuild};
use crate::input::InputMode;
use crate::join::{BuildProbe, Kernel};
use crate::kind::{Kind, NO_ROW};
use crate::memory::Memory;
use crate::output::{FixedSlice, Pair, PairConsumer, RowsError};
use crate::parallel::{Team, ThreadStart};
use crate::table::Column;

fn simple() -> impl DynJoin {
    BuildProbe {
        build_input: InputMode::ZeroCopy,
        build: SortedBuild,
        probe: SimpleProbe {
            kernel: Kernel::SCALAR,
        },
    }
}

/// Keys with NULLs; words, pages with NULLs, strings and narrower values.
struct Table {
    keys: Column,
    words: Vec<Column>,
    nulls: Column,
    strings: Column,
    narrow: Vec<u16>,
}

impl Table {
    fn new(rows: usize, step: i32, words: i64) -> Self {
        let all = 0..rows as i64;
        let some = |row: i64| (row % 5 != 1).then_some(row << 7);
        Self {
            keys: Column::from_options(
                (0..rows as i32).map(|row| (row % 11 != 3).then_some(row * step % 700)),
            ),
            words: (0..words)
                .map(|nth| Column::from_i64(&all.clone().map(|row| row << nth).collect::<Vec<_>>()))
                .collect(),
            nulls: Column::from_options(all.clone().map(some)),
            strings: Column::from_strings(all.map(|row| Some("s".repeat(row as usize % 19)))),
            narrow: (0..rows).map(|row| row as u16).collect(),
        }
    }

    /// Some of the words stand next to each other, others do not.
    fn columns(&self) -> Vec<RowColumn<'_>> {
        let paged = |column| RowColumn::new(column).unwrap();
        let narrow = FixedColumn::of_slices(vec![FixedSlice::new(&self.narrow).unwrap()]);
        let (first, rest) = self.words.split_at(self.words.len() / 3);
        let mut columns: Vec<_> = first.iter().map(paged).collect();
        columns.extend([paged(&self.nulls), RowColumn::Fixed(narrow.unwrap())]);
        columns.extend(rest.iter().map(paged));
        columns.push(paged(&self.strings));
        columns
    }
}

type Row = Vec<Option<Vec<u8>>>;

fn values(rows: &Rows) -> Vec<Row> {
    let Rows::Buffers(chunks) = rows else {
        panic!("pages in place of buffers");
    };
    let value = |chunk: usize, at: usize| {
        let columns = chunks[chunk].columns.iter();
        columns
            .map(|column| column.get(at).map(<[u8]>::to_vec))
            .collect()
    };
    let mut all: Vec<Row> = (0..chunks.len())
        .flat_map(|chunk| (0..chunks[chunk].rows).map(move |at| (chunk, at)))
        .map(|(chunk, at)| value(chunk, at))
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn rows_are_those_of_the_columns_as_they_were_given() {
    let join = simple();
    // Which side is the smaller one; and one line of words, less, and more.
    for (sizes, words) in [
        ([500, 3000], 13),
        ([2500, 600], 5),
        ([500, 500], 40),
        ([700, 900], 3),
    ] {
        let [build, probe] = [0, 1].map(|nth| Table::new(sizes[nth], [3, 7][nth], words));
        let keys = Keys::new(&[(&build.keys, &probe.keys)]).unwrap();
        let (of_build, of_probe) = (build.columns(), probe.columns());
        for kind in [
            Kind::Inner,
            Kind::FullOuter,
            Kind::Semi(Side::Build),
            Kind::Mark(Side::Probe),
        ] {
            let of_probe = match kind {
                Kind::Mark(_) => &[][..],
                _ => &of_probe,
            };
            let of_build = match kind {
                Kind::Mark(_) => &[RowColumn::Truth][..],
                _ => &of_build,
            };
            for threads in [1, 3] {
                let memory = Memory::unlimited();
                let team = Team::new(threads, ThreadStart::Fresh).parallel_from(0);
                let context = Context::new(&team, &memory);
                let semantics = Semantics::from(kind);
                let columns = [of_build, of_probe];
                let made = join_late(&join, &keys, &semantics, columns, Form::Buffers, &context);
                let (_, rows) = made.unwrap();
                let consumer = RowsConsumer::new(
                    (of_build.to_vec(), sizes[0]),
                    (of_probe.to_vec(), sizes[1]),
                    Form::Buffers,
                    &memory,
                );
                let consumer = consumer.unwrap();
                let as_given = context.with_consumer(Consumer::Stream(&consumer));
                semantics.join_keys(&join, &keys, &as_given).unwrap();
                let expected = consumer.finish().unwrap();
                assert!(!expected.is_empty());
                assert!(
                    values(&rows) == values(&expected),
                    "{sizes:?} rows, {words} words, {kind}, {threads} threads"
                );
                drop((rows, expected));
                assert_eq!(memory.used(), 0);
            }
        }
    }
}

/// Blocks of every length, begun anywhere in a line, some without a row of the side; into chunks that are streamed, too.
#[test]
fn words_by_row_are_those_of_columns_wherever_blocks_end() {
    let rows = 3000;
    let table = Table::new(rows, 1, 11);
    let columns = table.columns();
    let (memory, team) = (Memory::unlimited(), Team::single());
    let moved: Vec<_> = columns.iter().filter_map(RowColumn::travelling).collect();
    let tuples = Tuples::of(&moved, rows, &team, &memory).unwrap();
    let mut by_row = tuples.columns();
    let by_row = columns.iter().map(|column| match column.travelling() {
        Some(_) => by_row.next().unwrap(),
        None => column.clone(),
    });
    let consumers = [columns.clone(), by_row.collect()].map(|columns| {
        let none = (Vec::new(), rows);
        RowsConsumer::new((columns, rows), none, Form::Buffers, &memory).unwrap()
    });
    let mut next = 0_u32;
    for block in 0..260_u32 {
        let len = [2048, 8 * block, block * 7 % 2049, 1][block as usize % 4];
        let pairs: Vec<Pair> = (0..len)
            .map(|at| {
                next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let build = match block % 9 {
                    4 if at % 31 == 3 => NO_ROW,
                    5 => (block * 5 + at) % rows as u32,
                    _ => (next >> 8) % rows as u32,
                };
                Pair { build, probe: at }
            })
            .collect();
        consumers
            .iter()
            .for_each(|consumer| consumer.consume(0, &pairs));
    }
    let [expected, found] = consumers.map(|consumer| consumer.finish().unwrap());
    assert!(found.len() > 170_000, "the last chunks are streamed");
    let (Rows::Buffers(expected), Rows::Buffers(found)) = (expected, found) else {
        panic!("pages in place of buffers");
    };
    assert_eq!(expected.len(), found.len());
    for (expected, found) in expected.iter().zip(&found) {
        for (column, (expected, found)) in expected.columns.iter().zip(&found.columns).enumerate() {
            let differs =
                (0..expected_rows(expected)).find(|&at| expected.get(at) != found.get(at));
            assert_eq!(differs, None, "column {column}");
        }
    }
}

fn expected_rows(values: &crate::output::Values) -> usize {
    match values {
        crate::output::Values::Fixed { width, bytes, .. } => bytes.len() / width,
        crate::output::Values::Strings { offsets, .. } => offsets.len() - 1,
    }
}

#[test]
fn columns_and_memory_that_do_not_do_are_said() {
    let join = simple();
    let [build, probe] = [(500, 3), (900, 7)].map(|(rows, step)| Table::new(rows, step, 9));
    let keys = Keys::new(&[(&build.keys, &probe.keys)]).unwrap();
    let (of_build, of_probe) = (build.columns(), probe.columns());
    let semantics = Semantics::from(Kind::Inner);
    let team = Team::single();
    let joined = |columns, form, memory: &Memory| {
        let context = Context::new(&team, memory);
        join_late(&join, &keys, &semantics, columns, form, &context).map(|(_, rows)| rows.len())
    };
    let memory = Memory::unlimited();
    assert_eq!(
        joined([&of_probe, &[]], Form::Buffers, &memory),
        Err(JoinError::Rows(RowsError::Rows(900, 500)))
    );
    assert_eq!(
        joined([&of_build, &[]], Form::Pages, &memory),
        Err(JoinError::Rows(RowsError::NoPage))
    );
    let all = joined([&of_build, &of_probe], Form::Buffers, &memory).unwrap();
    let mut refused = 0;
    for limit in (0..).map(|step: usize| 1 << step) {
        let memory = Memory::limited(limit);
        let made = joined([&of_build, &of_probe], Form::Buffers, &memory);
        assert_eq!(memory.used(), 0, "{limit}");
        match made {
            Ok(rows) => {
                assert_eq!(rows, all);
                break;
            }
            Err(error) => assert!(matches!(error, JoinError::OutOfMemory(_)), "{error}"),
        }
        refused += 1;
    }
    assert!(refused > 10);
}
