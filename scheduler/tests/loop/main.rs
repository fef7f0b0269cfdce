//! The scheduler's loop over a real store and the in-process broker. The worker's side is played by the tests, message
//! by message, because a real worker cannot be made to be late, silent or twice on demand.

#![allow(clippy::unwrap_used, clippy::panic)]

mod attempts;
mod delivery;
mod expedite;
mod farm;
mod first;
mod housekeeping;
mod order;
mod policies;
mod resubmission;
mod review;
mod sharing;
mod simulated;
mod subtitles;
mod titles;
