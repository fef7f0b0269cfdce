//! One subscriber's control messages: the newest for each attempt, see [`ControlStream`](crate::ControlStream).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reelfarm_model::message::ControlMessage;
use tokio::sync::Notify;

#[derive(Default)]
struct Content {
    waiting: VecDeque<ControlMessage>,
    closed: bool,
}

/// Takes messages without waiting and gives them to one reader.
#[derive(Default)]
pub(crate) struct Mailbox {
    content: Mutex<Content>,
    changed: Notify,
}

impl Mailbox {
    pub(crate) fn put(&self, message: &ControlMessage) {
        {
            let mut content = self.content();
            let superseded = content.waiting.iter().position(|waiting| supersedes(message, waiting));
            match superseded {
                // Said already, and nothing takes it back.
                Some(at) if !is_extended(&content.waiting[at]) => return,
                Some(at) => {
                    content.waiting.remove(at);
                }
                None => {}
            }
            content.waiting.push_back(message.clone());
        }
        self.changed.notify_one();
    }

    /// No message comes any more: what waits is still given out.
    pub(crate) fn close(&self) {
        self.content().closed = true;
        self.changed.notify_one();
    }

    /// There is one reader, so the one permit that [`Notify`] keeps is enough to miss no change.
    pub(crate) async fn take(&self) -> Option<ControlMessage> {
        loop {
            {
                let mut content = self.content();
                if let Some(message) = content.waiting.pop_front() {
                    return Some(message);
                }
                if content.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether both are about the same attempt; or say the same of the worker itself.
fn supersedes(new: &ControlMessage, waiting: &ControlMessage) -> bool {
    match (new.fence(), waiting.fence()) {
        (None, None) => new == waiting,
        (new, waiting) => new == waiting,
    }
}

const fn is_extended(message: &ControlMessage) -> bool {
    matches!(message, ControlMessage::Extended { .. })
}
