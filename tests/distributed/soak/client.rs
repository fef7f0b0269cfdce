//! A client of the farm's API as a careful program writes it: it asks again where it got no answer, and knows that what it
//! asked for may have been done all the same.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reelfarm_api::IDEMPOTENCY_KEY;
use reelfarm_model::{Code, Title, TitleState};
use reelfarm_scheduler::api::client_settings;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::plan::PlannedTitle;
use crate::site::Site;

/// How long an answer may take. Under faults a scheduler may be paused, or wait for a database that is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries, and between two looks at a title.
const PAUSE: Duration = Duration::from_millis(250);
/// One small rung and stereo: what matters here is the farm, and pictures take time.
const LADDER: &str = r#"
name = "soak"
description = "One small rung."

[[rung]]
name = "240p"
width = 426
height = 240
min_source_kbps = 20
crf = 30
maxrate_kbps = 450
bufsize_kbps = 900
preset = "superfast"
profile = "main"

[[audio]]
name = "stereo"
layout = "stereo"
bitrate_kbps = 64
"#;

/// What came of a request.
#[derive(Debug)]
pub(super) enum Answer {
    Done(Value),
    /// It changed nothing, for this reason.
    Refused(String),
    /// Whether it was done is not known, or the farm was not able to at that moment.
    Lost,
}

/// Asks the schedulers, one after the other.
pub(super) struct Client {
    http: reqwest::Client,
    site: Site,
    schedulers: Vec<SocketAddr>,
    asked: AtomicUsize,
    token: String,
}

impl Client {
    pub(super) fn new(site: &Site, schedulers: Vec<SocketAddr>) -> Self {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(client_settings(None).unwrap())
            .retry(reqwest::retry::never())
            .build()
            .unwrap();
        let token = fs_err::read_to_string(site.path("admin-token")).unwrap().trim().to_owned();
        Self { http, site: site.clone(), schedulers, asked: AtomicUsize::new(0), token }
    }

    /// A scheduler; another one at the next call.
    pub(super) fn scheduler(&self) -> SocketAddr {
        self.schedulers[self.asked.fetch_add(1, Ordering::Relaxed) % self.schedulers.len()]
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
        patience: Duration,
    ) -> Answer {
        let url = format!("http://{}/api/v1/{path}", self.scheduler());
        let mut request = self.http.request(method, url).bearer_auth(&self.token).timeout(patience);
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let Ok(response) = request.send().await else { return Answer::Lost };
        let status = response.status();
        let Ok(value) = response.json::<Value>().await else { return Answer::Lost };
        let code = value["code"].as_str().unwrap_or_default().to_owned();
        // The same request is being worked on.
        let is_busy = status == StatusCode::CONFLICT && code == Code::FarmBusy.as_str();
        if status.is_success() {
            Answer::Done(value)
        } else if status.is_server_error() || is_busy {
            Answer::Lost
        } else {
            Answer::Refused(code)
        }
    }

    /// The same until there is an answer. An earlier request may have been done although its answer was lost: such a
    /// refusal is as good as an answer.
    async fn insist(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
        done_already: &[Code],
    ) -> Answer {
        let mut was_lost = false;
        loop {
            match self.ask(method.clone(), path, key, body, PATIENCE).await {
                Answer::Lost => was_lost = true,
                Answer::Refused(code)
                    if was_lost && done_already.iter().any(|done| done.as_str() == code) =>
                {
                    return Answer::Done(Value::Null);
                }
                answer => return answer,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Submits a title, which the farm must accept.
    pub(super) async fn submit(&self, title: &PlannedTitle, set: usize, film: &str) {
        self.submit_with_key(title, set, film, None).await;
    }

    /// The same under an idempotency key.
    pub(super) async fn submit_with_key(
        &self,
        title: &PlannedTitle,
        set: usize,
        film: &str,
        key: Option<&str>,
    ) {
        let body = self.submission(title, set, film);
        match self.insist(Method::POST, "titles", key, Some(&body), &[]).await {
            Answer::Done(accepted) => {
                let accepted: Title = serde_json::from_value(accepted).unwrap();
                assert_eq!(accepted.submission.title.as_str(), title.name);
            }
            answer => panic!("{}: {answer:?}", title.name),
        }
    }

    /// Submits a title, and waits for the answer no longer than this.
    pub(super) async fn submit_once(
        &self,
        title: &PlannedTitle,
        film: &str,
        key: Option<&str>,
        patience: Duration,
    ) -> Answer {
        let body = self.submission(title, 0, film);
        self.ask(Method::POST, "titles", key, Some(&body), patience).await
    }

    fn submission(&self, title: &PlannedTitle, set: usize, film: &str) -> Value {
        json!({
            "title": title.name,
            "source": { "path": self.site.path("films").join(film) },
            "ladder": { "text": LADDER },
            "profiles": title.profiles[set],
        })
    }

    /// Cancels, holds or releases a title. Answers whether the farm did; it refuses what comes too late.
    pub(super) async fn steer(&self, title: &str, how: &str) -> bool {
        match self.insist(Method::POST, &format!("titles/{title}/{how}"), None, None, &[]).await {
            Answer::Done(_) => true,
            Answer::Refused(code) if code == Code::TitleStateWrong.as_str() => false,
            answer @ (Answer::Refused(_) | Answer::Lost) => panic!("{title}, {how}: {answer:?}"),
        }
    }

    /// Has a rendition made again.
    pub(super) async fn remake(&self, title: &str, rendition: &str) {
        let body = json!({ "rendition": rendition });
        let path = format!("titles/{title}/retry");
        // Until it is planned again, a title has no renditions.
        let answer = self.insist(Method::POST, &path, None, Some(&body), &[Code::NotFound]).await;
        assert!(matches!(answer, Answer::Done(_)), "{title}: {answer:?}");
    }

    /// A title as it stands; `None` where the farm does not know it.
    pub(super) async fn title(&self, title: &str) -> Option<Title> {
        match self.insist(Method::GET, &format!("titles/{title}"), None, None, &[]).await {
            Answer::Done(status) => Some(serde_json::from_value(status["title"].clone()).unwrap()),
            Answer::Refused(code) if code == Code::TitleNotFound.as_str() => None,
            answer @ (Answer::Refused(_) | Answer::Lost) => panic!("{title}: {answer:?}"),
        }
    }

    /// Waits until a title that is known has ended.
    pub(super) async fn ended(&self, title: &str) -> Title {
        loop {
            let found = self.title(title).await.unwrap_or_else(|| panic!("{title} is lost"));
            if found.state.is_final() {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Has a title that was given up made again, as an operator does: `reelfarm retry`.
    pub(super) async fn retry(&self, title: &str) {
        loop {
            let (site, scheduler, name) = (self.site.clone(), self.scheduler(), title.to_owned());
            let asked = tokio::task::spawn_blocking(move || site.ask(scheduler, &["retry", &name]));
            if asked.await.unwrap().status.success() {
                return;
            }
            // An answer may have been lost.
            if self.title(title).await.is_none_or(|title| title.state != TitleState::Failed) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
