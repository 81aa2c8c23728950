//! Counts that pages claim, held against the bytes that are there, before a decoder makes room for them.

use parquet::basic::{Encoding, Type as Physical};

use super::deltas::{Deltas, varint};

/// Says whether a dictionary of `bytes` can have so many values.
///
/// # Errors
/// If they cannot lie in those bytes.
pub fn dictionary(
    values: u32,
    bytes: usize,
    physical: Physical,
    length: i32,
) -> Result<(), String> {
    let bits: u64 = match physical {
        Physical::BOOLEAN => 1,
        // A string has its length before it.
        Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 32,
        Physical::INT64 | Physical::DOUBLE => 64,
        Physical::INT96 => 96,
        Physical::FIXED_LEN_BYTE_ARRAY => 8 * u64::from(length.max(1).unsigned_abs()),
    };
    match u64::from(values).saturating_mul(bits) <= 8 * bytes as u64 {
        true => Ok(()),
        false => Err(format!(
            "a dictionary of {bytes} bytes cannot have {values} values, which its header says"
        )),
    }
}

/// Says whether the values of a page, which are encoded as `encoding` in `bytes`, are at most as many as its header says,
/// and their bytes are there. `width` is the bytes of each, where they are of one length.
///
/// # Errors
/// If they are not, or break the encoding.
pub fn values(
    encoding: Encoding,
    bytes: &[u8],
    values: u32,
    width: Option<usize>,
) -> Result<(), String> {
    let mut deltas = Deltas::new(bytes, values);
    match encoding {
        Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => match bytes.split_first() {
            Some((&bits, indices)) => runs(indices, bits, values),
            None => Ok(()),
        },
        // Truth values, behind their length.
        Encoding::RLE => match bytes.split_first_chunk() {
            Some((length, bytes)) => {
                let bytes = bytes.get(..u32::from_le_bytes(*length) as usize);
                runs(bytes.ok_or("a page is cut off")?, 1, values)
            }
            None => Ok(()),
        },
        Encoding::BYTE_STREAM_SPLIT => match width {
            Some(width) if !bytes.len().is_multiple_of(width.max(1)) => Err(format!(
                "a page has {} bytes of values, which are of {width} bytes each",
                bytes.len()
            )),
            _ => Ok(()),
        },
        Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY => deltas.pass(),
        Encoding::DELTA_BYTE_ARRAY => {
            // The lengths of the prefixes, and then of what differs.
            deltas.pass()?;
            deltas.pass()
        }
        _ => Ok(()),
    }
}

/// Says whether runs of numbers of `bits` bits have the bytes that they claim, as far as `values` of them are needed. The
/// library reads what it finds of a run that is cut off.
///
/// # Errors
/// If bytes are missing, or a run is empty.
pub fn runs(bytes: &[u8], bits: u8, values: u32) -> Result<(), String> {
    let mut rest = bytes;
    let mut left = u64::from(values);
    while left > 0 && !rest.is_empty() {
        let header = varint(&mut rest)?;
        // Some writers fill pages up with zeros.
        if header == 0 {
            break;
        }
        let (run, bytes) = match header & 1 {
            0 => (header >> 1, u64::from(bits.div_ceil(8))),
            _ => (
                (header >> 1).saturating_mul(8),
                (header >> 1).saturating_mul(bits.into()),
            ),
        };
        if run == 0 {
            return Err("a page has an empty run".to_owned());
        }
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        rest = rest.get(bytes..).ok_or("a run of a page is cut off")?;
        left = left.saturating_sub(run);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_holds_what_its_bytes_hold() {
        for (values, bytes, physical, length, holds) in [
            (2, 8, Physical::INT32, -1, true),
            (3, 8, Physical::INT32, -1, false),
            (64, 8, Physical::BOOLEAN, -1, true),
            (65, 8, Physical::BOOLEAN, -1, false),
            (2, 8, Physical::BYTE_ARRAY, -1, true),
            (u32::MAX, 8, Physical::BYTE_ARRAY, -1, false),
            (2, 6, Physical::FIXED_LEN_BYTE_ARRAY, 3, true),
            (3, 6, Physical::FIXED_LEN_BYTE_ARRAY, 3, false),
            (7, 6, Physical::FIXED_LEN_BYTE_ARRAY, 0, false),
            (1, 11, Physical::INT96, -1, false),
            (0, 0, Physical::DOUBLE, -1, true),
        ] {
            assert_eq!(
                dictionary(values, bytes, physical, length).is_ok(),
                holds,
                "{values}"
            );
        }
    }

    #[test]
    fn runs_have_their_bytes() {
        for (bytes, bits, needed, good) in [
            // Eight values of one bit, and eight times the same.
            (&[3, 0xff][..], 1, 8, true),
            (&[16, 1], 1, 8, true),
            (&[17, 1], 1, 8, false),
            (&[3], 1, 8, false),
            (&[16], 1, 8, false),
            // What is not needed is not looked at.
            (&[3, 0xff, 99], 1, 8, true),
            (&[3, 0xff, 99], 1, 9, false),
            (&[1, 0x24, 0], 2, 3, false),
            (&[0x24, 0], 2, 3, true),
            (&[3, 1, 2], 2, 8, true),
            (&[3, 1], 2, 8, false),
            (&[4, 0, 0, 0], 1, 9, true),
            (&[3], 0, 8, true),
            (&[0xff; 12], 1, 8, false),
            (&[], 1, 8, true),
        ] {
            assert_eq!(runs(bytes, bits, needed).is_ok(), good, "{bytes:?}");
            let indices = [&[bits], bytes].concat();
            let found = values(Encoding::RLE_DICTIONARY, &indices, needed, None);
            assert_eq!(found.is_ok(), good, "{bytes:?}");
            if bits == 1 {
                let truths = [&(bytes.len() as u32).to_le_bytes(), bytes].concat();
                let found = values(Encoding::RLE, &truths, needed, None);
                assert_eq!(found.is_ok(), good, "{bytes:?}");
            }
        }
        assert!(values(Encoding::RLE, &[3, 0, 0, 0, 3, 1], 8, None).is_err());
        assert!(values(Encoding::BYTE_STREAM_SPLIT, &[0; 8], 2, Some(4)).is_ok());
        assert!(values(Encoding::BYTE_STREAM_SPLIT, &[0; 9], 2, Some(4)).is_err());
    }

    #[test]
    fn differences_are_as_many_as_the_page_says() {
        // Blocks of 128 in 4 miniblocks; 3 values from 5, then a block of width 0.
        let one = [0x80, 1, 4, 3, 10, 0, 0, 0, 0, 0];
        for encoding in [
            Encoding::DELTA_BINARY_PACKED,
            Encoding::DELTA_LENGTH_BYTE_ARRAY,
        ] {
            assert!(values(encoding, &one, 3, None).is_ok());
            assert!(values(encoding, &one, 2, None).is_err());
        }
        let two = |second: u8| [&one[..], &[0x80, 1, 4, second, 0, 0, 0, 0, 0, 0]].concat();
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &two(3), 3, None).is_ok());
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &two(4), 3, None).is_err());
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &one, 3, None).is_err());
        // Two blocks: the widths of miniblocks without a value are not looked at.
        let wide = [
            &[0x80, 1, 4, 34, 0, 0, 1, 1, 255, 255][..],
            &[0; 8],
            &[0x80, 1, 4, 35, 0, 0, 0, 0, 0, 0],
        ];
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &wide.concat(), 35, None).is_ok());
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &wide.concat(), 34, None).is_err());
        // Of the last miniblock with a value, every byte is there.
        let cut = &wide.concat()[..17];
        assert!(values(Encoding::DELTA_BINARY_PACKED, cut, 34, None).is_err());
        assert!(values(Encoding::DELTA_BINARY_PACKED, &[0x80, 1, 0, 3, 0], 3, None).is_err());
        assert!(values(Encoding::DELTA_BINARY_PACKED, &[0xff; 20], 3, None).is_err());
    }
}
