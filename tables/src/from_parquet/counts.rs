//! Counts that pages claim, held against the bytes that are there, before a decoder makes room for them.

use parquet::basic::{Encoding, Type as Physical};

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

/// Says whether the values of a page, which are encoded as `encoding` in `bytes`, are at most as many as its header says.
///
/// # Errors
/// If they are not, or break the encoding.
pub fn values(encoding: Encoding, bytes: &[u8], values: u32) -> Result<(), String> {
    let mut deltas = Deltas { rest: bytes };
    match encoding {
        Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY => deltas.count(values),
        Encoding::DELTA_BYTE_ARRAY => {
            // The lengths of the prefixes, and then of what differs.
            deltas.pass(values)?;
            deltas.count(values)
        }
        _ => Ok(()),
    }
}

/// Numbers that are encoded as differences.
struct Deltas<'a> {
    rest: &'a [u8],
}

impl Deltas<'_> {
    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or("a page is cut off")?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number in a page is too long".to_owned())
    }

    /// Reads the header: miniblocks a block, values a miniblock, values.
    fn header(&mut self, most: u32) -> Result<(u64, u64, u64), String> {
        let (block, miniblocks, values) = (self.varint()?, self.varint()?, self.varint()?);
        self.varint()?;
        if values > most.into() {
            return Err(format!(
                "a page has {values} values, but its header says {most}"
            ));
        }
        let each = block.checked_div(miniblocks).unwrap_or(0);
        match each > 0 && each.is_multiple_of(8) {
            true => Ok((miniblocks, each, values)),
            false => Err("a page has blocks of no valid size".to_owned()),
        }
    }

    fn count(&mut self, most: u32) -> Result<(), String> {
        self.header(most).map(drop)
    }

    /// Passes over all numbers.
    fn pass(&mut self, most: u32) -> Result<(), String> {
        let (miniblocks, each, values) = self.header(most)?;
        // The first value is in the header.
        let mut left = values.saturating_sub(1);
        while left > 0 {
            self.varint()?;
            let miniblocks = usize::try_from(miniblocks).unwrap_or(usize::MAX);
            let (widths, mut rest) = self
                .rest
                .split_at_checked(miniblocks)
                .ok_or("a page is cut off")?;
            for &width in widths {
                // The widths of miniblocks that have no value mean nothing.
                if left == 0 {
                    break;
                }
                left = left.saturating_sub(each);
                let bytes = u64::from(width).saturating_mul(each / 8);
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                // The last block may be shorter than its padding.
                rest = rest.get(bytes..).unwrap_or(&[]);
            }
            self.rest = rest;
        }
        Ok(())
    }
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
    fn differences_are_as_many_as_the_page_says() {
        // Blocks of 128 in 4 miniblocks; 3 values from 5, then a block of width 0.
        let one = [0x80, 1, 4, 3, 10, 0, 0, 0, 0, 0];
        for encoding in [
            Encoding::DELTA_BINARY_PACKED,
            Encoding::DELTA_LENGTH_BYTE_ARRAY,
        ] {
            assert!(values(encoding, &one, 3).is_ok());
            assert!(values(encoding, &one, 2).is_err());
        }
        let two = |second: u8| [&one[..], &[0x80, 1, 4, second, 0]].concat();
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &two(3), 3).is_ok());
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &two(4), 3).is_err());
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &one, 3).is_err());
        // Two blocks: the widths of miniblocks without a value are not looked at.
        let wide = [
            &[0x80, 1, 4, 34, 0, 0, 1, 1, 255, 255][..],
            &[0; 8],
            &[0x80, 1, 4, 35, 0],
        ];
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &wide.concat(), 35).is_ok());
        assert!(values(Encoding::DELTA_BYTE_ARRAY, &wide.concat(), 34).is_err());
        assert!(values(Encoding::DELTA_BINARY_PACKED, &[0x80, 1, 0, 3, 0], 3).is_err());
        assert!(values(Encoding::DELTA_BINARY_PACKED, &[0xff; 20], 3).is_err());
    }
}
