//! How many encoders an encode runs at once.
//!
//! Promises: encodes of chunks run as many as keep the processors busy when all slots are taken, because chunks of a film fill
//! them. A film in one piece may have the host for itself: it runs on what is its share when it begins. The bytes are the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The processors of a host, shared out to encodes.
#[derive(Clone, Debug)]
pub struct EncodeThreads {
    processors: usize,
    slots: usize,
    running: Arc<AtomicUsize>,
}

/// What an encode that is at work has of them.
#[derive(Debug)]
pub(crate) struct Share {
    /// Encoders that it may run at once.
    pub(crate) threads: usize,
    running: Arc<AtomicUsize>,
}

impl EncodeThreads {
    /// So many processors for up to so many encodes.
    pub fn new(processors: usize, slots: usize) -> Self {
        Self { processors, slots: slots.max(1), running: Arc::default() }
    }

    /// The share of an encode that begins now, of a chunk or of a film in one piece.
    pub(crate) fn share(&self, is_chunk: bool) -> Share {
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        let at_once = if is_chunk { self.slots } else { running.min(self.slots) };
        Share { threads: (self.processors / at_once).max(1), running: Arc::clone(&self.running) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_share_the_processors_and_a_film_in_one_piece_takes_what_is_free() {
        let host = EncodeThreads::new(16, 16);
        let film = host.share(false);
        assert_eq!(film.threads, 16);
        let chunk = host.share(true);
        assert_eq!(chunk.threads, 1);
        assert_eq!(host.share(false).threads, 5, "the third at work");
        drop((film, chunk));
        assert_eq!(host.share(false).threads, 16);
        assert_eq!(EncodeThreads::new(16, 4).share(true).threads, 4);
        assert_eq!(EncodeThreads::new(1, 2).share(true).threads, 1);
    }
}
