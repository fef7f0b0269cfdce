mod bases;

use super::*;
use crate::policy::BUILT_IN;

fn line_of(needle: &str) -> usize {
    1 + BUILT_IN.split(needle).next().unwrap().matches('\n').count()
}

#[test]
fn the_shipped_policy_is_read() {
    let policy = Policy::parse("qc.toml", BUILT_IN).unwrap();
    assert_eq!(policy.name, "default");
    assert_eq!(policy.frame_rate.accepted_fps, INTEGRAL_RATES);
    assert!([1, 2, 6, 8].iter().all(|tracks| policy.audio.mono_programme(*tracks).is_some()));
}

#[test]
fn a_bad_policy_is_refused_with_its_line() {
    for (from, to, at, reason) in [
        ("name = \"default\"", "name = \"\"", "name = ", "1 to 32 characters"),
        ("max_errors = 0", "max_erors = 0", "max_errors", "unknown field `max_erors`"),
        ("max_errors = 0", "max_errors = -1", "max_errors", "invalid value"),
        ("max_errors = 0", "max_errors = ", "max_errors", ""),
        ("verdict = \"reject\"", "verdict = \"maybe\"", "verdict = \"reject\"", "unknown variant `maybe`"),
        ("[24, 25,", "[23, 25,", "[frame_rate]", "not 23"),
        ("[24, 25, 30, 48, 50, 60]", "[]", "[frame_rate]", "at least one rate"),
        ("rounding_ms = 1.0", "rounding_ms = 20.0", "[frame_rate]", "at most 5"),
        ("rounding_ms = 1.0", "rounding_ms = nan", "[frame_rate]", "from 0 up"),
        ("min_width_to_height = 0.5625", "min_width_to_height = 3.0", "[proportions]", "above max"),
        ("tolerance_percent = 1.5", "tolerance_percent = 101.0", "[proportions]", "0 to 100"),
        ("min_short_side_px = 180", "min_short_side_px = 400", "[picture]", "above min_long_side_px"),
        ("min_short_side_px = 180", "min_short_side_px = 0", "[picture]", "at least 2"),
        ("max_side_px = 8192", "max_side_px = 100", "[picture]", "above max_side_px"),
        ("min_bit_depth = 8", "min_bit_depth = 17", "[picture]", "1 to 16"),
        (r#""4:0:0", "4:1:1""#, r#""4:0:0", "411""#, "[picture]", "chroma can hold 4:0:0"),
        ("min_s = 1.0", "min_s = 1e9", "[duration]", "above max_s"),
        ("max_missing_s = 0.5", "max_missing_s = -1.0", "[truncation]", "from 0 up"),
        ("silence_dbfs = -80.0", "silence_dbfs = 80.0", "[audio]", "silence_dbfs is"),
        ("warn_above_ms = 100.0", "warn_above_ms = 5000.0", "[audio_video_length]", "above reject_above_ms"),
        ("containers = [", "containers = []\nx = [", "x = [", "unknown field"),
        ("max_drift_ms = 40.0", "max_drift_ms = -1.0", "[sound_timing]", "from 0 up"),
        ("max_other_percent = 50.0", "max_other_percent = 101.0", "[file_size]", "0 to 100"),
        ("max_distance_s = 10.5", "max_distance_s = inf", "[key_frames]", "from 0 up"),
        ("required = []", "required = [\"gamma\"]", "[colour_description]", "can hold range, primaries"),
        ("max_percent = 3.0", "max_percent = -1.0", "[bars]", "0 to 100"),
        (
            "max_contradicting_percent = 20.0",
            "max_contradicting_percent = 60.0",
            "[fields]",
            "at most 50, not 60",
        ),
        ("min_stretch_s = 10.0", "min_stretch_s = nan", "[repeated_frames]", "from 0 up"),
        ("max_leading_s = 2.0", "max_leading_s = -2.0", "[black]", "from 0 up"),
        ("max_s = 5.0", "max_s = nan", "[freeze]", "from 0 up"),
        ("max_frames_percent = 1.0", "max_frames_percent = nan", "[luma_range]", "0 to 100"),
        ("max_loss_db = -50.0", "max_loss_db = 50.0", "[detail]", "max_loss_db is -200"),
        ("max_trace = 12.0", "max_trace = nan", "[detail]", "from 0 up"),
        ("aspect_tolerance_percent = 3.0", "aspect_tolerance_percent = nan", "[proportions]", "0 to 100"),
        ("min_bits_per_pixel = 0.01", "min_bits_per_pixel = -0.01", "[compression]", "from 0 up"),
        ("usual_hz = [48000, 96000]", "usual_hz = []", "[sample_rate]", "at least one rate"),
        ("usual_hz = [48000, 96000]", "usual_hz = [8000]", "[sample_rate]", "8000, which is below min_hz"),
        ("target_lufs = -23.0", "target_lufs = 23.0", "[loudness]", "target_lufs is -200"),
        ("tolerance_lu = 0.5", "tolerance_lu = 2.0", "[loudness]", "tolerance_lu (2) is above limit_lu (1)"),
        ("max_true_peak_dbtp = -1.0", "max_true_peak_dbtp = nan", "[loudness]", "is -60 to 6"),
        ("max_runs_per_minute = 1.0", "max_runs_per_minute = -1.0", "[clipping]", "from 0 up"),
        ("max_share_percent = 5.0", "max_share_percent = 500.0", "[phase]", "0 to 100"),
        ("max_percent = 1.0", "max_percent = 101.0", "[dc_offset]", "0 to 100"),
        ("max_after_end_s = 1.0", "max_after_end_s = -1.0", "[subtitles]", "from 0 up"),
        ("general_verdict = \"warn\"", "general_verdict = \"no\"", "general_verdict", "unknown variant"),
    ] {
        let text = BUILT_IN.replacen(from, to, 1);
        assert_ne!(text, BUILT_IN, "{from}");
        let error = Policy::parse("qc.toml", &text).unwrap_err();
        assert!(error.reason.contains(reason), "{to}: {error}");
        if at != "x = [" {
            assert_eq!(error.line, line_of(at), "{to}: {error}");
        }
    }
}

#[test]
fn a_bad_mono_programme_is_refused_with_its_line() {
    let eight = "tracks = 8\nsurround = [1, 2, 3, 4, 5, 6]\nstereo = [7, 8]";
    for (to, reason) in [
        ("tracks = 8\nsurround = [1, 2, 3]", "6 tracks or none, not 3"),
        ("tracks = 8\nstereo = [1, 2, 3]", "1 or 2 tracks"),
        ("tracks = 8\nstereo = [8, 9]", "no track 9 of 8"),
        ("tracks = 8\nstereo = [0]", "no track 0 of 8"),
        ("tracks = 8\nstereo = [7, 7]", "track 7 is named twice"),
        ("tracks = 8", "needs surround or stereo"),
        ("tracks = 6\nstereo = [1, 2]", "two [[audio.mono_programme]] are for 6"),
    ] {
        let text = BUILT_IN.replacen(eight, to, 1);
        let error = Policy::parse("qc.toml", &text).unwrap_err();
        assert!(error.reason.contains(reason), "{to}: {error}");
        let begins = line_of(eight) - 1;
        assert_eq!(error.line, begins, "{to}: {error}");
    }
}

#[test]
fn an_empty_list_of_formats_is_refused() {
    let begin = BUILT_IN.find("audio_codecs = [").unwrap();
    let end = begin + BUILT_IN[begin..].find('\n').unwrap();
    let text = format!("{}audio_codecs = []{}", &BUILT_IN[..begin], &BUILT_IN[end..]);
    let error = Policy::parse("qc.toml", &text).unwrap_err();
    assert_eq!(
        (error.line, error.reason.as_str()),
        (line_of("[accepted]"), "audio_codecs must name at least one")
    );
}
