//! What the program says on standard error, and what it was called with.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

pub use join_core::table::one_line;

/// Says a line on standard error. Where nobody can read it, nothing is said: that is no reason to stop.
macro_rules! tell {
    ($($text:tt)*) => {
        $crate::console::say(format_args!($($text)*))
    };
}
pub(crate) use tell;

/// Says a line on standard error, as [`one_line`] has it.
pub fn say(text: fmt::Arguments<'_>) {
    write(&format!("{}\n", one_line(&text.to_string())));
}

/// Writes to standard error as it is, and does without where that fails.
pub fn write(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// `1 workload`, `15 workloads`.
pub fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// The words of the command line behind the program's name, as records keep them: bytes that are no UTF-8 stand as
/// `\xff`.
pub fn command_line() -> Vec<String> {
    std::env::args_os()
        .skip(1)
        .map(|word| text(&word))
        .collect()
}

fn text(word: &OsStr) -> String {
    let mut text = String::new();
    for chunk in word.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn words_that_are_no_text_are_told_apart() {
        use std::os::unix::ffi::OsStrExt;
        let words = [&b"--out"[..], b"a\xffb", b"a\xfeb"];
        let words = words.map(|word| text(OsStr::from_bytes(word)));
        assert_eq!(words, ["--out", "a\\xffb", "a\\xfeb"]);
    }
}
