//! The reelfarm command: operator verbs, and the roles of a farm.
//!
//! Promises: data on stdout, everything else on stderr; exit codes as [`exit::Exit`] says; an error names what
//! failed, the likely cause, the next step and a code that `reelfarm explain` opens.

// Nothing of a program is reachable from outside: here `pub` marks what a module offers to the others.
#![allow(unreachable_pub)]

mod arguments;
mod client;
mod config;
mod distributed;
mod drm;
mod exit;
mod farm;
mod memory;
mod policies;
mod printer;
mod progress;
mod side_files;
mod signals;
mod tools;
mod verbs;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Verb};
use crate::exit::Exit;
use crate::printer::Printer;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Children of the farm itself: no runtime, no logging, nothing between them and their work.
    match &arguments.verb {
        Verb::MediaChild(child) => return verbs::child::media(child),
        Verb::Leash(leash) => return verbs::child::leash(leash),
        _ => {}
    }
    let printer = Printer::new();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.error(&format!("the async runtime cannot be started: {error}"));
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(verbs::run(arguments, &printer));
    // A thread that still reads a source must not hold up the end of the process.
    runtime.shutdown_background();
    exit.into()
}
