//! Lists of titles, page by page.

use reelfarm_model::Title;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which titles to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those in one of these states, such as `checking,preparing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(
        pattern = "^(checking|review|preparing|withdrawing|published|rejected|failed|cancelled)(,(checking|review|preparing|withdrawing|published|rejected|failed|cancelled))*$"
    )]
    pub state: Option<String>,
    /// Only those whose name begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^[A-Za-z0-9._-]{1,100}$")]
    pub prefix: Option<String>,
    /// Only those whose name has this in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^[A-Za-z0-9._-]{1,100}$")]
    pub contains: Option<String>,
    /// The most titles to answer; 100 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Where to go on: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of titles, in the order of their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TitlePage {
    /// The titles.
    pub titles: Vec<Title>,
    /// What to ask for the next page with; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
