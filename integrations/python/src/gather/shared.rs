//! What all that is gathered of a column has in common: the characters of views, the values of dictionaries.

use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;
use join_core::memory::Reservation;

use super::{Place, Refusal, Rows, Source, room};

/// What all that is gathered has in common.
#[derive(Debug)]
pub(super) enum Shared {
    Nothing,
    /// The characters of all chunks, and which are the first of each chunk.
    Buffers(Vec<Buffer>, Vec<u32>),
    /// The dictionaries of all chunks as one, and where each begins.
    Dictionary(ArrayData, Vec<usize>),
}

/// The characters of all chunks of views.
pub(super) fn shared_buffers(chunks: &[ArrayData]) -> Shared {
    let mut buffers = Vec::new();
    let mut firsts = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        firsts.push(buffers.len() as u32);
        buffers.extend(chunk.buffers()[1..].iter().cloned());
    }
    Shared::Buffers(buffers, firsts)
}

/// The dictionaries of all chunks, once where they are the same.
///
/// # Errors
///
/// They do not fit into one of these keys, or into memory.
pub(super) fn shared_dictionary(
    keys: &DataType,
    values: &DataType,
    chunks: &[ArrayData],
    reservation: &mut Reservation,
) -> Result<Shared, Refusal> {
    let of_chunks: Vec<ArrayData> = chunks
        .iter()
        .map(|chunk| chunk.child_data()[0].clone())
        .collect();
    let Some((first, others)) = of_chunks.split_first() else {
        return Ok(Shared::Dictionary(ArrayData::new_empty(values), Vec::new()));
    };
    if others.iter().all(|other| other.ptr_eq(first)) {
        return Ok(Shared::Dictionary(first.clone(), vec![0; chunks.len()]));
    }
    let mut firsts = Vec::with_capacity(chunks.len());
    let mut total = 0;
    for dictionary in &of_chunks {
        firsts.push(total);
        total += dictionary.len();
    }
    if total > 0 && !numbers(keys, total - 1) {
        return Err(Refusal::Type(format!(
            "its chunks have dictionaries of their own, with {total} values in all, more than {keys} can number; give it \
             in one chunk, or cast it to its values"
        )));
    }
    let mut places = room::<Place>(total, reservation)?;
    for (chunk, dictionary) in (0..).zip(&of_chunks) {
        places.extend((0..dictionary.len() as u32).map(|row| Place { chunk, row }));
    }
    let all = Source::new(values, of_chunks, reservation)?;
    match all.gather(Rows::of_many(&places, false), reservation) {
        Ok(values) => Ok(Shared::Dictionary(values, firsts)),
        Err(Refusal::TooLong) => Err(Refusal::Type(
            "its chunks have dictionaries that are too long as one; cast it to its values"
                .to_owned(),
        )),
        Err(refusal) => Err(refusal),
    }
}

/// Whether a type of keys has this number.
fn numbers(keys: &DataType, number: usize) -> bool {
    match keys {
        DataType::Int8 => i8::try_from(number).is_ok(),
        DataType::Int16 => i16::try_from(number).is_ok(),
        DataType::Int32 => i32::try_from(number).is_ok(),
        DataType::UInt8 => u8::try_from(number).is_ok(),
        DataType::UInt16 => u16::try_from(number).is_ok(),
        DataType::UInt32 => u32::try_from(number).is_ok(),
        _ => true,
    }
}
