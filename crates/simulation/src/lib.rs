//! What a day on a farm would be like: a discrete-event simulator around the policy that the scheduler itself runs.
//!
//! Promises: the same workload and seed give the same day, for every policy; a policy knows estimates alone, and tasks take
//! as long as they take; no I/O and no clock.

pub mod bound;
pub mod draw;
pub mod engine;
pub mod orders;
pub mod picture;
pub mod report;
pub mod shipped;
pub mod timeline;
mod window;
pub mod workload;

pub use draw::{Drawn, DrawnTitle};
pub use engine::{Outcome, Start, simulate};
pub use orders::Contender;
pub use report::{KindReport, PolicyReport, Report};
pub use workload::{Workload, WorkloadError};

/// Milliseconds of a minute.
pub(crate) const MINUTE_MS: i64 = 60_000;
