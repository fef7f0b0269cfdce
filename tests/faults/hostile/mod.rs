//! Files made to do harm: each ends in a verdict, within bounds of time and memory, and reads nothing but itself.
//!
//! `scripts/bench hostile` judges many thousands more.

mod absurd;
mod element;
mod judge;
mod leash;
mod movie;
mod mutations;
mod other_files;
mod tracks;
mod work;
