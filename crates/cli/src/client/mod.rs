//! The command line as a client of a farm's HTTP interface.
//!
//! Promises: the token comes from a file that only its owner can read, goes to the farm alone, and is never shown; it goes
//! over plain http only to this host, unless somebody says so. Asking again after an answer was lost is safe: what
//! changes something twice carries an idempotency key.

mod events;
mod farm;
mod follow;
mod upload;

pub use farm::{Client, FarmArguments, is_passing};
pub use follow::follow;
