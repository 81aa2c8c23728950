//! What `harness plan import` runs.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use join_core::table::{all_or_nothing, one_line};
use plan_import::{Request, import};

/// CSV files, queries and their plans to plan bundles, with the filters evaluated.
#[derive(Debug, Parser)]
#[command(name = "harness plan import", bin_name = "harness plan import")]
struct Args {
    /// The folder of the CSV files, title.csv and so on, and schematext.sql
    #[arg(value_name = "CSV-FOLDER")]
    csv: PathBuf,
    /// The plans, as EXPLAIN (FORMAT JSON) prints them, with their names
    #[arg(value_name = "PLANS.json")]
    plans: PathBuf,
    /// The folder of the queries, 1a.sql and so on [default: the one that the plans name]
    #[arg(long, value_name = "FOLDER")]
    sql: Option<PathBuf>,
    /// The CREATE TABLE statements [default: schematext.sql beside the CSV files, or schema.sql beside the queries]
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Only these queries, such as 1a,8c
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    queries: Vec<String>,
    /// What stands before a quote inside of quotes: a backslash, or another quote
    #[arg(long, value_name = "C", default_value = "\\")]
    escape: char,
    /// The folder to write, with a folder for each query
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            let message = error.to_string();
            let (said, _) = message.split_once("\n\n").unwrap_or((&message, ""));
            let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
            say(&format!("{line}; see `harness plan import --help`"));
            return ExitCode::from(2);
        }
        Err(help) => {
            // Nothing is left to do where even help cannot be printed.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Says a line on standard error. Where nobody reads it, the status says enough.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", one_line(line));
}

fn run(args: Args) -> Result<(), String> {
    let escape = match args.escape {
        '\\' | '"' => args.escape as u8,
        other => return Err(format!("--escape {other:?}: say \\ or \"")),
    };
    let request = Request {
        csv: args.csv,
        plans: args.plans,
        sql: args.sql,
        schema: args.schema,
        queries: args.queries,
        escape,
        out: args.out,
    };
    let mut progress = |table: &str, rows| say(&format!("{table}: {rows} rows"));
    let imported = all_or_nothing(&request.out, || import(&request, &mut progress));
    let imported = imported.map_err(|error| error.to_string())?;
    say(&format!("{} bundles", imported.bundles.len()));
    match writeln!(io::stdout(), "{}", request.out.display()) {
        // A reader that has seen enough is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!(
            "cannot write to standard output: {error}; the bundles are in {}",
            request.out.display()
        )),
        _ => Ok(()),
    }
}
