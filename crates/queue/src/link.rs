//! Whether a broker can be reached.

use std::time::Instant;

/// The link to a broker, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It is there.
    Up,
    /// It is there, and the broker takes no messages: it is short of memory or disk.
    Blocked {
        /// What the broker says.
        reason: String,
    },
    /// It is not; it is tried again and again.
    Down {
        /// Since when.
        since: Instant,
        /// Why.
        reason: String,
    },
}

impl LinkState {
    /// Why no messages pass; nothing where they do.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Up => None,
            Self::Blocked { reason } | Self::Down { reason, .. } => Some(reason),
        }
    }

    /// Whether messages pass.
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }
}
