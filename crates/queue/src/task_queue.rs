//! The tasks that wait for one pool's workers.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reelfarm_model::message::TaskMessage;
use tokio::sync::Semaphore;

/// First in, first out; what is put back goes to the front. One permit of the semaphore stands for each message.
pub(crate) struct TaskQueue {
    waiting: Mutex<VecDeque<TaskMessage>>,
    count: Semaphore,
}

impl TaskQueue {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::default(), count: Semaphore::new(0) }
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
        self.count.acquire().await.ok()?.forget();
        self.waiting().pop_front()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<TaskMessage>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
