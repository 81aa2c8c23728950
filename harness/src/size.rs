//! Sizes as people write them.

use std::str::FromStr;

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// A letter alone stands for the power of two, as kernels write it.
const UNITS: [(&str, u64); 16] = [
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
    ("T", 1 << 40),
    ("G", 1 << 30),
    ("M", 1 << 20),
    ("K", 1 << 10),
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
        size.map(Size).ok_or_else(|| {
            format!("{text:?} is no size; write for instance 4096, 512M, 64MiB or 40GB")
        })
    }
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
            ("32K", 32 << 10),
            ("512M", 512 << 20),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for wrong in ["", "MiB", "-1", "1e30TB", "four", "99999999TB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
