//! The contest engine's executor: one operator after the other, each to its end.
//!
//! A scan passes columns on as they lie in their pages, or copies them (R1.2). A join builds a table of one child's
//! keys with any build variant, probes it with the other child's, and materialises its output as column buffers. All
//! threads are joined between the phases. Strings travel as 64-bit references into the pages that they came from and
//! are copied once, at the end (R9.2).

mod column;
mod gather;
mod join;
mod keys;
mod output;

use std::fmt;

use join_core::input::InputMode;
use join_core::join::{DynBuild, Kernel};

use crate::telemetry::Step;
use crate::{Bundle, Context, ExecuteError, Execution, Executor, Operator, Telemetry};

use column::Relation;

/// The contest engine's executor, with any build variant.
pub struct OperatorAtATime {
    build: Box<dyn DynBuild>,
    build_name: String,
    input: InputMode,
    kernel: Kernel,
}

impl OperatorAtATime {
    /// An executor that builds with `build`, which telemetry calls `build_name`; it reads keys where they lie and looks
    /// them up in batches.
    pub fn new(build: Box<dyn DynBuild>, build_name: impl Into<String>) -> OperatorAtATime {
        OperatorAtATime {
            build,
            build_name: build_name.into(),
            input: InputMode::ZeroCopy,
            kernel: Kernel::batched(64),
        }
    }

    /// The same, reading columns of base tables in another way.
    #[must_use]
    pub fn input(mut self, input: InputMode) -> OperatorAtATime {
        self.input = input;
        self
    }

    /// The same, probing in another way.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> OperatorAtATime {
        self.kernel = kernel;
        self
    }
}

impl fmt::Debug for OperatorAtATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorAtATime")
            .field("build", &self.build_name)
            .field("input", &self.input)
            .field("kernel", &self.kernel)
            .finish_non_exhaustive()
    }
}

/// The relation of a node that has been executed, and the step that did.
fn take<'a>(done: &mut [Option<(Relation<'a>, usize)>], node: usize) -> (Relation<'a>, usize) {
    let relation = done[node].take();
    relation.expect("children come before their parent, and have one")
}

impl Executor for OperatorAtATime {
    fn execute(&self, bundle: &Bundle, context: &Context<'_>) -> Result<Execution, ExecuteError> {
        let plan = bundle.plan();
        let mut telemetry = Telemetry::default();
        let mut done: Vec<Option<(Relation<'_>, usize)>> =
            plan.nodes().iter().map(|_| None).collect();
        for &node in plan.post_order() {
            let (relation, step) = match plan.nodes()[node].operator {
                Operator::Scan(table) => self.scan(bundle, node, table, context)?,
                Operator::Join(join) => {
                    let (left, left_step) = take(&mut done, join.left);
                    let (right, right_step) = take(&mut done, join.right);
                    let (relation, mut step) =
                        self.join(bundle, node, join, (left, right), context)?;
                    step.children = vec![left_step, right_step];
                    (relation, step)
                }
            };
            done[node] = Some((relation, telemetry.steps.len()));
            telemetry.steps.push(step);
        }
        let (relation, root) = take(&mut done, plan.root());
        let (result, mut step) = output::write(&relation, plan.root(), context)?;
        step = Step {
            children: vec![root],
            ..step
        };
        telemetry.steps.push(step);
        Ok(Execution { result, telemetry })
    }
}
