//! The progress of titles: worked out from the farm's events, shown as bars on a terminal and as plain lines
//! elsewhere.

mod display;
mod tracker;

pub use display::Display;
