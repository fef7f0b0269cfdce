//! Ingest QC: judges what was measured of a source by a policy file, and concludes what the planner builds on.
//!
//! Promises: no I/O; the same measurements, policy and ladder give the same report; every check of a readable file
//! is in its report, in a stable order, unless an earlier rejection leaves it nothing to judge; the verdict is the
//! worst of the checks, and there is a conclusion where, and only where, the source is not rejected.

mod checks;
mod evaluate;
pub mod language;
pub mod policy;
pub mod table;
mod text;

pub use evaluate::evaluate;
pub use policy::{BUILT_IN, Policy, PolicyError};
pub use table::render;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod snapshots;
