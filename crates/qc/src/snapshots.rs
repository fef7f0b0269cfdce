//! The report and its table for the kinds of files that come in, as they are printed.

use reelfarm_model::measurement::sound::{Position, ProgrammeLoudness};
use reelfarm_model::measurement::{
    Colour, CombinedTracks, Measurements, OpenError, OpenErrorKind, Ratio, Span, Spans,
};

use crate::sample;
use crate::table::render;

fn snapshot(name: &str, source: &str, measurements: &Measurements) {
    let report = sample::report(measurements);
    insta::assert_json_snapshot!(format!("{name}_json"), report);
    insta::assert_snapshot!(format!("{name}_table"), render(&report, source, false));
}

/// A film of 4:2:0 without colour description, language or sound, as most of the real clips are.
fn plain(rate: Ratio, seconds: f64, width: u32, height: u32, video_kbps: f64) -> Measurements {
    let mut measurements = sample::at_rate(rate, seconds);
    let seconds = measurements.video[0].frames as f64 / rate.value().unwrap();
    sample::size(&mut measurements, width, height);
    measurements.video[0].colour = Colour::default();
    measurements.video[0].bytes = (video_kbps * seconds * 125.0) as u64;
    measurements.audio.clear();
    measurements
}

fn add_audio(measurements: &mut Measurements, channels: u32, end_time: f64, peak_dbfs: Option<f64>) {
    let index = 1 + measurements.audio.len() as u32;
    let mut track = sample::audio(index, channels);
    track.language = None;
    track.end_time = end_time;
    track.peak_dbfs = peak_dbfs;
    track.bytes = 20_000;
    if let Some(sound) = &mut track.sound {
        sound.loudness.true_peak_dbtp = peak_dbfs;
        for channel in &mut sound.channels {
            (channel.peak_dbfs, channel.true_peak_dbtp) = (peak_dbfs, peak_dbfs);
        }
        if peak_dbfs.is_none() {
            sound.loudness = ProgrammeLoudness::default();
            sound.channels.iter_mut().for_each(|channel| channel.rms_dbfs = None);
            sound.silence =
                Spans { count: 1, seconds: end_time, first: vec![Span { start: 0.0, end: end_time }] };
        }
    }
    measurements.audio.push(track);
}

#[test]
fn a_clean_film() {
    snapshot("clean_1080p", "feature.mov", &sample::clean());
}

#[test]
fn a_720p_clip_with_surround_sound() {
    let mut measurements = plain(Ratio::new(25, 1), 5.28, 1280, 720, 1205.959);
    add_audio(&mut measurements, 6, 5.312, Some(-4.0));
    measurements.size = 1_055_736;
    measurements.header_duration = Some(5.312);
    snapshot("bigbuckbunny", "bigbuckbunny.mp4", &measurements);
}

#[test]
fn eight_mono_tracks_with_a_lean_picture() {
    use Position::{BackLeft, BackRight, FrontCentre, FrontLeft, FrontRight, LowFrequency};
    let mut measurements = plain(Ratio::new(50, 1), 10.0, 1280, 720, 259.266);
    measurements.video[0].pixel_format = "yuv422p10le".to_owned();
    measurements.video[0].bit_depth = 10;
    for heard in [true, false, true, false, false, false, true, false] {
        add_audio(&mut measurements, 1, 10.0, heard.then_some(-18.0));
    }
    let positions = [FrontLeft, FrontRight, FrontCentre, LowFrequency, BackLeft, BackRight];
    measurements.combined = vec![CombinedTracks {
        tracks: (1..).zip(positions).collect(),
        loudness: ProgrammeLoudness {
            integrated_lufs: Some(-23.0),
            range_lu: Some(7.0),
            ..ProgrammeLoudness::default()
        },
        pair: None,
    }];
    measurements.size = 502_849;
    measurements.header_duration = Some(10.022);
    snapshot("svt_8mono", "svt_8mono_720p50.mp4", &measurements);
}

#[test]
fn a_small_clip_at_29_97_without_sound() {
    let mut measurements = plain(Ratio::new(30000, 1001), 4.004, 176, 144, 1171.868);
    measurements.video[0].sample_aspect = Ratio::new(128, 117);
    measurements.size = 588_804;
    snapshot("carphone", "carphone_pristine.mp4", &measurements);
}

#[test]
fn a_clip_at_12_5_frames_a_second() {
    let mut measurements = plain(Ratio::new(25, 2), 30.16, 768, 432, 614.933);
    add_audio(&mut measurements, 2, 30.208, None);
    measurements.audio[0].language = Some("eng".to_owned());
    measurements.size = 2_811_553;
    measurements.header_duration = Some(30.208);
    snapshot("car_detection", "car-detection.mp4", &measurements);
}

#[test]
fn a_text_named_mp4() {
    let mut measurements = sample::clean();
    measurements.video.clear();
    measurements.audio.clear();
    measurements.container.clear();
    measurements.header_duration = None;
    measurements.size = 12;
    measurements.open_error = Some(OpenError {
        kind: OpenErrorKind::NotMedia,
        detail: "Invalid data found when processing input".to_owned(),
    });
    snapshot("text_file", "notes.mp4", &measurements);
}
