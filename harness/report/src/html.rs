//! What every page is made with: the little HTML that it needs, its style, and how its files are written.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::plain::visible;
use crate::record::RecordError;

/// The looks of every page.
pub(crate) const STYLE: &str = include_str!("page/page.css");

/// The page of a folder.
pub const PAGE_FILE: &str = "index.html";

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

/// A word of a command line as a shell wants it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The value as indented JSON, with a line end.
pub fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("string keys and plain values");
    text.push('\n');
    text
}

/// Writes beside the file, then puts it in its place. No other process writes to the same place beside it.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf, RecordError> {
    let path = dir.join(name);
    let beside = dir.join(format!(".{name}.{}.part", std::process::id()));
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, &path))
        .map_err(|e| {
            let _ = std::fs::remove_file(&beside);
            RecordError::io(&path, e)
        })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_may_not_hold_is_replaced() {
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
