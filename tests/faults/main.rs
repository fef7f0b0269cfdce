//! Faults that a farm on one machine survives.

#[path = "../support/mod.rs"]
mod support;

mod origin;
mod signals;
mod tools;
