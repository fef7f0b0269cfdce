//! What must hold of a farm that has had its faults: nothing is lost, nothing is there twice, nothing is left lying.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::TitleState;
use reelfarm_store::Store as _;
use serde_json::Value;

use crate::farm::Farm;
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
            self.is_online_once(title).await;
        }
        self.is_whole().await;
    }

    /// Judges a farm whose titles have all ended, however they did: nothing is left lying anywhere.
    pub(crate) async fn is_whole(&mut self) {
        assert_eq!(self.store.under_way().await.unwrap(), [], "attempts under way");
        assert_eq!(self.store.unsent(10).await.unwrap(), [], "messages in the outbox");
        self.until("staging is empty", async |farm| {
            let staging = farm.path("artifacts").join("staging");
            fs_err::read_dir(&staging).map_or(true, |mut entries| entries.next().is_none())
        })
        .await;
        self.until("no message is left lying", async |farm| {
            farm.queued().await.values().all(|count| *count == 0)
        })
        .await;
    }

    /// Every file of the index is there with its digest, no other media set is, and each profile was published once.
    pub(crate) async fn is_online_once(&self, title: &str) {
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
        let ids: Vec<_> =
            index["profiles"].as_array().unwrap().iter().map(|profile| profile["id"].to_string()).collect();
        let distinct: BTreeSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), distinct.len(), "profiles of {title}");
    }

    /// Messages that lie in each of the farm's queues, but for workers' reports about themselves.
    pub(crate) async fn queued(&self) -> BTreeMap<String, u64> {
        let listed = self
            .broker
            .control(&["list_queues", "-p", "reelfarm", "name", "messages"])
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
