//! What a producer claims of its schema and its arrays, looked at before anyone follows it: everything that is not behind a
//! pointer to values, and the last offset of texts, which says how long they are.

use std::ffi::{CStr, c_char, c_void};
use std::{mem, ptr};

use arrow_array::ffi::FFI_ArrowArray;
use arrow_data::{ArrayData, layout};
use arrow_schema::DataType;
use arrow_schema::ffi::FFI_ArrowSchema;

/// Types nested deeper are not read: whoever walks through one needs some stack for each level.
const DEEPEST: usize = 64;

/// More fields, or buffers, are rubbish.
const MOST_FIELDS: i64 = 1 << 20;

/// More rows are rubbish.
const MOST_ROWS: i64 = 1 << 48;

/// `struct ArrowSchema` of the Arrow C data interface; the one of arrow-schema does not show its fields.
#[repr(C)]
#[allow(dead_code, reason = "fields stand where the interface has them")]
struct Schema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *const *const Schema,
    dictionary: *const Schema,
    release: *const c_void,
    private_data: *const c_void,
}

/// `struct ArrowArray` of the Arrow C data interface.
#[repr(C)]
#[allow(dead_code, reason = "fields stand where the interface has them")]
struct Array {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *const *const u8,
    children: *const *const Array,
    dictionary: *const Array,
    release: *const c_void,
    private_data: *const c_void,
}

/// Looks at a schema that has not been released.
///
/// # Errors
///
/// In words, it is none that a type could be made of.
pub(crate) fn schema(schema: &FFI_ArrowSchema) -> Result<(), String> {
    // SAFETY: both are the structure of the C interface.
    let schema = unsafe { &*ptr::from_ref(schema).cast::<Schema>() };
    schema.check(DEEPEST)
}

/// Looks at an array that has not been released, whose schema was of this type, and takes the buffers of arrays of type Null away.
///
/// # Errors
///
/// In words, it is none of this type.
pub(crate) fn array(array: &mut FFI_ArrowArray, data_type: &DataType) -> Result<(), String> {
    // SAFETY: both are the structure of the C interface.
    let checked = unsafe { &*ptr::from_ref(array).cast::<Array>() };
    checked.check(data_type)?;
    without_buffers_of_null(array, data_type);
    Ok(())
}

/// Puts others in place of arrays of type Null that have buffers: those of polars do, and the format has none for them. The array was
/// checked.
fn without_buffers_of_null(array: &mut FFI_ArrowArray, data_type: &DataType) {
    if *data_type == DataType::Null {
        if array.num_buffers() > 0 {
            let without = FFI_ArrowArray::new(&ArrayData::new_null(data_type, array.len()));
            drop(mem::replace(array, without));
        }
        return;
    }
    // SAFETY: both are the structure of the C interface.
    let structure = unsafe { &*ptr::from_ref(array).cast::<Array>() };
    let values = match data_type {
        DataType::Dictionary(_, values) => Some((structure.dictionary, &**values)),
        _ => None,
    };
    let types = children(data_type).into_iter().enumerate();
    let children = types.map(|(number, of_child)| {
        // SAFETY: an array that was checked has as many children as its type.
        (unsafe { *structure.children.add(number) }, of_child)
    });
    for (child, of_child) in children.chain(values) {
        // SAFETY: a pointer of an array that was checked is not null. Whoever is given an array may move its children out, and
        // the parent's release function calls that of whatever stands in their place then.
        let child = unsafe { &mut *child.cast_mut().cast::<FFI_ArrowArray>() };
        without_buffers_of_null(child, of_child);
    }
}

/// The text at a pointer; none where it is null.
fn text<'a>(at: *const c_char, what: &str) -> Result<Option<&'a str>, String> {
    if at.is_null() {
        return Ok(None);
    }
    // SAFETY: it ends in 0 and stays as long as the schema, by the protocol.
    let text = unsafe { CStr::from_ptr(at) };
    match text.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(format!(
            "its {what} {:?} is no UTF-8; give it another one",
            text.to_string_lossy()
        )),
    }
}

/// What a place in a table of pointers points to; none where one of both is null.
fn entry<'a, T>(table: *const *const T, place: i64) -> Option<&'a T> {
    if table.is_null() {
        return None;
    }
    // SAFETY: the table has as many places as the structure says, and what they point to stays as long as that, by the protocol.
    unsafe { (*table.add(place as usize)).as_ref() }
}

impl Schema {
    fn check(&self, levels: usize) -> Result<(), String> {
        if levels == 0 || !(0..=MOST_FIELDS).contains(&self.n_children) {
            return Err(format!(
                "its type is nested more than {DEEPEST} times, or has more than {MOST_FIELDS} fields; leave such columns out"
            ));
        }
        text(self.name, "name")?;
        let format = text(self.format, "type")?.ok_or("it has no type")?;
        let (kind, width) = format.split_once(':').unwrap_or((format, ""));
        let wanted = match kind {
            "+l" | "+L" | "+vl" | "+vL" | "+w" | "+m" => 1,
            "+r" => 2,
            _ => 0,
        };
        if self.n_children < wanted {
            let found = self.n_children;
            return Err(format!(
                "its type {format:?} has {found} children instead of {wanted}"
            ));
        }
        if matches!(kind, "w" | "+w") && width.starts_with('-') {
            return Err(format!("its type {format:?} has a negative width"));
        }
        for number in 0..self.n_children {
            let child = entry(self.children, number);
            let checked = match child {
                None => Err("it has no type".to_owned()),
                Some(child) => child.check(levels - 1),
            };
            checked.map_err(
                |why| match (kind, child.map(|child| text(child.name, ""))) {
                    ("+s", Some(Ok(Some(name)))) => format!("column {name:?}: {why}"),
                    ("+s", _) => format!("column number {number}: {why}"),
                    _ => why,
                },
            )?;
        }
        // SAFETY: null, or a schema, by the protocol.
        match unsafe { self.dictionary.as_ref() } {
            Some(values) => values.check(levels - 1),
            None => Ok(()),
        }
    }
}

impl Array {
    fn check(&self, data_type: &DataType) -> Result<(), String> {
        let shape = layout(data_type);
        let first = i64::from(shape.can_contain_null_mask);
        let least = first + shape.buffers.len() as i64 + i64::from(shape.variadic);
        let wrong = |what: String| Err(format!("an array of {data_type} {what}"));
        let (rows, offset, buffers) = (self.length, self.offset, self.n_buffers);
        if ![rows, offset]
            .iter()
            .all(|rows| (0..=MOST_ROWS).contains(rows))
        {
            return wrong(format!("has {rows} rows from {offset}"));
        }
        if !(least..=MOST_FIELDS).contains(&buffers) || (self.buffers.is_null() && buffers > 0) {
            return wrong(format!("has {buffers} buffers instead of {least}, or none"));
        }
        let end = rows + offset;
        let lacks = |number: i64| self.buffer(number).is_null();
        if !shape.buffers.is_empty() && end > 0 && lacks(first) {
            return wrong("has rows and no values".to_owned());
        }
        match data_type {
            DataType::FixedSizeBinary(width)
                if i128::from(end) * i128::from(*width) > i128::from(i64::MAX) =>
            {
                return wrong(format!("has {rows} rows from {offset}"));
            }
            DataType::Utf8 | DataType::Binary | DataType::LargeUtf8 | DataType::LargeBinary
                if end > 0 =>
            {
                let is_large = matches!(data_type, DataType::LargeUtf8 | DataType::LargeBinary);
                let last = match is_large {
                    true => self.integer::<i64>(first, end),
                    false => self.integer::<i32>(first, end).map(i64::from),
                };
                match last.unwrap_or(0) {
                    0 => {}
                    last if last < 0 => {
                        return wrong(format!("ends at the negative offset {last}"));
                    }
                    last if lacks(first + 1) => {
                        return wrong(format!("has {last} bytes and no buffer of them"));
                    }
                    _ => {}
                }
            }
            _ if shape.variadic => {
                let lens = buffers - 1;
                for number in 0..buffers - least {
                    match self.integer::<i64>(lens, number) {
                        Some(0) => {}
                        Some(1..) if !lacks(first + 1 + number) => {}
                        _ => return wrong("has buffers without lengths".to_owned()),
                    }
                }
            }
            _ => {}
        }
        let is_struct = matches!(data_type, DataType::Struct(_));
        let types = children(data_type);
        if self.n_children != types.len() as i64 {
            let (found, wanted) = (self.n_children, types.len());
            return wrong(format!("has {found} children instead of {wanted}"));
        }
        for (number, of_child) in types.into_iter().enumerate() {
            let checked = match entry(self.children, number as i64) {
                None => Err("it has no array".to_owned()),
                Some(child) if is_struct && child.length < end => {
                    Err(format!("it has {} rows of {end}", child.length))
                }
                Some(child) => child.check(of_child),
            };
            checked.map_err(|why| match data_type {
                DataType::Struct(fields) => format!("column {:?}: {why}", fields[number].name()),
                _ => why,
            })?;
        }
        // SAFETY: null, or an array, by the protocol.
        match (data_type, unsafe { self.dictionary.as_ref() }) {
            (DataType::Dictionary(_, values), Some(dictionary)) => dictionary.check(values),
            (DataType::Dictionary(..), None) => wrong("has no dictionary".to_owned()),
            (_, Some(_)) => wrong("has a dictionary".to_owned()),
            (_, None) => Ok(()),
        }
    }

    /// Where a buffer begins; null where there is none.
    fn buffer(&self, number: i64) -> *const u8 {
        match self.buffers.is_null() {
            true => ptr::null(),
            // SAFETY: the callers ask for buffers that the array has, by its own number of them.
            false => unsafe { *self.buffers.add(number as usize) },
        }
    }

    /// The integer in a place of a buffer; none where there is no buffer.
    fn integer<T>(&self, buffer: i64, place: i64) -> Option<T> {
        let buffer = self.buffer(buffer).cast::<T>();
        // SAFETY: the callers ask for places that the buffer has, by the protocol, and for an integer.
        (!buffer.is_null()).then(|| unsafe { buffer.add(place as usize).read_unaligned() })
    }
}

/// The types of an array's children.
fn children(data_type: &DataType) -> Vec<&DataType> {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field.data_type()).collect(),
        DataType::RunEndEncoded(ends, values) => vec![ends.data_type(), values.data_type()],
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => vec![field.data_type()],
        _ => Vec::new(),
    }
}
