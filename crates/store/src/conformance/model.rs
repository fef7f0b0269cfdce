//! What a store should be, in the plainest form: maps in memory, and each operation written down as its contract says.
//! Numbers stand for tasks and titles.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::{Fence, TaskState, TitleState};

/// Whether a lease or back-off has run out: none that a history uses does so while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    None,
    Long,
}

/// What follows a failure or a loss.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// The back-off; without one the task fails for good.
    pub(super) after: Option<Span>,
    /// Whether the attempt counts.
    pub(super) counts: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) titles: BTreeMap<u32, ModelTitle>,
    pub(super) tasks: BTreeMap<u32, ModelTask>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelTitle {
    pub(super) wish: Wish,
    pub(super) generation: u64,
    pub(super) state: TitleState,
    /// Its tasks, and whether it wants them.
    pub(super) tasks: BTreeMap<u32, bool>,
    /// Those of its tasks that its plans name.
    pub(super) planned: BTreeSet<u32>,
    /// Tasks with an attempt that is kept from an earlier generation.
    pub(super) kept: BTreeSet<u32>,
    pub(super) held: bool,
}

/// What a submission asks for: a source, and anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) source: u32,
    pub(super) profiles: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelTask {
    pub(super) state: TaskState,
    pub(super) attempt: u32,
    pub(super) failures: u32,
    pub(super) losses: u32,
    pub(super) uncounted: u32,
    pub(super) needs: BTreeSet<u32>,
    pub(super) back_off: Span,
    /// The attempt that is under way, with its lease and the worker that started it.
    pub(super) current: Option<(Fence, Span, Option<u32>)>,
    /// How long the lease of the attempt under way runs from its dispatch, and from its start.
    dispatched_for: Span,
    /// How its attempts ended, in order.
    pub(super) history: Vec<Option<&'static str>>,
    /// Times that it became done since it was last asked to be redone.
    pub(super) completions: u32,
}

impl Model {
    pub(super) fn wanting(&self, task: u32) -> BTreeSet<u32> {
        let wants = |title: &ModelTitle| title.tasks.get(&task) == Some(&true);
        self.titles.iter().filter(|(_, title)| wants(title)).map(|(name, _)| *name).collect()
    }

    pub(super) fn is_kept(&self, task: u32) -> bool {
        self.titles.values().any(|title| title.kept.contains(&task))
    }

    pub(super) fn ready(&self) -> BTreeSet<u32> {
        let ready = |task: &ModelTask| task.state == TaskState::Ready && task.back_off == Span::None;
        let ready = self.tasks.iter().filter(|(_, task)| ready(task)).map(|(number, _)| *number);
        ready.filter(|number| self.wanting(*number).iter().any(|title| !self.titles[title].held)).collect()
    }

    pub(super) fn expired(&self) -> BTreeSet<u32> {
        let expired = |task: &ModelTask| matches!(task.current, Some((_, Span::None, _)));
        self.tasks.iter().filter(|(_, task)| expired(task)).map(|(number, _)| *number).collect()
    }

    fn is_done(&self, task: u32) -> bool {
        self.tasks.get(&task).is_some_and(|task| task.state == TaskState::Done)
    }

    fn idle_state(&self, task: u32) -> TaskState {
        if self.tasks[&task].needs.iter().all(|need| self.is_done(*need)) {
            TaskState::Ready
        } else {
            TaskState::Waiting
        }
    }

    /// Answers the attempts that stop, or `None` where nothing changes.
    pub(super) fn submit(&mut self, name: u32, wish: Wish) -> Option<BTreeSet<u32>> {
        let (generation, earlier) = match self.titles.get(&name) {
            Some(title)
                if !title.state.is_final()
                    && title.state != TitleState::Withdrawing
                    && title.wish == wish =>
            {
                return None;
            }
            Some(title) => (title.generation + 1, Some(title.clone())),
            None => (1, None),
        };
        let mut title = ModelTitle {
            wish,
            generation,
            state: TitleState::Checking,
            tasks: BTreeMap::new(),
            planned: BTreeSet::new(),
            kept: BTreeSet::new(),
            held: earlier.as_ref().is_some_and(|earlier| earlier.held),
        };
        let mut had: Vec<u32> = Vec::new();
        if let Some(earlier) = earlier {
            let wanted = earlier.tasks.iter().filter(|(_, wanted)| **wanted).map(|(task, _)| *task);
            had.extend(wanted.chain(earlier.kept.iter().copied()));
            if earlier.wish.source == wish.source {
                title.kept = had.iter().copied().filter(|task| self.tasks[task].current.is_some()).collect();
            }
        }
        self.titles.insert(name, title);
        Some(self.cancel_unwanted(&had))
    }

    pub(super) fn advance(&mut self, name: u32, from: TitleState, to: TitleState) -> Option<BTreeSet<u32>> {
        let title = self.titles.get_mut(&name).filter(|title| title.state == from)?;
        title.state = to;
        let mut had: Vec<u32> = std::mem::take(&mut title.kept).into_iter().collect();
        if to.is_final() || to == TitleState::Withdrawing {
            title.held = false;
            for (task, wanted) in &mut title.tasks {
                *wanted = false;
                had.push(*task);
            }
        }
        Some(self.cancel_unwanted(&had))
    }

    fn cancel_unwanted(&mut self, tasks: &[u32]) -> BTreeSet<u32> {
        let mut stopped = BTreeSet::new();
        for number in tasks {
            let unwanted = self.wanting(*number).is_empty() && !self.is_kept(*number);
            let Some(task) = self.tasks.get_mut(number).filter(|_| unwanted) else { continue };
            if matches!(task.state, TaskState::Done | TaskState::Failed | TaskState::Cancelled) {
                continue;
            }
            if task.end("cancelled") {
                stopped.insert(*number);
            }
            task.state = TaskState::Cancelled;
            task.back_off = Span::None;
        }
        stopped
    }

    /// Answers the attempts that stop, or `None` where nothing changes.
    pub(super) fn plan(&mut self, name: u32, plan: &[(u32, BTreeSet<u32>, bool)]) -> Option<BTreeSet<u32>> {
        self.titles.get(&name).filter(|title| !title.state.is_final())?;
        for (number, needs, redo) in plan {
            let shared = self.wanting(*number).iter().any(|title| *title != name);
            let task = self.tasks.entry(*number).or_insert_with(ModelTask::new);
            if *redo && task.state == TaskState::Done {
                task.reset();
                task.completions = 0;
            }
            if matches!(task.state, TaskState::Failed | TaskState::Cancelled) {
                task.reset();
            }
            if !shared {
                task.needs.clear();
            }
            task.needs.extend(needs);
            self.want(name, *number);
            if let Some(title) = self.titles.get_mut(&name) {
                title.planned.insert(*number);
            }
        }
        let planned: Vec<u32> = plan.iter().map(|(number, _, _)| *number).collect();
        self.revive(&planned);
        self.want_what_is_needed();
        let dropped = self.not_needed(name);
        if let Some(title) = self.titles.get_mut(&name) {
            title.tasks.retain(|task, _| !dropped.contains(task));
        }
        let stopped = self.cancel_unwanted(&dropped);
        self.settle();
        Some(stopped)
    }

    /// What these need and was given up starts afresh, as they do themselves. Answers what does.
    fn revive(&mut self, tasks: &[u32]) -> Vec<u32> {
        let mut needed = tasks.to_vec();
        let mut revived = Vec::new();
        while let Some(number) = needed.pop() {
            if !self.is_done(number)
                && let Some(task) = self.tasks.get_mut(&number)
            {
                if matches!(task.state, TaskState::Failed | TaskState::Cancelled) {
                    task.reset();
                    revived.push(number);
                }
                needed.extend(&task.needs);
            }
        }
        revived
    }

    fn want_what_is_needed(&mut self) {
        // Until nothing changes any more: who wants an unfinished task wants what it needs and is not done.
        loop {
            let mut more = Vec::new();
            for (title, wanted) in self.titles.iter().flat_map(|(name, title)| {
                title.tasks.iter().filter(|(_, wanted)| **wanted).map(|(task, _)| (*name, *task))
            }) {
                if self.is_done(wanted) {
                    continue;
                }
                let missing = self.tasks[&wanted].needs.iter().filter(|need| !self.is_done(**need));
                let missing = missing.filter(|need| self.titles[&title].tasks.get(need) != Some(&true));
                more.extend(missing.map(|need| (title, *need)));
            }
            if more.is_empty() {
                break;
            }
            for (title, need) in more {
                self.want(title, need);
            }
        }
    }

    /// Waiting or ready is whether all that is needed is done.
    fn settle(&mut self) {
        let idle: Vec<u32> =
            self.tasks.iter().filter(|(_, task)| task.is_idle()).map(|(number, _)| *number).collect();
        for number in idle {
            let state = self.idle_state(number);
            if let Some(task) = self.tasks.get_mut(&number) {
                task.state = state;
            }
        }
    }

    /// What a title wants though it is not done, no plan names it, and nothing unfinished of the title needs it.
    fn not_needed(&self, name: u32) -> Vec<u32> {
        let title = &self.titles[&name];
        let wanted = |task: &u32| title.tasks.get(task) == Some(&true);
        let mut needed = BTreeSet::new();
        let mut more: Vec<u32> = title.planned.iter().copied().filter(wanted).collect();
        while let Some(number) = more.pop() {
            if needed.insert(number) && !self.is_done(number) {
                more.extend(&self.tasks[&number].needs);
            }
        }
        let named_or_needed = |task: &u32| title.planned.contains(task) || needed.contains(task);
        let candidates = title.tasks.keys().copied().filter(wanted);
        candidates.filter(|task| !named_or_needed(task) && !self.is_done(*task)).collect()
    }

    /// Answers whether there was something to hold.
    pub(super) fn hold(&mut self, name: u32, held: bool) -> bool {
        let title = self.titles.get_mut(&name).filter(|title| title.state.is_under_way());
        let Some(title) = title else { return false };
        title.held = held;
        true
    }

    /// Answers whether there was something to approve.
    pub(super) fn approve(&mut self, name: u32, from: TitleState) -> bool {
        let Some(title) = self.titles.get_mut(&name).filter(|title| title.state == from) else {
            return false;
        };
        let wish = title.wish;
        if from == TitleState::Review {
            title.state = TitleState::Checking;
        } else {
            self.submit(name, wish);
        }
        true
    }

    /// Answers whether the title waited for a person.
    pub(super) fn recheck(&mut self, name: u32) -> bool {
        self.approve(name, TitleState::Review)
    }

    /// Answers whether the title begins again.
    pub(super) fn retry_title(&mut self, name: u32) -> bool {
        let ended = [TitleState::Failed, TitleState::Cancelled, TitleState::Rejected];
        let wish =
            self.titles.get(&name).filter(|title| ended.contains(&title.state)).map(|title| title.wish);
        wish.is_some_and(|wish| self.submit(name, wish).is_some())
    }

    /// Answers the tasks that start afresh.
    pub(super) fn retry_task(&mut self, name: u32, number: u32) -> Option<BTreeSet<u32>> {
        let title = self.titles.get(&name).filter(|title| title.state != TitleState::Withdrawing)?;
        let (own, wish, is_final) = (title.tasks.clone(), title.wish, title.state.is_final());
        own.get(&number)?;
        let mut again = BTreeSet::new();
        let mut more = vec![number];
        while let Some(number) = more.pop() {
            if again.insert(number) {
                let needing =
                    |other: &u32| own.contains_key(other) && self.tasks[other].needs.contains(&number);
                more.extend(self.tasks.keys().copied().filter(needing));
            }
        }
        if is_final {
            self.submit(name, wish);
        } else {
            self.recheck(name);
        }
        let mut afresh = BTreeSet::new();
        for number in &again {
            let Some(task) = self.tasks.get_mut(number) else { continue };
            if matches!(task.state, TaskState::Done | TaskState::Failed | TaskState::Cancelled) {
                task.reset();
                task.completions = 0;
                afresh.insert(*number);
            }
            task.back_off = Span::None;
        }
        let mut changed: Vec<u32> = again.into_iter().collect();
        let needs_one = |task: &ModelTask| !task.needs.is_disjoint(&afresh);
        changed.extend(self.tasks.iter().filter(|(_, task)| needs_one(task)).map(|(number, _)| *number));
        changed.extend(self.revive(&changed.clone()));
        self.want_what_is_needed();
        self.cancel_unwanted(&changed);
        self.settle();
        Some(afresh)
    }

    fn want(&mut self, title: u32, task: u32) {
        if let Some(title) = self.titles.get_mut(&title) {
            title.tasks.insert(task, true);
        }
    }

    pub(super) fn dispatch(&mut self, number: u32, fence: Fence, lease: Span) {
        if let Some(task) = self.tasks.get_mut(&number) {
            task.state = TaskState::Dispatched;
            task.attempt += 1;
            task.back_off = Span::None;
            task.current = Some((fence, lease, None));
            task.dispatched_for = lease;
            task.history.push(None);
        }
    }

    /// The task whose attempt under way has this fence.
    pub(super) fn holding(&self, fence: &Fence) -> Option<u32> {
        let held = |task: &ModelTask| task.current.as_ref().is_some_and(|(current, _, _)| current == fence);
        self.tasks.iter().find(|(_, task)| held(task)).map(|(number, _)| *number)
    }

    pub(super) fn started(&mut self, fence: &Fence, by: u32) -> bool {
        let Some(task) = self.holding(fence).and_then(|number| self.tasks.get_mut(&number)) else {
            return false;
        };
        task.state = TaskState::Running;
        let Some((_, lease, worker)) = &mut task.current else { return false };
        let accepted = *worker.get_or_insert(by) == by;
        if accepted && task.dispatched_for == Span::Long {
            *lease = Span::Long;
        }
        accepted
    }

    pub(super) fn extend(&mut self, fence: &Fence, lease: Span) -> bool {
        let Some(task) = self.holding(fence).and_then(|number| self.tasks.get_mut(&number)) else {
            return false;
        };
        if let Some((_, current, _)) = &mut task.current {
            *current = lease;
        }
        true
    }

    /// Answers how many tasks became ready.
    pub(super) fn complete(&mut self, fence: &Fence) -> Option<usize> {
        let number = self.holding(fence)?;
        let task = self.tasks.get_mut(&number)?;
        task.end("completed");
        task.state = TaskState::Done;
        task.completions += 1;
        self.keep_no_more(number);
        let waiting: Vec<u32> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.state == TaskState::Waiting && task.needs.contains(&number))
            .map(|(number, _)| *number)
            .collect();
        let mut woken = 0;
        for number in waiting {
            if self.idle_state(number) == TaskState::Ready
                && let Some(task) = self.tasks.get_mut(&number)
            {
                task.state = TaskState::Ready;
                woken += 1;
            }
        }
        Some(woken)
    }

    pub(super) fn fail(&mut self, fence: &Fence, retry: Retry) -> bool {
        let Some(number) = self.holding(fence) else { return false };
        self.give_back(number, "failed", retry.after);
        if let Some(task) = self.tasks.get_mut(&number) {
            task.failures += u32::from(retry.counts);
            task.uncounted += u32::from(!retry.counts);
        }
        true
    }

    pub(super) fn lose(&mut self, fence: &Fence, retry: Retry) -> bool {
        let Some(number) = self.holding(fence).filter(|number| self.expired().contains(number)) else {
            return false;
        };
        self.give_back(number, "lost", retry.after);
        if let Some(task) = self.tasks.get_mut(&number) {
            task.losses += u32::from(retry.counts);
        }
        true
    }

    pub(super) fn release(&mut self, fence: &Fence) -> bool {
        let Some(number) = self.holding(fence) else { return false };
        self.give_back(number, "released", Some(Span::None));
        true
    }

    pub(super) fn recover(&mut self) -> usize {
        let active: Vec<Fence> = self
            .tasks
            .values()
            .filter_map(|task| task.current.as_ref().map(|(fence, _, _)| *fence))
            .collect();
        active.iter().filter(|fence| self.release(fence)).count()
    }

    fn give_back(&mut self, number: u32, outcome: &'static str, retry: Option<Span>) {
        let idle = self.idle_state(number);
        if let Some(task) = self.tasks.get_mut(&number) {
            task.end(outcome);
            task.state = if retry.is_some() { idle } else { TaskState::Failed };
            task.back_off = retry.unwrap_or(Span::None);
        }
        self.keep_no_more(number);
        self.cancel_unwanted(&[number]);
    }

    /// An attempt has ended.
    fn keep_no_more(&mut self, number: u32) {
        for title in self.titles.values_mut() {
            title.kept.remove(&number);
        }
    }
}

impl ModelTask {
    fn new() -> Self {
        Self {
            state: TaskState::Waiting,
            attempt: 0,
            failures: 0,
            losses: 0,
            uncounted: 0,
            needs: BTreeSet::new(),
            back_off: Span::None,
            current: None,
            dispatched_for: Span::None,
            history: Vec::new(),
            completions: 0,
        }
    }

    const fn is_idle(&self) -> bool {
        matches!(self.state, TaskState::Waiting | TaskState::Ready)
    }

    fn reset(&mut self) {
        self.state = TaskState::Waiting;
        (self.failures, self.losses, self.uncounted) = (0, 0, 0);
        self.back_off = Span::None;
    }

    /// Ends the attempt that is under way, if one is.
    fn end(&mut self, outcome: &'static str) -> bool {
        let was_active = self.current.take().is_some();
        if let Some(last) = self.history.last_mut().filter(|_| was_active) {
            *last = Some(outcome);
        }
        was_active
    }
}
