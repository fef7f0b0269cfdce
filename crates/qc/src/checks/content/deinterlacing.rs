//! Whether the farm deinterlaces, and by what: what the pictures show counts for more than their flags.
//!
//! Flags decide alone where too little moves to tell, or where nothing was looked at.

use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::measurement::sampled::FieldMeasurement;
use reelfarm_model::qc::FieldOrder;

use super::percent;
use crate::checks::exceeds;
use crate::checks::picture::{interlaced_percent, is_interlaced};
use crate::policy::Policy;

/// Fewer pictures that can be told prove nothing: two seconds of movement.
const LEAST_TOLD: u64 = 50;
/// An order of fields that so many pictures have is the film's, in per cent.
const CLEAR_ORDER: f64 = 80.0;
/// Pictures flagged as interlaced are whole where up to so many look otherwise, in per cent: idet errs as often.
const FEW_INTERLACED: f64 = 1.0;

/// What becomes of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deinterlacing {
    /// Pictures stay as they are.
    None,
    /// Those flagged as interlaced are deinterlaced, as they are flagged.
    Flagged,
    /// All are deinterlaced, whatever is flagged, with the fields in this order.
    All(FieldOrder),
}

impl Deinterlacing {
    /// The order of fields, where it is not the flags'.
    pub(crate) fn field_order(self) -> Option<FieldOrder> {
        match self {
            Self::All(order) => Some(order),
            Self::None | Self::Flagged => None,
        }
    }
}

/// What the pictures show of their fields.
pub(super) struct Told {
    /// Those of the pictures that can be told that have two moments, in per cent.
    pub(super) interlaced: f64,
    /// Those of these with the upper field first, in per cent.
    pub(super) top_first: f64,
}

impl Told {
    /// None where too few pictures can be told.
    pub(super) fn of(fields: &FieldMeasurement) -> Option<Self> {
        let interlaced = fields.top_field_first.saturating_add(fields.bottom_field_first);
        let pictures = interlaced.saturating_add(fields.progressive);
        (pictures >= LEAST_TOLD).then(|| Self {
            interlaced: percent(interlaced as f64, pictures as f64),
            top_first: percent(fields.top_field_first as f64, interlaced as f64),
        })
    }

    /// The order of fields that most show, where it clearly is another than the flagged one.
    pub(super) fn other_order(&self, video: &VideoMeasurement) -> Option<FieldOrder> {
        let flagged = percent(video.top_field_first_frames as f64, video.interlaced_frames as f64);
        let bottom = 100.0 - CLEAR_ORDER;
        if flagged >= CLEAR_ORDER && self.top_first <= bottom {
            Some(FieldOrder::BottomFirst)
        } else if flagged <= bottom && self.top_first >= CLEAR_ORDER {
            Some(FieldOrder::TopFirst)
        } else {
            None
        }
    }

    fn order(&self) -> FieldOrder {
        if self.top_first >= 50.0 { FieldOrder::TopFirst } else { FieldOrder::BottomFirst }
    }
}

/// What the farm does about fields.
pub(crate) fn deinterlacing(policy: &Policy, video: &VideoMeasurement) -> Deinterlacing {
    let is_flagged = is_interlaced(&policy.picture, video);
    let Some(told) = video.fields.as_ref().and_then(Told::of) else {
        return if is_flagged { Deinterlacing::Flagged } else { Deinterlacing::None };
    };
    let most = policy.fields.max_contradicting_percent;
    if !exceeds(told.interlaced, most) {
        // An insert or the credits may be a small part of a film, and longer than idet errs.
        let has_parts = video.fields.as_ref().is_some_and(|fields| fields.interlaced.count > 0);
        let is_whole = !is_flagged || !(has_parts || exceeds(told.interlaced, FEW_INTERLACED));
        return if is_whole { Deinterlacing::None } else { Deinterlacing::Flagged };
    }
    let are_missed = !is_flagged || exceeds(told.interlaced - interlaced_percent(video), most);
    if are_missed || told.other_order(video).is_some() {
        Deinterlacing::All(told.order())
    } else {
        Deinterlacing::Flagged
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::measurement::Spans;

    use super::*;
    use crate::sample;

    #[test]
    fn what_the_pictures_show_counts_for_more_than_their_flags() {
        use Deinterlacing::{All, Flagged, None};
        let (top, bottom) = (All(FieldOrder::TopFirst), All(FieldOrder::BottomFirst));
        // Pictures that look progressive, top field first and bottom field first; frames of 250 that are flagged as
        // interlaced, and those of them flagged as top field first.
        for (shown, flagged, top_first, expected) in [
            ([250, 0, 0], 0, 0, None),
            ([200, 50, 0], 0, 0, None),
            ([199, 51, 0], 0, 0, top),
            ([0, 250, 0], 0, 0, top),
            ([0, 0, 250], 12, 12, bottom),
            ([195, 55, 0], 12, 12, top),
            ([0, 250, 0], 250, 250, Flagged),
            ([0, 0, 250], 250, 0, Flagged),
            ([0, 125, 125], 250, 250, Flagged),
            ([0, 10, 240], 250, 250, bottom),
            ([0, 240, 10], 250, 0, top),
            ([100, 150, 0], 250, 250, Flagged),
            ([0, 250, 0], 200, 200, Flagged),
            ([0, 250, 0], 199, 199, top),
            ([250, 0, 0], 250, 250, None),
            ([297, 3, 0], 250, 250, None),
            ([296, 4, 0], 250, 250, Flagged),
            // Too little moves to tell.
            ([0, 49, 0], 0, 0, None),
            ([49, 0, 0], 250, 250, Flagged),
        ] {
            let mut film = sample::clean();
            let video = &mut film.video[0];
            let [progressive, top_field_first, bottom_field_first] = shown;
            (video.interlaced_frames, video.top_field_first_frames) = (flagged, top_first);
            video.fields = Some(FieldMeasurement {
                progressive,
                top_field_first,
                bottom_field_first,
                ..FieldMeasurement::default()
            });
            let case = format!("{shown:?} flagged {flagged}, top first {top_first}");
            assert_eq!(deinterlacing(&sample::policy(), video), expected, "{case}");
            let video = sample::report(&film).conclusion.unwrap().video;
            assert_eq!(
                (video.deinterlace, video.field_order),
                (expected != None, expected.field_order()),
                "{case}"
            );
        }
    }

    #[test]
    fn a_short_part_of_two_moments_keeps_its_flags() {
        let mut film = sample::clean();
        let video = &mut film.video[0];
        (video.interlaced_frames, video.top_field_first_frames) = (video.frames, video.frames);
        for (count, expected) in [(0, Deinterlacing::None), (1, Deinterlacing::Flagged)] {
            let interlaced = Spans { count, seconds: 2.0 * count as f64, first: Vec::new() };
            video.fields = Some(FieldMeasurement {
                progressive: 9_990,
                top_field_first: 10,
                interlaced,
                ..FieldMeasurement::default()
            });
            assert_eq!(deinterlacing(&sample::policy(), video), expected, "{count}");
        }
    }

    #[test]
    fn flags_decide_where_nothing_was_looked_at() {
        let mut film = sample::clean();
        let video = &mut film.video[0];
        (video.fields, video.interlaced_frames) = (None, video.frames);
        assert_eq!(deinterlacing(&sample::policy(), video), Deinterlacing::Flagged);
        video.interlaced_frames = 0;
        assert_eq!(deinterlacing(&sample::policy(), video), Deinterlacing::None);
    }
}
