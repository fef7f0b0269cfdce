//! A fault in bytes or text, with the place where it stands.

use crate::readback::ReadError;

/// Bytes or text are not what their format allows, or not what this farm writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct Malformed {
    /// The box, as a path such as `moof/traf/trun`, or the element of the manifest.
    pub place: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Malformed {
    /// Says what is wrong in which box or element.
    pub(crate) fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }

    /// Puts the box's name to what a reader of boxes says.
    pub(crate) fn at(place: &str) -> impl FnOnce(ReadError) -> Self + '_ {
        move |error| Self::new(place, error.0)
    }
}
