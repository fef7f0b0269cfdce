//! Titles, looked at.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reelfarm_api::{LeaderView, ListQuery, Problem, TitlePage, TitleStatus};
use reelfarm_model::{TitleId, TitleState};
use reelfarm_store::TitleFilter;

use super::Api;
use super::extract::{Named, Query, unknown_title};
use super::problem::Refusal;
use super::status::{slots, status_of};
use crate::event::abridged;
use crate::leader::Leader;

/// Titles a page where the client does not say.
const PAGE: u32 = 100;
/// The most that it may say.
const LARGEST_PAGE: u32 = 1000;
/// A part of a name is no longer than a name.
const LONGEST_PART: usize = 100;

/// Lists titles in the order of their names, page by page.
#[utoipa::path(get, path = "/titles", operation_id = "listTitles", tag = "titles", params(ListQuery), responses(
    (status = 200, description = "A page of titles.", body = TitlePage),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Json<TitlePage>, Refusal> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Refusal::invalid(format!("limit is 1 to {LARGEST_PAGE}, not {limit}")));
    }
    let limit = limit as usize;
    let filter = TitleFilter {
        states: states(query.state.as_deref())?,
        prefix: part("prefix", query.prefix)?,
        part: part("contains", query.contains)?,
        after: query.cursor.as_deref().map(from_cursor).transpose()?,
    };
    // One more than asked for tells whether there is a next page.
    let mut titles = api.store.titles_by_name(&filter, limit + 1).await?;
    let has_next = titles.len() > limit;
    titles.truncate(limit);
    let last = titles.last().filter(|_| has_next);
    let next = last.map(|title| URL_SAFE_NO_PAD.encode(title.submission.title.as_str()));
    let titles = titles.into_iter().map(abridged).collect();
    Ok(Json(TitlePage { titles, next }))
}

fn states(text: Option<&str>) -> Result<BTreeSet<TitleState>, Refusal> {
    let Some(text) = text else { return Ok(BTreeSet::new()) };
    let state = |name: &str| {
        name.parse::<TitleState>().map_err(|_| {
            let names = TitleState::ALL.map(TitleState::as_str).join(", ");
            Refusal::invalid(format!("no state is called {name:?}; there are {names}"))
        })
    };
    text.split(',').map(state).collect()
}

fn part(what: &str, text: Option<String>) -> Result<Option<String>, Refusal> {
    let is_part = |text: &String| {
        let of_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        (1..=LONGEST_PART).contains(&text.len()) && text.bytes().all(of_names)
    };
    match text {
        Some(text) if !is_part(&text) => {
            Err(Refusal::invalid(format!("{what}: {text:?} can be no part of a title's name")))
        }
        text => Ok(text),
    }
}

fn from_cursor(cursor: &str) -> Result<TitleId, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|name| name.parse().ok());
    name.ok_or_else(|| Refusal::invalid("cursor is not one that a page before gave as its next"))
}

/// Where a title stands: its tasks with their attempts, and what it waits for.
#[utoipa::path(get, path = "/titles/{title}", operation_id = "titleStatus", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
), responses(
    (status = 200, description = "The title.", body = TitleStatus),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn status(State(api): State<Api>, Named(id): Named) -> Result<Json<TitleStatus>, Refusal> {
    let title = api.store.title(&id).await?.ok_or_else(|| unknown_title(id.as_str()))?;
    // Only the leader hears of workers, and plans; a stand-by that does not reach it says what the store says.
    let handle = match &*api.leader.borrow() {
        Leader::Here(handle) => Some(handle.clone()),
        Leader::At(_) | Leader::Nobody => None,
    };
    let leader = match handle {
        Some(handle) => LeaderView {
            slots: Some(slots(&handle.workers())),
            postponed: handle.postponed(&title),
            order: handle.place(id).await,
        },
        None => LeaderView::default(),
    };
    Ok(Json(status_of(&*api.store, title, leader).await?))
}
