//! The worker: what runs on every host of a farm, and inside `reelfarm run`.
//!
//! It takes tasks from the broker, runs each in staging under a lease, hands what it made to the artifact store and
//! reports. It knows no database.

pub mod fingerprint;
pub mod keys;
pub mod leash;
pub mod process;
pub mod runtime;
pub mod source;
pub mod threads;

mod attempt;
mod execute;
mod lease;
mod make;
mod report;
mod rest;
mod work;

pub use keys::KeyRing;
pub use process::MediaProcess;
pub use runtime::{Runtime, Worker};
pub use threads::EncodeThreads;
pub use work::{Attempt, Made, Report, Work};
