//! Text from elsewhere (names, versions, what a program said), fit for one line of a terminal, of HTML and of XML.

/// The text with spaces for tabs and line ends, and with the replacement character for what no document may hold or what
/// would steer a terminal.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => ' ',
            c => visible(c),
        })
        .collect()
}

/// The character, or the replacement for one that is none: control characters, and the two that XML leaves out.
pub fn visible(c: char) -> char {
    match c {
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_document_may_hold_is_replaced() {
        let text = "a\u{0}b\u{1b}[31m\tc\nd\u{7f}\u{9b}\u{fffe}\u{ffff}é\u{1f600}";
        let found = plain(text);
        assert_eq!(
            found,
            "a\u{fffd}b\u{fffd}[31m c d\u{fffd}\u{fffd}\u{fffd}\u{fffd}é\u{1f600}"
        );
        assert_eq!(plain(&found), found);
    }
}
