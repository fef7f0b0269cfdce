//! The client of key servers against a key server, whose requests and answers an independent implementation of CPIX
//! checks and makes.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

mod answers;
mod client;
mod faults;
mod requests;
mod secrets;

#[path = "../../../../tests/support/key_server/mod.rs"]
mod key_server;
