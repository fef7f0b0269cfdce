//! Which of the ladder's rungs the source supports: those that need no scaling up and that its bitrate feeds.

use reelfarm_model::Code;
use reelfarm_model::ladder::{self, Ladder, Rung};
use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::qc::Check;

use super::Finding;

/// What a source offers to a ladder.
pub(crate) struct Offer {
    /// The upright picture in square pixels.
    pub(crate) size: Option<(u32, u32)>,
    /// The video's mean bitrate in kb/s.
    pub(crate) kbps: f64,
}

impl Offer {
    pub(crate) fn of(video: &VideoMeasurement, size: Option<(u32, u32)>, picture: (f64, f64)) -> Self {
        let seconds = picture.1 - picture.0;
        let kbps = video.bytes as f64 * 8.0 / 1000.0 / seconds;
        Self { size, kbps: if seconds > 0.0 && kbps.is_finite() { kbps } else { 0.0 } }
    }
}

/// A line for each rung and one for all; the names of the rungs that are made.
pub(crate) fn rungs(ladder: &Ladder, offer: &Offer) -> (Vec<Check>, Vec<String>) {
    let mut checks = Vec::new();
    let mut made = Vec::new();
    // What every device and every container takes.
    let mut plays_everywhere = false;
    for rung in &ladder.rungs {
        let (check, is_made) = judge(rung, offer);
        checks.push(check);
        if is_made {
            made.push(rung.name.clone());
            plays_everywhere |= rung.codec.is_h264();
        }
    }
    let value = if made.is_empty() { "none".to_owned() } else { made.join(", ") };
    let has_others = ladder.rungs.iter().any(|rung| !rung.codec.is_h264());
    let finding = Finding::new(
        Code::QcBitrate,
        "rungs",
        value,
        if has_others { "at least one of H.264" } else { "at least one" },
    );
    if !plays_everywhere {
        made.clear();
    }
    checks.push(if made.is_empty() {
        finding.reject("Ask for a better original: this one is too small or too lean for every rung.")
    } else {
        finding.pass()
    });
    (checks, made)
}

fn judge(rung: &Rung, offer: &Offer) -> (Check, bool) {
    let limit = format!("fill {}x{}, {} kb/s", rung.width, rung.height, rung.min_source_kbps);
    let finding =
        |value: String| Finding::new(Code::QcBitrate, format!("rung {}", rung.name), value, limit.clone());
    let kbps = offer.kbps.round();
    let Some((width, height)) = offer.size else {
        return (finding(format!("no picture, {kbps:.0} kb/s")).warn("Left out."), false);
    };
    let found = format!("{width}x{height}, {kbps:.0} kb/s");
    let Some((fitted_width, fitted_height)) = ladder::fit(rung, width, height) else {
        return (finding(found).warn("Left out: the picture would have to be scaled up. Nothing to do, unless there is a larger original."), false);
    };
    if kbps < f64::from(rung.min_source_kbps) {
        return (finding(found).warn("Left out: the bitrate is too low to be worth it. Nothing to do, unless there is a better original."), false);
    }
    (finding(format!("{found}: made at {fitted_width}x{fitted_height}")).pass(), true)
}

#[cfg(test)]
mod tests {
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    /// The rungs that a picture of this size and bitrate gets from the shipped ladder.
    fn rungs_of(width: u32, height: u32, kbps: u64) -> String {
        let mut measurements = sample::clean();
        sample::size(&mut measurements, width, height);
        measurements.video[0].bytes = kbps * 1000 / 8 * 10;
        let report = sample::report(&measurements);
        report.conclusion.map_or("rejected".to_owned(), |conclusion| conclusion.rungs.join(" "))
    }

    #[test]
    fn the_shipped_ladders_are_read_and_named_after_their_files() {
        let (default, fast) = (sample::ladder(), sample::fast_ladder());
        assert_eq!((default.name.as_str(), fast.name.as_str()), ("default", "fast"));
        let names = |ladder: &reelfarm_model::Ladder| -> Vec<String> {
            ladder.rungs.iter().map(|rung| rung.name.clone()).collect()
        };
        assert_eq!(names(&default), ["1080p", "720p", "480p", "360p", "240p"]);
        assert_eq!(names(&fast), ["720p", "360p", "240p"]);
        for ladder in [default, fast] {
            assert_eq!(ladder.audio.len(), 2, "stereo, and 5.1 where the source has it");
        }
    }

    #[test]
    fn a_title_needs_a_rung_that_every_device_plays() {
        let mut ladder = sample::fast_ladder();
        ladder.rungs[2].codec = reelfarm_model::ladder::VideoCodec::Hevc;
        let rungs = |width, height| {
            super::rungs(&ladder, &super::Offer { size: Some((width, height)), kbps: 5000.0 })
        };
        assert_eq!(rungs(1280, 720).1, ["720p", "360p", "240p"]);
        let (checks, made) = rungs(480, 270);
        assert!(made.is_empty(), "{made:?}");
        let all = checks.last().unwrap();
        assert_eq!((all.verdict, all.limit.as_str()), (Verdict::Reject, "at least one of H.264"));
    }

    #[test]
    fn size_and_bitrate_decide_each_rung() {
        for (width, height, kbps, expected) in [
            (1920, 1080, 8000, "1080p 720p 480p 360p 240p"),
            (3840, 2160, 40_000, "1080p 720p 480p 360p 240p"),
            (1920, 1080, 1700, "1080p 720p 480p 360p 240p"),
            (1920, 1080, 1699, "720p 480p 360p 240p"),
            (1920, 1080, 1000, "720p 480p 360p 240p"),
            (1280, 720, 1206, "720p 480p 360p 240p"),
            (1280, 720, 259, "360p 240p"),
            (1918, 1078, 8000, "720p 480p 360p 240p"),
            (1920, 804, 8000, "1080p 720p 480p 360p 240p"),
            (1080, 1920, 8000, "1080p 720p 480p 360p 240p"),
            (640, 272, 405, "360p 240p"),
            (320, 240, 300, "240p"),
            (320, 180, 300, "rejected"),
            (1920, 1080, 79, "rejected"),
            (1920, 1080, 0, "rejected"),
        ] {
            assert_eq!(rungs_of(width, height, kbps), expected, "{width}x{height} at {kbps} kb/s");
        }
    }

    #[test]
    fn each_rung_has_a_line_that_says_why_it_is_left_out() {
        let mut measurements = sample::clean();
        sample::size(&mut measurements, 1280, 720);
        measurements.video[0].bytes = 500_000;
        let report = sample::report(&measurements);
        for (name, verdict, value, remedy) in [
            ("rung 1080p", Verdict::Warn, "1280x720, 400 kb/s", "scaled up"),
            ("rung 720p", Verdict::Warn, "1280x720, 400 kb/s", "bitrate is too low"),
            ("rung 360p", Verdict::Pass, "1280x720, 400 kb/s: made at 640x360", ""),
            ("rungs", Verdict::Pass, "360p, 240p", ""),
        ] {
            let check = sample::check(&report, name);
            assert_eq!((check.verdict, check.value.as_str()), (verdict, value));
            assert!(check.remedy.contains(remedy) && check.remedy.is_empty() == remedy.is_empty());
        }
    }

    #[test]
    fn the_fast_ladder_keeps_lean_sources_from_720p_too() {
        let mut measurements = sample::clean();
        sample::size(&mut measurements, 1280, 720);
        measurements.video[0].bytes = 259 * 1000 / 8 * 10;
        let report = crate::evaluate(&sample::policy(), &measurements, &sample::fast_ladder(), None);
        assert_eq!(report.conclusion.unwrap().rungs, ["360p", "240p"]);
    }
}
