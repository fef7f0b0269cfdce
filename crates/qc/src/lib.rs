//! Ingest QC: judges what was measured of a source by a policy file, and concludes what the planner builds on.
//!
//! Promises: no I/O; the same measurements, policy and ladder give the same report; every check of a readable file
//! is in its report, in a stable order, unless an earlier rejection leaves it nothing to judge or what it judges was not
//! measured; the verdict is the worst of the checks, and there is a conclusion where, and only where, the source is not
//! rejected.

mod checks;
pub mod checksum_file;
pub mod delivery;
mod effort;
mod evaluate;
mod expression;
pub mod external;
pub mod language;
pub mod page;
pub mod policy;
pub mod table;
mod text;

pub use evaluate::evaluate;
pub use expression::Expression;
pub use policy::{BUILT_IN, BUILT_IN_POLICIES, BuiltIn, Policy, PolicyError, PolicyTexts};
pub use table::render;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod snapshots;
