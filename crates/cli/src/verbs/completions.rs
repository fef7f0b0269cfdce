//! `reelfarm completions`: completions for a shell.

use clap::CommandFactory as _;

use crate::arguments::{Arguments, Completions};
use crate::exit::Exit;
use crate::printer::Printer;

/// Prints the completions.
pub fn run(verb: &Completions, printer: &Printer) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(verb.shell, &mut Arguments::command(), "reelfarm", &mut text);
    printer.data(&String::from_utf8_lossy(&text));
    Exit::Done
}
