//! Sizes as people write them.

use std::str::FromStr;

use aligned_ingest::account::RowLengths;

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 12] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("PB", 1_000_000_000_000_000),
    ("B", 1),
    ("", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let size = UNITS.iter().find_map(|(unit, factor)| {
            let number = text.strip_suffix(unit)?.trim_end();
            if let Ok(whole) = number.parse::<u64>() {
                return whole.checked_mul(*factor);
            }
            let bytes = number.parse::<f64>().ok()? * *factor as f64;
            (0.0..u64::MAX as f64)
                .contains(&bytes)
                .then_some(bytes as u64)
        });
        size.map(Size)
            .ok_or_else(|| format!("{text:?} is no size; write for instance 4096, 64MiB or 40GB"))
    }
}

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

/// `5 GiB`, `62 B`; to three digits.
pub fn text(bytes: f64) -> String {
    let tib = (1u64 << 40) as f64;
    if bytes >= tib {
        return format!("{} TiB", report::charts::scale::short(bytes / tib));
    }
    report::charts::scale::bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("4096", 4096),
            ("64MiB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("40GB", 40_000_000_000),
            ("100TB", 100_000_000_000_000),
            ("1.5KiB", 1536),
            ("7B", 7),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for wrong in ["", "MiB", "-1", "1e30TB", "four", "99999999TB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_are_read() {
        let of = |text: &str| text.parse::<Lengths>().map(|lengths| lengths.0);
        assert_eq!(of("150"), Ok(RowLengths::Fixed(150)));
        assert_eq!(of("100..200"), Ok(RowLengths::Uniform(100, 200)));
        assert_eq!(of("~1KiB"), Ok(RowLengths::Exponential(1024)));
        assert!(of("100..").is_err());
    }
}
