//! `reelfarm policies`: the QC policies that come with the farm, or one checked and shown.

use reelfarm_model::{Code, Failure};
use reelfarm_qc::{BUILT_IN_POLICIES, Policy};

use crate::arguments::Policies;
use crate::exit::Exit;
use crate::policies;
use crate::printer::Printer;

/// Lists the policies, or checks one and shows it: its own text on stdout, for a file of one's own; what it is based on beside
/// it.
pub fn run(verb: &Policies, printer: &Printer) -> Result<Exit, Failure> {
    let Some(name) = &verb.name else {
        for policy in BUILT_IN_POLICIES {
            printer.data(&format!("{:<10} {}", policy.name, policy.summary));
        }
        return Ok(Exit::Done);
    };
    let texts = policies::texts(name)?;
    Policy::of(&texts).map_err(|error| Failure::new(Code::PolicyInvalid, error.to_string()))?;
    printer.data(&texts.own().text);
    for base in texts.bases() {
        printer.line(&format!("all else is as in {}", base.file));
    }
    Ok(Exit::Done)
}
