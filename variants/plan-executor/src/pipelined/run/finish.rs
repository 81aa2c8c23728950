//! The result.

use join_core::join::Phases;
use join_core::page::DataType;
use join_core::table::PagedColumn;

use super::Run;
use crate::pipelined::graph::Graph;
use crate::pipelined::output::{self, Output, OutputColumn, levels};
use crate::pipelined::table::Entries;
use crate::result::{ResultColumn, ResultTable};
use crate::telemetry::Step;
use crate::{ExecuteError, Execution};

impl Run<'_> {
    fn result_types(&self) -> impl Iterator<Item = DataType> {
        self.bundle.plan().result_types()
    }

    pub(super) fn finish_empty(self) -> Execution {
        let columns = self
            .result_types()
            .map(|data_type| ResultColumn::new(data_type, Vec::new()));
        Execution {
            result: ResultTable::new(0, columns.collect()),
            telemetry: self.telemetry,
        }
    }

    /// Writes the rows of the root, multiplied out.
    pub(super) fn finish(
        mut self,
        root: usize,
        entries: Entries,
    ) -> Result<Execution, ExecuteError> {
        let mut phases = Phases::start();
        let rows = entries.results(0, entries.rows.len() as u32);
        ExecuteError::refuse_beyond_limit(self.bundle.plan().root(), rows)?;
        let paged: Vec<(usize, PagedColumn<'_>)> = self
            .graph
            .result
            .iter()
            .map(|&(input, place)| {
                let Graph { inputs, .. } = &self.graph;
                let column = inputs[input].outputs[place];
                let table = &self.bundle.tables()[inputs[input].table];
                (input, table.columns()[column].column.paged())
            })
            .collect();
        let columns: Vec<OutputColumn<'_>> = paged
            .iter()
            .map(|&(input, ref paged)| OutputColumn { input, paged })
            .collect();
        phases.lap("plan");
        let workers = match self.options.parallel_write {
            true => self.workers(rows as usize),
            false => 1,
        };
        let levels = levels(root, &entries, &self.tables);
        let output = Output {
            levels: &levels,
            columns: &columns,
            references: self.options.references,
            workers,
        };
        let runs = output::write(&output, self.context.team, self.context.memory)
            .map_err(self.memory(root))?;
        let columns = self.result_types().zip(runs);
        let columns = columns.map(|(data_type, runs)| ResultColumn::new(data_type, runs));
        let result = ResultTable::new(rows, columns.collect());
        phases.lap("write pages");
        let step = Step {
            name: "result".to_owned(),
            children: vec![self.step_of[root]],
            rows_in: entries.rows.len() as u64,
            rows_out: rows,
            bytes: result.bytes(),
            ..Step::default()
        };
        self.telemetry.steps.push(step.timed(&phases));
        Ok(Execution {
            result,
            telemetry: self.telemetry,
        })
    }
}
