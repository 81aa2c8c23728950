//! `harness ingest pages`: a table folder from chunks (S9).

use aligned_ingest::pages::{NumericAs, to_table};

use super::super::Ending;
use super::{Pages, of, open_verified, team};

use crate::console::tell;

pub(super) fn run(args: &Pages) -> Result<(), Ending> {
    let (chunks, _) = open_verified(&args.folder)?;
    let of_folder = args
        .out
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = args
        .name
        .clone()
        .or(of_folder)
        .unwrap_or_else(|| "table".into());
    let numeric = args
        .numeric_decimals
        .map_or(NumericAs::Fp64, NumericAs::ScaledInt64);
    let paged =
        to_table(&chunks, &name, numeric, &team()?).map_err(|error| of(&args.folder, error))?;
    paged.table.write(&args.out).map_err(Ending::usage)?;
    for (column, values) in &paged.losses {
        tell!("column {column:?}: {values} values lost digits; see --numeric-decimals");
    }
    say!(
        "{}: {} rows, {} columns",
        args.out.display(),
        paged.table.num_rows(),
        paged.table.columns().len()
    );
    Ok(())
}
