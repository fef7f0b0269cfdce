//! Exit codes: a contract with scripts.

use std::process::ExitCode;

use reelfarm_model::{Code, Failure};

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all that was asked for is done.
    Done,
    /// 1: a title failed, was rejected, or waits for a person's decision.
    Failed,
    /// 2: the command line, a ladder or a setting is wrong.
    Usage,
    /// 3: there is no such file, title or code.
    NotFound,
    /// 4: not allowed.
    NotAllowed,
    /// 5: the store, the broker or the origin cannot be reached or written.
    Unreachable,
    /// 6: the time to wait is over, and titles have not ended.
    TimedOut,
    /// 128 and the signal's number: 130 after Ctrl-C, 143 after SIGTERM.
    Signal(u8),
}

impl Exit {
    /// The exit code for a failure.
    pub fn of(failure: &Failure) -> Self {
        match failure.code {
            Code::SourceNotFound | Code::TitleNotFound | Code::NotFound => Self::NotFound,
            Code::TitleNameTaken
            | Code::TitleStateWrong
            | Code::ReviewOutdated
            | Code::KeysDiffer
            | Code::TitleRightsLeaveNothing
            | Code::TokenRefused
            | Code::ScopeTooSmall => Self::NotAllowed,
            Code::LadderInvalid
            | Code::ProfilesInvalid
            | Code::PolicyInvalid
            | Code::OrderInvalid
            | Code::WorkloadInvalid
            | Code::FactsContradict
            | Code::ExpeditesSpent
            | Code::UnknownName
            | Code::KeysFileInvalid
            | Code::ExternalReportInvalid
            | Code::RightsLeaveNothing
            | Code::KeyOutOfReach
            | Code::SettingsInvalid
            | Code::RequestInvalid
            | Code::RequestTooLarge
            | Code::KeyReused => Self::Usage,
            Code::OriginUnreachable
            | Code::OriginFull
            | Code::StateUnreachable
            | Code::StateBusy
            | Code::BrokerUnreachable
            | Code::MasterSecretUnusable
            | Code::KeyServerUnreachable
            | Code::KeyServerLoginRefused
            | Code::DiskFull
            | Code::FarmUnreachable
            | Code::FarmBusy => Self::Unreachable,
            Code::TimedOut => Self::TimedOut,
            _ => Self::Failed,
        }
    }

    /// The exit code of a call whose parts ended in different ways: the one that says most about what to do next.
    pub fn worst(self, other: Self) -> Self {
        if self.weight() >= other.weight() { self } else { other }
    }

    const fn weight(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Usage => 1,
            Self::NotAllowed => 2,
            Self::NotFound => 3,
            Self::TimedOut => 4,
            Self::Failed => 5,
            Self::Unreachable => 6,
            Self::Signal(_) => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::NotAllowed => 4,
            Exit::Unreachable => 5,
            Exit::TimedOut => 6,
            Exit::Signal(number) => 128 + number,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_needs_a_person_most_decides() {
        assert_eq!(Exit::Done.worst(Exit::Failed), Exit::Failed);
        assert_eq!(Exit::Unreachable.worst(Exit::Failed), Exit::Unreachable);
        assert_eq!(Exit::NotFound.worst(Exit::Done), Exit::NotFound);
        assert_eq!(Exit::of(&Failure::new(Code::OriginFull, "full")), Exit::Unreachable);
    }
}
