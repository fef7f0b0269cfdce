//! From encoded renditions to what players open: the list of profiles, the media sets that the packager makes, the
//! manifests that each profile takes from them, and the proof that a profile reads back as it was meant to.
//!
//! Promises: media sets and manifests are reproducible byte for byte from equal inputs; no tool's own word counts as
//! proof, because [`verify`] reads the bytes with readers of its own; hostile bytes give an error, never a panic.

pub mod aes128;
pub mod derived;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod layout;
pub mod manifest;
pub mod profiles;
pub mod progressive;
pub mod protected_progressive;
pub mod protection;
pub mod shaka;
pub mod smooth;
pub mod subtitles;
pub mod verify;

mod language;
mod malformed;
mod mpd;
mod playlist;
mod readback;

pub use malformed::Malformed;

#[cfg(test)]
mod clip;
#[cfg(test)]
mod hostile;
