//! Faults that a farm on one machine survives.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod database;
mod hostile;
mod origin;
mod packager;
mod secrets;
mod signals;
mod subtitles;
mod tools;
