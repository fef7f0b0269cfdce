//! What lies in storage of a title that is to be planned: among the artifacts, and at the origin.
//!
//! It is looked at beside the scheduler's loop, because storage may be slow, or silent: leases, other titles and people do
//! not wait for it. What was found may have changed by the time a plan is made of it, as it may at any later time; the task
//! that then misses something has its title looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reelfarm_artifacts::{ArtifactStore, Audit, Receipt};
use reelfarm_model::index::Version;
use reelfarm_model::{ArtifactKey, Code, Digest, Failure, TaskSpec, TaskState, Title, TitleId};
use tokio::sync::Semaphore;

use crate::errands::Returned;
use crate::name::{Online, online};
use crate::plan::{Facts, Graph};
use crate::service::{Scheduler, SchedulerError};

/// Surveys that look at an origin at a time.
const AT_ONCE: usize = 8;
/// How long one may take. A store that fails says so before that.
const PATIENCE: Duration = Duration::from_secs(300);

/// A look at the storage of a title.
pub(crate) struct Survey {
    /// Every survey has its own.
    number: u64,
    /// Of this submission.
    generation: u64,
    /// Artifacts that were made meanwhile, and those that were removed: it may have looked for them before.
    changed: BTreeMap<ArtifactKey, bool>,
    /// `None` while it is under way.
    found: Option<Result<Found, Failure>>,
}

/// What is looked for.
pub(crate) struct Sought {
    title: TitleId,
    origin: String,
    outputs: Vec<ArtifactKey>,
    /// Those of the outputs that are receipts of what was copied to the origin.
    receipts: Vec<ArtifactKey>,
    /// Whether what is online is compared with its index.
    is_compared: bool,
}

/// What was found of a title.
pub(crate) struct Found {
    /// What is online under its name.
    pub(crate) online: Online,
    /// What of its own is there.
    pub(crate) in_storage: InStorage,
}

/// What of a title lies in storage.
pub(crate) struct InStorage {
    available: BTreeSet<ArtifactKey>,
    at_origin: BTreeSet<ArtifactKey>,
    /// The digest of the index that is online, where all that it names is there; looked at only where something depends on it.
    intact: Option<Digest>,
    /// What is online of profiles that went first.
    went_first: Option<Version>,
    /// Whether a whole version is online.
    is_whole: bool,
}

impl InStorage {
    /// Whether people can watch a whole version.
    pub(crate) const fn holds_whole(&self) -> bool {
        self.is_whole
    }
}

impl Scheduler {
    /// What lies in storage of a title with this graph. `None` until that is known; then the title is brought forward.
    pub(crate) async fn surveyed(
        &mut self,
        title: &Title,
        graph: &Graph,
    ) -> Result<Option<Result<Found, Failure>>, SchedulerError> {
        let id = &title.submission.title;
        let survey = self.surveys.get_mut(id).filter(|survey| survey.generation == title.generation);
        if let Some(survey) = survey {
            let Some(found) = survey.found.take() else { return Ok(None) };
            let changed = std::mem::take(&mut survey.changed);
            self.surveys.remove(id);
            return Ok(Some(found.map(|found| found.with(&changed, graph))));
        }
        let sought = self.sought(title, graph).await?;
        self.last_survey += 1;
        let number = self.last_survey;
        let survey = Survey { number, generation: title.generation, changed: BTreeMap::new(), found: None };
        self.surveys.insert(id.clone(), survey);
        let (artifacts, title) = (self.artifacts.clone(), id.clone());
        let turns = self.survey_turns(sought.origin());
        self.errands.spawn(async move {
            // Never closed.
            let _turn = turns.acquire().await;
            let found = tokio::time::timeout(PATIENCE, sought.look(&artifacts)).await;
            let found = found.unwrap_or_else(|_| {
                let message =
                    format!("what lies in storage of {title} was not told in {} s", PATIENCE.as_secs());
                Err(Failure::new(Code::OriginUnreachable, message))
            });
            Returned::Surveyed { title, number, found: Box::new(found) }
        });
        Ok(None)
    }

    /// Goes on with the title that a survey was for, unless another has taken its place.
    pub(crate) async fn on_surveyed(
        &mut self,
        id: &TitleId,
        number: u64,
        found: Result<Found, Failure>,
    ) -> Result<(), SchedulerError> {
        let Some(survey) = self.surveys.get_mut(id).filter(|survey| survey.number == number) else {
            return Ok(());
        };
        survey.found = Some(found);
        self.plan_under_way(id).await?;
        self.reconcile(id).await?;
        // What nobody asked for is out of date when somebody does.
        if self.surveys.get(id).is_some_and(|survey| survey.number == number) {
            self.surveys.remove(id);
        }
        if !self.surveys.contains_key(id) && !self.postponed.contains(id) {
            self.misses_nothing(id);
        }
        Ok(())
    }

    /// Artifacts were made, or removed, while surveys may be under way.
    pub(crate) fn tell_surveys(&mut self, artifacts: impl IntoIterator<Item = ArtifactKey>, are_there: bool) {
        if self.surveys.is_empty() {
            return;
        }
        let artifacts: Vec<_> = artifacts.into_iter().collect();
        for survey in self.surveys.values_mut() {
            survey.changed.extend(artifacts.iter().map(|artifact| (*artifact, are_there)));
        }
    }

    /// Of the tasks that a title wants, those are tried again that had failed for want of something: of no title are they held
    /// back any more, since this one's plan says what they need.
    pub(crate) fn misses_nothing(&mut self, id: &TitleId) {
        let Some(tasks) = self.missing.remove(id) else { return };
        self.order.tasks.extend(&tasks);
        self.dispatch_outdated = true;
        for others in self.missing.values_mut() {
            others.retain(|task| !tasks.contains(task));
        }
    }

    /// The turns of those who look at an origin.
    pub(crate) fn survey_turns(&mut self, origin: &str) -> Arc<Semaphore> {
        let turns = self.survey_turns.entry(origin.to_owned());
        Arc::clone(turns.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
    }

    pub(crate) async fn sought(&self, title: &Title, graph: &Graph) -> Result<Sought, SchedulerError> {
        let outputs = |receipts_alone: bool| {
            let nodes = graph.nodes.iter();
            let nodes =
                nodes.filter(move |node| !receipts_alone || matches!(node.task.spec, TaskSpec::Upload(_)));
            nodes.flat_map(|node| &node.task.outputs).map(|output| output.key).collect()
        };
        let goes_first = graph.first_publication().is_some();
        let is_compared = goes_first || self.published_index(graph).await?.is_some();
        Ok(Sought {
            title: title.submission.title.clone(),
            origin: title.submission.origin.clone(),
            outputs: outputs(false),
            receipts: outputs(true),
            is_compared,
        })
    }

    /// The digest of the index that the goal of a graph published, where it did.
    async fn published_index(&self, graph: &Graph) -> Result<Option<Digest>, SchedulerError> {
        let Some(goal) = graph.goal() else { return Ok(None) };
        let record = self.store.task(&goal.task.key).await?;
        let done = record.filter(|record| record.state == TaskState::Done);
        Ok(done.and_then(|record| record.result).and_then(|result| serde_json::from_value(result).ok()))
    }

    /// Whether the origin holds exactly what the goal of a graph published.
    pub(crate) async fn is_published(
        &self,
        graph: &Graph,
        in_storage: &InStorage,
    ) -> Result<bool, SchedulerError> {
        let index = self.published_index(graph).await?;
        Ok(index.is_some() && index == in_storage.intact)
    }

    /// What exists of a graph: in storage, as it was found, and in the store.
    pub(crate) async fn facts(&self, graph: &Graph, in_storage: InStorage) -> Result<Facts, SchedulerError> {
        let published = self.is_published(graph, &in_storage).await?;
        let first = graph.first_publication().and_then(|node| match &node.task.spec {
            TaskSpec::Publish(spec) => Some(spec.version()),
            _ => None,
        });
        let InStorage { available, at_origin, intact, went_first, .. } = in_storage;
        let first_published = intact.is_some() && first.is_some() && first == went_first;
        let mut done = BTreeSet::new();
        for node in &graph.nodes {
            let record = self.store.task(&node.task.key).await?;
            if record.is_some_and(|record| record.state == TaskState::Done) {
                done.insert(node.task.key);
            }
        }
        Ok(Facts { done, available, at_origin, published, first_published })
    }
}

impl Found {
    /// The same with artifacts that were made since, and without those that were removed.
    fn with(mut self, changed: &BTreeMap<ArtifactKey, bool>, graph: &Graph) -> Self {
        let uploads = graph.nodes.iter().filter(|node| matches!(node.task.spec, TaskSpec::Upload(_)));
        let receipts: BTreeSet<_> =
            uploads.flat_map(|node| &node.task.outputs).map(|output| output.key).collect();
        for (artifact, is_there) in changed {
            if *is_there {
                self.in_storage.available.insert(*artifact);
                self.in_storage.at_origin.extend(receipts.get(artifact));
            } else {
                self.in_storage.available.remove(artifact);
                self.in_storage.at_origin.remove(artifact);
            }
        }
        self
    }
}

impl Sought {
    /// The origin's URL or absolute path.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) async fn look(self, artifacts: &ArtifactStore) -> Result<Found, Failure> {
        let Self { title, origin: place, outputs, receipts, is_compared } = self;
        let online = online(artifacts, &title, &place).await?;
        let found = artifacts.find_all(outputs).await?;
        let mut available: BTreeSet<ArtifactKey> = found.into_keys().collect();
        let (mut keys, mut copied) = (Vec::new(), Vec::new());
        for key in receipts.into_iter().filter(|key| available.contains(key)).collect::<Vec<_>>() {
            // Every byte is looked at: nothing but what the receipt says is known of what lies at the origin.
            let Some(artifact) = artifacts.get_intact(key).await? else {
                available.remove(&key);
                continue;
            };
            copied.push(artifact.read_json::<Receipt>("receipt.json").await?);
            keys.push(key);
        }
        let origin = artifacts.origin(&place).await?;
        let holds = origin.holds(&title, &copied).await?;
        let at_origin = keys.into_iter().zip(holds).filter(|(_, held)| *held).map(|(key, _)| key).collect();
        let (went_first, is_whole) = match &online {
            Online::There(index) if index.more_follow => (Some(index.version()), false),
            Online::There(_) => (None, true),
            Online::Nothing | Online::Damaged(_) => (None, false),
        };
        let audit = if is_compared { Some(origin.audit(&title).await?) } else { None };
        let intact = audit.filter(Audit::is_whole).and_then(|audit| audit.index);
        let in_storage = InStorage { available, at_origin, intact, went_first, is_whole };
        Ok(Found { online, in_storage })
    }
}
