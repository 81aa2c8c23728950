//! Joins of whole queries, Joinery's beside DataFusion's. One program, since linking the engine takes longest.

mod answers;
mod behaviour;
mod random;
mod tpch;
