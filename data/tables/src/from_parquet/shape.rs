//! What Parquet's structs are made of. The library takes a field for what it should be, whatever kind of value it has, and
//! so reads damaged headers as something else; here, all fields that are known must be of their kind, and those that are
//! required must be there.

use std::io::Read;

use super::thrift::{Compact, Kind, ThriftError};

/// What a value must be.
#[derive(Debug)]
pub enum Shape {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Double,
    Binary,
    List(&'static Shape),
    Struct(&'static [Field]),
    /// A struct that must have one of its fields.
    Union(&'static [Field]),
}
use Shape::{Binary, Bool, Double, Int8, Int16, Int32, Int64, List, Struct, Union};

/// A field that is known: its number, whether it must be there, and its shape. Others are passed over.
#[derive(Debug)]
pub struct Field(i64, bool, Shape);

/// What is met on the way, where the numbers of the fields around tell.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A struct begins.
    Begin,
    /// A number, or a truth value as 0 or 1.
    Number(i64),
}

/// A walk over a value that checks its shape and tells of its numbers.
pub struct StructWalk<'a, R> {
    compact: Compact<R>,
    place: Vec<i64>,
    tell: &'a mut dyn FnMut(&[i64], Event),
}

impl<'a, R: Read> StructWalk<'a, R> {
    /// Walks over a struct, and returns its length in bytes.
    ///
    /// # Errors
    /// If it has another shape, or the system refuses.
    pub fn over(
        input: R,
        shape: &'static Shape,
        tell: &'a mut dyn FnMut(&[i64], Event),
    ) -> Result<u64, ThriftError> {
        let mut walk = StructWalk {
            compact: Compact::new(input),
            place: Vec::new(),
            tell,
        };
        walk.value(Kind::Struct, shape)?;
        Ok(walk.compact.read)
    }

    fn value(&mut self, kind: Kind, shape: &'static Shape) -> Result<(), ThriftError> {
        match (shape, kind) {
            (Bool, Kind::True | Kind::False) => {
                self.number((kind == Kind::True).into());
                Ok(())
            }
            (Int16, Kind::Int16) | (Int32, Kind::Int32) | (Int64, Kind::Int64) => {
                let number = self.compact.integer()?;
                let fits = match shape {
                    Int16 => i16::try_from(number).is_ok(),
                    Int32 => i32::try_from(number).is_ok(),
                    _ => true,
                };
                if !fits {
                    return Err(ThriftError::Broken("a number is too large"));
                }
                self.number(number);
                Ok(())
            }
            (Int8, Kind::Byte) | (Double, Kind::Double) | (Binary, Kind::Binary) => {
                self.compact.skip(kind)
            }
            (List(shape), Kind::List) => {
                let (kind, elements) = self.compact.list()?;
                (0..elements).try_for_each(|_| self.value(kind, shape))
            }
            (Struct(fields) | Union(fields), Kind::Struct) => {
                (self.tell)(&self.place, Event::Begin);
                self.fields(fields, matches!(shape, Union(_)))
            }
            _ => Err(ThriftError::Broken(
                "a field is of another kind than it must be",
            )),
        }
    }

    fn number(&mut self, number: i64) {
        (self.tell)(&self.place, Event::Number(number));
    }

    fn fields(&mut self, fields: &'static [Field], one: bool) -> Result<(), ThriftError> {
        // Bits by the places in `fields`, which has few.
        let mut seen = 0_u32;
        let mut begin = self.compact.begin()?;
        while let Some((number, kind)) = self.compact.field(&mut begin)? {
            match fields.iter().position(|field| field.0 == number) {
                None => self.compact.skip(kind)?,
                Some(place) => {
                    seen |= 1 << place;
                    self.place.push(number);
                    self.value(kind, &fields[place].2)?;
                    self.place.pop();
                }
            }
        }
        let missing = |(place, field): (usize, &Field)| field.1 && seen >> place & 1 == 0;
        match fields.iter().enumerate().any(missing) || one && seen == 0 {
            true => Err(ThriftError::Broken("a field is missing")),
            false => Ok(()),
        }
    }
}

const STATISTICS: Shape = Struct(&[
    Field(1, false, Binary),
    Field(2, false, Binary),
    Field(3, false, Int64),
    Field(4, false, Int64),
    Field(5, false, Binary),
    Field(6, false, Binary),
    Field(7, false, Bool),
    Field(8, false, Bool),
]);

/// What stands before a page.
pub const PAGE_HEADER: Shape = Struct(&[
    Field(1, true, Int32),
    Field(2, true, Int32),
    Field(3, true, Int32),
    Field(4, false, Int32),
    Field(
        5,
        false,
        Struct(&[
            Field(1, true, Int32),
            Field(2, true, Int32),
            Field(3, true, Int32),
            Field(4, true, Int32),
            Field(5, false, STATISTICS),
        ]),
    ),
    Field(6, false, EMPTY),
    Field(
        7,
        false,
        Struct(&[
            Field(1, true, Int32),
            Field(2, true, Int32),
            Field(3, false, Bool),
        ]),
    ),
    Field(
        8,
        false,
        Struct(&[
            Field(1, true, Int32),
            Field(2, true, Int32),
            Field(3, true, Int32),
            Field(4, true, Int32),
            Field(5, true, Int32),
            Field(6, true, Int32),
            Field(7, false, Bool),
            Field(8, false, STATISTICS),
        ]),
    ),
]);

const EMPTY: Shape = Struct(&[]);
const TIME: Shape = Struct(&[
    Field(1, true, Bool),
    Field(
        2,
        true,
        Union(&[
            Field(1, false, EMPTY),
            Field(2, false, EMPTY),
            Field(3, false, EMPTY),
        ]),
    ),
]);
const LOGICAL_TYPE: Shape = Struct(&[
    Field(1, false, EMPTY),
    Field(2, false, EMPTY),
    Field(3, false, EMPTY),
    Field(4, false, EMPTY),
    Field(
        5,
        false,
        Struct(&[Field(1, true, Int32), Field(2, true, Int32)]),
    ),
    Field(6, false, EMPTY),
    Field(7, false, TIME),
    Field(8, false, TIME),
    Field(
        10,
        false,
        Struct(&[Field(1, true, Int8), Field(2, true, Bool)]),
    ),
    Field(11, false, EMPTY),
    Field(12, false, EMPTY),
    Field(13, false, EMPTY),
    Field(14, false, EMPTY),
    Field(15, false, EMPTY),
    Field(16, false, Struct(&[Field(1, false, Int8)])),
    Field(17, false, Struct(&[Field(1, false, Binary)])),
    Field(
        18,
        false,
        Struct(&[Field(1, false, Binary), Field(2, false, Int32)]),
    ),
]);
const SCHEMA_ELEMENT: Shape = Struct(&[
    Field(1, false, Int32),
    Field(2, false, Int32),
    Field(3, false, Int32),
    Field(4, true, Binary),
    Field(5, false, Int32),
    Field(6, false, Int32),
    Field(7, false, Int32),
    Field(8, false, Int32),
    Field(9, false, Int32),
    Field(10, false, LOGICAL_TYPE),
]);
const KEY_VALUE: Shape = Struct(&[Field(1, true, Binary), Field(2, false, Binary)]);
const ENCODING_STATS: Shape = Struct(&[
    Field(1, true, Int32),
    Field(2, true, Int32),
    Field(3, true, Int32),
]);
const SIZE_STATISTICS: Shape = Struct(&[
    Field(1, false, Int64),
    Field(2, false, List(&Int64)),
    Field(3, false, List(&Int64)),
]);
const BOUNDS: Shape = Struct(&[
    Field(1, true, Double),
    Field(2, true, Double),
    Field(3, true, Double),
    Field(4, true, Double),
    Field(5, false, Double),
    Field(6, false, Double),
    Field(7, false, Double),
    Field(8, false, Double),
]);
const COLUMN_METADATA: Shape = Struct(&[
    Field(1, true, Int32),
    Field(2, true, List(&Int32)),
    Field(3, true, List(&Binary)),
    Field(4, true, Int32),
    Field(5, true, Int64),
    Field(6, true, Int64),
    Field(7, true, Int64),
    Field(8, false, List(&KEY_VALUE)),
    Field(9, true, Int64),
    Field(10, false, Int64),
    Field(11, false, Int64),
    Field(12, false, STATISTICS),
    Field(13, false, List(&ENCODING_STATS)),
    Field(14, false, Int64),
    Field(15, false, Int32),
    Field(16, false, SIZE_STATISTICS),
    Field(
        17,
        false,
        Struct(&[Field(1, false, BOUNDS), Field(2, false, List(&Int32))]),
    ),
]);
const COLUMN_CHUNK: Shape = Struct(&[
    Field(1, false, Binary),
    Field(2, true, Int64),
    Field(3, false, COLUMN_METADATA),
    Field(4, false, Int64),
    Field(5, false, Int32),
    Field(6, false, Int64),
    Field(7, false, Int32),
]);
const SORTING_COLUMN: Shape = Struct(&[
    Field(1, true, Int32),
    Field(2, true, Bool),
    Field(3, true, Bool),
]);
const ROW_GROUP: Shape = Struct(&[
    Field(1, true, List(&COLUMN_CHUNK)),
    Field(2, true, Int64),
    Field(3, true, Int64),
    Field(4, false, List(&SORTING_COLUMN)),
    Field(5, false, Int64),
    Field(6, false, Int64),
    Field(7, false, Int16),
]);

/// What a file ends with.
pub const FOOTER: Shape = Struct(&[
    Field(1, true, Int32),
    Field(2, true, List(&SCHEMA_ELEMENT)),
    Field(3, true, Int64),
    Field(4, true, List(&ROW_GROUP)),
    Field(5, false, List(&KEY_VALUE)),
    Field(6, false, Binary),
    Field(7, false, List(&Struct(&[Field(1, false, EMPTY)]))),
]);
