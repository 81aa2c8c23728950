//! Joins of whole queries, Joinery's beside DataFusion's. One program, since linking the engine takes longest.

mod answers;
mod behaviour;
mod in_place;
mod random;
mod tpch;
