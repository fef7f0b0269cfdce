//! Ladders that are fitted to titles: which stretches are tried, and what follows from what came of them.
//!
//! Of each rung the highest CRF is taken that holds the asked quality in every stretch. The best rung of a codec holds it at the
//! size of the codec's largest too, since that is how it is looked at; where a smaller picture does that with fewer bits, the
//! larger ones are left out. So is, below it, a rung with hardly fewer bits than the one above; the smallest gives up quality first.
//!
//! Between the CRFs that were tried, quality in decibels and the logarithm of the rate run straight, as nearly as two encodes of
//! the same differ.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::Digest;
use reelfarm_model::ladder::{self, GOP_SECONDS, Ladder, Rung, VideoCodec};
use reelfarm_model::per_title::{Expected, Fitted, FittedRung, LeftOut, PerTitle};
use reelfarm_model::qc::{Conclusion, DecodingStarts, VideoConclusion};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::{Chunk, DecodingStart, RungSpec, Trial, TrialPoint, TrialSpec};
use reelfarm_model::{Task, TaskSpec};

use super::chunks::decoding_start;

/// How far before a stretch decoding begins at most, in seconds, each time that it is decoded: it may as well lie elsewhere.
const MOST_LEAD_SECONDS: u64 = 12;
/// So much SSIM is no difference: where none holds what is asked, the CRF is taken that is worse than the best by this.
const ALIKE: f64 = 0.001;

/// A rung that a film is large enough for, with the trials of it.
pub(crate) struct RungTrials<'a> {
    /// The rung as the ladder has it.
    pub(crate) rung: &'a Rung,
    /// Of each stretch its seconds, and the task.
    pub(crate) stretches: Vec<(f64, Task)>,
}

/// The trials that fit a ladder to a film; none where the ladder asks for none, or nothing but the whole film can be decoded.
pub(crate) fn trials<'a>(
    source: Digest,
    conclusion: &Conclusion,
    ladder: &'a Ladder,
    tools: &ToolVersions,
) -> Vec<RungTrials<'a>> {
    let Some(per_title) = &ladder.per_title else { return Vec::new() };
    let video = &conclusion.video;
    let stretches = stretches(per_title, video, &conclusion.decoding);
    if stretches.is_empty() {
        return Vec::new();
    }
    let rungs =
        conclusion.rungs.iter().filter_map(|name| ladder.rungs.iter().find(|rung| rung.name == *name));
    let mut largest: BTreeMap<VideoCodec, (u32, u32)> = BTreeMap::new();
    let mut all = Vec::new();
    for rung in rungs {
        let Some((width, height)) = ladder::fit(rung, video.width, video.height) else { continue };
        let (shown_width, shown_height) = *largest.entry(rung.codec).or_insert((width, height));
        let gop_frames = video.frame_rate * GOP_SECONDS;
        let tried = RungSpec { width, height, gop_frames, rung: Rung { crf: 0, ..rung.clone() } };
        let task = |stretch: &Chunk| {
            let spec = TrialSpec {
                source,
                video: video.clone(),
                rung: tried.clone(),
                crfs: per_title.tried_crfs(),
                stretch: *stretch,
                shown_width,
                shown_height,
            };
            let seconds = stretch.frame_count as f64 / f64::from(video.frame_rate.max(1));
            (seconds, Task::new(TaskSpec::Trial(spec), tools))
        };
        all.push(RungTrials { rung, stretches: stretches.iter().map(task).collect() });
    }
    all
}

/// The stretches of a film that are tried: on the grid, as far from each other as they can lie, and where decoding comes to them
/// soon.
fn stretches(per_title: &PerTitle, video: &VideoConclusion, decoding: &DecodingStarts) -> Vec<Chunk> {
    let Some(film_start_us) = decoding.film_start_us else { return Vec::new() };
    let rate = u64::from(video.frame_rate.max(1));
    let group = rate * u64::from(GOP_SECONDS);
    let length = (u64::from(per_title.stretch_seconds) * rate).min(video.frame_count);
    let count = (video.frame_count / length.max(1)).clamp(1, u64::from(per_title.stretches));
    let mut chunks: Vec<Chunk> = Vec::new();
    for number in 0..count {
        // Each in the middle of its share of the film.
        let middle = (2 * number + 1) * video.frame_count / (2 * count);
        let mut first_frame = middle.saturating_sub(length / 2) / group * group;
        let Some(mut key_frame) = decoding_start(video, decoding, first_frame) else { continue };
        if first_frame - key_frame > MOST_LEAD_SECONDS * rate {
            first_frame = key_frame.div_ceil(group) * group;
            key_frame = decoding_start(video, decoding, first_frame).unwrap_or(key_frame);
        }
        let frame_count = length.min(video.frame_count.saturating_sub(first_frame));
        let overlaps = |chunk: &Chunk| {
            first_frame < chunk.first_frame + chunk.frame_count
                && chunk.first_frame < first_frame + frame_count
        };
        if frame_count > 0 && !chunks.iter().any(overlaps) {
            let decoding = DecodingStart { key_frame, film_start_us };
            chunks.push(Chunk { first_frame, frame_count, decoding });
        }
    }
    chunks.sort_by_key(|chunk| chunk.first_frame);
    chunks
}

/// What came of a rung's trials.
pub(crate) struct Tried<'a> {
    /// The rung as the ladder has it.
    pub(crate) rung: &'a Rung,
    /// Of each stretch its seconds, and what came of it.
    pub(crate) stretches: Vec<(f64, Trial)>,
}

/// What QC concluded of a film, with the ladder fitted to it.
pub(crate) fn fit(conclusion: &Conclusion, per_title: &PerTitle, tried: &[Tried<'_>]) -> Conclusion {
    Conclusion { fitted: Some(fitted(per_title, tried)), ..conclusion.clone() }
}

fn fitted(per_title: &PerTitle, tried: &[Tried<'_>]) -> Fitted {
    let codecs: BTreeSet<VideoCodec> = tried.iter().map(|tried| tried.rung.codec).collect();
    let mut rungs = BTreeMap::new();
    for codec in codecs {
        let of_codec: Vec<&Tried<'_>> = tried.iter().filter(|tried| tried.rung.codec == codec).collect();
        for rung in fitted_codec(per_title, &of_codec) {
            rungs.insert(rung.rung.clone(), rung);
        }
    }
    let in_order = tried.iter().filter_map(|tried| rungs.remove(&tried.rung.name));
    Fitted { least_ssim: per_title.least_ssim, rungs: in_order.collect() }
}

/// The rungs of one codec, from the largest to the smallest.
fn fitted_codec(per_title: &PerTitle, tried: &[&Tried<'_>]) -> Vec<FittedRung> {
    let expected: Vec<Vec<Expected>> = tried.iter().map(|tried| table(per_title, tried)).collect();
    let shown = |expected: &Expected| expected.shown_ssim;
    // The rung that holds the quality at the largest size with the fewest bits; the largest where none does.
    let holding = expected.iter().enumerate().filter_map(|(place, table)| {
        holds(table, per_title.least_ssim, shown).map(|expected| (place, expected))
    });
    let best = holding.min_by(|one, other| one.1.kbps.total_cmp(&other.1.kbps));
    let (best, of_best) = match best {
        Some((place, expected)) => (place, Some(expected)),
        None => (0, expected.first().and_then(|table| nearest(table, shown))),
    };
    let (count, mut above_kbps) = (tried.len(), f64::INFINITY);
    let each = tried.iter().zip(&expected).enumerate();
    each.filter_map(|(place, (tried, table))| {
        let own = |expected: &Expected| expected.ssim;
        let found = if place == best {
            of_best
        } else {
            holds(table, per_title.least_ssim, own).or_else(|| nearest(table, own))
        }?;
        let is_far = |expected: &Expected| expected.kbps * per_title.least_step <= above_kbps;
        let fitted = if place < best {
            Err(LeftOut::SmallerDoes)
        } else if is_far(&found) {
            Ok(found)
        } else if place + 1 == count {
            // Those on slow lines are helped by fewer bits, whatever they look like.
            table.iter().copied().find(is_far).ok_or(LeftOut::TooClose)
        } else {
            Err(LeftOut::TooClose)
        };
        if let Ok(made) = fitted {
            above_kbps = made.kbps;
        }
        let quality = |made: Expected| if place == best { made.shown_ssim } else { made.ssim };
        Some(FittedRung {
            rung: tried.rung.name.clone(),
            fixed: *table.iter().find(|expected| expected.crf == tried.rung.crf)?,
            falls_short: fitted.is_ok_and(|made| quality(made) < per_title.least_ssim),
            fitted: fitted.ok(),
            left_out: fitted.err(),
        })
    })
    .collect()
}

/// Of those that hold the quality, the one with the highest CRF.
fn holds(table: &[Expected], least: f64, quality: impl Fn(&Expected) -> f64) -> Option<Expected> {
    table.iter().rev().find(|expected| quality(expected) >= least).copied()
}

/// Of those that are as good as any, the one with the highest CRF: where the rate's cap keeps all of them below what is asked, a
/// lower one only costs time.
fn nearest(table: &[Expected], quality: impl Fn(&Expected) -> f64) -> Option<Expected> {
    let best = table.iter().map(&quality).max_by(f64::total_cmp)?;
    holds(table, best - ALIKE, quality)
}

/// What is expected of a rung at every CRF of the range, from low to high.
fn table(per_title: &PerTitle, tried: &Tried<'_>) -> Vec<Expected> {
    let seconds: f64 = tried.stretches.iter().map(|(seconds, _)| seconds).sum();
    let at = |crf: u8| {
        let each = || tried.stretches.iter().map(|(_, trial)| between(&trial.points, crf));
        let bits: f64 = each().map(|point| point.bits).sum();
        Expected {
            crf,
            kbps: bits / seconds.max(f64::MIN_POSITIVE) / 1e3,
            ssim: each().map(|point| point.ssim).fold(1.0, f64::min),
            shown_ssim: each().map(|point| point.shown_ssim).fold(1.0, f64::min),
        }
    };
    (per_title.lowest_crf..=per_title.highest_crf).map(at).collect()
}

/// What would have come of a CRF that was not tried.
struct Between {
    bits: f64,
    ssim: f64,
    shown_ssim: f64,
}

fn between(points: &[TrialPoint], crf: u8) -> Between {
    let of = |value: &dyn Fn(&TrialPoint) -> f64| {
        let above = points.iter().find(|point| point.crf >= crf);
        let below = points.iter().rev().find(|point| point.crf <= crf);
        match (below, above) {
            (Some(below), Some(above)) if below.crf < above.crf => {
                let share = f64::from(crf - below.crf) / f64::from(above.crf - below.crf);
                value(below) * (1.0 - share) + value(above) * share
            }
            (Some(point), _) | (None, Some(point)) => value(point),
            (None, None) => 0.0,
        }
    };
    Between {
        bits: of(&|point| (point.bits.max(1) as f64).ln()).exp(),
        ssim: from_decibels(of(&|point| decibels(point.ssim))),
        shown_ssim: from_decibels(of(&|point| decibels(point.shown_ssim))),
    }
}

/// How far from alike, in decibels: 0.9 is 10, 0.99 is 20. Equal pictures are 100.
fn decibels(ssim: f64) -> f64 {
    -10.0 * (1.0 - ssim).max(1e-10).log10()
}

fn from_decibels(decibels: f64) -> f64 {
    1.0 - 10_f64.powf(-decibels / 10.0)
}

#[cfg(test)]
mod tests;
