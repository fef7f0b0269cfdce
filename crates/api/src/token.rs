//! Tokens: who may do what.

use reelfarm_model::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the owner of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Look.
    ReadOnly,
    /// Look, submit titles and do with them whatever there is to do.
    Operator,
    /// Look, approve and reject.
    Reviewer,
    /// Everything: tokens and workers too.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::ReadOnly, Self::Operator, Self::Reviewer, Self::Admin];

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

/// A token that is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What its owner may do.
    pub scope: Scope,
    /// Whose it is, for people.
    #[schema(min_length = 1, max_length = 200)]
    pub label: String,
    /// Seconds for which it is good; 90 days where it is absent, 10 years at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub lifetime_seconds: Option<u64>,
}

/// A token that was made. The secret is shown this once: the farm keeps its digest alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// What its owner presents: `Authorization: Bearer …`.
    pub secret: String,
    /// The token as the farm keeps it.
    #[serde(flatten)]
    pub token: TokenStatus,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken").field("token", &self.token).finish_non_exhaustive()
    }
}

/// A token as the farm keeps it. Times are milliseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenStatus {
    /// The SHA-256 of its secret: its name.
    pub token: Digest,
    /// What its owner may do.
    pub scope: Scope,
    /// Whose it is.
    pub label: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it expires.
    pub expires_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let token = TokenStatus {
            token: Digest::of(b"reelfarm_secret"),
            scope: Scope::Operator,
            label: "somebody".to_owned(),
            created_ms: 0,
            expires_ms: None,
            revoked_ms: None,
        };
        let created = CreatedToken { secret: "reelfarm_secret".to_owned(), token };
        assert!(!format!("{created:?}").contains("reelfarm_secret"));
        assert_eq!(serde_json::to_value(&created).unwrap()["scope"], "operator");
    }
}
