//! The scheduler's own picture of what is ready, in the order that [the policy](reelfarm_priority) gives it. The store is the
//! truth; this is read from it once, and again wherever something has changed.
//!
//! Promises: what the store would not dispatch is not dispatched, because the store is asked again at each dispatch; a task
//! that is ready and unknown here is found by a look through the whole backlog, a page at each tick.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use reelfarm_api::{Foreseen, TaskPlace, Urgency};
use reelfarm_model::{Part, Pool, SourceReference, TaskKey, Title, TitleId, TitleState};
use reelfarm_priority::{Band, Queue, Rules, TitleOrder, Want, due};
use reelfarm_store::{ReadyOf, ReadyTask, Store, StoreError};

use crate::attempts::works_at_origin;
use crate::service::{Scheduler, SchedulerError};

/// Tasks that are put in order without a pause.
const AT_ONCE: usize = 10_000;
/// Tasks that are looked at together in search of what was missed.
const AUDIT: usize = 1_000;
/// Tasks that are counted before one that a person asks about.
const COUNTED: usize = 1_000;

/// What is ready, and what of it has to be read again.
pub(crate) struct Order {
    pub(crate) queue: Queue<TitleId, TaskKey>,
    /// The titles that are not final, in short.
    pub(crate) known: BTreeMap<TitleId, Brief>,
    /// Titles whose facts, plans or holds may have changed.
    pub(crate) titles: BTreeSet<TitleId>,
    /// Tasks that may have become ready again, or are so no more.
    pub(crate) tasks: BTreeSet<TaskKey>,
    /// Tasks that are done: others may have waited for them.
    pub(crate) done: Vec<TaskKey>,
    /// Since when tasks are ready, as far as this scheduler knows, with their pools; those that are so no more among them.
    ready_since: HashMap<TaskKey, (Pool, Instant)>,
    clock: Clock,
    /// How far the search for what was missed has come.
    audited: Option<TaskKey>,
}

/// A title, as far as what is to be expected of it follows from that.
#[derive(Clone, Debug)]
pub(crate) struct Brief {
    pub(crate) order: TitleOrder,
    generation: u64,
    pub(crate) state: TitleState,
    pub(crate) is_held: bool,
    pub(crate) source: SourceReference,
}

/// The database's time, kept between two looks at it.
struct Clock {
    base_ms: i64,
    at: Instant,
}

impl Order {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            queue: Queue::new(rules),
            known: BTreeMap::new(),
            titles: BTreeSet::new(),
            tasks: BTreeSet::new(),
            done: Vec::new(),
            ready_since: HashMap::new(),
            clock: Clock { base_ms: 0, at: Instant::now() },
            audited: None,
        }
    }

    /// The time by which deadlines are judged, in milliseconds since 1970 UTC: the database's.
    pub(crate) fn now_ms(&self) -> i64 {
        let passed = i64::try_from(self.clock.at.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.clock.base_ms.saturating_add(passed)
    }

    /// A task may go after this wait. Where there is none it has been ready for as long as before.
    fn waits_since(&mut self, task: TaskKey, pool: Pool, wait: Duration) {
        let from = Instant::now() + wait;
        let (_, since) = self.ready_since.entry(task).or_insert((pool, from));
        *since = if wait.is_zero() { from.min(*since) } else { from };
    }

    /// A task was dispatched, and nobody was told: it is as ready as before.
    pub(crate) fn given_back(&mut self, task: TaskKey, pool: Pool, since: Instant) {
        self.ready_since.insert(task, (pool, since));
    }

    /// Tasks that were looked at again: those that may not go any more have not been ready.
    fn keep_known(&mut self, looked_at: &[TaskKey]) {
        for task in looked_at.iter().filter(|task| !self.queue.knows(task)) {
            self.ready_since.remove(task);
        }
    }

    /// A task is dispatched: since when it was ready.
    pub(crate) fn taken(&mut self, task: &TaskKey) -> Instant {
        self.ready_since.remove(task).map_or_else(Instant::now, |(_, since)| since)
    }

    /// How long the task has been ready that has been so the longest, of each pool.
    pub(crate) fn longest_waits(&mut self) -> BTreeMap<Pool, Duration> {
        let (queue, now) = (&self.queue, Instant::now());
        // A title that has gone takes its tasks with it.
        self.ready_since.retain(|task, _| queue.knows(task));
        let mut longest: BTreeMap<Pool, Duration> = BTreeMap::new();
        for (pool, since) in self.ready_since.values() {
            let waits = longest.entry(*pool).or_default();
            *waits = now.saturating_duration_since(*since).max(*waits);
        }
        longest
    }

    /// How long until something comes out of its back-off.
    pub(crate) fn next_ready_in(&self) -> Option<Duration> {
        let wait_ms = self.queue.next_ready_ms()? - self.now_ms();
        Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    }

    pub(crate) async fn set_clock(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        self.clock = Clock { base_ms: store.now_ms().await?, at: Instant::now() };
        Ok(())
    }

    /// Takes in a title as it stands now. `path_ms` is the length of what is left of it, as far as that is known.
    fn set_title(&mut self, title: &Title, path_ms: i64) {
        let id = &title.submission.title;
        let now_ms = self.now_ms();
        if title.state.is_final() {
            return self.forget_title(id);
        }
        // What is left of it becomes shorter, and its place does not change with that. Before it was planned its length was
        // guessed, which counts no more once it is.
        let is_same = |known: &&Brief| known.generation == title.generation && known.state == title.state;
        let known_ms = self.known.get(id).filter(is_same).map_or(0, |known| known.order.path_ms);
        let order = order_of(self.queue.rules(), title, path_ms.max(known_ms));
        let brief = Brief {
            order,
            generation: title.generation,
            state: title.state,
            is_held: title.held,
            source: title.submission.source.clone(),
        };
        self.known.insert(id.clone(), brief);
        self.queue.set_title(id.clone(), order, now_ms);
    }

    fn forget_title(&mut self, id: &TitleId) {
        self.known.remove(id);
        self.queue.forget_title(id, self.now_ms());
    }

    /// Takes in tasks that are ready; `may_go` says from when on one may be dispatched beyond its back-off, if at all.
    fn put(&mut self, tasks: Vec<ReadyTask>, may_go: impl Fn(&ReadyTask) -> Option<Duration>) {
        let now_ms = self.now_ms();
        for task in tasks {
            let Some(wait) = may_go(&task) else {
                self.queue.remove(&task.task);
                self.ready_since.remove(&task.task);
                continue;
            };
            self.waits_since(task.task, task.pool, wait.max(task.wait));
            let wait_ms = i64::try_from(wait.max(task.wait).as_millis()).unwrap_or(i64::MAX / 2);
            let wants = task.wants.into_iter().map(|wanted| Want {
                title: wanted.title,
                tail_ms: wanted.tail_ms,
                part: wanted.part,
            });
            let ready = reelfarm_priority::ReadyTask {
                key: task.task,
                pool: task.pool,
                not_before_ms: now_ms + wait_ms,
                wants: wants.collect(),
            };
            self.queue.put(ready, now_ms);
        }
    }
}

const fn urgency(band: Band) -> Urgency {
    match band {
        Band::Expedited => Urgency::Expedited,
        Band::Pressed => Urgency::Pressed,
        Band::Late => Urgency::Late,
        Band::Comfortable => Urgency::Comfortable,
        Band::Undated => Urgency::Undated,
        Band::Recode => Urgency::Recode,
    }
}

/// What a title's place in the order follows from. Facts that the rules have no place for any more, such as a route that was
/// taken out of them, are as if they had not been given.
pub(crate) fn order_of(rules: &Rules, title: &Title, path_ms: i64) -> TitleOrder {
    let facts = &title.submission.facts;
    let due = due(rules, facts, &title.submission.profiles, title.arrived_ms);
    TitleOrder {
        route: rules.route(facts.route.as_ref()).unwrap_or(0),
        kind: facts.kind,
        submitted_ms: title.arrived_ms,
        required_by_ms: due.ok().and_then(|due| due.required_by_ms),
        path_ms,
        expedited_ms: title.expedited_ms,
    }
}

/// What a title's order follows from by these rules, as people are told. Where its tasks stand and when it will be online only
/// the scheduler that leads knows.
pub fn title_order(rules: &Rules, title: &Title) -> reelfarm_api::TitleOrder {
    let facts = &title.submission.facts;
    let due = due(rules, facts, &title.submission.profiles, title.arrived_ms);
    let route = rules.route(facts.route.as_ref()).unwrap_or(0);
    reelfarm_api::TitleOrder {
        kind: facts.kind,
        route: rules.routes[route].name.clone(),
        required_by_ms: due.as_ref().ok().and_then(|due| due.required_by_ms),
        remark: due.err().map(|error| error.to_string()),
        foreseen: Foreseen::default(),
        expedited_ms: title.expedited_ms,
        tasks: Vec::new(),
    }
}

impl Scheduler {
    /// Reads the whole backlog, for a scheduler that has just come to lead.
    pub(crate) async fn read_order(&mut self) -> Result<(), SchedulerError> {
        self.order.set_clock(&*self.store).await?;
        let backlog = self.store.backlog().await?;
        for title in self.store.live_titles().await? {
            let path_ms = backlog.paths.get(&title.submission.title).copied().unwrap_or(0);
            self.order.set_title(&title, path_ms);
        }
        // What else runs on this thread, such as the renewal of the lease, gets its turn in between.
        let mut ready = backlog.ready;
        while !ready.is_empty() {
            self.put_ready(ready.split_off(ready.len().saturating_sub(AT_ONCE)));
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Reads again what may have changed.
    pub(crate) async fn refresh_order(&mut self) -> Result<(), SchedulerError> {
        let titles: Vec<TitleId> = std::mem::take(&mut self.order.titles).into_iter().collect();
        if !titles.is_empty() {
            self.refresh_order_of(&titles).await?;
        }
        let tasks: Vec<TaskKey> = std::mem::take(&mut self.order.tasks).into_iter().collect();
        if !tasks.is_empty() {
            let ready = self.store.ready(ReadyOf::Tasks(&tasks)).await?;
            tasks.iter().for_each(|task| self.order.queue.remove(task));
            self.put_ready(ready);
            self.order.keep_known(&tasks);
        }
        let done = std::mem::take(&mut self.order.done);
        if !done.is_empty() {
            let ready = self.store.ready(ReadyOf::Needing(&done)).await?;
            self.put_ready(ready);
        }
        Ok(())
    }

    async fn refresh_order_of(&mut self, titles: &[TitleId]) -> Result<(), SchedulerError> {
        let ready = self.store.ready(ReadyOf::Titles(titles)).await?;
        for id in titles {
            let Some(title) = self.store.title(id).await? else {
                self.order.forget_title(id);
                continue;
            };
            let wanted = ready.iter().flat_map(|task| &task.wants).filter(|wanted| wanted.title == *id);
            let path_ms = wanted
                .filter(|wanted| wanted.part != Part::Rest)
                .map(|wanted| wanted.tail_ms)
                .max()
                .unwrap_or(0);
            self.order.set_title(&title, path_ms);
            let gone: Vec<TaskKey> = self.order.queue.tasks_of(id).collect();
            gone.iter().for_each(|task| self.order.queue.remove(task));
            // What this title does not want any more another may want.
            let is_listed = |task: &TaskKey| ready.binary_search_by_key(task, |listed| listed.task).is_ok();
            self.order.tasks.extend(gone.into_iter().filter(|task| !is_listed(task)));
        }
        self.put_ready(ready);
        self.forecast_outdated = true;
        Ok(())
    }

    /// Looks at a page of what is ready for something that was missed, which would be a mistake of this program.
    pub(crate) async fn audit_order(&mut self) -> Result<(), SchedulerError> {
        self.order.set_clock(&*self.store).await?;
        self.refresh_order().await?;
        let of = ReadyOf::All { after: self.order.audited, limit: AUDIT };
        let page = self.store.ready(of).await?;
        self.order.audited = (page.len() == AUDIT).then(|| page.last().map(|task| task.task)).flatten();
        let missed: Vec<ReadyTask> = page
            .into_iter()
            .filter(|task| !self.is_missing(&task.task) && !self.order.queue.knows(&task.task))
            .collect();
        for task in &missed {
            tracing::error!(task = %task.task.short(), kind = task.kind.as_str(), "a ready task was not known to the order; it is now");
            self.order.titles.extend(task.wants.iter().map(|wanted| wanted.title.clone()));
            self.dispatch_outdated = true;
        }
        Ok(())
    }

    /// What a title's order follows from, and where its tasks stand; `None` where it has ended or is not known.
    pub(crate) async fn place_of(
        &mut self,
        id: &TitleId,
    ) -> Result<Option<reelfarm_api::TitleOrder>, SchedulerError> {
        self.refresh_order().await?;
        let Some(title) = self.store.title(id).await?.filter(|title| !title.state.is_final()) else {
            return Ok(None);
        };
        let queue = &self.order.queue;
        let places = queue.tasks_of(id).filter_map(|task| {
            let (band, before) = queue.standing(&task, COUNTED)?;
            Some(TaskPlace {
                task,
                urgency: urgency(band),
                before: u32::try_from(before).unwrap_or(u32::MAX),
            })
        });
        Ok(Some(reelfarm_api::TitleOrder {
            tasks: places.collect(),
            foreseen: self.forecasts.of(id).map(|forecast| forecast.foreseen).unwrap_or_default(),
            ..title_order(queue.rules(), &title)
        }))
    }

    /// Whether a task failed for want of something, and it is not known yet what of its title is there.
    fn is_missing(&self, task: &TaskKey) -> bool {
        self.missing.values().any(|missing| missing.contains(task))
    }

    fn put_ready(&mut self, tasks: Vec<ReadyTask>) {
        let (unquiet, missing) = (self.unquiet_titles(), &self.missing);
        let is_missing = |task: &TaskKey| missing.values().any(|missing| missing.contains(task));
        self.order.put(tasks, |task| {
            if is_missing(&task.task) {
                return None;
            }
            if !works_at_origin(task.kind) {
                return Some(Duration::ZERO);
            }
            // The last to write there must not be an attempt that nobody wants.
            let until = task.wants.iter().filter_map(|wanted| unquiet.get(&wanted.title)).max();
            Some(until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now())))
        });
    }

    /// A title is over or withdrawing, or wants other things than it did.
    pub(crate) fn order_outdated(&mut self, title: &TitleId) {
        self.order.titles.insert(title.clone());
        self.dispatch_outdated = true;
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::{ContentKind, Digest, Pool};
    use reelfarm_priority::Want;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn key() -> TaskKey {
        TaskKey(Digest::of(b"task"))
    }

    /// An order that knows a title and its task.
    fn order() -> Order {
        let rules = Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap();
        let mut order = Order::new(rules);
        let title: TitleId = "film".parse().unwrap();
        let facts = TitleOrder {
            route: 0,
            kind: ContentKind::Library,
            submitted_ms: 0,
            required_by_ms: None,
            path_ms: 0,
            expedited_ms: None,
        };
        order.queue.set_title(title.clone(), facts, 0);
        let wants = vec![Want { title, tail_ms: 0, part: Part::Whole }];
        let ready = reelfarm_priority::ReadyTask { key: key(), pool: Pool::Cpu, not_before_ms: 0, wants };
        order.queue.put(ready, 0);
        order
    }

    fn wait(order: &mut Order) -> Option<Duration> {
        order.longest_waits().remove(&Pool::Cpu)
    }

    #[test]
    fn a_task_waits_since_it_was_ready_however_often_it_is_looked_at() {
        let mut order = order();
        order.given_back(key(), Pool::Cpu, Instant::now() - 3 * MINUTE);
        order.waits_since(key(), Pool::Cpu, Duration::ZERO);
        assert!(wait(&mut order) >= Some(3 * MINUTE));
        assert!(order.taken(&key()).elapsed() >= 3 * MINUTE);
        assert_eq!(wait(&mut order), None, "it is dispatched");
    }

    #[test]
    fn a_back_off_is_no_waiting_and_ends_where_somebody_ends_it() {
        let mut order = order();
        order.given_back(key(), Pool::Cpu, Instant::now() - 3 * MINUTE);
        order.waits_since(key(), Pool::Cpu, MINUTE);
        assert_eq!(wait(&mut order), Some(Duration::ZERO));
        order.waits_since(key(), Pool::Cpu, Duration::ZERO);
        assert!(wait(&mut order) < Some(MINUTE));
        assert!(order.taken(&key()) <= Instant::now(), "it is ready now");
    }

    #[test]
    fn what_may_not_go_for_a_while_begins_to_wait_anew() {
        let mut order = order();
        order.given_back(key(), Pool::Cpu, Instant::now() - 3 * MINUTE);
        order.keep_known(&[key()]);
        assert!(wait(&mut order) >= Some(3 * MINUTE));
        order.queue.remove(&key());
        order.keep_known(&[key()]);
        assert!(order.taken(&key()).elapsed() < MINUTE);
    }
}
