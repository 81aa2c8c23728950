//! Joinery's joins on several machines, under [DataFusion Distributed](datafusion_distributed).
//!
//! That engine divides a plan into stages, sends them to workers, and shuffles rows between them; nothing here schedules or
//! moves a row. What is here:
//!
//! - a [`Cluster`]: addresses of workers, found to be alive and of the same version, and sessions that use them
//!   ([`SessionStateBuilderExt::with_joinery_on`]);
//! - a [`worker()`]: what answers at such an address. It puts Joinery's joins in the place of the hash joins of the stages that
//!   it is sent, by [`joinery_datafusion::take_over_in_place`], as the settings of the session that sent them say;
//! - a [`Wire`]: how both reach each other, with certificates where they are given, and after which time without a sign of
//!   life a process counts as lost.
//!
//! The stage that a session keeps for itself gets Joinery's joins by the session's planner.

mod cluster;
mod fault;
mod filters;
mod loss;
mod session;
mod store;
mod wire;
mod worker;

pub use cluster::Cluster;
pub use session::{Sent, SessionStateBuilderExt, Way, explained, on_workers, sent};
pub use store::ReadOnly;
pub use wire::{Connections, Tls, Wire};
pub use worker::{VERSION, Watch, environment, listen, serve, worker};
