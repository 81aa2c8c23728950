//! Parquet files whose headers do not say what is there: what is right is read, and what is not is refused in one line,
//! with little memory.

use std::fs;
use std::path::Path;

use crate::common::shown;
use crate::raw::{
    BROTLI, BYTE_ARRAY, Field, GZIP, INT32, LZ4, LZ4_RAW, LZO, PLAIN_BYTES, RawPage, SNAPPY, ZSTD,
    finish, write,
};
use tables::{Options, read};

/// 2^31 - 1, the most that a header can claim.
const MOST: i64 = i32::MAX as i64;

fn read_file(file: &Path) -> Result<Vec<String>, String> {
    let table = read(&[file.to_owned()], &Options::default(), &mut |_| {});
    let table = table.map_err(|error| error.to_string())?;
    Ok(shown(&table)
        .1
        .into_iter()
        .map(|row| row.join(","))
        .collect())
}

fn read_pages(
    physical: i64,
    codec: i64,
    rows: i64,
    pages: &[RawPage],
) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    write(&file, physical, codec, rows, pages);
    read_file(&file).map_err(|error| {
        assert!(
            error.contains("t.parquet") && !error.contains('\n'),
            "{error}"
        );
        error
    })
}

fn numbers(values: &[i32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn texts(values: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        out.extend((value.len() as u32).to_le_bytes());
        out.extend(value.bytes());
    }
    out
}

/// The most memory that this process has asked for, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmPeak:"))
        .unwrap();
    line.trim()
        .strip_suffix(" kB")
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn pages_without_values_are_passed_over() {
    let page = |values: &[i32]| RawPage::data(values.len() as i64, 0, &numbers(values));
    let empty = || page(&[]);
    let v2 = RawPage::data_v2(0, 0, &[], false);
    for pages in [
        vec![empty(), page(&[1, 2, 3])],
        vec![page(&[1]), empty(), empty(), page(&[2, 3])],
        vec![v2.clone(), page(&[1, 2]), v2, page(&[3]), empty()],
    ] {
        assert_eq!(
            read_pages(INT32, PLAIN_BYTES, 3, &pages).unwrap(),
            ["1", "2", "3"]
        );
    }
    // At the end of a batch of the reader.
    let many: Vec<i32> = (0..8192).collect();
    let pages = [page(&many), empty(), page(&[7])];
    assert_eq!(
        read_pages(INT32, PLAIN_BYTES, 8193, &pages).unwrap().len(),
        8193
    );
    for rows in [2, 4] {
        let error = read_pages(INT32, PLAIN_BYTES, rows, &[empty(), page(&[1, 2, 3])]).unwrap_err();
        assert!(error.contains("the file is damaged"), "{error}");
    }
}

/// Every bit of a page that has a checksum is under it, whatever kind of page it is.
#[test]
fn a_checksum_that_is_wrong_is_an_error() {
    let dictionary = RawPage::dictionary(2, &numbers(&[5, 6])).with_crc();
    let indices = RawPage::data(3, 8, &[1, 3, 0b101]).with_crc();
    let v2 = RawPage::data_v2(3, 0, &numbers(&[6, 5, 6]), false).with_crc();
    let v1 = RawPage::data(3, 0, &numbers(&[6, 5, 6])).with_crc();
    for pages in [vec![dictionary, indices], vec![v1], vec![v2]] {
        assert_eq!(
            read_pages(INT32, PLAIN_BYTES, 3, &pages).unwrap(),
            ["6", "5", "6"]
        );
        for (number, page) in pages.iter().enumerate() {
            for bit in 0..8 * page.body.len() {
                let mut pages = pages.clone();
                pages[number].body[bit / 8] ^= 1 << (bit % 8);
                let error = read_pages(INT32, PLAIN_BYTES, 3, &pages).unwrap_err();
                assert!(error.contains("another checksum"), "{error}");
            }
        }
    }
}

/// What a codec makes of bytes.
type Pack = dyn Fn(&[u8]) -> Vec<u8>;

#[test]
fn every_codec_but_lzo_is_read() {
    let texts = texts(&["ab", "", "abababab"]);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let hadoop = |bytes: &[u8]| {
        let packed = lz4_flex::block::compress(bytes);
        let lengths = [bytes.len(), packed.len()].map(|length| (length as u32).to_be_bytes());
        [lengths.as_flattened(), &packed].concat()
    };
    // A Brotli stream of one block that is not compressed, and an empty last one.
    let brotli = |bytes: &[u8]| {
        let header = (bytes.len() as u32 - 1) << 4 | 1 << 20;
        let mut out = header.to_le_bytes()[..3].to_vec();
        out.extend(bytes);
        out.push(3);
        out
    };
    let codecs: [(i64, &Pack); 7] = [
        (SNAPPY, &|bytes| {
            snap::raw::Encoder::new().compress_vec(bytes).unwrap()
        }),
        (GZIP, &gzip),
        (BROTLI, &brotli),
        (LZ4, &hadoop),
        // Old files have blocks without Hadoop's frames under the same name.
        (LZ4, &lz4_flex::block::compress),
        (ZSTD, &|bytes| zstd::bulk::compress(bytes, 1).unwrap()),
        (LZ4_RAW, &lz4_flex::block::compress),
    ];
    for (codec, pack) in codecs {
        for page in [
            RawPage::data(3, 0, &texts),
            RawPage::data_v2(3, 0, &texts, true),
        ] {
            let page = page.packed(pack);
            let read =
                |page: &RawPage| read_pages(BYTE_ARRAY, codec, 3, std::slice::from_ref(page));
            assert_eq!(
                read(&page).unwrap(),
                ["ab", "", "abababab"],
                "codec {codec}"
            );
            for claim in [
                0,
                1,
                texts.len() as i64 - 1,
                texts.len() as i64 + 1,
                1 << 20,
                MOST,
            ] {
                let error = read(&page.clone().claims(claim)).unwrap_err();
                assert!(
                    error.contains("the file is damaged"),
                    "{codec} {claim}: {error}"
                );
            }
            let mut cut = page.clone();
            cut.body.truncate(cut.body.len() / 2);
            cut.packed = cut.body.len() as i64;
            assert!(read(&cut).is_err(), "codec {codec}");
        }
        // Not packed, although the others are.
        let plain = RawPage::data_v2(3, 0, &texts, false);
        assert_eq!(read_pages(BYTE_ARRAY, codec, 3, &[plain]).unwrap().len(), 3);
    }
    let error = read_pages(BYTE_ARRAY, LZO, 3, &[RawPage::data(3, 0, &texts)]).unwrap_err();
    assert!(
        error.contains("column \"a\"") && error.contains("LZO") && error.contains("Zstandard"),
        "{error}"
    );
}

/// Counts and sizes in headers that the bytes cannot hold. What they claim is gigabytes.
#[test]
fn no_size_is_believed() {
    let before = peak_kib();
    let data = RawPage::data(1, 8, &[0, 2]);
    for values in [2, 1 << 26, MOST] {
        let pages = [RawPage::dictionary(values, &texts(&["x"])), data.clone()];
        let error = read_pages(BYTE_ARRAY, PLAIN_BYTES, 1, &pages).unwrap_err();
        assert!(
            error.contains("a dictionary of 5 bytes cannot have"),
            "{error}"
        );
    }
    let pages = [RawPage::dictionary(1, &texts(&["x"])), data];
    assert_eq!(
        read_pages(BYTE_ARRAY, PLAIN_BYTES, 1, &pages).unwrap(),
        ["x"]
    );

    // Snappy's own length may lie as well.
    let snappy = |length: u64| {
        let mut body = Vec::new();
        let mut length = length;
        while length > 0x7f {
            body.push(length as u8 | 0x80);
            length >>= 7;
        }
        body.extend([length as u8, 12]);
        body.extend(numbers(&[1]));
        body
    };
    let page = RawPage::data(1, 0, &numbers(&[1]));
    let good = page.clone().packed(|_| snappy(4));
    assert_eq!(read_pages(INT32, SNAPPY, 1, &[good]).unwrap(), ["1"]);
    for (own, claimed) in [(4, MOST), (MOST, 4), (MOST, MOST)] {
        let page = page.clone().packed(|_| snappy(own as u64)).claims(claimed);
        assert!(read_pages(INT32, SNAPPY, 1, &[page]).is_err());
    }

    // Lengths of strings: 2^31 - 1 of them, where the page has one.
    let many = [0x80, 1, 4, 0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0, 0, 0, 0];
    let one = [0x80, 1, 4, 1, 0];
    for (encoding, body) in [
        (6, many.to_vec()),
        (7, many.to_vec()),
        (7, [&one[..], &many].concat()),
    ] {
        for page in [
            RawPage::data(1, encoding, &body),
            RawPage::data_v2(1, encoding, &body, false),
        ] {
            let error = read_pages(BYTE_ARRAY, PLAIN_BYTES, 1, &[page]).unwrap_err();
            assert!(error.contains("2147483647 values"), "{error}");
        }
    }
    assert_eq!(
        read_pages(
            BYTE_ARRAY,
            PLAIN_BYTES,
            1,
            &[RawPage::data(1, 7, &[one, one].concat())]
        )
        .unwrap(),
        [""]
    );

    // More values than rows, levels beyond the page, and a page beyond the file.
    let more = RawPage::data(MOST, 0, &numbers(&[1]));
    assert!(read_pages(INT32, PLAIN_BYTES, 1, &[more]).is_err());
    let mut levels = RawPage::data_v2(1, 0, &numbers(&[1]), false);
    for field in [4, 5] {
        levels.of_kind.1[field].1 = Field::Int(MOST);
        assert!(read_pages(INT32, PLAIN_BYTES, 1, std::slice::from_ref(&levels)).is_err());
    }
    for packed in [5, MOST, -1, i64::MAX] {
        let mut page = RawPage::data(1, 0, &numbers(&[1]));
        page.packed = packed;
        assert!(read_pages(INT32, PLAIN_BYTES, 1, &[page]).is_err());
    }
    assert!(read_pages(INT32, PLAIN_BYTES, i64::MAX, &[]).is_err());
    assert!(read_pages(INT32, PLAIN_BYTES, -1, &[]).is_err());

    let after = peak_kib();
    assert!(after - before < 1 << 20, "{} KiB more", after - before);
}

/// A field of another kind than the format says is not taken for what it should be.
#[test]
fn fields_are_of_their_kinds() {
    let good = RawPage::data(1, 0, &numbers(&[1]));
    let read = |page: RawPage| read_pages(INT32, PLAIN_BYTES, 1, &[page]);
    assert_eq!(read(good.clone()).unwrap(), ["1"]);
    for (place, field) in [
        (0, Field::Long(1)),
        (1, Field::Text("0".to_owned())),
        (2, Field::Struct(Vec::new())),
        (3, Field::Bool(true)),
    ] {
        let mut page = good.clone();
        page.of_kind.1[place].1 = field;
        assert!(read(page).unwrap_err().contains("of another kind"));
        let mut page = good.clone();
        page.of_kind.1.remove(place);
        assert!(read(page).unwrap_err().contains("a field is missing"));
    }
    // Sizes that contradict each other.
    assert!(
        read(good.clone().claims(3))
            .unwrap_err()
            .contains("not compressed")
    );
    let unpacked = RawPage::data_v2(1, 0, &numbers(&[1]), false).claims(8);
    assert!(
        read_pages(INT32, SNAPPY, 1, &[unpacked])
            .unwrap_err()
            .contains("not compressed")
    );
    // A column that is stored as another type than the schema says, or has more values than rows.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    write(&file, INT32, PLAIN_BYTES, 1, &[good]);
    let bytes = fs::read(&file).unwrap();
    // The physical type, and then the encodings.
    let at = bytes
        .windows(4)
        .position(|bytes| bytes == [0x15, 2, 0x19, 0x25])
        .unwrap();
    let values = bytes[at..]
        .windows(3)
        .position(|bytes| bytes == [0x15, 0, 0x16])
        .unwrap()
        + at;
    for (at, value, part) in [
        (at + 1, 4, "another type than the schema says"),
        (values + 3, 4, "not as many values as there are rows"),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        fs::write(&file, bytes).unwrap();
        let error = read_file(&file).unwrap_err();
        assert!(error.contains(part) && error.contains("damaged"), "{error}");
    }
}

#[test]
fn a_schema_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    let group = |children: i64| {
        let name = (4, Field::Text("g".to_owned()));
        Field::Struct(vec![(3, Field::Int(0)), name, (5, Field::Int(children))])
    };
    let column = || {
        let name = (4, Field::Text("a".to_owned()));
        Field::Struct(vec![(1, Field::Int(INT32)), (3, Field::Int(0)), name])
    };
    let mut deep = vec![group(1); 100_000];
    deep.push(column());
    for (schema, part) in [
        (vec![group(MOST)], "more columns than there are"),
        (
            vec![group(1), group(MOST), column()],
            "more columns than there are",
        ),
        (deep, "nested too deep"),
    ] {
        finish(&file, b"PAR1".to_vec(), schema, 0, None);
        let error = read_file(&file).unwrap_err();
        assert!(error.contains(part) && error.contains("damaged"), "{error}");
    }
    // Rows without columns cannot be kept.
    let rows = [
        (1, Field::List(Vec::new())),
        (2, Field::Long(0)),
        (3, Field::Long(3)),
    ];
    let rows = Field::Struct(rows.to_vec());
    finish(&file, b"PAR1".to_vec(), vec![group(0)], 3, Some(rows));
    assert!(
        read_file(&file)
            .unwrap_err()
            .contains("the file has no column")
    );
    // An end that is none.
    for end in [&b""[..], b"PAR1", b"\0\0\0\0PAR1", b"\xff\xff\xff\xffPAR1"] {
        fs::write(&file, end).unwrap();
        assert!(
            read_file(&file)
                .unwrap_err()
                .contains("the file is damaged")
        );
    }
    fs::write(&file, b"PAR1\0\0\0\0PARE").unwrap();
    assert!(read_file(&file).unwrap_err().contains("encrypted"));
}
