//! What people decide about titles that QC leaves to them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An approval of a title.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    /// Why, on one line, for those who read it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub why: Option<String>,
    /// The `asked_ms` of the title that was looked at: where something else is asked by now, nothing is decided. Whatever is
    /// asked now is approved where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_ms: Option<i64>,
}

/// A rejection of a title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectRequest {
    /// Why, on one line: the title carries these words from now on.
    #[schema(min_length = 1, max_length = 200)]
    pub why: String,
    /// As of an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_ms: Option<i64>,
}
