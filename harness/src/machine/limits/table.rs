//! Limits as text.

use std::fmt::Write as _;

use super::Limit;

/// One line an access pattern and array, one column a page size and thread count. A cell is the
/// fastest repetition and how far below it the middle one lies.
pub fn table(limits: &[Limit]) -> String {
    let mut columns: Vec<(bool, u32)> = limits.iter().map(column).collect();
    columns.sort_by_key(|&(huge_pages, threads)| (!huge_pages, threads));
    columns.dedup();
    let mut rows: Vec<(&str, u64)> = Vec::new();
    for limit in limits {
        if !rows.contains(&row(limit)) {
            rows.push(row(limit));
        }
    }
    let mut text = format!("{:<34}{:>9}{:>9}", "", "array", "unit");
    for (huge_pages, threads) in &columns {
        let pages = if *huge_pages { "huge" } else { "4 KiB" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{:>18}", format!("{pages}, {threads} T"));
    }
    for row_key in rows {
        let mut cells = String::new();
        let mut unit = "";
        for column_key in &columns {
            let found = limits
                .iter()
                .find(|limit| row(limit) == row_key && column(limit) == *column_key);
            let cell = found.map_or_else(String::new, cell);
            let _ = write!(cells, "{cell:>18}");
            unit = found.map_or(unit, |limit| scale(limit).0);
        }
        let (what, array_bytes) = row_key;
        let name = what.trim_end_matches("_per_second").replace('_', " ");
        let _ = write!(
            text,
            "\n{name:<34}{:>9}{unit:>9}",
            report::charts::scale::bytes(array_bytes as f64)
        );
        text += cells.trim_end();
    }
    text += "\n(the fastest repetition, and how far below it the median lies)\n";
    text
}

fn row(limit: &Limit) -> (&str, u64) {
    (&limit.what, limit.array_bytes)
}

fn column(limit: &Limit) -> (bool, u32) {
    (limit.huge_pages, limit.threads)
}

/// The unit to show, and what a value must be divided by.
fn scale(limit: &Limit) -> (&'static str, f64) {
    match limit.unit.as_str() {
        "B/s" => ("GB/s", 1e9),
        _ => ("M/s", 1e6),
    }
}

fn cell(limit: &Limit) -> String {
    let value = limit.value / scale(limit).1;
    let below = (limit.median / limit.value - 1.0) * 100.0;
    let digits = if value < 100.0 { 2 } else { 0 };
    format!("{value:.digits$} {:>6}", format!("{below:.0} %"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_threads_are_columns() {
        let limit = |what: &str, threads, huge_pages, value: f64, unit: &str| Limit {
            what: what.to_owned(),
            threads,
            array_bytes: 256 << 20,
            huge_pages,
            value,
            unit: unit.to_owned(),
            median: value * 0.95,
            low: value * 0.9,
        };
        let text = table(&[
            limit("read_bytes_per_second", 1, true, 12e9, "B/s"),
            limit("read_bytes_per_second", 2, true, 19.5e9, "B/s"),
            limit("read_bytes_per_second", 2, false, 19e9, "B/s"),
            limit("random_reads_per_second", 1, true, 130e6, "reads/s"),
        ]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(lines[0]), "array unit huge, 1 T huge, 2 T 4 KiB, 2 T");
        assert_eq!(
            words(lines[1]),
            "read bytes 256 MiB GB/s 12.00 -5 % 19.50 -5 % 19.00 -5 %"
        );
        assert_eq!(words(lines[2]), "random reads 256 MiB M/s 130 -5 %");
    }
}
