//! Tables, for pages in HTML and in Markdown.

use std::fmt::Display;

use crate::html::escape;

/// A table: columns whose name starts with `#` hold numbers and stand to the right.
#[derive(Debug)]
pub struct Table {
    head: Vec<(String, bool)>,
    rows: Vec<Vec<Text>>,
}

/// What a table holds at one place.
#[derive(Debug, Clone, Default)]
pub struct Text {
    text: String,
    bold: bool,
}

impl Text {
    /// As it is.
    pub fn plain(text: impl Display) -> Self {
        Self::bold_if(false, text)
    }

    /// Bold where it matters.
    pub fn bold_if(bold: bool, text: impl Display) -> Self {
        Self {
            text: text.to_string(),
            bold,
        }
    }

    fn with(&self, escaped: String, mark: [&str; 2]) -> String {
        match self.bold {
            true => format!("{}{escaped}{}", mark[0], mark[1]),
            false => escaped,
        }
    }
}

impl Table {
    /// A table without rows.
    pub fn new<S: AsRef<str>>(columns: &[S]) -> Self {
        let head = columns.iter().map(|column| {
            let column = column.as_ref();
            let name = column.strip_prefix('#');
            (name.unwrap_or(column).to_owned(), name.is_some())
        });
        Self {
            head: head.collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[&dyn Display]) {
        self.texts(cells.iter().map(Text::plain).collect());
    }

    /// Adds a row of which some may be bold.
    pub fn texts(&mut self, cells: Vec<Text>) {
        self.rows.push(cells);
    }

    /// The table in HTML; nothing without rows.
    pub fn html(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let class = |number: bool| if number { " class=\"n\"" } else { "" };
        let mut html = String::from("<div class=\"scroll\"><table>\n<thead><tr>");
        for (name, number) in &self.head {
            html += &format!("<th{}>{}</th>", class(*number), escape(name));
        }
        html += "</tr></thead>\n<tbody>\n";
        for row in &self.rows {
            html += "<tr>";
            for (cell, (_, number)) in row.iter().zip(&self.head) {
                let text = cell.with(escape(&cell.text), ["<b>", "</b>"]);
                html += &format!("<td{}>{text}</td>", class(*number));
            }
            html += "</tr>\n";
        }
        html + "</tbody></table></div>\n"
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let head = line(self.head.iter().map(|(name, _)| name.clone()).collect());
        let rule = format!("|{}\n", "---|".repeat(self.head.len()));
        let rows = self.rows.iter().map(|row| {
            let cells = row.iter();
            line(
                cells
                    .map(|cell| cell.with(cell.text.replace('|', "\\|"), ["**", "**"]))
                    .collect(),
            )
        });
        head + &rule + &rows.collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_data_stays_text() {
        let mut table = Table::new(&["name", "#rows"]);
        table.texts(vec![Text::plain("<b>&\""), Text::bold_if(true, "a|7")]);
        let html = table.html();
        assert!(
            html.contains("<td>&lt;b&gt;&amp;&quot;</td><td class=\"n\"><b>a|7</b></td>"),
            "{html}"
        );
        let markdown = "| name | rows |\n|---|---|\n| <b>&\" | **a\\|7** |\n";
        assert_eq!(table.markdown(), markdown);
    }
}
