//! Repeats of a film at an NTSC rate that was made to fit an integral one.
//!
//! 23.976 frames a second made 25 are 960 pictures in 1001 frames: repeats come after 24 or 25 frames, at places that return
//! only after 40 s. They are told all the same, because picture `n` of the film is due at `n * 1001 / 960` frames: a frame
//! repeats where the number of the picture due stays the same. So the places of repeats, multiplied by 960 and taken modulo
//! 1001, lie in one run of 41, wherever the film begins.

use super::patterns::{Place, REGULAR};
use super::repeats::Judged;

const PERIOD: usize = 1001;
/// New pictures in 1001 frames: 23.976 in 24 or 29.97 in 30, 23.976 in 25, in 30, in 48 or 29.97 in 60, 29.97 in 50, 23.976 in
/// 50, and in 60.
const PICTURES: [usize; 7] = [1000, 960, 800, 500, 600, 480, 400];
/// How many frames must have been seen in motion where repeats are due. One repeat in 1001 frames takes seven minutes to be
/// told from chance.
const LEAST_SEEN: u32 = 10;

/// Gathers repeats of the whole film by their place in 1001 frames.
#[derive(Debug)]
pub(super) struct NtscPattern {
    next: usize,
    places: Vec<Place>,
}

impl Default for NtscPattern {
    fn default() -> Self {
        Self { next: 0, places: vec![Place::default(); PERIOD] }
    }
}

impl NtscPattern {
    /// The next frame.
    pub(super) fn push(&mut self, frame: Judged) {
        if let Some(place) = self.places.get_mut(self.next).filter(|_| frame.moves) {
            place.add(Place { moving: 1, repeats: frame.repeat });
        }
        self.next = (self.next + 1) % PERIOD;
    }

    /// The period, the new pictures in it, and the regularity of the pattern that suits best, if one does.
    pub(super) fn pattern(&self) -> Option<(u32, u32, f64)> {
        PICTURES
            .into_iter()
            .map(|pictures| (PERIOD as u32, pictures as u32, self.regularity(pictures)))
            .filter(|(.., regularity)| *regularity >= REGULAR)
            .max_by(|a, b| a.2.total_cmp(&b.2))
    }

    /// By how much frames where repeats are due and others differ, for the best start of the run of those that are due.
    fn regularity(&self, pictures: usize) -> f64 {
        let run = PERIOD - pictures;
        // 1001 is 7 * 11 * 13, which none of them has in common: each place is met once.
        let mut by_due = vec![Place::default(); PERIOD];
        for (number, place) in self.places.iter().enumerate() {
            if let Some(due) = by_due.get_mut(number * pictures % PERIOD) {
                *due = *place;
            }
        }
        let sum = |places: &mut dyn Iterator<Item = &Place>| {
            places.fold((0u32, 0.0), |(moving, repeats), place| {
                (moving + place.moving, repeats + place.repeats)
            })
        };
        let all = sum(&mut by_due.iter());
        let (mut moving, mut repeats) = sum(&mut by_due.iter().take(run));
        let mut best = 0.0_f64;
        for (leaving, entering) in by_due.iter().zip(by_due.iter().cycle().skip(run)) {
            let others = all.0 - moving;
            if moving >= LEAST_SEEN && others > 0 {
                best = best.max(repeats / f64::from(moving) - (all.1 - repeats) / f64::from(others));
            }
            moving = moving + entering.moving - leaving.moving;
            repeats += entering.repeats - leaving.repeats;
        }
        best
    }
}
