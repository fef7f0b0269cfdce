//! The rates that are not accepted, by their names.

use super::{Case, judge, moving};

/// As FFmpeg takes them, and by their names.
const RATES: [(&str, &str); 16] = [
    ("10", "10"),
    ("12000/1001", "11.988 (12000/1001)"),
    ("12", "12"),
    ("25/2", "12.5"),
    ("15000/1001", "14.985 (15000/1001)"),
    ("15", "15"),
    ("50/3", "about 16.667"),
    ("18", "18"),
    ("20", "20"),
    ("24000/1001", "23.976 (24000/1001)"),
    ("30000/1001", "29.97 (30000/1001)"),
    ("48000/1001", "47.95 (48000/1001)"),
    ("60000/1001", "59.94 (60000/1001)"),
    ("100", "100"),
    ("120", "120"),
    ("240", "240"),
];

fn fractional(extension: &str, codec: &str, is_made: impl Fn(&str) -> bool) {
    judge(RATES.iter().filter(|(rate, _)| is_made(rate)).map(|(rate, name)| {
        let clip = format!("{}.{extension}", rate.replace('/', "-"));
        Case::new(clip, format!("{} {codec}", moving(rate, 3))).rejects(name)
    }));
}

#[test]
fn fractional_rates_are_named_and_rejected_in_mp4() {
    fractional("mp4", "-c:v libx264 -preset ultrafast", |_| true);
}

#[test]
fn fractional_rates_are_named_and_rejected_in_matroska() {
    fractional("mkv", "-c:v ffv1", |_| true);
}

#[test]
fn fractional_rates_are_named_and_rejected_in_transport_streams() {
    fractional("ts", "-c:v libx264 -preset ultrafast", |_| true);
}

#[test]
fn fractional_rates_are_named_and_rejected_where_frames_are_counted() {
    // FFmpeg itself makes other rates of those that are left out.
    let television = ["24000/1001", "30000/1001", "60000/1001"];
    fractional("mxf", "-c:v mpeg2video", |rate| television.contains(&rate));
    fractional("mpg", "-c:v mpeg2video", |rate| television.contains(&rate));
    fractional("avi", "-c:v ffv1", |rate| {
        television.contains(&rate) || ["25/2", "15000/1001", "15", "18", "20"].contains(&rate)
    });
}
