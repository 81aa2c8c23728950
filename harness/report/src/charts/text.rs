//! How wide a text is. No font is read: the widths are those of a wide sans-serif (DejaVu Sans),
//! so other fonts take less room than was reserved.

use crate::plain::plain;

/// Characters of the longest text that is drawn whole: more than a page is wide.
const MOST: usize = 300;

/// A text as it is drawn: without what no document may hold, and cut where no page has room for it.
pub fn drawn(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((at, _)) => plain(&text[..at]) + "…",
        None => plain(text),
    }
}

/// Width in pixels of `text` at `size` pixels an em.
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
    let ems: f64 = text.chars().take(MOST + 1).map(ems).sum();
    ems * size * if bold { 1.1 } else { 1.0 }
}

/// Breaks `text` at spaces into lines of at most `room` pixels; a longer word stands alone.
pub fn wrap(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size, false) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn ems(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | 'I' | '·' => 0.33,
        't' | 'f' | 'r' | '-' | '(' | ')' | '[' | ']' | '/' => 0.41,
        'm' | 'w' | 'M' | 'W' | '%' | '—' => 0.98,
        '+' | '×' | '=' | '<' | '>' | '~' | '^' | '−' | '±' | '→' => 0.84,
        'A'..='Z' => 0.72,
        _ => 0.63,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit() {
        let text = "time of the whole join, median with its 95 % interval";
        let lines = wrap(text, 12.0, 150.0);
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|line| width(line, 12.0, false) <= 150.0));
        assert_eq!(lines.join(" "), text);
    }
}
