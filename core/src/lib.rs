//! Joinery's core.
