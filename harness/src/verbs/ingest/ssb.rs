//! `harness ingest ssb`: the Star Schema Benchmark into a server.

use aligned_ingest::server::{Server, fill};
use aligned_ingest::ssb::SsbTable;

use super::super::Ending;
use super::Ssb;

pub(super) fn run(args: &Ssb) -> Result<(), Ending> {
    if !(0.001..=100.0).contains(&args.scale_factor) {
        return Err(Ending::Usage(format!(
            "the scale factor {} is outside of 0.001..100",
            args.scale_factor
        )));
    }
    let server = Server::new(&args.dsn, args.tls_ca.as_deref()).map_err(Ending::usage)?;
    let mut client = server.connect().map_err(Ending::usage)?;
    for table in SsbTable::ALL {
        let rows = fill(&mut client, table, args.scale_factor).map_err(Ending::usage)?;
        say!("{}: {rows} rows", table.name());
    }
    Ok(())
}
