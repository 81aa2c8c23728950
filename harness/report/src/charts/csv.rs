//! The data of a chart as CSV: what is drawn, in seconds, bytes, rows and ratios.

use super::lines::LinePanel;
use super::rows::RowPanel;

/// A table in CSV (RFC 4180).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv(String);

impl Csv {
    /// A table with these columns.
    pub fn new(columns: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(columns.iter().map(|&column| column.to_owned()));
        table
    }

    /// Adds a row.
    pub fn row(&mut self, fields: impl IntoIterator<Item = String>) {
        let fields: Vec<String> = fields.into_iter().map(|field| quoted(&field)).collect();
        self.0.push_str(&fields.join(","));
        self.0.push_str("\r\n");
    }

    /// The document.
    pub fn finish(self) -> String {
        self.0
    }
}

fn quoted(field: &str) -> String {
    match field.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

/// A row per mark. Medians have the ends of their 95 % intervals beside them.
pub fn of_rows(panels: &[RowPanel]) -> String {
    let mut table = Csv::new(&["panel", "label", "value", "low", "high", "note"]);
    for panel in panels {
        for row in &panel.rows {
            for mark in &row.marks {
                let [median, low, high] =
                    [mark.value.median, mark.value.low, mark.value.high].map(|v| v.to_string());
                let note = row.note.clone();
                table.row([
                    panel.title.clone(),
                    row.label.clone(),
                    median,
                    low,
                    high,
                    note,
                ]);
            }
        }
    }
    table.finish()
}

/// A row per point of a line; those that stand pale in the background belong to another panel.
pub fn of_lines(panels: &[LinePanel]) -> String {
    let mut table = Csv::new(&["panel", "line", "rows", "value", "low", "high"]);
    for panel in panels {
        for line in panel.series.iter().filter(|line| !line.background) {
            for (rows, value) in &line.points {
                let numbers = [*rows, value.median, value.low, value.high].map(|v| v.to_string());
                let names = [panel.title.clone(), line.name.clone()];
                table.row(names.into_iter().chain(numbers));
            }
        }
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut table = Csv::new(&["a", "b"]);
        table.row(["1,5".to_owned(), "a \"b\"".to_owned()]);
        assert_eq!(table.finish(), "a,b\r\n\"1,5\",\"a \"\"b\"\"\"\r\n");
    }
}
