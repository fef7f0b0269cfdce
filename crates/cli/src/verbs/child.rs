//! What the farm's own child processes do.

use std::process::ExitCode;

use reelfarm_workers::leash::Leash;

use crate::arguments;
use crate::printer::Printer;

/// `EX_OSERR` of sysexits.h: the operating system refused something.
const OS_ERROR: u8 = 71;

/// Serves one media request from stdin to stdout.
pub fn media(arguments: &arguments::MediaChild) -> ExitCode {
    let leash = Leash { parent: arguments.parent, memory_bytes: Some(arguments.memory_bytes) };
    let served = leash
        .apply()
        .and_then(|()| reelfarm_media::child::serve(std::io::stdin().lock(), std::io::stdout().lock()));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Printer::new().error(&format!("media process: {error}"));
            OS_ERROR.into()
        }
    }
}

/// Turns this process into another program that ends when its parent does.
pub fn leash(arguments: &arguments::Leash) -> ExitCode {
    let leash = Leash { parent: arguments.parent, memory_bytes: None };
    let Some((program, rest)) = arguments.command.split_first() else { return OS_ERROR.into() };
    let error = leash.exec(program, rest);
    let program = program.to_string_lossy();
    Printer::new().error(&format!("{program} cannot be started: {error}"));
    // As a shell does: 127 where there is no such program, 126 where it cannot be run.
    ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
}
