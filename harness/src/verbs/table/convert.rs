//! `table import` and `table export`.

use std::io::{self, IsTerminal};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use join_core::page::DataType;
use join_core::table::Table;
use tables::{CsvOptions, Options, Progress};

use super::{Decimals, Export, Import};
use crate::verbs::Ending;

/// Imports files, and says which columns the table has.
pub fn import(args: &Import) -> Result<(), Ending> {
    let options = options(args)?;
    let mut meter = Meter::new();
    let table = tables::import(&args.files, &args.out, &options, &mut |at| meter.show(at));
    meter.finish();
    let table = table.map_err(Ending::usage)?;
    let columns: Vec<String> = table
        .columns()
        .iter()
        .map(|named| format!("{} {}", named.name, named.column.data_type()))
        .collect();
    eprintln!("{} rows of {}", table.num_rows(), columns.join(", "));
    println!("{}", args.out.display());
    Ok(())
}

/// Exports a table folder.
pub fn export(args: &Export) -> Result<(), Ending> {
    let table = Table::open(&args.folder).map_err(Ending::usage)?;
    let mut meter = Meter::new();
    let written = tables::export(&table, &args.out, &mut |at| meter.show(at));
    meter.finish();
    written.map_err(Ending::usage)?;
    println!("{}", args.out.display());
    Ok(())
}

fn options(args: &Import) -> Result<Options, Ending> {
    let folder = args.out.file_name().unwrap_or_default().to_string_lossy();
    let types = args.types.iter().map(|text| of_type(text));
    Ok(Options {
        name: args.name.clone().unwrap_or_else(|| folder.into_owned()),
        columns: args.columns.clone(),
        types: types.collect::<Result<_, _>>()?,
        decimals: match args.decimals {
            Decimals::Fp64 => tables::Decimals::Fp64,
            Decimals::Rounded => tables::Decimals::Rounded,
            Decimals::Scaled => tables::Decimals::Scaled,
        },
        csv: CsvOptions {
            delimiter: match &args.delimiter {
                Some(text) => Some(one_byte("--delimiter", text)?),
                None => None,
            },
            quote: match args.quote.as_str() {
                "none" => None,
                text => Some(one_byte("--quote", text)?),
            },
            nulls: match args.null.is_empty() {
                true => CsvOptions::default().nulls,
                false => args.null.clone(),
            },
            header: !args.no_header,
        },
    })
}

/// `name=TYPE`.
fn of_type(text: &str) -> Result<(String, DataType), Ending> {
    let parsed = text.rsplit_once('=').and_then(|(name, asked)| {
        let same = |data_type: &DataType| data_type.name().eq_ignore_ascii_case(asked.trim());
        let data_type = DataType::ALL.into_iter().find(same)?;
        Some((name.to_owned(), data_type))
    });
    parsed.ok_or_else(|| {
        Ending::Usage(format!(
            "--types {text:?}: say for instance --types id=INT32,name=VARCHAR; types are INT32, INT64, FP64 and VARCHAR"
        ))
    })
}

fn one_byte(option: &str, text: &str) -> Result<u8, Ending> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        &[byte] if !matches!(byte, b'\n' | b'\r') => Ok(byte),
        _ => Err(Ending::Usage(format!(
            "{option} {text:?}: say one ASCII character, such as ';', or tab"
        ))),
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
            eprintln!("{}: {} %", at.what, 100 * at.done / at.total.max(1));
            self.said = Instant::now();
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
