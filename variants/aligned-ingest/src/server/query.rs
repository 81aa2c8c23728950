//! The text of a query.

/// What a piece of SQL is, as far as it matters where a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Blank,
    Semicolon,
    Other,
}

/// A query without the semicolon, blanks and comments that may stand behind it, so that it can be put in parentheses.
/// Several statements stay as they are: the server refuses them in its own words.
pub(super) fn statement(text: &str) -> &str {
    let text = text.trim();
    let (mut at, mut end, mut ended) = (0, 0, false);
    while at < text.len() {
        let (token, length) = token(&text.as_bytes()[at..]);
        at += length;
        match token {
            Token::Blank => {}
            Token::Semicolon => ended = true,
            Token::Other if ended => return text,
            Token::Other => end = at,
        }
    }
    &text[..end]
}

/// The token at the start of `text`, which is not empty, and its length. It ends between two characters.
fn token(text: &[u8]) -> (Token, usize) {
    let run = |first: usize, more: fn(&u8) -> bool| {
        first + text[first..].iter().take_while(|byte| more(byte)).count()
    };
    match text {
        [b' ' | b'\t'..=b'\r', ..] => (Token::Blank, 1),
        [b'-', b'-', ..] => (Token::Blank, run(2, |byte| !matches!(byte, b'\n' | b'\r'))),
        [b'/', b'*', ..] => match comment(text) {
            Some(length) => (Token::Blank, length),
            None => (Token::Other, text.len()),
        },
        [b';', ..] => (Token::Semicolon, 1),
        [b'e' | b'E', b'\'', ..] => (Token::Other, 1 + quoted(&text[1..], true)),
        [b'\'' | b'"', ..] => (Token::Other, quoted(text, false)),
        [b'$', ..] => (Token::Other, dollar_quoted(text)),
        [first, ..] if is_name(first) => {
            (Token::Other, run(1, |byte| is_name(byte) || *byte == b'$'))
        }
        _ => (Token::Other, 1),
    }
}

/// A byte of a name, or of a number. Letters beyond ASCII belong to names.
fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80
}

/// The length of a comment, which may hold others; `None` where it is not closed.
fn comment(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        match text.get(at..at + 2)? {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    Some(at)
}

/// The length of a string or name in quotes. A doubled quote is two of them, one behind the other.
fn quoted(text: &[u8], backslash: bool) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != text[0] {
        at += if backslash && text[at] == b'\\' { 2 } else { 1 };
    }
    text.len().min(at + 1)
}

/// The length of `$tag$…$tag$`, or of the dollar alone where it opens no string.
fn dollar_quoted(text: &[u8]) -> usize {
    let name = text[1..].iter().take_while(|byte| is_name(byte)).count();
    if text.get(1 + name) != Some(&b'$') || text[1].is_ascii_digit() {
        return 1;
    }
    let (tag, rest) = text.split_at(name + 2);
    let found = rest.windows(tag.len()).position(|window| window == tag);
    found.map_or(text.len(), |at| at + 2 * tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_query_goes() {
        for (text, query) in [
            ("SELECT 1", "SELECT 1"),
            (" SELECT 1 ; ", "SELECT 1"),
            ("SELECT 1;;", "SELECT 1"),
            ("SELECT 1 -- one", "SELECT 1"),
            ("SELECT 1; -- one\n-- two", "SELECT 1"),
            ("SELECT 1--", "SELECT 1"),
            ("SELECT 1 /* a /* b */ ; */ ; /* c */", "SELECT 1"),
            ("SELECT 2*/* c */3", "SELECT 2*/* c */3"),
            ("-- one\nSELECT 1", "-- one\nSELECT 1"),
            ("SELECT 1 -- one\r+ 1", "SELECT 1 -- one\r+ 1"),
            ("SELECT ';' -- ;", "SELECT ';'"),
            ("SELECT '--';", "SELECT '--'"),
            ("SELECT 'it''s -- ' ; --", "SELECT 'it''s -- '"),
            (r"SELECT E'\' -- ' --", r"SELECT E'\' -- '"),
            (r"SELECT 'a\' -- '", r"SELECT 'a\'"),
            (r"SELECT 1 AS type'\' -- '", r"SELECT 1 AS type'\'"),
            ("SELECT 1 AS \"a;--\"\"\";", "SELECT 1 AS \"a;--\"\"\""),
            ("SELECT $$;--$$ -- x", "SELECT $$;--$$"),
            ("SELECT $ä$ $$ -- $ä$ -- x", "SELECT $ä$ $$ -- $ä$"),
            ("SELECT a$b$ -- $b$", "SELECT a$b$"),
            ("SELECT $1$ -- $1$", "SELECT $1$"),
            ("SELECT '\u{a0}'\u{a0};", "SELECT '\u{a0}'\u{a0}"),
            ("-- nothing", ""),
            (";", ""),
            ("", ""),
        ] {
            assert_eq!(statement(text), query, "{text}");
        }
    }

    #[test]
    fn what_the_server_refuses_stays_for_it_to_say() {
        for text in [
            "SELECT 1; SELECT 2 -- x",
            "SELECT 1 /* open",
            "SELECT 1 /* a /* b */",
            "SELECT 'open -- x",
            r"SELECT E'open\",
            "SELECT $a$ open $b$",
            "SELECT \"open",
        ] {
            assert_eq!(statement(text), text);
        }
    }
}
