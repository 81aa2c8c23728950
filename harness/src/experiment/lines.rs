//! A process that answers lines: a line of JSON for each, until standard input ends.

use std::io::{self, BufRead, Write};

use join_core::table::one_line;
use serde::Serialize;
use serde_json::Value;

/// Why there is no answer.
#[derive(Debug, Serialize)]
struct Refused {
    /// One line.
    error: String,
}

/// Answers until standard input ends; an error is an answer, too.
///
/// # Errors
/// Standard input or output fails.
pub(super) fn answer(mut answer: impl FnMut(&str) -> Result<Value, String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| {
            let error = one_line(&error).into_owned();
            json(&Refused { error })
        });
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// An answer.
pub(super) fn json(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).expect("plain values and string keys")
}

/// A request.
///
/// # Errors
/// The line is none.
pub(super) fn request<'l, R: serde::Deserialize<'l>>(line: &'l str) -> Result<R, String> {
    serde_json::from_str(line).map_err(|error| format!("cannot read the request: {error}"))
}
