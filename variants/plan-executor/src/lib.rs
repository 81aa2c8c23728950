//! Whole join plans: paged tables in, a paged table out (R9.1).
//!
//! A [`Bundle`] is a plan and its tables. An [`Executor`] runs it: [`OperatorAtATime`] one join after the other as the
//! plan says, as the contest engine does; [`Pipelined`] in an order of its own. [`oracle`] is what they are checked against.

mod bundle;
mod error;
mod executor;
mod operator;
pub mod oracle;
mod pipelined;
mod result;
mod telemetry;

pub use bundle::{
    Bundle, BundleError, Join, Node, Operator, Output, PLAN_FILE, Plan, PlanError, write_plan,
};
pub use error::ExecuteError;
pub use executor::{Context, Execution, Executor};
pub use operator::OperatorAtATime;
pub use pipelined::{JoinTree, KeyFilter, Options, Pipelined, Role, RowConsumer, TreeInput};
pub use result::{ResultColumn, ResultTable};
pub use telemetry::{FilterTelemetry, PhaseTelemetry, Step, Telemetry};
