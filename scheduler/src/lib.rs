//! The scheduler: plans titles, orders and dispatches their tasks, retries and recovers. The only writer of the
//! store.
//!
//! Planning, ordering and retrying are pure ([`plan`], [`reelfarm_priority`], [`retry`]); [`service`] is the loop
//! that feeds them and acts on what they say.

pub mod api;
pub mod cost;
mod delivered;
pub mod estimates;
pub mod event;
pub mod facts;
pub mod housekeeping;
pub mod leader;
pub mod plan;
pub mod policy;
pub mod retry;
pub mod review;
pub mod rights;
pub mod service;

mod attempts;
mod commands;
mod dispatch;
mod errands;
mod expedite;
mod fewer;
mod forecast;
mod handle;
mod judgement;
mod name;
mod order;
mod outlook;
mod planning;
mod postponed;
mod preview;
mod recoding;
mod reconcile;
mod survey;
mod trials;
mod workers;

pub use commands::Again;
pub use event::FarmEvent;
pub use handle::Handle;
pub use judgement::{external_report_invalid, judged_by};
pub use policy::{FarmPolicies, FarmPolicy};
pub use recoding::Recoding;
pub use service::{Options, Scheduler, SchedulerError};
