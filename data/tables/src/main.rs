//! `tables import` and `tables export`: what `harness table` runs for them.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use join_core::page::DataType;
use join_core::table::{Table, all_or_nothing, one_line};
use tables::{CsvOptions, Decimals, Options, Progress};

/// One's own data as table folders, and back.
#[derive(Debug, Parser)]
#[command(name = "harness table", bin_name = "harness table")]
enum Verb {
    /// Parquet or CSV files to a new table folder
    Import(Import),
    /// A table folder to a new Parquet file
    Export(Export),
}

/// Arguments of `table import`.
#[derive(Debug, clap::Args)]
struct Import {
    /// Parquet or CSV files of the same columns, whose rows follow one another
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The table folder to write
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The table's name [default: that of the folder]
    #[arg(long)]
    name: Option<String>,
    /// Only these columns, in this order; a name with a comma in it is in double quotes
    #[arg(long, value_name = "NAME,NAME")]
    columns: Vec<String>,
    /// Types of columns, instead of those found: INT32, INT64, FP64, VARCHAR
    #[arg(long, value_name = "NAME=TYPE,NAME=TYPE")]
    types: Vec<String>,
    /// What becomes of decimals, and of numbers that --types makes FP64
    #[arg(long, value_enum, default_value_t)]
    decimals: Decimals,
    /// What is between the fields of a CSV file, one character or `tab` [default: a comma; a tab for .tsv]
    #[arg(long, value_name = "C")]
    delimiter: Option<String>,
    /// What is around the fields of a CSV file, one character or `none`
    #[arg(long, value_name = "C", default_value = "\"")]
    quote: String,
    /// What stands before a quote inside of quotes, such as a backslash [default: another quote]
    #[arg(long, value_name = "C")]
    escape: Option<String>,
    /// A field of a CSV file that means NULL; may be given several times [default: the empty field]
    #[arg(long, value_name = "TEXT")]
    null: Vec<String>,
    /// The CSV file begins with data; its columns are column1, column2 and so on
    #[arg(long)]
    no_header: bool,
}

impl Import {
    /// What the name of the only column has that is often between fields, as the option has it.
    fn other_delimiter(&self, name: &str) -> Option<&'static str> {
        let usual = [(';', "';'"), ('\t', "tab"), ('|', "'|'"), (',', "','")];
        let found = usual.into_iter().find(|(c, _)| name.contains(*c));
        found
            .map(|found| found.1)
            .filter(|_| self.delimiter.is_none())
    }
}

/// Arguments of `table export`.
#[derive(Debug, clap::Args)]
struct Export {
    /// The table folder
    folder: PathBuf,
    /// The Parquet file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let result = match Verb::try_parse() {
        Ok(Verb::Import(args)) => import(&args),
        Ok(Verb::Export(args)) => export(&args),
        Err(error) if error.use_stderr() => Err(first_line(&error.to_string())),
        Err(help) => {
            // Nothing is left to do where even help cannot be printed.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", bounded(&one_line(&error))));
            ExitCode::from(2)
        }
    }
}

/// The line without its middle, if it is longer than anybody reads: what is wrong stands in front, the remedy at the end.
fn bounded(line: &str) -> String {
    const FRONT: usize = 1000;
    const END: usize = 300;
    if line.len() <= FRONT + END {
        return line.to_owned();
    }
    let front = &line[..line.floor_char_boundary(FRONT)];
    format!(
        "{front} … {}",
        &line[line.ceil_char_boundary(line.len() - END)..]
    )
}

/// Says a line on standard error, if that can be written.
fn say(line: &str) {
    // Where else could it be said?
    let _ = writeln!(io::stderr(), "{}", one_line(line));
}

/// Prints what was written.
fn written(out: &Path) -> Result<(), String> {
    writeln!(io::stdout(), "{}", out.display()).map_err(|error| {
        format!(
            "{} is written, but standard output is not: {error}; check where it goes",
            out.display()
        )
    })
}

/// The error of a command line in one line, with what it names.
fn first_line(message: &str) -> String {
    let (said, _) = message.split_once("\n\n").unwrap_or((message, ""));
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line).to_owned();
    format!("{line}; see `harness table import --help`")
}

/// Imports files, and says which columns the table has.
fn import(args: &Import) -> Result<(), String> {
    let options = options(args)?;
    let mut meter = Meter::new();
    let table = all_or_nothing(&args.out, || {
        tables::import(&args.files, &args.out, &options, &mut |at| meter.show(at))
    });
    meter.finish();
    let table = table.map_err(|error| error.to_string())?;
    let columns: Vec<String> = table
        .columns()
        .iter()
        .map(|named| format!("{} {}", named.name, named.column.data_type()))
        .collect();
    say(&format!(
        "{} rows of {}",
        table.num_rows(),
        columns.join(", ")
    ));
    if let [only] = table.columns()
        && let Some(found) = args.other_delimiter(&only.name)
    {
        say(&format!(
            "there is one column, {:?}; if it is several, say --delimiter {found}",
            only.name
        ));
    }
    written(&args.out)
}

/// Exports a table folder.
fn export(args: &Export) -> Result<(), String> {
    let table = Table::open(&args.folder).map_err(|error| error.to_string())?;
    let mut meter = Meter::new();
    let exported = all_or_nothing(&args.out, || {
        tables::export(&table, &args.out, &mut |at| meter.show(at))
    });
    meter.finish();
    exported.map_err(|error| error.to_string())?;
    written(&args.out)
}

fn options(args: &Import) -> Result<Options, String> {
    let folder = args.out.file_name().unwrap_or_default().to_string_lossy();
    let types = names("--types", &args.types)?;
    let types = types.iter().map(|text| of_type(text));
    Ok(Options {
        name: args.name.clone().unwrap_or_else(|| folder.into_owned()),
        columns: names("--columns", &args.columns)?,
        types: types.collect::<Result<_, _>>()?,
        decimals: args.decimals,
        csv: CsvOptions {
            delimiter: match &args.delimiter {
                Some(text) => Some(one_byte("--delimiter", text)?),
                None => None,
            },
            quote: match args.quote.as_str() {
                "none" => None,
                text => Some(one_byte("--quote", text)?),
            },
            escape: match &args.escape {
                Some(text) => Some(one_byte("--escape", text)?),
                None => None,
            },
            nulls: match args.null.is_empty() {
                true => CsvOptions::default().nulls,
                false => args.null.clone(),
            },
            header: !args.no_header,
        },
    })
}

/// The items of an option that may be given several times.
fn names(option: &str, texts: &[String]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for text in texts {
        let more = tables::split_names(text).map_err(|error| format!("{option} {error}"))?;
        names.extend(more);
    }
    Ok(names)
}

/// `name=TYPE`.
fn of_type(text: &str) -> Result<(String, DataType), String> {
    let parsed = text.rsplit_once('=').and_then(|(name, asked)| {
        let same = |data_type: &DataType| data_type.name().eq_ignore_ascii_case(asked.trim());
        let data_type = DataType::ALL.into_iter().find(same)?;
        Some((name.to_owned(), data_type))
    });
    parsed.ok_or_else(|| {
        format!(
            "--types {text:?}: say for instance --types id=INT32,name=VARCHAR; types are INT32, INT64, FP64 and VARCHAR"
        )
    })
}

fn one_byte(option: &str, text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        &[byte] if !matches!(byte, b'\n' | b'\r') => Ok(byte),
        _ => Err(format!(
            "{option} {text:?}: say one ASCII character, such as ';', or tab"
        )),
    }
}

/// Progress on standard error: a bar on a terminal, a line every few seconds otherwise.
struct Meter {
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Meter {
    /// Seconds between lines.
    const PAUSE: u64 = 5;

    fn new() -> Meter {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1);
            let style = "{bar:24} {percent:>3} %, {eta} left  {wide_msg}";
            bar.set_style(ProgressStyle::with_template(style).expect("the template is valid"));
            bar
        });
        Meter {
            bar,
            said: Instant::now(),
        }
    }

    fn show(&mut self, at: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(at.total);
            bar.set_position(at.done);
            bar.set_message(at.what);
        } else if self.said.elapsed().as_secs() >= Self::PAUSE {
            say(&format!(
                "{}: {} %",
                at.what,
                100 * at.done / at.total.max(1)
            ));
            self.said = Instant::now();
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
