//! Lengths of rows as people write them.

use std::str::FromStr;

use aligned_ingest::account::RowLengths;

use crate::size::Size;

/// Lengths of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths(pub RowLengths);

impl FromStr for Lengths {
    type Err = String;

    fn from_str(text: &str) -> Result<Lengths, String> {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0);
        let lengths = if let Some(mean) = text.strip_prefix('~') {
            RowLengths::Exponential(size(mean)?)
        } else if let Some((low, high)) = text.split_once("..") {
            RowLengths::Uniform(size(low)?, size(high)?)
        } else {
            RowLengths::Fixed(size(text)?)
        };
        Ok(Lengths(lengths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read() {
        let of = |text: &str| text.parse::<Lengths>().map(|lengths| lengths.0);
        assert_eq!(of("150"), Ok(RowLengths::Fixed(150)));
        assert_eq!(of("100..200"), Ok(RowLengths::Uniform(100, 200)));
        assert_eq!(of("~1KiB"), Ok(RowLengths::Exponential(1024)));
        assert!(of("100..").is_err());
    }
}
