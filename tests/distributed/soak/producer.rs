//! Titles come in: each with its story, no more at a time than the machine can make, and each with the end that it must
//! have.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reelfarm_model::{Code, Title, TitleState};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::{Answer, Client};
use super::oracle::{End, Oracle};
use super::plan::{PlannedTitle, Story};
use crate::site::Site;
use crate::support::clips;

/// Titles in work at a time.
const IN_WORK: usize = 4;
/// Why a title may be given up under faults like these: what was at work on a task was killed too often.
const GIVEN_UP: [Code; 3] = [Code::WorkerLost, Code::EncodeCrashed, Code::PackagerFailed];

/// Sends titles to a farm.
#[derive(Clone)]
pub(super) struct Producer {
    pub(super) site: Site,
    pub(super) client: Arc<Client>,
    pub(super) oracle: Arc<Oracle>,
    /// No more titles are to come.
    pub(super) over: Arc<AtomicBool>,
}

impl Producer {
    /// Tells the titles' stories until it is over, each to its end.
    pub(super) async fn run(self, titles: impl Iterator<Item = PlannedTitle>) {
        let room = Arc::new(Semaphore::new(IN_WORK));
        let mut stories = JoinSet::new();
        for title in titles {
            tokio::time::sleep(title.after).await;
            let permit = Arc::clone(&room).acquire_owned().await.unwrap();
            while let Some(told) = stories.try_join_next() {
                told.unwrap();
            }
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let producer = self.clone();
            stories.spawn(async move {
                producer.tell(&title).await;
                drop(permit);
            });
        }
        while let Some(told) = stories.join_next().await {
            told.unwrap();
        }
        for title in self.oracle.abandoned() {
            // It may have been accepted, and then it is as good as any other.
            if self.client.title(&title).await.is_some() {
                self.published(&title).await;
            }
        }
    }

    pub(super) async fn tell(&self, title: &PlannedTitle) {
        let (client, name) = (&self.client, title.name.as_str());
        let film = self.film(title, "25").await;
        let first = title.profiles[0];
        let online = |profiles: &[&str]| self.oracle.must_end(name, End::published(profiles));
        match title.story {
            Story::Plain => {
                client.submit(title, 0, &film).await;
                self.published(name).await;
                online(first);
            }
            Story::Extended => {
                client.submit(title, 0, &film).await;
                self.published(name).await;
                client.submit(title, 1, &film).await;
                self.published(name).await;
                online(title.profiles[1]);
            }
            Story::Changed { after } => {
                client.submit(title, 0, &film).await;
                tokio::time::sleep(after).await;
                client.submit(title, 1, &film).await;
                self.published(name).await;
                online(title.profiles[1]);
            }
            Story::Redelivered { after } => {
                client.submit(title, 0, &film).await;
                tokio::time::sleep(after).await;
                let film = self.film(title, "24").await;
                client.submit(title, 0, &film).await;
                self.published(name).await;
                online(first);
            }
            Story::Cancelled { after, again } => {
                client.submit(title, 0, &film).await;
                let end = self.cancelled(name, after, None, first).await;
                if again {
                    client.submit(title, 0, &film).await;
                    self.published(name).await;
                    online(first);
                } else {
                    self.oracle.must_end(name, end);
                }
            }
            Story::CancelledLater { after } => {
                client.submit(title, 0, &film).await;
                self.published(name).await;
                client.submit(title, 1, &film).await;
                let end = self.cancelled(name, after, Some(first), title.profiles[1]).await;
                self.oracle.must_end(name, end);
            }
            Story::Held { after, lasts } => {
                client.submit(title, 0, &film).await;
                tokio::time::sleep(after).await;
                if client.steer(name, "hold").await {
                    tokio::time::sleep(lasts).await;
                    client.steer(name, "release").await;
                }
                self.published(name).await;
                online(first);
            }
            Story::Remade => {
                client.submit(title, 0, &film).await;
                self.published(name).await;
                client.remake(name, "240p").await;
                self.published(name).await;
                online(first);
            }
            Story::Twins { after } => {
                let twin = PlannedTitle { name: format!("{name}-twin"), ..title.clone() };
                client.submit(title, 0, &film).await;
                client.submit(&twin, 0, &film).await;
                let end = self.cancelled(name, after, None, first).await;
                self.oracle.must_end(name, end);
                self.published(&twin.name).await;
                self.oracle.must_end(&twin.name, End::published(first));
            }
            Story::Impatient { patience } => {
                let key = format!("key-of-{name}");
                if let Answer::Refused(code) = client.submit_once(title, &film, Some(&key), patience).await {
                    panic!("{name}: {code}");
                }
                client.submit_with_key(title, 0, &film, Some(&key)).await;
                self.published(name).await;
                online(first);
            }
            Story::Abandoned { patience } => match client.submit_once(title, &film, None, patience).await {
                Answer::Done(_) => {
                    self.published(name).await;
                    online(first);
                }
                Answer::Lost => self.oracle.may_end(name, End::published(first)),
                Answer::Refused(code) => panic!("{name}: {code}"),
            },
            Story::Bad => {
                client.submit(title, 0, &film).await;
                let ended = self.ended(name).await;
                assert_eq!(ended.state, TitleState::Rejected, "{name}: {:?}", ended.failure);
                self.oracle.must_end(name, End::Rejected);
            }
        }
    }

    /// Delivers a film whose bytes no other has, so that no title finds its tasks done: its sound has the title's own pitch.
    async fn film(&self, title: &PlannedTitle, rate: &'static str) -> String {
        let rate = if title.story == Story::Bad { "30000/1001" } else { rate };
        let number: u32 = title.name.trim_start_matches("title-").parse().unwrap();
        let (seconds, pitch) = (title.seconds, 100 + number % 8_000);
        let file = format!("{}.mp4", title.name);
        let (path, part) = (self.site.path("films").join(&file), self.site.path(&file));
        let make = move || {
            make_film(&part, seconds, rate, pitch);
            // What is delivered anew takes the earlier one's place at once.
            fs_err::rename(&part, &path).unwrap();
        };
        tokio::task::spawn_blocking(make).await.unwrap();
        file
    }

    /// Waits until a title has ended. One that was given up because of what this soak does is made again.
    async fn ended(&self, title: &str) -> Title {
        loop {
            let ended = self.client.ended(title).await;
            let code = ended.failure.as_ref().map(|failure| failure.code);
            match code {
                Some(code) if ended.state == TitleState::Failed && GIVEN_UP.contains(&code) => {
                    self.oracle.given_up(code);
                    self.client.retry(title).await;
                }
                _ => return ended,
            }
        }
    }

    async fn published(&self, title: &str) {
        let ended = self.ended(title).await;
        assert_eq!(ended.state, TitleState::Published, "{title}: {:?}", ended.failure);
    }

    /// Cancels a title after a while, and answers how it must end: as it was online before, where the cancellation came in
    /// time, and otherwise with the profiles that it was to get.
    async fn cancelled(&self, title: &str, after: Duration, before: Option<&[&str]>, wanted: &[&str]) -> End {
        tokio::time::sleep(after).await;
        self.client.steer(title, "cancel").await;
        let ended = self.ended(title).await;
        match ended.state {
            TitleState::Cancelled => End::cancelled(before),
            // It was online already, or it had been given up and was made again.
            TitleState::Published => End::published(wanted),
            _ => panic!("{title} is {}: {:?}", ended.state.as_str(), ended.failure),
        }
    }
}

fn make_film(path: &Path, seconds: u32, rate: &str, pitch: u32) {
    clips::make(
        path,
        &format!(
            "-f lavfi -i testsrc2=size=426x240:rate={rate}:duration={seconds} \
             -f lavfi -i sine=frequency={pitch}:sample_rate=48000:duration={seconds} \
             -c:v libx264 -preset ultrafast -b:v 400k -pix_fmt yuv420p -c:a aac -b:a 96k -ac 2 \
             -metadata:s:a:0 language=eng"
        ),
    );
}
