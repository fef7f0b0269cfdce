//! The store: the truth about titles, tasks and attempts. Only a scheduler writes it; everybody may read.
//!
//! Promises: every operation of [`Store`] is one transaction and means something in the farm's own words; what an
//! attempt reports takes effect only under its current [`Fence`](reelfarm_model::Fence); all times are those of the
//! database's clock. [`SqliteStore`] is the form for one host. Every form passes the suite in `conformance` (a
//! feature of this crate).

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod records;
mod sqlite;
mod store;

pub use error::StoreError;
pub use records::{AttemptEnd, AttemptRecord, Counts, ExpiredAttempt, TaskRecord, TitleGeneration};
pub use sqlite::SqliteStore;
pub use store::{
    Advanced, Completed, Failed, Planned, PlannedTask, RetryDecision, Store, SubmitOutcome, Submitted,
    TitleChange,
};
