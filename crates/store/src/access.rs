//! What the HTTP API keeps in the store: tokens, and the keys that make a repeated request harmless.
//!
//! A token is random, and the store knows only its SHA-256: who reads the database can present none. Whether one has
//! expired is for the database's clock to say.
//!
//! A request under an idempotency key is answered once:
//!
//! ```text
//!  unknown ──claim──▶ claimed ──answer──▶ answered ──its time is over──▶ unknown
//!     ▲                  │
//!     └── claim runs out ┘
//! ```
//!
//! Who gets the claim does what was asked, and stores the answer; the same request is then told that answer. Another
//! request with the key is refused. A claim whose holder died is given to the next who asks, once it has run out: so
//! what is done under a claim must bear to be done twice, as a submission does.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use reelfarm_model::Digest;
use reelfarm_model::title::UnknownState;
use serde::Serialize;

use crate::error::StoreError;

/// What the owner of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Look.
    ReadOnly,
    /// Submit titles and do with them whatever there is to do.
    Operator,
    /// Approve and reject.
    Reviewer,
    /// Everything, tokens too.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 4] = [Self::ReadOnly, Self::Operator, Self::Reviewer, Self::Admin];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Operator => "operator",
            Self::Reviewer => "reviewer",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// A token that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// The SHA-256 of what its owner presents.
    pub token: Digest,
    /// What its owner may do.
    pub scope: Scope,
    /// Whose it is, for people.
    pub label: String,
    /// How long it lives from now; for ever where it is `None`.
    pub lifetime: Option<Duration>,
}

/// A token as the store holds it. Times are milliseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenRecord {
    /// The SHA-256 of what its owner presents: its name here.
    pub token: Digest,
    /// What its owner may do.
    pub scope: Scope,
    /// Whose it is, for people.
    pub label: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it expires.
    pub expires_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

/// A request that may come twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    /// The token under which it came: keys of different tokens are different.
    pub token: Digest,
    /// The key that the client chose.
    pub key: String,
    /// The digest of all that it asks for.
    pub request: Digest,
}

/// What was answered to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Proves that a request was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimToken(pub(crate) u128);

impl fmt::Display for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What came of claiming a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Do what it asks, and store the answer.
    Granted(ClaimToken),
    /// It was answered before: so.
    Answered(Answer),
    /// The same request is being worked on.
    InProgress,
}

/// Tokens and idempotency keys.
#[async_trait]
pub trait Access: Send + Sync + 'static {
    /// Adds a token. Answers it as it stands, or `None` where this very token is there already, revoked or not.
    ///
    /// # Errors
    /// The database.
    async fn add_token(&self, token: &NewToken) -> Result<Option<TokenRecord>, StoreError>;

    /// The token with this SHA-256, where it is neither revoked nor expired.
    ///
    /// # Errors
    /// The database.
    async fn token(&self, token: &Digest) -> Result<Option<TokenRecord>, StoreError>;

    /// Every token there ever was, the oldest first.
    ///
    /// # Errors
    /// The database.
    async fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError>;

    /// Revokes a token from this moment on. `false` where there is none or it was revoked before.
    ///
    /// # Errors
    /// The database.
    async fn revoke_token(&self, token: &Digest) -> Result<bool, StoreError>;

    /// Claims a request for `limit`, which is how long it may take to be answered.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`] where another request came under the key and is not forgotten yet; otherwise the
    /// database.
    async fn claim(&self, request: &KeyedRequest, limit: Duration) -> Result<Claim, StoreError>;

    /// Stores the answer to a claimed request, for `keep` from now. `false`, and nothing changed, where the claim ran out
    /// and another has it.
    ///
    /// # Errors
    /// The database.
    async fn answer(
        &self,
        request: &KeyedRequest,
        claim: ClaimToken,
        answer: &Answer,
        keep: Duration,
    ) -> Result<bool, StoreError>;
}
