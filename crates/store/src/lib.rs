//! The store: the truth about titles, tasks and attempts. Only a scheduler writes it; everybody may read.
//!
//! Promises: every operation of [`Store`] is one transaction and means something in the farm's own words; what an
//! attempt reports takes effect only under its current [`Fence`](reelfarm_model::Fence), and what a scheduler writes
//! only while it leads ([`Leadership`]); all times are those of the database's clock. [`SqliteStore`] is the form for
//! one host, [`PostgresStore`] that for many. Both pass the suite in `conformance` (a feature of this crate), and share
//! their operations (`operations`), which are compiled once for each.

mod access;
mod changes;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod fault;
mod leadership;
mod postgres;
mod records;
mod report;
mod rows;
mod sqlite;
mod store;

pub use access::{Access, Answer, Claim, ClaimToken, KeyedRequest, NewToken, Scope, TokenRecord};
pub use changes::{
    Advanced, Planned, PlannedCost, PlannedTask, Retried, Reviewed, SubmitOutcome, Submitted, TitleChange,
};
pub use error::StoreError;
pub use leadership::{Candidate, Election, Leader, Leadership, Term};
pub use postgres::{Limits, PostgresStore};
pub use records::{
    AtWork, AttemptEnd, AttemptRecord, Backlog, Counts, Expedite, ExpediteRecord, Expedited, ExpiredAttempt,
    FinishedRun, Left, ReadyOf, ReadyTask, Ruling, TaskRecord, TitleFilter, TitleGeneration, UnderWay,
    Wanted,
};
pub use report::{AttemptReport, Completed, Failed, Recorded, Report, RetryDecision};
pub use sqlite::SqliteStore;
pub use store::Store;
