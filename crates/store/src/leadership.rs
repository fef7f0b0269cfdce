//! Who writes: at most one scheduler, the leader, by a lease in the database.
//!
//! ```text
//!             nobody ──acquire──▶ led in term 1 ──renew──▶ led in term 1
//!                                      │
//!          its lease runs out, it resigns, or it acquires anew
//!                                      ▼
//!             vacant ──acquire──▶ led in term 2 …
//! ```
//!
//! A candidate that cannot do all that a leader does, because it does not reach the broker, is *unfit*: it leads where nobody
//! else would, and makes way for one that is fit.
//!
//! Terms count up and never come back. A scheduler that wants to lead asks for it now and then; whoever asks while
//! nobody leads gets the next term, everybody else is told who leads and where. A leader renews its lease well before
//! it ends, and stops by its own monotonic clock, counted from before it asked, when it could not.
//!
//! That is for good order; what keeps the truth whole is that a writer is *bound* to its term
//! ([`under`](Leadership::under)). Writing transactions happen one after the other, and each begins by looking whether
//! its term is still the current one and has not run out by the database's clock. So a leader that was paused - by the
//! operating system, a virtual machine or a slow network - and goes on as if nothing had happened changes nothing: its
//! next write is [`StoreError::NoLongerLeader`]. One that is paused in the midst of a transaction keeps all others
//! waiting, and no term begins before the transaction ends; PostgreSQL ends it for it after a while.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::store::Store;

/// The number of a leadership, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub u64);

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who wants to lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// A name that no other process has, nor this one after a restart.
    pub holder: String,
    /// Where its API is, for whoever looks for the leader.
    pub address: String,
}

/// Who leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Who.
    pub candidate: Candidate,
    /// In which term.
    pub term: Term,
    /// How long its lease runs yet, by the database's clock.
    pub remaining: Duration,
}

/// What came of asking for the leadership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Election {
    /// The asker leads, in this term.
    Won(Term),
    /// Another leads.
    Lost(Leader),
    /// Nobody leads, and another that is fit has asked lately: an asker that is not leaves the next term to it.
    Left,
}

/// The leadership, as a scheduler sees it.
#[async_trait]
pub trait Leadership: Send + Sync + 'static {
    /// Asks for the leadership, for `lease` from now. Whoever leads already gets a new term: it asks again where it did
    /// not hear the answer, or no longer knows what it did under the old one. That one who is `fit` has asked is known to
    /// the leader and to the others for `lease` from now.
    ///
    /// # Errors
    /// The database.
    async fn acquire(
        &self,
        candidate: &Candidate,
        fit: bool,
        lease: Duration,
    ) -> Result<Election, StoreError>;

    /// Has the lease of a term run for `lease` from now. Answers whether another that is fit has asked lately.
    ///
    /// # Errors
    /// [`StoreError::NoLongerLeader`] where the term is over, also where nobody has asked for the next one yet;
    /// otherwise the database.
    async fn renew(&self, term: Term, lease: Duration) -> Result<bool, StoreError>;

    /// Gives the leadership up, so that another need not wait for the end of the lease.
    ///
    /// # Errors
    /// [`StoreError::NoLongerLeader`] where the term is over; otherwise the database.
    async fn resign(&self, term: Term) -> Result<(), StoreError>;

    /// Who leads now; `None` where nobody does.
    ///
    /// # Errors
    /// The database.
    async fn leader(&self) -> Result<Option<Leader>, StoreError>;

    /// The store as the leader of a term writes it: every operation that changes something does so only while the term
    /// is the current one and has not run out, and is [`StoreError::NoLongerLeader`] otherwise.
    fn under(&self, term: Term) -> Arc<dyn Store>;
}
