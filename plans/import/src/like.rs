//! LIKE and ILIKE, as PostgreSQL has them in collation `C`.

/// The pattern of a LIKE: `%` is any text, `_` any character, and a backslash stands before a character that is itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
    /// Whether A to Z are a to z. Letters beyond ASCII never are another letter in collation `C`.
    any_case: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Byte(u8),
    AnyCharacter,
    AnyText,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If a backslash has no character after it.
    pub fn new(text: &str, any_case: bool) -> Result<Pattern, String> {
        let mut tokens = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            tokens.push(match byte {
                b'%' => Token::AnyText,
                b'_' => Token::AnyCharacter,
                // The first byte of a longer character is itself already; so are those that follow.
                b'\\' => {
                    let escaped = bytes.next();
                    let escaped = escaped.ok_or(
                        "a LIKE pattern ends in a backslash; double it, for it stands before a character",
                    )?;
                    Token::Byte(folded(escaped, any_case))
                }
                _ => Token::Byte(folded(byte, any_case)),
            });
        }
        Ok(Pattern { tokens, any_case })
    }

    /// Whether it is the pattern of all of `text`.
    pub fn matches(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let (mut at, mut token) = (0, 0);
        // Where the text after the last `%` begins, and its token. To try again one character further on is enough: what
        // stands before that `%` needs no other place.
        let mut again = None;
        loop {
            match self.tokens.get(token) {
                Some(Token::AnyText) => {
                    token += 1;
                    again = Some((at, token));
                    continue;
                }
                Some(Token::AnyCharacter) if at < text.len() => {
                    token += 1;
                    at = next_character(text, at);
                    continue;
                }
                Some(Token::Byte(byte)) if self.is_at(text, at, *byte) => {
                    token += 1;
                    at += 1;
                    continue;
                }
                None if at == text.len() => return true,
                _ => {}
            }
            match again {
                Some((begin, after)) if begin < text.len() => {
                    (at, token) = (next_character(text, begin), after);
                    again = Some((at, after));
                }
                _ => return false,
            }
        }
    }

    fn is_at(&self, text: &[u8], at: usize, byte: u8) -> bool {
        let own = text.get(at);
        own.is_some_and(|&own| folded(own, self.any_case) == byte)
    }
}

fn folded(byte: u8, any_case: bool) -> u8 {
    match any_case {
        true => byte.to_ascii_lowercase(),
        false => byte,
    }
}

/// Where the character after that at `at` begins, in UTF-8.
fn next_character(text: &[u8], at: usize) -> usize {
    let follows = |byte: &&u8| (**byte as i8) < -64;
    at + 1 + text[at + 1..].iter().take_while(follows).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked against PostgreSQL 15 with `COLLATE "C"`.
    #[test]
    fn patterns_are_those_of_postgresql() {
        let like = |text, pattern| Pattern::new(pattern, false).unwrap().matches(text);
        let ilike = |text, pattern| Pattern::new(pattern, true).unwrap().matches(text);
        for (text, pattern, matches) in [
            ("", "", true),
            ("", "%", true),
            ("", "_", false),
            ("a", "", false),
            ("ab", "a_", true),
            ("a\nb", "a_b", true),
            ("é", "_", true),
            ("é", "__", false),
            ("e\u{301}", "_", false),
            ("\u{1f3ac}x", "_x", true),
            ("aXbXc", "a%X_", true),
            ("mississippi", "%iss%ip_i", true),
            ("mississippi", "%iss%is_", false),
            ("a\\b", "a\\\\b", true),
            ("a%", "a\\%", true),
            ("ab", "a\\%", false),
            ("éx", "\\éx", true),
            ("a.*", "a.*", true),
            ("a^$", "%^$", true),
            ("abc", "%%b%%", true),
        ] {
            assert_eq!(like(text, pattern), matches, "{text:?} LIKE {pattern:?}");
        }
        for (text, pattern, matches) in [
            ("K", "k", true),
            ("k", "\\K", true),
            ("\u{212a}", "k", false),
            ("s", "\u{17f}", false),
            ("É", "é", false),
            ("é", "é", true),
            ("ß", "SS", false),
            ("i", "İ", false),
            ("@", "`", false),
            ("[", "{", false),
        ] {
            assert_eq!(ilike(text, pattern), matches, "{text:?} ILIKE {pattern:?}");
        }
        assert!(
            Pattern::new("a\\", false)
                .unwrap_err()
                .contains("double it")
        );
        assert!(Pattern::new("\\\\", false).is_ok());
    }

    #[test]
    fn long_patterns_take_no_stack() {
        let text = "a".repeat(20_000);
        let pattern = |text: &str| Pattern::new(text, false).unwrap();
        assert!(pattern(&"_".repeat(20_000)).matches(&text));
        assert!(!pattern(&"_".repeat(20_001)).matches(&text));
        assert!(pattern(&"%a".repeat(10_000)).matches(&text));
        assert!(!pattern(&"%a".repeat(20_001)).matches(&text));
    }
}
