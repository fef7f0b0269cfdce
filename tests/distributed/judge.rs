//! What must hold of a farm that has had its faults: nothing is lost, nothing is there twice, nothing is left lying.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::TitleState;
use reelfarm_store::Store as _;
use serde_json::Value;

use crate::farm::{Farm, VIRTUAL_HOST};
use crate::support::{md5, tree};

impl Farm {
    /// Judges a farm in which these titles, and no others, were accepted and should be online.
    pub(crate) async fn judge(&mut self, accepted: &[&str]) {
        let known: BTreeSet<_> = self
            .store
            .titles()
            .await
            .unwrap()
            .into_iter()
            .map(|title| title.submission.title.to_string())
            .collect();
        assert_eq!(
            known,
            accepted.iter().map(|title| (*title).to_owned()).collect(),
            "titles that are known"
        );
        for title in accepted {
            self.reaches(title, TitleState::Published).await;
            self.is_online_once(title);
        }
        self.is_whole().await;
    }

    /// Judges a farm whose titles have all ended, however they did: nothing is left lying anywhere.
    pub(crate) async fn is_whole(&mut self) {
        self.nothing_is_left().await;
        self.no_message_is_left().await;
    }

    /// Every file of the index is there with its digest, no other file is, and each profile was published once. Answers the
    /// profiles.
    pub(crate) fn is_online_once(&self, title: &str) -> BTreeSet<String> {
        let folder = self.path("origin").join(title);
        let index: Value = serde_json::from_slice(&fs_err::read(folder.join("index.json")).unwrap()).unwrap();
        let mut listed = BTreeSet::from(["index.json".to_owned()]);
        for file in index["files"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            assert_eq!(md5(&folder.join(path)), file["md5"].as_str().unwrap(), "{title}/{path}");
            listed.insert(path.to_owned());
        }
        let present: BTreeSet<_> = tree(&folder).into_keys().collect();
        assert_eq!(present, listed, "files of {title}");
        let profiles = index["profiles"].as_array().unwrap();
        let distinct: BTreeSet<_> =
            profiles.iter().map(|profile| profile["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(profiles.len(), distinct.len(), "profiles of {title}");
        distinct
    }

    /// Nothing of a title is at the origin.
    pub(crate) fn is_not_online(&self, title: &str) {
        let present = tree(&self.path("origin").join(title));
        assert!(present.is_empty(), "files of {title}: {:?}", present.keys());
    }

    /// No attempt is under way, no message waits to be sent, and neither staging nor processes are left behind.
    pub(crate) async fn nothing_is_left(&mut self) {
        self.until("no attempt is under way", async |farm| {
            farm.store.under_way().await.is_ok_and(|attempts| attempts.is_empty())
        })
        .await;
        assert_eq!(self.store.unsent(10).await.unwrap(), [], "messages in the outbox");
        self.until("only the farm's own processes are left", async |farm| {
            let known = farm.ids();
            farm.site.processes().iter().all(|(process, _)| known.contains(process))
        })
        .await;
        self.until("staging is empty", async |farm| {
            // There is none where artifacts lie in a bucket.
            let staging = farm.path("artifacts").join("staging");
            !staging.exists() || fs_err::read_dir(staging).unwrap().next().is_none()
        })
        .await;
    }

    /// No message lies in the queues, but for workers' reports about themselves.
    pub(crate) async fn no_message_is_left(&mut self) {
        self.until("no message is left lying", async |farm| {
            let queued = farm.queued().await;
            // Without an answer nothing is known.
            !queued.is_empty() && queued.values().all(|count| *count == 0)
        })
        .await;
    }

    /// Messages that lie in each of the farm's queues, but for workers' reports about themselves.
    pub(crate) async fn queued(&self) -> BTreeMap<String, u64> {
        let listed = self
            .broker
            .control(&["list_queues", "-p", VIRTUAL_HOST, "name", "messages"])
            .await
            .unwrap_or_default();
        let row = |line: &str| {
            let (name, count) = line.split_once('\t')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        listed
            .lines()
            .filter_map(row)
            .filter(|(name, _)| name.contains("tasks") || name.contains("dead"))
            .collect()
    }
}
