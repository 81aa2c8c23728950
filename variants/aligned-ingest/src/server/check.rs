//! Whether the chunks hold what the server has: its rows are read once more and compared by count, by the values of each
//! column that are not NULL, and by checksums of their bytes as they are sent.
//!
//! So whatever can be loaded can be checked, and nothing is asked of the server but what a load asks, and its own count.

use join_core::parallel::{Sharing, Team};

use super::figures::Figures;
use super::plan::{LoadPlan, Origin, Snapshot};
use super::work::{Progress, work};
use super::{Server, ServerError};
use crate::chunks::Chunks;

/// A figure of which the chunks have another value than the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is counted or summed.
    pub what: String,
    /// In the chunks.
    pub chunks: String,
    /// On the server.
    pub server: String,
}

/// Compares chunks, which must have been verified, with the table or query that they were loaded from. Returns the rows
/// on the server, and what differs.
///
/// # Errors
/// If the server refuses.
pub fn check(
    chunks: &Chunks,
    server: &Server,
    team: &Team,
) -> Result<(u64, Vec<Difference>), ServerError> {
    let manifest = chunks.manifest();
    let mut snapshot = Snapshot::begin(server)?;
    let plan = snapshot.plan(&Origin::of(&manifest.source), team.threads() as u32)?;
    let counted = snapshot.count(&plan)?;
    let mut differences = Differences::default();
    let names = |columns: &[crate::SourceColumn]| -> Vec<String> {
        columns.iter().map(|column| column.name.clone()).collect()
    };
    let (ours, theirs) = (names(&manifest.columns), names(&plan.columns));
    if !ours.is_empty() && ours != theirs {
        differences.compare("columns".into(), ours.join(", "), theirs.join(", "));
        return Ok((counted, differences.0));
    }
    let ours = of_chunks(chunks, theirs.len(), team);
    let read = of_server(server, &plan, team)?;
    snapshot.end();
    differences.compare("rows".into(), ours.rows, counted);
    if read.rows != counted {
        differences.compare("rows as they are sent".into(), ours.rows, read.rows);
    }
    for (name, (ours, theirs)) in theirs.iter().zip(ours.columns.iter().zip(&read.columns)) {
        let values = format!("values of {name:?} that are not NULL");
        differences.compare(values, ours.values, theirs.values);
        let hex = |checksum| format!("{checksum:016x}");
        let checksum = format!("checksum of {name:?}");
        differences.compare(checksum, hex(ours.checksum), hex(theirs.checksum));
    }
    if differences.0.is_empty() {
        // The same values of each column, but in other rows.
        differences.compare(
            "checksum of whole rows".into(),
            ours.checksum,
            read.checksum,
        );
    }
    Ok((counted, differences.0))
}

#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn compare<T: PartialEq + ToString>(&mut self, what: String, chunks: T, server: T) {
        if chunks != server {
            let (chunks, server) = (chunks.to_string(), server.to_string());
            self.0.push(Difference {
                what,
                chunks,
                server,
            });
        }
    }
}

fn of_chunks(chunks: &Chunks, columns: usize, team: &Team) -> Figures {
    let states = vec![Figures::new(columns); team.threads()];
    let result = chunks.read_pieces(team, Sharing::Counter, states, |figures, piece| {
        // Sections that are wrong were refused by Chunks::verify.
        for row in piece.rows().flatten() {
            figures.row(row.bytes);
        }
        Ok::<_, std::convert::Infallible>(())
    });
    let Ok(figures) = result;
    sum(columns, &figures)
}

fn of_server(server: &Server, plan: &LoadPlan, team: &Team) -> Result<Figures, ServerError> {
    let columns = plan.columns.len();
    let workers = team.threads().min(plan.copies.len());
    let progress = Progress::default();
    let read = |_: usize, mut figures: Figures| {
        let done = work(server, plan, &progress, &mut figures);
        done.map(|()| figures)
    };
    let read = team.run(vec![Figures::new(columns); workers], read);
    let figures = read.into_iter().collect::<Result<Vec<_>, _>>();
    let figures = figures.map_err(|error| ServerError::Statement {
        doing: format!("reading {}", super::unbroken(&plan.source)),
        what: error.to_string(),
    })?;
    Ok(sum(columns, &figures))
}

fn sum(columns: usize, all: &[Figures]) -> Figures {
    let mut sum = Figures::new(columns);
    all.iter().for_each(|one| sum.add(one));
    sum
}
