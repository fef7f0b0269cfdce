//! What the farm tells people who run it: metrics for Prometheus, whether a process is ready, and logs.
//!
//! Promises: no global registry, so several farms (and tests) live in one process; every metric is in
//! [`SPECIFICATION`](metrics::SPECIFICATION), and its labels take few values, never a title's name; logs go to
//! standard error alone, because standard output is for data.

pub mod health;
pub mod logging;
pub mod metrics;
pub mod server;
mod usage;

pub use health::Health;
pub use logging::{LogFormat, LogOptions, LoggingError};
pub use metrics::{AttemptEnd, Metrics, MetricsError};
pub use server::{ServeError, Server, serve};
