//! Events that wait for the scheduler, handed out in batches, one batch at a time.
//!
//! Promises: the order of what is pushed is kept, also where a batch is put back; a call that is dropped takes nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

struct Content<T> {
    waiting: VecDeque<T>,
    /// Whether a batch is out.
    out: bool,
    /// Counts how often the buffer was emptied: what was taken before no longer matters.
    epoch: u64,
}

pub(crate) struct EventBuffer<T> {
    content: Mutex<Content<T>>,
    changed: Notify,
}

/// What was taken, to be settled by [`EventBuffer::settle`] or [`EventBuffer::put_back`].
pub(crate) struct Taken<T> {
    pub(crate) items: Vec<T>,
    pub(crate) epoch: u64,
}

impl<T> EventBuffer<T> {
    pub(crate) fn new() -> Self {
        let content = Content { waiting: VecDeque::new(), out: false, epoch: 0 };
        Self { content: Mutex::new(content), changed: Notify::new() }
    }

    pub(crate) fn push(&self, item: T) {
        self.content().waiting.push_back(item);
        self.changed.notify_waiters();
    }

    /// Waits until no batch is out and something waits.
    pub(crate) async fn take(&self, limit: usize) -> Taken<T> {
        loop {
            // Before looking, so that no change in between is missed.
            let changed = self.changed.notified();
            if let Some(taken) = self.try_take(limit) {
                return taken;
            }
            changed.await;
        }
    }

    fn try_take(&self, limit: usize) -> Option<Taken<T>> {
        let mut content = self.content();
        if content.out || content.waiting.is_empty() {
            return None;
        }
        content.out = true;
        let count = content.waiting.len().min(limit.max(1));
        Some(Taken { items: content.waiting.drain(..count).collect(), epoch: content.epoch })
    }

    /// The batch has been acknowledged. `false` where the buffer was emptied since it was taken.
    pub(crate) fn settle(&self, epoch: u64) -> bool {
        let current = {
            let mut content = self.content();
            let current = content.epoch == epoch;
            content.out &= !current;
            current
        };
        self.changed.notify_waiters();
        current
    }

    /// The batch has been given up: it comes again, before all that waits.
    pub(crate) fn put_back(&self, taken: Taken<T>) {
        {
            let mut content = self.content();
            if content.epoch != taken.epoch {
                return;
            }
            content.out = false;
            for item in taken.items.into_iter().rev() {
                content.waiting.push_front(item);
            }
        }
        self.changed.notify_waiters();
    }

    /// Forgets everything: whoever it came from gives it again.
    pub(crate) fn clear(&self) {
        {
            let mut content = self.content();
            content.waiting.clear();
            content.out = false;
            content.epoch += 1;
        }
        self.changed.notify_waiters();
    }

    /// Whether a batch is out.
    pub(crate) fn is_out(&self) -> bool {
        self.content().out
    }

    fn content(&self) -> MutexGuard<'_, Content<T>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(items: std::ops::Range<u32>) -> EventBuffer<u32> {
        let buffer = EventBuffer::new();
        items.for_each(|item| buffer.push(item));
        buffer
    }

    #[tokio::test]
    async fn what_is_put_back_comes_first_and_in_order() {
        let buffer = buffer(0..5);
        let taken = buffer.take(3).await;
        assert_eq!(taken.items, [0, 1, 2]);
        assert!(buffer.try_take(3).is_none(), "one batch at a time");
        buffer.put_back(taken);
        assert_eq!(buffer.take(9).await.items, [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_batch_from_before_the_buffer_was_emptied_changes_nothing() {
        let buffer = buffer(0..4);
        let (old, epoch) = (buffer.take(2).await, 0);
        buffer.clear();
        buffer.push(7);
        let new = buffer.take(2).await;
        assert_eq!(new.items, [7]);
        assert!(!buffer.settle(epoch));
        buffer.put_back(old);
        assert!(buffer.is_out(), "the new batch is still out");
        assert!(buffer.settle(new.epoch));
        buffer.push(8);
        assert_eq!(buffer.take(2).await.items, [8]);
    }

    #[tokio::test]
    async fn a_limit_of_nothing_still_gives_something() {
        assert_eq!(buffer(3..5).take(0).await.items, [3]);
    }
}
