//! Parquet files written byte by byte, so that their headers can say anything.

use std::fs;
use std::path::Path;

/// A field of a struct in Thrift's compact protocol.
#[derive(Clone)]
pub enum Field {
    /// Of 32 bits.
    Int(i64),
    /// Of 64 bits.
    Long(i64),
    Bool(bool),
    Text(String),
    Struct(Vec<(u8, Field)>),
    /// Of structs, of integers, or of texts.
    List(Vec<Field>),
}
use Field::{Bool, Int, List, Long, Struct, Text};

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn kind(field: &Field) -> u8 {
    match field {
        Int(_) => 5,
        Long(_) => 6,
        Bool(true) => 1,
        Bool(false) => 2,
        Text(_) => 8,
        Struct(_) => 12,
        List(_) => 9,
    }
}

fn put(field: &Field, out: &mut Vec<u8>) {
    match field {
        Int(number) | Long(number) => varint((number << 1 ^ number >> 63).cast_unsigned(), out),
        Bool(_) => {}
        Text(text) => {
            varint(text.len() as u64, out);
            out.extend(text.bytes());
        }
        Struct(fields) => {
            let mut last = 0;
            for (number, field) in fields {
                out.push((number - last) << 4 | kind(field));
                put(field, out);
                last = *number;
            }
            out.push(0);
        }
        List(fields) => {
            let few = fields.len().min(15) as u8;
            let kind = fields.first().map_or(12, kind);
            out.push(few << 4 | kind);
            if few == 15 {
                varint(fields.len() as u64, out);
            }
            fields.iter().for_each(|field| put(field, out));
        }
    }
}

/// The bytes of a struct.
pub fn bytes(fields: Vec<(u8, Field)>) -> Vec<u8> {
    let mut out = Vec::new();
    put(&Struct(fields), &mut out);
    out
}

/// The codecs, by their numbers in the format.
pub const PLAIN_BYTES: i64 = 0;
pub const SNAPPY: i64 = 1;
pub const GZIP: i64 = 2;
pub const LZO: i64 = 3;
pub const BROTLI: i64 = 4;
pub const LZ4: i64 = 5;
pub const ZSTD: i64 = 6;
pub const LZ4_RAW: i64 = 7;

/// Physical types.
pub const INT32: i64 = 1;
pub const BYTE_ARRAY: i64 = 6;

/// A page and what its header says.
#[derive(Clone)]
pub struct RawPage {
    /// The fields of its header, without the kinds' own ones.
    pub kind: i64,
    pub unpacked: i64,
    pub packed: i64,
    pub crc: Option<i64>,
    /// The number of the header of this kind, and that header.
    pub of_kind: (u8, Vec<(u8, Field)>),
    pub body: Vec<u8>,
}

impl RawPage {
    fn new(kind: i64, of_kind: (u8, Vec<(u8, Field)>), body: &[u8]) -> RawPage {
        RawPage {
            kind,
            unpacked: body.len() as i64,
            packed: body.len() as i64,
            crc: None,
            of_kind,
            body: body.to_vec(),
        }
    }

    /// A data page of the first version.
    pub fn data(values: i64, encoding: i64, body: &[u8]) -> RawPage {
        let header = vec![
            (1, Int(values)),
            (2, Int(encoding)),
            (3, Int(3)),
            (4, Int(3)),
        ];
        RawPage::new(0, (5, header), body)
    }

    /// A data page of the second version, without levels.
    pub fn data_v2(values: i64, encoding: i64, body: &[u8], packed: bool) -> RawPage {
        let header = vec![
            (1, Int(values)),
            (2, Int(0)),
            (3, Int(values)),
            (4, Int(encoding)),
            (5, Int(0)),
            (6, Int(0)),
            (7, Bool(packed)),
        ];
        RawPage::new(3, (8, header), body)
    }

    /// A dictionary.
    pub fn dictionary(values: i64, body: &[u8]) -> RawPage {
        RawPage::new(2, (7, vec![(1, Int(values)), (2, Int(0))]), body)
    }

    /// With the bytes that its codec makes of it.
    pub fn packed(mut self, pack: impl FnOnce(&[u8]) -> Vec<u8>) -> RawPage {
        self.body = pack(&self.body);
        self.packed = self.body.len() as i64;
        self
    }

    /// With another size once unpacked.
    pub fn claims(mut self, unpacked: i64) -> RawPage {
        self.unpacked = unpacked;
        self
    }

    /// With the checksum of its bytes.
    pub fn with_crc(mut self) -> RawPage {
        self.crc = Some(crc32fast::hash(&self.body).cast_signed().into());
        self
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut fields = vec![
            (1, Int(self.kind)),
            (2, Int(self.unpacked)),
            (3, Int(self.packed)),
        ];
        fields.extend(self.crc.map(|crc| (4, Int(crc))));
        let (number, of_kind) = &self.of_kind;
        fields.push((*number, Struct(of_kind.clone())));
        out.extend(bytes(fields));
        out.extend(&self.body);
    }
}

/// A file of one required column `a` in one row group.
pub fn write(file: &Path, physical: i64, codec: i64, rows: i64, pages: &[RawPage]) {
    let mut out = b"PAR1".to_vec();
    let mut dictionary = None;
    for page in pages {
        if page.kind == 2 {
            dictionary = Some(out.len() as i64);
        }
        page.write(&mut out);
    }
    let size = Long(out.len() as i64 - 4);
    let mut meta = vec![
        (1, Int(physical)),
        (2, List(vec![Int(0), Int(3)])),
        (3, List(vec![Text("a".to_owned())])),
        (4, Int(codec)),
        (5, Long(rows)),
        (6, size.clone()),
        (7, size.clone()),
        (9, Long(4)),
    ];
    meta.extend(dictionary.map(|at| (11, Long(at))));
    let group = Struct(vec![
        (1, List(vec![Struct(vec![(2, Long(4)), (3, Struct(meta))])])),
        (2, size),
        (3, Long(rows)),
    ]);
    let column = vec![(1, Int(physical)), (3, Int(0)), (4, Text("a".to_owned()))];
    let schema = vec![
        Struct(vec![(4, Text("schema".to_owned())), (5, Int(1))]),
        Struct(column),
    ];
    finish(file, out, schema, rows, Some(group));
}

/// A file of this schema and no row group, or the one that is given.
pub fn finish(file: &Path, mut out: Vec<u8>, schema: Vec<Field>, rows: i64, group: Option<Field>) {
    let mut footer = vec![(1, Int(1)), (2, List(schema)), (3, Long(rows))];
    footer.push((4, List(group.into_iter().collect())));
    let footer = bytes(footer);
    out.extend(&footer);
    out.extend((footer.len() as u32).to_le_bytes());
    out.extend(b"PAR1");
    fs::write(file, out).unwrap();
}
