//! Who gives content keys: one trait, so that nothing after it cares where a key came from.

use std::collections::BTreeSet;

use async_trait::async_trait;
use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{Code, Failure, KeyDivision, TitleId};

use crate::keys::TitleKeys;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// The title.
    pub title: TitleId,
    /// How many keys it has.
    pub division: KeyDivision,
    /// The scheme that the keys are used with: what is said to a system may depend on it.
    pub scheme: Scheme,
    /// The systems that must be told of the keys.
    pub systems: BTreeSet<DrmSystem>,
}

/// Gives content keys. Asked again for the same, it gives the same: that is what makes encryption repeatable.
#[async_trait]
pub trait KeyProvider: Send + Sync {
    /// The keys of a title, with what every system asked for is told of them.
    ///
    /// # Errors
    /// See [`KeyError`].
    async fn keys(&self, request: &KeyRequest) -> Result<TitleKeys, KeyError>;
}

/// Content keys cannot be had. No message holds any part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The operator's file of keys is refused.
    #[error("{file}: {reason}")]
    File {
        /// The file as the operator named it.
        file: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The master secret cannot be used.
    #[error("the master secret {file}: {reason}")]
    MasterSecret {
        /// The file that holds it.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key server cannot be reached or cannot serve now.
    #[error("the key server {url}: {reason}")]
    Unreachable {
        /// Its URL, without credentials.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The key server does not let this farm in, or there are no credentials to show it.
    #[error("the key server {url} refuses the farm's credentials: {reason}")]
    Login {
        /// Its URL, without credentials.
        url: String,
        /// What it said, or why there is nothing to show.
        reason: String,
    },
    /// The key server's answer is not what was asked for.
    #[error("the key server {url} gave a wrong answer for title {title}: {reason}")]
    Answer {
        /// Its URL, without credentials.
        url: String,
        /// The title.
        title: TitleId,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no key for the title.
    #[error("there is no content key for title {title}: {reason}")]
    Missing {
        /// The title.
        title: TitleId,
        /// Why, and what to do.
        reason: String,
    },
    /// The keys that were stored for the title cannot be had back.
    #[error("the stored content keys of title {title}: {reason}")]
    Stored {
        /// The title.
        title: TitleId,
        /// What is wrong with them.
        reason: String,
    },
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let code = match error {
            KeyError::File { .. } => Code::KeysFileInvalid,
            KeyError::MasterSecret { .. } => Code::MasterSecretUnusable,
            KeyError::Unreachable { .. } => Code::KeyServerUnreachable,
            KeyError::Login { .. } => Code::KeyServerLoginRefused,
            KeyError::Answer { .. } => Code::KeyServerAnswerInvalid,
            KeyError::Missing { .. } => Code::KeyMissing,
            KeyError::Stored { .. } => Code::ArtifactMissing,
        };
        Self::new(code, error.to_string())
    }
}
