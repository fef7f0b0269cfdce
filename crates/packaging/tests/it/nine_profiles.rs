//! All profiles of one title, made and read back.

use reelfarm_packaging::verify::{Check, VerificationReport};

use crate::title::{FRAMES, Title, profiles};

#[test]
fn every_profile_reads_back_as_the_encoded_renditions() {
    let title = Title::encode();
    for profile in profiles() {
        title.publish(&profile);
        let report = title.verify(&profile).unwrap_or_else(|findings| {
            panic!("{}", findings.iter().map(|f| format!("{f}\n")).collect::<String>());
        });
        let segments = profile.segment_seconds.map_or(0, |seconds| 11u64.div_ceil(u64::from(seconds)));
        assert!(report.renditions.iter().all(|rendition| rendition.segments == segments), "{report:?}");
        let pictures: Vec<_> =
            report.renditions.iter().filter(|rendition| rendition.track.starts_with("video-")).collect();
        assert_eq!(pictures.len(), if segments == 0 { 1 } else { 3 });
        assert!(
            pictures
                .iter()
                .all(|rendition| rendition.frames == FRAMES && rendition.duration_us == 11_000_000)
        );
        assert!(report.checks[&Check::AccessUnits] > FRAMES, "{report:?}");
        let written = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<VerificationReport>(&written).unwrap(), report);
    }
}
