use super::*;
use crate::conformance::{SimpleProbe, SortedBuild};
use crate::input::{InputMode, KeyColumn, KeySlice};
use crate::join::{BuildProbe, Kernel};
use crate::kind::Kind;
use crate::memory::Memory;
use crate::output::{Consumer, PairPlacement, Results};
use crate::parallel::Team;

/// The pairs of an inner join in order.
fn pairs(
    input: &CompoundInput<'_>,
    semantics: Semantics<'_>,
) -> Result<Vec<(u32, u32)>, JoinError> {
    let variant = BuildProbe {
        build_input: InputMode::ZeroCopy,
        build: SortedBuild,
        probe: SimpleProbe {
            kernel: Kernel::SCALAR,
        },
    };
    let (team, memory) = (Team::single(), Memory::unlimited());
    let placed = Consumer::Pairs(PairPlacement::Serial);
    let context = Context::new(&team, &memory).with_consumer(placed);
    let outcome = semantics.join_compound(&variant, input, &context)?;
    let Results::Pairs(pairs) = outcome.results else {
        panic!("pairs were wanted");
    };
    let mut pairs: Vec<_> = pairs.iter().map(|pair| (pair.build, pair.probe)).collect();
    pairs.sort_unstable();
    Ok(pairs)
}

#[test]
fn strings_are_the_same_in_pages_offsets_and_views() {
    let words: [Option<&[u8]>; 6] = [
        Some(b"a"),
        None,
        Some(b"a string of more than twelve bytes"),
        Some(b""),
        Some(b"exactly12byt"),
        Some(b"a"),
    ];
    let column = Column::from_strings(words);
    let pages = || StringColumn::of(column.paged());
    let bytes: Vec<u8> = words.iter().flatten().copied().flatten().copied().collect();
    let mut offsets = vec![0];
    for word in words {
        offsets.push(offsets[offsets.len() - 1] + word.map_or(0, <[u8]>::len) as i32);
    }
    let valid = [0b11_1101 << 1];
    let of_offsets = StringSlice::with_offsets(&offsets, &bytes).unwrap();
    let of_offsets = of_offsets.with_nulls(&valid, 1).unwrap();
    let long: &[u8] = b"..a string of more than twelve bytes";
    let buffers = [long];
    let views: Vec<[u8; 16]> = words
        .map(|word| {
            let word = word.unwrap_or_default();
            let mut view = [0; 16];
            view[..4].copy_from_slice(&(word.len() as u32).to_le_bytes());
            match word.len() {
                0..=12 => view[4..4 + word.len()].copy_from_slice(word),
                _ => {
                    view[4..8].copy_from_slice(&word[..4]);
                    view[12..].copy_from_slice(&2_u32.to_le_bytes());
                }
            }
            view
        })
        .to_vec();
    let long_offsets: Vec<i64> = offsets.iter().map(|&offset| offset.into()).collect();
    let of_long_offsets = StringSlice::with_long_offsets(&long_offsets, &bytes).unwrap();
    let of_long_offsets = of_long_offsets.with_nulls(&valid, 1).unwrap();
    let of_views = StringSlice::with_views(&views, &buffers);
    let of_views = of_views.with_nulls(&valid, 1).unwrap();
    fn slices(slice: StringSlice<'_>) -> StringColumn<'_> {
        StringColumn::of_slices(vec![slice]).unwrap()
    }
    let first = StringSlice::with_offsets(&offsets[..=2], &bytes).unwrap();
    let rest = StringSlice::with_views(&views[2..], &buffers);
    let both = vec![
        first.with_nulls(&valid, 1).unwrap(),
        rest.with_nulls(&valid, 3).unwrap(),
    ];
    let both = StringColumn::of_slices(both).unwrap();
    let all = [
        pages(),
        slices(of_offsets),
        slices(of_long_offsets),
        slices(of_views),
        both,
    ];
    for strings in all {
        assert!(strings.are_inside());
        let read: Vec<_> = (0..6).map(|row| strings.get(row)).collect();
        assert_eq!(read, words.map(|word| word.map(Into::into)));
        let [build, probe] = [pages(), strings].map(|side| vec![KeyPart::Varchar(side)]);
        let input = CompoundInput::new(build, probe).unwrap();
        let expected = [(0, 0), (0, 5), (2, 2), (3, 3), (4, 4), (5, 0), (5, 5)];
        for mask in [u64::MAX, 0] {
            let input = CompoundInput {
                mask,
                build: input.build.clone(),
                probe: input.probe.clone(),
            };
            assert_eq!(pairs(&input, Kind::Inner.into()).unwrap(), expected);
        }
    }
    assert!(StringSlice::with_offsets(&[], b"").is_none());
    assert!(StringSlice::with_long_offsets(&[], b"").is_none());
    assert!(of_offsets.with_nulls(&valid, 3).is_none());
}

#[test]
fn strings_of_equal_length_need_no_offsets() {
    let slice = StringSlice::of_equal_length(3, 4, b"onetwosixone").unwrap();
    let slice = slice.with_nulls(&[0b1011], 0).unwrap();
    let strings = || StringColumn::of_slices(vec![slice]).unwrap();
    let read: Vec<_> = (0..4).map(|row| strings().get(row)).collect();
    let words: [Option<&[u8]>; 4] = [Some(b"one"), Some(b"two"), None, Some(b"one")];
    assert_eq!(read, words.map(|word| word.map(Into::into)));
    let side = || vec![KeyPart::Varchar(strings())];
    let input = CompoundInput::new(side(), side()).unwrap();
    let expected = [(0, 0), (0, 3), (1, 1), (3, 0), (3, 3)];
    assert_eq!(pairs(&input, Kind::Inner.into()).unwrap(), expected);
    assert!(StringSlice::of_equal_length(3, 5, b"onetwosixone").is_none());
    assert!(StringSlice::of_equal_length(usize::MAX, 2, b"onetwosixone").is_none());
    assert!(StringSlice::of_equal_length(0, 5, b"").is_some());
}

#[test]
fn strings_outside_of_their_bytes_are_refused() {
    let view = |len: u32, buffer: u32, start: u32| {
        let mut view = [0; 16];
        for (at, number) in [(0, len), (8, buffer), (12, start)] {
            view[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        view
    };
    let buffers: [&[u8]; 2] = [b"fifteen letters", b""];
    let inside = [view(3, 9, 9), view(15, 0, 0), view(13, 0, 2)];
    let outside = [
        view(15, 0, 1),
        view(13, 1, 0),
        view(13, 2, 0),
        view(u32::MAX, 0, 0),
    ];
    let outside = outside.map(|outside| [inside[0], outside, inside[1]]);
    let refused = |slice: StringSlice<'_>| {
        let column = |slice| StringColumn::of_slices(vec![slice]).unwrap();
        let words = Column::from_strings([Some(&b"a"[..])]);
        let short = || vec![KeyPart::new(&words).unwrap(), KeyPart::new(&words).unwrap()];
        let long = vec![
            KeyPart::Varchar(column(StringSlice::of_equal_length(1, 3, b"abc").unwrap())),
            KeyPart::Varchar(column(slice)),
        ];
        let input = CompoundInput::new(short(), long).unwrap();
        let refused = pairs(&input, Kind::Inner.into()).err();
        // What stands in place of a NULL may be anything.
        let nullable = slice.with_nulls(&[0b101], 0).unwrap();
        assert!(column(nullable).are_inside());
        assert_eq!(column(slice).are_inside(), refused.is_none());
        assert_eq!(column(slice).get(1).is_some(), refused.is_none());
        let (side, column) = (Side::Probe, 1);
        assert!(refused.is_none() || refused == Some(JoinError::OutsideStrings { side, column }));
        refused.is_some()
    };
    assert!(!refused(StringSlice::with_views(&inside, &buffers)));
    for views in &outside {
        assert!(refused(StringSlice::with_views(views, &buffers)));
    }
    for (offsets, is_refused) in [
        ([0, 1, 4, 4], false),
        ([1, 1, 1, 4], false),
        ([0, 0, 5, 4], true),
        ([0, 3, 2, 4], true),
        ([0, 0, -1, 0], true),
        ([0, -1, 3, 4], true),
    ] {
        // Offsets of NULLs are those of their neighbours, too.
        let offsets: [i32; 4] = offsets;
        let slice = StringSlice::with_offsets(&offsets, b"four").unwrap();
        let column = StringColumn::of_slices(vec![slice]).unwrap();
        assert_eq!(column.are_inside(), !is_refused, "{offsets:?}");
        let long = offsets.map(i64::from);
        let slice = StringSlice::with_long_offsets(&long, b"four").unwrap();
        let column = StringColumn::of_slices(vec![slice]).unwrap();
        assert_eq!(column.are_inside(), !is_refused, "{offsets:?}");
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let ints = Column::from_i32(&[1, 2]);
    let longs = Column::from_i64(&[1, 2]);
    let three = Column::from_i32(&[1, 2, 3]);
    let floats = Column::from_values(&[0.5]);
    let part = |column| KeyPart::new(column).unwrap();
    let refused = |build, probe| CompoundInput::new(build, probe).err();
    let types = JoinError::PartTypes(DataType::Int32, DataType::Int64);
    assert_eq!(refused(vec![part(&ints)], vec![part(&longs)]), Some(types));
    assert_eq!(refused(vec![], vec![]), Some(JoinError::KeyColumns(0, 0)));
    let columns = refused(vec![part(&ints)], vec![part(&ints), part(&ints)]);
    assert_eq!(columns, Some(JoinError::KeyColumns(1, 2)));
    let rows = refused(
        vec![part(&ints), part(&three)],
        vec![part(&ints), part(&ints)],
    );
    assert_eq!(rows, Some(JoinError::KeyRows(2, 3)));
    assert!(KeyPart::new(&floats).is_err());
}

#[test]
fn a_key_with_a_null_in_it_is_null_unless_nulls_are_equal() {
    let column = |values: &'static [i64], bits: &'static [u8]| {
        let slice = KeySlice::with_nulls(values, bits, 0).unwrap();
        KeyPart::Int64(KeyColumn::of_slices(vec![slice]).unwrap())
    };
    // (1, 2), (1, NULL), (NULL, NULL), (1, NULL)
    let side = || {
        vec![
            column(&[1, 1, 9, 1], &[0b1011]),
            column(&[2, 7, 8, 9], &[0b0001]),
        ]
    };
    let input = CompoundInput::new(side(), side()).unwrap();
    assert_eq!(pairs(&input, Kind::Inner.into()).unwrap(), [(0, 0)]);
    let equal = Semantics {
        nulls_equal: true,
        ..Semantics::from(Kind::Inner)
    };
    let expected = [(0, 0), (1, 1), (1, 3), (2, 2), (3, 1), (3, 3)];
    assert_eq!(pairs(&input, equal).unwrap(), expected);
    let unknown = pairs(&input, Kind::Mark(Side::Probe).into());
    assert_eq!(unknown, Err(JoinError::PartlyNull("probe-mark")));
}
