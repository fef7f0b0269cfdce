//! Does an edit list hide pictures that were meant to be seen, or show some again.

use reelfarm_model::Code;
use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::qc::Check;

use super::Finding;
use super::frame_rate::Cadence;
use crate::policy::Truncation;
use crate::text::{count, span};

/// Whether the edit list does no more than trim the head or delay the start; `None` where it does nothing, or there is none.
pub(crate) fn edit_list(policy: &Truncation, video: &VideoMeasurement, cadence: Cadence) -> Option<Check> {
    let list = video.edit_list?;
    let mean = video.frames.saturating_sub(1) as f64 / (video.last_time - video.first_time);
    let rate = cadence.rate().or_else(|| mean.is_finite().then_some(mean))?;
    let most = policy.max_missing_frames;
    let frames = |seconds: f64| (seconds * rate).round() as u64;
    let mut value = Vec::new();
    if frames(list.delay) > most {
        value.push(format!("starts {} late", span(list.delay)));
    }
    if frames(list.trimmed_head) > most {
        value.push(format!("{} trimmed from the head", span(list.trimmed_head)));
    }
    let harmless = value.len();
    if frames(list.hidden) > most {
        value.push(format!("{} hidden", count(frames(list.hidden), "frame")));
    }
    if frames(list.repeated) > most {
        value.push(format!("{} repeated", count(frames(list.repeated), "frame")));
    }
    if list.is_reordered {
        value.push("parts in another order".to_owned());
    }
    if list.has_other_speeds {
        value.push("parts at another speed".to_owned());
    }
    if value.is_empty() {
        return None;
    }
    let is_harmless = value.len() == harmless;
    let limit = format!("at most {} hidden behind the head or repeated", count(most, "frame"));
    let finding = Finding::new(Code::QcEditList, "edit list", value.join("; "), limit);
    Some(if is_harmless {
        finding.pass()
    } else {
        finding.fail(
            policy.missing_frames_verdict,
            "Watch the film as a player shows it: is this the cut that was meant? Ask for an export without an edit list if not.",
        )
    })
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::EditList;
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    fn with(film: &mut Measurements, list: EditList) {
        film.video[0].edit_list = Some(list);
    }

    #[test]
    fn heads_may_be_trimmed_and_starts_delayed() {
        let none = EditList::default();
        sample::table(
            "edit list",
            &[
                (Verdict::Pass, "starts 1.5 s late", &|m| with(m, EditList { delay: 1.5, ..none })),
                (Verdict::Pass, "2 s trimmed from the head", &|m| {
                    with(m, EditList { trimmed_head: 2.0, hidden: 0.08, ..none });
                }),
                (Verdict::Warn, "3 frames hidden", &|m| with(m, EditList { hidden: 0.12, ..none })),
                (Verdict::Warn, "late; 75 frames hidden", &|m| {
                    with(m, EditList { delay: 1.5, hidden: 3.0, ..none });
                }),
                (Verdict::Warn, "50 frames repeated", &|m| with(m, EditList { repeated: 2.0, ..none })),
                (Verdict::Warn, "another order", &|m| with(m, EditList { is_reordered: true, ..none })),
                (Verdict::Warn, "another speed", &|m| with(m, EditList { has_other_speeds: true, ..none })),
            ],
        );
    }

    #[test]
    fn a_list_that_does_nothing_is_not_told() {
        let is_told = |list: Option<EditList>| {
            let mut film = sample::clean();
            film.video[0].edit_list = list;
            sample::report(&film).checks.iter().any(|check| check.name == "edit list")
        };
        let of_stored_order = EditList { trimmed_head: 0.08, hidden: 0.08, ..EditList::default() };
        for list in [None, Some(EditList::default()), Some(of_stored_order)] {
            assert!(!is_told(list), "{list:?}");
        }
        assert!(is_told(Some(EditList { hidden: 0.12, ..EditList::default() })));
    }
}
