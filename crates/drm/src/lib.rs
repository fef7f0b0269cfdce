//! Content keys: who gives them, how they are kept, and what players are told of them.
//!
//! Promises: a key never prints, is zeroed when dropped, and leaves this crate only through [`Secret::expose`], which is
//! easy to search for; what is stored is wrapped.

pub mod keys;
pub mod provider;
pub mod secret;

pub use keys::{ContentKey, Signal, TitleKeys};
pub use provider::{KeyError, KeyProvider, KeyRequest};
pub use secret::Secret;
