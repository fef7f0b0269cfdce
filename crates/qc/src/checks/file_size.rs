//! Does the file's size fit what is in it.

use reelfarm_model::Code;
use reelfarm_model::measurement::Measurements;
use reelfarm_model::qc::Check;

use super::{Finding, exceeds};
use crate::policy::FileSize;
use crate::text::{bytes, decimal};

/// Whether the file is about as large as its picture and sound. Much more is something that was not looked at; less can't
/// be: then samples are counted twice.
pub(crate) fn file_size(policy: &FileSize, measurements: &Measurements) -> Check {
    let picture = measurements.video.iter().fold(0_u64, |sum, track| sum.saturating_add(track.bytes));
    let sound = measurements.audio.iter().fold(0_u64, |sum, track| sum.saturating_add(track.bytes));
    let essence = picture.saturating_add(sound);
    let other = measurements.size.saturating_sub(essence);
    let percent = 100.0 * other as f64 / measurements.size.max(1) as f64;
    let value = format!(
        "{}: picture {}, sound {}, other {} %",
        bytes(measurements.size),
        bytes(picture),
        bytes(sound),
        decimal(percent, 1)
    );
    let limit = format!(
        "other at most {} %, or {} MB",
        decimal(policy.max_other_percent, 1),
        decimal(policy.free_other_mb, 2)
    );
    let finding = Finding::new(Code::QcFileSize, "file size", value, limit);
    if essence > measurements.size {
        finding.fail(
            policy.verdict,
            "The file's index names the same data more than once. Play it to the end: does a part return? Ask for a new export.",
        )
    } else if exceeds(percent, policy.max_other_percent) && other as f64 > policy.free_other_mb * 1e6 {
        finding.fail(
            policy.verdict,
            "Most of the file is neither picture nor sound: unused space, or tracks that were not delivered on purpose. Ask what it holds.",
        )
    } else {
        finding.pass()
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    fn sizes(film: &mut Measurements, file: u64, picture: u64, sound: u64) {
        (film.size, film.video[0].bytes, film.audio[0].bytes) = (file, picture, sound);
    }

    #[test]
    fn a_file_is_as_large_as_what_is_in_it() {
        sample::table(
            "file size",
            &[
                (Verdict::Pass, "10.20 MB: picture 10.00 MB, sound 160.00 kB, other 0.4 %", &|_| {}),
                (Verdict::Pass, "other 50 %", &|m| sizes(m, 20_000_000, 9_000_000, 1_000_000)),
                (Verdict::Warn, "other 50.5 %", &|m| sizes(m, 20_200_000, 9_000_000, 1_000_000)),
                (Verdict::Pass, "other 66.7 %", &|m| sizes(m, 1_500_000, 400_000, 100_000)),
                (Verdict::Pass, "other 0 %", &|m| sizes(m, 10_000_000, 9_000_000, 1_000_000)),
                (Verdict::Warn, "other 0 %", &|m| sizes(m, 9_999_999, 9_000_000, 1_000_000)),
                (Verdict::Warn, "other 0 %", &|m| sizes(m, 0, u64::MAX, u64::MAX)),
            ],
        );
    }
}
