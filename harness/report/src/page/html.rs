//! The little HTML that the page needs.

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
