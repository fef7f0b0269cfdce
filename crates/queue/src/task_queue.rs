//! The tasks that wait for one pool's workers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use reelfarm_model::message::TaskMessage;
use tokio::sync::Semaphore;

use crate::Backlog;

/// First in, first out; what is put back goes to the front. One permit of the semaphore stands for each message.
pub(crate) struct TaskQueue {
    waiting: Mutex<VecDeque<TaskMessage>>,
    count: Semaphore,
    receivers: AtomicUsize,
}

/// Counts a receiver for as long as it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(receivers: &'a AtomicUsize) -> Self {
        receivers.fetch_add(1, Ordering::Relaxed);
        Self(receivers)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TaskQueue {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::default(), count: Semaphore::new(0), receivers: AtomicUsize::new(0) }
    }

    pub(crate) fn send(&self, message: TaskMessage) {
        self.waiting().push_back(message);
        self.count.add_permits(1);
    }

    pub(crate) fn put_back(&self, message: TaskMessage) {
        self.waiting().push_front(message);
        self.count.add_permits(1);
    }

    /// Cancel-safe: nothing is awaited between the permit and the message that it stands for.
    pub(crate) async fn receive(&self) -> Option<TaskMessage> {
        let _waiting = Waiting::new(&self.receivers);
        self.count.acquire().await.ok()?.forget();
        self.waiting().pop_front()
    }

    pub(crate) fn backlog(&self) -> Backlog {
        let receivers = self.receivers.load(Ordering::Relaxed);
        Backlog { waiting: self.count.available_permits(), receivers }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<TaskMessage>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
