//! SQL text to statements, however deep they nest.
//!
//! Parser, statements and their texts recurse. What nests by brackets is bounded by the parser; a chain of operators is a
//! tree as deep as it is long and is bounded here. All of it happens on a stack that has room for that.

use std::fmt::Display;
use std::io;
use std::thread;

use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

/// Operators and keywords of a statement, at most: a hundred times those of the Join Order Benchmark's largest.
const OPERATORS: usize = 10_000;

/// What a statement of as many operators takes at most, twice: its text takes 10 KiB an operator in an unoptimised build.
/// Memory is only what is touched.
const STACK_BYTES: usize = 256 << 20;

/// Characters of SQL in a message.
const SHOWN: usize = 200;

/// Does `work`, in which SQL is parsed, on a stack that is large enough for it.
///
/// # Errors
/// If the system has no room for the stack.
pub(crate) fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK_BYTES);
        let ended = builder.spawn_scoped(scope, work)?.join();
        Ok(ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// The statements of a text, to be called [`on_a_large_stack`].
///
/// # Errors
/// What is no SQL, or too long a chain of operators.
pub(crate) fn statements(text: &str) -> Result<Vec<Statement>, String> {
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| error.to_string())?;
    let most = tokens.split(|token| token.token == Token::SemiColon);
    let most = most.map(operators).max().unwrap_or_default();
    if most > OPERATORS {
        return Err(format!(
            "a statement has {most} operators and keywords, and at most {OPERATORS} are read; write long alternatives as IN (…)"
        ));
    }
    let parsed = Parser::new(&dialect)
        .with_tokens_with_locations(tokens)
        .parse_statements();
    parsed.map_err(|error| match error {
        ParserError::RecursionLimitExceeded => {
            "brackets or NOT nest too deep; leave out those that are not needed".to_owned()
        }
        error => shown(&error),
    })
}

/// How many tokens there are that may be an operator between two others: not names, constants or what separates them.
fn operators(tokens: &[TokenWithSpan]) -> usize {
    let mut before = &Token::Comma;
    let mut count = 0;
    for TokenWithSpan { token, .. } in tokens {
        count += usize::from(match token {
            Token::Whitespace(_) => continue,
            Token::Word(word) => word.keyword != Keyword::NoKeyword,
            Token::Minus => !matches!(before, Token::Comma | Token::LParen),
            Token::Comma | Token::Period | Token::Number(..) | Token::SingleQuotedString(_) => {
                false
            }
            _ => true,
        });
        before = token;
    }
    count
}

/// SQL as it stands in a message: its beginning, if it is long.
pub(crate) fn shown(sql: &impl Display) -> String {
    let mut text = sql.to_string();
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}
