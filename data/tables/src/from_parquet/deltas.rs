//! Numbers that are encoded as differences: the library takes their counts and sizes as they are, and refuses what does not
//! fit its type on the way to a number that does.

/// A number of seven bits a byte, which `rest` begins with.
///
/// # Errors
/// If it does not end, or has more than 64 bits.
pub fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or("a page is cut off")?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            break;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number in a page is too long".to_owned())
}

/// A signed one.
fn zigzag(rest: &mut &[u8]) -> Result<i64, String> {
    let value = varint(rest)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

/// Lists of numbers, one behind the other.
pub struct Deltas<'a> {
    rest: &'a [u8],
    most: u32,
}

/// What a list is made of.
enum Part<'a> {
    /// The first number.
    First(i64),
    /// The next ones.
    Block(Miniblock<'a>),
}

/// Numbers that are each more than the one before: by `least`, and by a number of `bits` bits in `bytes`.
struct Miniblock<'a> {
    least: i64,
    bits: u8,
    bytes: &'a [u8],
    values: u64,
}

impl<'a> Deltas<'a> {
    /// The lists in `bytes`, none of which has more than `most` numbers.
    pub fn new(bytes: &'a [u8], most: u32) -> Deltas<'a> {
        Deltas { rest: bytes, most }
    }

    /// Passes over the next list.
    ///
    /// # Errors
    /// If it has more numbers than it may, or breaks the encoding.
    pub fn pass(&mut self) -> Result<(), String> {
        self.each(|_| {})
    }

    /// The next list as PLAIN numbers of 32 bits, if it has numbers of more bits on the way: some writers have differences
    /// of unsigned numbers so.
    ///
    /// # Errors
    /// As [`Deltas::pass`], or if they are wider than a difference can be.
    pub fn wide_int32s(mut self) -> Result<Option<Vec<u8>>, String> {
        /// Whatever a number of 32 bits is less than another one.
        const WIDEST: u64 = 1 << 32;
        let (start, mut is_wide, mut is_damaged) = (self.rest, false, false);
        self.each(|part| {
            let (number, bits) = match part {
                Part::First(first) => (first, 0),
                Part::Block(block) => (block.least, block.bits),
            };
            is_wide |= i32::try_from(number).is_err() || bits > 32;
            is_damaged |= number.unsigned_abs() > WIDEST || bits > 33;
        })?;
        if is_damaged {
            return Err("a page of 32-bit numbers has wider ones".to_owned());
        }
        if !is_wide {
            return Ok(None);
        }
        self.rest = start;
        let (mut out, mut last) = (Vec::new(), 0_i64);
        // Only the lower half of a number is told; the upper one is what all are reckoned without.
        let mut put = |number: i64| out.extend((number as i32).to_le_bytes());
        self.each(|part| match part {
            Part::First(first) => {
                last = first;
                put(last);
            }
            Part::Block(block) => {
                for value in 0..block.values {
                    let more = block.more(value).cast_signed();
                    last = last.wrapping_add(block.least).wrapping_add(more);
                    put(last);
                }
            }
        })?;
        Ok(Some(out))
    }

    /// Hands the parts of the next list to `visit`.
    fn each(&mut self, mut visit: impl FnMut(Part<'a>)) -> Result<(), String> {
        let rest = &mut self.rest;
        let (block, miniblocks, values) = (varint(rest)?, varint(rest)?, varint(rest)?);
        let number = zigzag(rest)?;
        if values > self.most.into() {
            return Err(format!(
                "a page has {values} values, but its header says {}",
                self.most
            ));
        }
        let each = block.checked_div(miniblocks).unwrap_or(0);
        if each == 0 || !each.is_multiple_of(8) {
            return Err("a page has blocks of no valid size".to_owned());
        }
        if values > 0 {
            visit(Part::First(number));
        }
        let mut left = values.saturating_sub(1);
        while left > 0 {
            let least = zigzag(rest)?;
            let miniblocks = usize::try_from(miniblocks).unwrap_or(usize::MAX);
            let (widths, mut after) = rest
                .split_at_checked(miniblocks)
                .ok_or("a page is cut off")?;
            for &bits in widths {
                // The widths of miniblocks that have no value mean nothing.
                if left == 0 {
                    break;
                }
                let values = left.min(each);
                left -= values;
                // The last miniblock with a value is as long as any other.
                let bytes = u64::from(bits).saturating_mul(each / 8);
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                let (bytes, behind) = after.split_at_checked(bytes).ok_or("a page is cut off")?;
                visit(Part::Block(Miniblock {
                    least,
                    bits,
                    bytes,
                    values,
                }));
                after = behind;
            }
            *rest = after;
        }
        Ok(())
    }
}

impl Miniblock<'_> {
    /// What value `number` is more than the least.
    fn more(&self, number: u64) -> u64 {
        let bits = usize::from(self.bits);
        let first = number as usize * bits;
        (0..bits.min(64)).fold(0, |more, bit| {
            let at = first + bit;
            more | u64::from(self.bytes[at / 8] >> (at % 8) & 1) << bit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_numbers_are_reckoned_in_more_bits() {
        // 2^32 - 1 and then 0, 2^32 - 1: a least difference of -(2^32 - 1), and of 33 bits what the other one is more.
        let most: i64 = u32::MAX.into();
        let mut bytes = vec![0x80, 1, 4, 3];
        let put = |number: i64, bytes: &mut Vec<u8>| {
            let mut zigzag = (number << 1 ^ number >> 63).cast_unsigned();
            while zigzag > 0x7f {
                bytes.push(zigzag as u8 | 0x80);
                zigzag >>= 7;
            }
            bytes.push(zigzag as u8);
        };
        put(most, &mut bytes);
        put(-most, &mut bytes);
        bytes.extend([33, 0, 0, 0]);
        let more = u128::from(2 * u32::MAX as u64) << 33;
        bytes.extend(more.to_le_bytes());
        bytes.extend([0; 33 * 4 - 16]);
        let plain = Deltas::new(&bytes, 3).wide_int32s().unwrap().unwrap();
        let expected = [u32::MAX, 0, u32::MAX].map(u32::to_le_bytes);
        assert_eq!(plain, expected.as_flattened());
        assert!(Deltas::new(&bytes, 2).wide_int32s().is_err());
        assert!(Deltas::new(&bytes[..100], 3).wide_int32s().is_err());
        // Others are left to the library.
        let narrow = [0x80, 1, 4, 3, 10, 0, 0, 0, 0, 0];
        assert_eq!(Deltas::new(&narrow, 3).wide_int32s(), Ok(None));
    }

    #[test]
    fn numbers_wider_than_their_type_are_damage() {
        // First numbers of 2^32 and of one more; the last byte of 64 bits, and of one more.
        for (first, holds) in [
            (&[0x80, 0x80, 0x80, 0x80, 0x20][..], true),
            (&[0x82, 0x80, 0x80, 0x80, 0x20], false),
        ] {
            let page = [&[0x80, 1, 4, 1][..], first].concat();
            assert_eq!(Deltas::new(&page, 1).wide_int32s().is_ok(), holds);
        }
        for (last, value) in [(1, Some(1 << 63)), (2, None)] {
            let bytes = [&[0x80; 9][..], &[last]].concat();
            assert_eq!(varint(&mut &bytes[..]).ok(), value);
        }
    }
}
