//! Content keys: who gives them, how they are kept, and what players are told of them.
//!
//! Promises: a key never prints, is zeroed when dropped, and leaves this crate only through [`Secret::expose`], which is
//! easy to search for; what is stored is wrapped.

mod base64_text;
pub mod bundle;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod given;
pub mod keys;
pub mod master;
mod playready;
mod private_file;
pub mod provider;
pub mod secret;
pub mod signal;
pub mod speke;
pub mod uris;
mod wrap;

pub use bundle::KeyBundle;
pub use given::GivenKeys;
pub use keys::{ContentKey, Signal, TitleKeys};
pub use master::{DerivedKeys, MasterSecret};
pub use provider::{KeyError, KeyProvider, KeyRequest};
pub use secret::Secret;
pub use uris::KeyUris;
