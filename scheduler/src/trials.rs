//! Fitting a ladder to a title: the trials are run, and what QC concluded is told with the rungs and CRFs that follow from them.

use reelfarm_model::qc::Conclusion;
use reelfarm_model::task::Trial;
use reelfarm_model::{Digest, Failure, Ladder, Title};

use crate::plan::{RungTrials, Tried, fit, trials};
use crate::service::{Scheduler, SchedulerError};

impl Scheduler {
    /// What QC concluded, with the title's ladder fitted to it where that is asked for; `None` while it is being tried.
    pub(crate) async fn fitted(
        &mut self,
        title: &Title,
        source: Digest,
        conclusion: &Conclusion,
        ladder: &Ladder,
    ) -> Result<Result<Option<Conclusion>, Failure>, SchedulerError> {
        let wanted = trials(source, conclusion, ladder, &self.options.tools);
        let tasks = wanted.iter().flat_map(|rung| &rung.stretches).map(|(_, task)| task.clone()).collect();
        let mut results = match self.results_of::<Trial>(title, tasks).await? {
            Ok(results) => results.into_iter(),
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(Ok(fitted(conclusion, ladder, &wanted, || results.next().flatten())))
    }
}

/// What QC concluded, with the ladder fitted to it; `None` where `next` does not have what came of every trial, which it is asked
/// for in their order.
pub(crate) fn fitted(
    conclusion: &Conclusion,
    ladder: &Ladder,
    wanted: &[RungTrials<'_>],
    mut next: impl FnMut() -> Option<Trial>,
) -> Option<Conclusion> {
    let Some(per_title) = ladder.per_title.as_ref().filter(|_| !wanted.is_empty()) else {
        return Some(conclusion.clone());
    };
    let mut tried = Vec::with_capacity(wanted.len());
    for RungTrials { rung, stretches } in wanted {
        let stretches = stretches.iter().map(|(seconds, _)| Some((*seconds, next()?)));
        tried.push(Tried { rung, stretches: stretches.collect::<Option<_>>()? });
    }
    Some(fit(conclusion, per_title, &tried))
}
