//! Planning: a pure function from what QC found, the ladder and the profiles to a graph of tasks, and from that
//! graph and what already exists to the tasks that must run.
//!
//! Promises: no I/O, no clock; the same input gives the same graph; tasks come in an order in which each stands
//! after all that it needs; every key is known before anything runs.

mod builder;
mod chunks;
mod difference;
mod graph;
mod per_title;
mod publication;
mod reduce;
#[cfg(test)]
mod tests;

pub use difference::reasons;
pub use graph::{First, Graph, Node, PlanError, PlanInput, fingerprint_task, measure_task, withdraw_task};
pub(crate) use per_title::{RungTrials, Tried, fit, trials};
pub use reduce::{Facts, Reduction, Step};
