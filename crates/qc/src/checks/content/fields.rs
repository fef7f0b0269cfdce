//! Are the pictures' fields what the file says: one moment or two, and which first.
//!
//! What the lines themselves show is held against the flags. The farm deinterlaces by what they show; whoever else goes
//! by wrong flags leaves moving edges combed, or gives detail away for nothing.

use reelfarm_model::Code;
use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::measurement::sampled::FieldMeasurement;
use reelfarm_model::qc::{Check, FieldOrder};

use super::deinterlacing::{Deinterlacing, Told, deinterlacing};
use crate::checks::picture::is_interlaced;
use crate::checks::{Finding, Timeline, exceeds};
use crate::policy::Policy;
use crate::text::decimal;

/// Whether pictures are interlaced where the flags say so, and only there, in the order that they say.
pub(super) fn interlacing(
    policy: &Policy,
    video: &VideoMeasurement,
    fields: &FieldMeasurement,
    timeline: Timeline,
) -> Check {
    let told = Told::of(fields);
    let most = policy.fields.max_contradicting_percent;
    let limit = format!("as flagged, at most {} % otherwise", decimal(most, 1));
    let finding = |value: String, with_places: bool| {
        let places = if with_places { timeline.places(&fields.interlaced.first) } else { Vec::new() };
        Finding::new(Code::QcInterlacing, "interlacing", value, limit.clone()).at(places)
    };
    let Some(told) = told else {
        return finding("too little movement to tell".to_owned(), false).pass();
    };
    let shown = format!("{} % of what moves is interlaced", decimal(told.interlaced, 1));
    let is_flagged = is_interlaced(&policy.picture, video);
    let flagged = if is_flagged { "flagged interlaced" } else { "flagged progressive" };
    let value = format!("{shown}, {flagged}");
    let verdict = policy.fields.verdict;
    let (is_much, is_all) = (exceeds(told.interlaced, most), !exceeds(100.0 - told.interlaced, most));
    match (is_flagged, is_much, is_all) {
        (false, false, _) => finding(value, false).pass(),
        (false, true, _) => finding(value, true).fail(
            verdict,
            "Moving edges are combed there. The farm deinterlaces every picture, whatever is flagged, which costs whole ones detail: ask for an export that is flagged as it is, or a progressive one.",
        ),
        (true, false, _) if deinterlacing(policy, video) == Deinterlacing::None => finding(value, false).fail(
            verdict,
            "The pictures are whole (progressive, segmented frames), and the farm leaves them so. Whoever else goes by the flags loses detail: ask for an export flagged as progressive.",
        ),
        (true, false, _) => finding(value, true).fail(
            verdict,
            "Most pictures are whole, some are not, and the farm deinterlaces all that are flagged, which costs detail: ask for an export flagged as it is, or a progressive one.",
        ),
        (true, true, false) => finding(format!("{value}: mixed"), true).fail(
            verdict,
            "Interlaced and progressive parts are cut together: watch the places named after deinterlacing, or ask for a progressive export.",
        ),
        (true, true, true) => match told.other_order(video) {
            Some(order) => finding(format!("{value}; {}", other_order(order)), true).fail(
                verdict,
                "By the flags movement goes back and forth; the farm deinterlaces in the order that the pictures show. Ask for an export whose field order is flagged as it is.",
            ),
            None => finding(value, false).pass(),
        },
    }
}

/// The order of fields that is shown and the one that is flagged, where they differ.
fn other_order(shown: FieldOrder) -> &'static str {
    match shown {
        FieldOrder::TopFirst => "top field first, flagged bottom field first",
        FieldOrder::BottomFirst => "bottom field first, flagged top field first",
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::{Span, Spans};
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    /// So many pictures progressive, top field first and bottom field first, in 250 frames of which some are flagged as
    /// interlaced, and some of these as top field first.
    fn film(m: &mut Measurements, shown: [u64; 3], flagged: u64, top: u64) {
        let video = &mut m.video[0];
        (video.interlaced_frames, video.top_field_first_frames) = (flagged, top);
        video.header_frame_rate = video.average_frame_rate;
        let [progressive, top_field_first, bottom_field_first] = shown;
        let first = vec![Span { start: 2.0, end: 4.0 }];
        let interlaced = Spans { count: 1, seconds: 2.0, first };
        video.fields = Some(FieldMeasurement {
            progressive,
            top_field_first,
            bottom_field_first,
            interlaced,
            ..Default::default()
        });
    }

    #[test]
    fn fields_are_held_against_their_flags() {
        sample::table(
            "interlacing",
            &[
                (Verdict::Pass, "0 % of what moves is interlaced, flagged progressive", &|_| {}),
                (Verdict::Pass, "20 % of what moves", &|m| film(m, [200, 50, 0], 0, 0)),
                (Verdict::Warn, "20.4 % of what moves is interlaced, flagged progressive", &|m| {
                    film(m, [199, 51, 0], 0, 0);
                }),
                (Verdict::Pass, "100 % of what moves is interlaced, flagged interlaced", &|m| {
                    film(m, [0, 250, 0], 250, 250);
                }),
                (Verdict::Pass, "80 % of what moves", &|m| film(m, [50, 200, 0], 250, 250)),
                (Verdict::Warn, "79.6 % of what moves is interlaced, flagged interlaced: mixed", &|m| {
                    film(m, [51, 199, 0], 250, 250);
                }),
                (Verdict::Warn, "0 % of what moves is interlaced, flagged interlaced", &|m| {
                    film(m, [250, 0, 0], 250, 250);
                }),
                (Verdict::Warn, "bottom field first, flagged top field first", &|m| {
                    film(m, [0, 10, 240], 250, 250);
                }),
                (Verdict::Warn, "top field first, flagged bottom field first", &|m| {
                    film(m, [0, 240, 10], 250, 0);
                }),
                (Verdict::Pass, "100 % of what moves", &|m| film(m, [0, 125, 125], 250, 250)),
                (Verdict::Pass, "too little movement to tell", &|m| film(m, [0, 49, 0], 0, 0)),
            ],
        );
        let mut bent = sample::clean();
        film(&mut bent, [0, 250, 0], 0, 0);
        assert_eq!(sample::places(&bent, "interlacing"), ["00:00:02:00"]);
    }
}
