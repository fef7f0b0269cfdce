//! Moments that a person may want to see, told while the film runs.

use std::collections::VecDeque;

/// Moments of each kind that are told.
const TOLD: u32 = 8;

/// A moment worth a look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// When it begins, in seconds; it is told while it lasts.
    pub time: f64,
    /// What begins there.
    pub kind: MomentKind,
}

/// What is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MomentKind {
    /// A second of black, after something was to be seen.
    Black,
    /// Two seconds in which the picture stands still.
    Freeze,
    /// More than three flashes within a second, of light or of red.
    Flashes,
}

impl MomentKind {
    /// How long it lasts at least, in seconds.
    fn least(self) -> f64 {
        match self {
            Self::Black => 1.0,
            Self::Freeze => 2.0,
            Self::Flashes => 0.0,
        }
    }
}

/// Gathers moments until they are taken.
#[derive(Debug)]
pub(super) struct Moments {
    watches: [Watch; 3],
    waiting: VecDeque<Moment>,
}

#[derive(Debug)]
struct Watch {
    kind: MomentKind,
    told: u32,
    /// The one that lasts was told.
    tells: bool,
}

impl Default for Moments {
    fn default() -> Self {
        let watches = [MomentKind::Black, MomentKind::Freeze, MomentKind::Flashes];
        Self { watches: watches.map(|kind| Watch { kind, told: 0, tells: false }), waiting: VecDeque::new() }
    }
}

impl Moments {
    /// Takes in what lasts, and since when.
    pub(super) fn push(&mut self, now: f64, kind: MomentKind, since: Option<f64>) {
        let Some(watch) = self.watches.iter_mut().find(|watch| watch.kind == kind) else { return };
        match since {
            None => watch.tells = false,
            Some(time) if !watch.tells && watch.told < TOLD && now - time >= kind.least() => {
                watch.tells = true;
                watch.told += 1;
                self.waiting.push_back(Moment { time, kind });
            }
            Some(_) => {}
        }
    }

    /// Takes the first one out.
    pub(super) fn next(&mut self) -> Option<Moment> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_and_at_most_eight_times() {
        let mut moments = Moments::default();
        for second in 0..100 {
            for tenth in 0..10 {
                let now = f64::from(second) + f64::from(tenth) / 10.0;
                let since = (second % 4 != 0).then_some(f64::from(second - second % 4 + 1));
                moments.push(now, MomentKind::Freeze, since);
            }
        }
        let told: Vec<Moment> = std::iter::from_fn(|| moments.next()).collect();
        let times: Vec<f64> = told.iter().map(|moment| moment.time).collect();
        assert_eq!(times, [1.0, 5.0, 9.0, 13.0, 17.0, 21.0, 25.0, 29.0]);
    }

    #[test]
    fn short_ones_are_not_told() {
        let mut moments = Moments::default();
        moments.push(0.9, MomentKind::Black, Some(0.0));
        moments.push(0.94, MomentKind::Black, None);
        moments.push(1.0, MomentKind::Flashes, Some(1.0));
        assert_eq!(moments.next(), Some(Moment { time: 1.0, kind: MomentKind::Flashes }));
        assert_eq!(moments.next(), None);
    }
}
