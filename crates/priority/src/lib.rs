//! Which task goes next, and why.
//!
//! State in, ordered decisions out: nothing here does I/O or reads a clock. The scheduler and the simulator run this very
//! code. docs/scheduling.md explains the rules to people.
//!
//! Promises, each checked by a property test in `tests/properties.rs`:
//! - *work-conserving*: no slot stays free while a task of its pool is ready;
//! - *fenced*: while a route has a ready task in a pool and fewer slots there than its minimum, the next slot goes to a
//!   route for which that is so (a recode has no claim to a minimum);
//! - *recode last*: no task of a recode starts in a pool while another one is ready there, so that a task of a dated title
//!   waits for no more than the rest of one;
//! - *no starvation*: whatever else comes, a ready task that is no recode's starts after a bounded number of starts in its
//!   pool, as long as the routes' minima leave a slot there (where they do not, the scheduler says so);
//! - *deterministic*: equal states give equal decisions, in whatever order the state came about.

pub mod due;
pub mod estimate;
pub mod forecast;
pub mod queue;
pub mod remedy;
pub mod rules;
mod urgency;

pub use due::{Contradiction, Due, due};
pub use forecast::{Outlook, Rest, Risk, forecast};
pub use queue::{Capacity, Claim, Decision, Queue, ReadyTask, TitleOrder, Want};
pub use remedy::{Remedy, remedies};
pub use rules::{KindRule, Route, Rules, RulesError};
pub use urgency::Band;
