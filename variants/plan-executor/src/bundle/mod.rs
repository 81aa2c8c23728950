//! Plan bundles: a folder with `plan.json` and the pages of its tables.

mod error;
mod file;
mod plan;

use std::io::Read;
use std::path::Path;

use join_core::table::{Table, open_regular};

pub use error::{BundleError, PlanError};
pub use file::write_plan;
pub use plan::{Join, Node, Operator, Output, Plan};

use file::PlanFile;

/// The file of a bundle that holds the plan and describes the tables.
pub const PLAN_FILE: &str = "plan.json";

/// Bytes that the file of a plan may have. A plan of a million joins has a third of that.
const MOST_PLAN_BYTES: u64 = 512 << 20;

/// A plan and the tables that it reads, all of it checked: an executor needs no check of its own.
#[derive(Clone, Debug)]
pub struct Bundle {
    name: String,
    plan: Plan,
    tables: Vec<Table>,
}

impl Bundle {
    /// Reads a bundle. Pages are mapped, not copied, and every one is validated, once.
    ///
    /// The files must not change while the bundle is in use, as with [`Table::open`].
    ///
    /// # Errors
    /// The first thing that is wrong, with its file and node.
    pub fn open(folder: &Path) -> Result<Bundle, BundleError> {
        let path = folder.join(PLAN_FILE);
        let text = read(&path)?;
        let file: PlanFile = serde_json::from_slice(&text).map_err(|source| BundleError::Json {
            path: path.clone(),
            source,
        })?;
        let at = |error| BundleError::Plan {
            path: path.clone(),
            error,
        };
        // The plan before the pages: what is cheap to find is found first.
        let types: Vec<Vec<_>> = file
            .inputs
            .iter()
            .map(|table| {
                table
                    .columns
                    .iter()
                    .map(|column| column.data_type)
                    .collect()
            })
            .collect();
        let nodes = file.nodes().map_err(at)?;
        let plan = Plan::new(nodes, file.root, &types).map_err(at)?;
        let tables = file
            .inputs
            .iter()
            .map(|meta| Table::open_described(folder, meta))
            .collect::<Result<_, _>>()?;
        Ok(Bundle {
            name: file.name,
            plan,
            tables,
        })
    }

    /// A bundle of tables in memory.
    ///
    /// # Errors
    /// If the nodes are no plan over these tables.
    pub fn new(
        name: impl Into<String>,
        nodes: Vec<Node>,
        root: usize,
        tables: Vec<Table>,
    ) -> Result<Bundle, PlanError> {
        let types: Vec<Vec<_>> = tables
            .iter()
            .map(|table| {
                let columns = table.columns().iter();
                columns.map(|column| column.column.data_type()).collect()
            })
            .collect();
        Ok(Bundle {
            name: name.into(),
            plan: Plan::new(nodes, root, &types)?,
            tables,
        })
    }

    /// The bundle's name, such as `8c`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The tables, by the number that scans know them by.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Writes the bundle as a new folder, which appears whole or not at all.
    ///
    /// # Errors
    /// If the folder exists and is not empty, or the system refuses.
    pub fn write(&self, folder: &Path) -> Result<(), BundleError> {
        file::write(self, folder)
    }
}

/// The text of a plan. Only of a regular file: others may have no end, or wait for ever.
fn read(path: &Path) -> Result<Vec<u8>, BundleError> {
    let failed = |source| BundleError::Read {
        path: path.to_owned(),
        source,
    };
    let file = open_regular(path).map_err(failed)?;
    let mut file = file.ok_or_else(|| BundleError::NoFile {
        path: path.to_owned(),
    })?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > MOST_PLAN_BYTES {
        return Err(BundleError::TooLong {
            path: path.to_owned(),
            bytes,
        });
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}
