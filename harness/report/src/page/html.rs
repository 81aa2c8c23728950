//! The little HTML that the page needs.

use std::fmt::Display;

use crate::plain::visible;

/// Text with the characters replaced that mean something in HTML, or that it may not hold.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c => escaped.push(visible(c)),
        }
    }
    escaped
}

/// A table: columns whose name starts with `#` hold numbers and stand to the right.
#[derive(Debug)]
pub struct Table {
    head: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[&str]) -> Self {
        let head = columns.iter().map(|column| {
            let name = column.strip_prefix('#');
            (name.unwrap_or(column).to_owned(), name.is_some())
        });
        Self {
            head: head.collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of plain text.
    pub fn row(&mut self, cells: &[&dyn Display]) {
        let cells = cells.iter().map(|cell| escape(&cell.to_string()));
        self.rows.push(cells.collect());
    }

    /// Adds a row of HTML.
    pub fn html_row(&mut self, cells: Vec<String>) {
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
                html += &format!("<td{}>{cell}</td>", class(*number));
            }
            html += "</tr>\n";
        }
        html + "</tbody></table></div>\n"
    }
}

/// A word of a command line as a shell wants it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_data_stays_text() {
        let mut table = Table::new(&["name", "#rows"]);
        table.row(&[&"<b>&\"", &7]);
        let html = table.html();
        assert!(
            html.contains("<td>&lt;b&gt;&amp;&quot;</td><td class=\"n\">7</td>"),
            "{html}"
        );
        assert_eq!(escape("a\u{0}\u{1b}\n"), "a\u{fffd}\u{fffd}\n");
    }

    #[test]
    fn shell_words_survive_the_shell() {
        assert_eq!(shell_word("--only"), "--only");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("pk-*"), "'pk-*'");
    }
}
