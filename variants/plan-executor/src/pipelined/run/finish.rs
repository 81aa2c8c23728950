//! The result.

use join_core::join::Phases;
use join_core::table::{Column, PagedColumn};

use super::{ROWS_A_HEADER, Root, Run};
use crate::pipelined::graph::Role;
use crate::pipelined::hands::Hands;
use crate::pipelined::output::{self, Output, OutputColumn, RowConsumer, levels};
use crate::pipelined::source::Scans;
use crate::result::{ResultColumn, ResultTable};
use crate::telemetry::Step;
use crate::{Bundle, ExecuteError, Execution, Telemetry};

/// Rows that the leanest phase reads in the time that a value of the result takes.
const ROWS_A_VALUE: u64 = 10;

impl Run<'_> {
    /// Writes the rows of the root, multiplied out, into pages.
    pub(in crate::pipelined) fn write(
        self,
        scans: &Scans<'_>,
        bundle: &Bundle,
        root: Option<Root>,
    ) -> Result<Execution, ExecuteError> {
        let result_types = bundle.plan().result_types();
        let Some(root) = root else {
            let columns = result_types.map(|data_type| ResultColumn::new(data_type, Vec::new()));
            return Ok(Execution {
                result: ResultTable::new(0, columns.collect()),
                telemetry: self.telemetry,
            });
        };
        let mut phases = Phases::start();
        let rows = root.rows();
        ExecuteError::refuse_beyond_limit(bundle.plan().root(), rows)?;
        let columns = scans.result.iter().map(|&(input, column)| {
            let column = &scans.table(input).columns()[column].column;
            (input, column)
        });
        let columns: Vec<(usize, &Column)> = columns.collect();
        let headers = columns.iter().map(|(_, column)| column.pages().len());
        let hands = self.hands(headers.sum::<usize>() * ROWS_A_HEADER);
        let paged: Vec<(usize, PagedColumn<'_>)> =
            hands.mapped(columns, |(input, column)| (input, column.paged()));
        let columns: Vec<OutputColumn<'_>> = paged
            .iter()
            .map(|&(input, ref paged)| OutputColumn { input, paged })
            .collect();
        phases.lap("plan");
        let levels = levels(root.input, &root.entries, &self.tables);
        let output = Output {
            levels: &levels,
            columns: &columns,
            references: self.options.references,
        };
        let runs = output::write(&output, self.writers(rows, columns.len()))
            .map_err(self.memory(root.input))?;
        let columns = result_types.zip(runs);
        let columns = columns.map(|(data_type, runs)| ResultColumn::new(data_type, runs));
        let result = ResultTable::new(rows, columns.collect());
        phases.lap("write pages");
        let bytes = result.bytes();
        Ok(Execution {
            result,
            telemetry: self.told(&root, bytes, &phases),
        })
    }

    /// Hands the rows of the root over, multiplied out, as row ids of the inputs that are shown.
    pub(in crate::pipelined) fn emit(
        self,
        root: Root,
        consumer: &dyn RowConsumer,
    ) -> Result<Telemetry, ExecuteError> {
        let mut phases = Phases::start();
        let rows = root.rows();
        ExecuteError::refuse_beyond_limit(self.source.node(root.input), rows)?;
        let inputs = self.graph.inputs.iter().enumerate();
        let shown = inputs.filter(|(_, input)| input.role == Role::Shown);
        let shown: Vec<usize> = shown.map(|(number, _)| number).collect();
        let levels = levels(root.input, &root.entries, &self.tables);
        output::emit(&levels, &shown, consumer, self.writers(rows, 1))
            .map_err(self.memory(root.input))?;
        phases.lap("hand rows over");
        Ok(self.told(&root, 0, &phases))
    }

    /// Those who write so many rows of so many columns.
    fn writers(&self, rows: u64, columns: usize) -> Hands<'_> {
        let hands = self.hands((rows * columns as u64 * ROWS_A_VALUE) as usize);
        match self.options.parallel_write {
            true => hands,
            false => Hands {
                workers: 1,
                ..hands
            },
        }
    }

    /// The telemetry with its last step.
    fn told(mut self, root: &Root, bytes: u64, phases: &Phases) -> Telemetry {
        let step = Step {
            name: "result".to_owned(),
            children: vec![self.step_of[root.input]],
            rows_in: root.entries.rows.len() as u64,
            rows_out: root.rows(),
            bytes,
            ..Step::default()
        };
        self.telemetry.steps.push(step.timed(phases));
        self.telemetry
    }
}

impl Root {
    /// Rows of the result.
    fn rows(&self) -> u64 {
        self.entries.results(0, self.entries.rows.len() as u32)
    }
}
