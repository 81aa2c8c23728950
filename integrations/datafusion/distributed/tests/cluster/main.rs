//! Clusters in this process. One program, since linking the engine takes longest.

mod loopback;
mod memory;
