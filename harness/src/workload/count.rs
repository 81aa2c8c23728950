//! Numbers of rows as people write them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A number of rows: `4194304` or `"4M"`, where K, M and G are 2^10, 2^20 and 2^30.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of rows such as 1000 or \"4M\" (K, M, G are 2^10, 2^20, 2^30)")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
        Ok(Count(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
        u64::try_from(number)
            .map(Count)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Count, E> {
        parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

fn parse(text: &str) -> Option<Count> {
    let (digits, factor) = match text.trim().as_bytes() {
        [digits @ .., b'K'] => (digits, 1 << 10),
        [digits @ .., b'M'] => (digits, 1 << 20),
        [digits @ .., b'G'] => (digits, 1 << 30),
        digits => (digits, 1_u64),
    };
    let number: u64 = std::str::from_utf8(digits).ok()?.trim().parse().ok()?;
    number.checked_mul(factor).map(Count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_powers_of_two() {
        let parsed = ["7", "1K", "16M", "3G", " 2 K "].map(|text| parse(text).map(|count| count.0));
        assert_eq!(parsed, [7, 1 << 10, 16 << 20, 3 << 30, 2 << 10].map(Some));
        for text in ["", "K", "-1", "1.5M", "1k", "4 MB", "99999999999G"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
