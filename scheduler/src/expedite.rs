//! Titles that somebody has go before all others of their route.
//!
//! What it pushes back is worked out before it is done, beside the loop, and told either way.

use std::collections::BTreeMap;

use reelfarm_api::{ExpediteAnswer, ExpediteRequest, PushedBack, TitleForecast};
use reelfarm_model::{Code, ContentKind, Failure, RouteName, Title, TitleId};
use reelfarm_store::{Expedite, Expedited, Store, StoreError};
use tokio::sync::oneshot;

use crate::commands::wrong_state;
use crate::errands::Returned;
use crate::event::FarmEvent;
use crate::order::title_order;
use crate::outlook::{DAY_MS, Known, Situation, beside};
use crate::service::{Scheduler, SchedulerError};

/// Titles that are named in an answer; the others are counted.
const NAMED: usize = 100;
/// A title that is online later by less than this is not called pushed back: no forecast is so exact.
const NOTICED_MS: i64 = 1_000;

/// What somebody asks for, and who.
pub(crate) struct ExpediteWish {
    pub(crate) request: ExpediteRequest,
    pub(crate) requester: Option<String>,
}

/// What would come of it.
pub(crate) struct Weighed {
    before: BTreeMap<TitleId, TitleForecast>,
    after: BTreeMap<TitleId, TitleForecast>,
    /// Titles that the route has expedited today.
    used: u32,
}

impl Scheduler {
    /// The title, where it may be expedited, and its route.
    async fn expeditable(&self, id: &TitleId) -> Result<(Title, RouteName), Failure> {
        let title = self.known_title(id).await?;
        if !title.state.is_under_way() {
            return Err(wrong_state(&title, "expedited"));
        }
        if title.submission.facts.kind == ContentKind::Recode {
            let message = format!(
                "title {id} is a recode, which never delays another title; submit it as another kind to have it made sooner"
            );
            return Err(Failure::new(Code::TitleStateWrong, message));
        }
        let route = title_order(self.order.queue.rules(), &title).route;
        Ok((title, route))
    }

    /// Has a title go first, or says what would come of it, once that is worked out.
    pub(crate) async fn begin_expedite(
        &mut self,
        id: TitleId,
        wish: ExpediteWish,
        reply: oneshot::Sender<Result<ExpediteAnswer, Failure>>,
    ) {
        let (_, route) = match self.expeditable(&id).await {
            Ok(found) => found,
            Err(failure) => return drop(reply.send(Err(failure))),
        };
        let (store, known) = (self.store.clone(), self.known());
        self.errands.spawn(async move {
            let weighed = weigh(&*store, known, &id, route.as_str()).await;
            Returned::Weighed { title: id, wish, weighed: Box::new(weighed), reply }
        });
    }

    /// Does it, unless only an answer was wanted.
    pub(crate) async fn on_weighed(
        &mut self,
        id: &TitleId,
        wish: ExpediteWish,
        weighed: Weighed,
    ) -> Result<ExpediteAnswer, Failure> {
        let (title, route) = self.expeditable(id).await?;
        let rules = self.order.queue.rules();
        let rule = rules.routes.iter().find(|known| known.name == route);
        let per_day = rule.map_or(0, |rule| rule.expedites_per_day);
        let mut used = weighed.used;
        let is_new = title.expedited_ms.is_none();
        if is_new && used >= per_day && !wish.request.dry_run {
            return Err(spent(route.as_str(), per_day));
        }
        let mut done = false;
        if is_new && !wish.request.dry_run {
            let wanted = Expedite {
                route: route.to_string(),
                per_day,
                requester: wish.requester.clone(),
                why: wish.request.why.clone(),
            };
            match self.store.expedite(id, &wanted).await? {
                Expedited::Done(title) => {
                    done = true;
                    used += 1;
                    tracing::info!(title = %id, %route, requester = wish.requester, why = wish.request.why, "expedited");
                    self.order_outdated(id);
                    self.emit(FarmEvent::TitleChanged(Box::new(title)));
                    self.begin_forecast();
                }
                Expedited::Before(_) => {}
                Expedited::Spent { .. } => return Err(spent(route.as_str(), per_day)),
                Expedited::NotUnderWay => return Err(wrong_state(&self.known_title(id).await?, "expedited")),
            }
        }
        Ok(weighed.answer(ExpediteAnswer {
            title: id.clone(),
            done,
            route,
            per_day,
            used,
            before: None,
            after: None,
            pushed_back: Vec::new(),
            pushed_back_others: 0,
        }))
    }

    /// Answers who asked, once it is known what would come of it.
    pub(crate) async fn on_expedite_weighed(
        &mut self,
        id: &TitleId,
        wish: ExpediteWish,
        weighed: Result<Weighed, StoreError>,
        reply: oneshot::Sender<Result<ExpediteAnswer, Failure>>,
    ) -> Result<(), SchedulerError> {
        let answer = match weighed {
            Ok(weighed) => self.on_weighed(id, wish, weighed).await,
            Err(error) => Err(error.into()),
        };
        self.dispatch_outdated = true;
        drop(reply.send(answer));
        Ok(())
    }
}

fn spent(route: &str, per_day: u32) -> Failure {
    let message = if per_day == 0 {
        format!("the route {route} may expedite no titles: the farm's rules give it expedites_per_day = 0")
    } else {
        format!(
            "the route {route} may expedite {per_day} titles a day (UTC) and has done so today; `reelfarm eta` says what else would help"
        )
    };
    Failure::new(Code::ExpeditesSpent, message)
}

async fn weigh(store: &dyn Store, known: Known, title: &TitleId, route: &str) -> Result<Weighed, StoreError> {
    let day = known.now_ms - known.now_ms.rem_euclid(DAY_MS);
    let expedited = store.expedites(day, usize::MAX).await?;
    let used = expedited.iter().filter(|expedited| expedited.route == route).count();
    let situation = Situation::read(store, known).await?;
    let title = title.clone();
    Ok(beside(move || Weighed {
        before: situation.outlooks(),
        after: situation.with_expedited(&title).outlooks(),
        used: u32::try_from(used).unwrap_or(u32::MAX),
    })
    .await)
}

impl Weighed {
    /// The answer with what comes of it for this title and the others.
    fn answer(self, answer: ExpediteAnswer) -> ExpediteAnswer {
        let outlook =
            |of: &BTreeMap<TitleId, TitleForecast>, title: &TitleId| of.get(title)?.foreseen.outlook;
        let mut pushed_back = Vec::new();
        for (title, forecast) in self.before.iter().filter(|(title, _)| **title != answer.title) {
            let (Some(before), Some(after)) = (forecast.foreseen.outlook, outlook(&self.after, title)) else {
                continue;
            };
            if after.expected_ms - before.expected_ms >= NOTICED_MS {
                let required_by_ms = forecast.required_by_ms;
                pushed_back.push(PushedBack { title: title.clone(), required_by_ms, before, after });
            }
        }
        pushed_back.sort_by_key(|pushed: &PushedBack| {
            let is_as_before = pushed.after.risk == pushed.before.risk;
            (is_as_before, pushed.after.risk, pushed.required_by_ms.unwrap_or(i64::MAX), pushed.title.clone())
        });
        let others = pushed_back.len().saturating_sub(NAMED);
        pushed_back.truncate(NAMED);
        ExpediteAnswer {
            before: outlook(&self.before, &answer.title),
            after: outlook(&self.after, &answer.title),
            pushed_back,
            pushed_back_others: others as u64,
            ..answer
        }
    }
}
