//! The rates that are accepted, in every container that has time stamps of its own kind, and pictures that are stored in
//! another order than they are shown in.

use super::{Case, judge, moving};

fn integral(extension: &str, codec: &str) {
    judge(["24", "25", "30", "48", "50", "60"].map(|rate| {
        Case::new(format!("{rate}.{extension}"), format!("{} {codec}", moving(rate, 2))).passes(rate)
    }));
}

#[test]
fn integral_rates_pass_in_mp4() {
    integral("mp4", "-c:v libx264 -preset ultrafast");
}

#[test]
fn integral_rates_pass_in_quicktime() {
    integral("mov", "-c:v prores -profile:v 0");
}

#[test]
fn integral_rates_pass_in_matroska_whose_clock_is_of_milliseconds() {
    integral("mkv", "-c:v ffv1");
}

#[test]
fn integral_rates_pass_in_transport_streams() {
    integral("ts", "-c:v libx264 -preset ultrafast -bf 2");
}

/// Not every picture has a time stamp in them.
#[test]
fn integral_rates_pass_in_program_streams() {
    integral("mpg", "-c:v mpeg2video");
}

#[test]
fn integral_rates_pass_in_mxf_which_counts_frames() {
    integral("mxf", "-c:v mpeg2video");
}

#[test]
fn integral_rates_pass_in_avi_which_counts_frames() {
    integral("avi", "-c:v ffv1");
}

#[test]
fn pictures_that_are_stored_in_another_order_keep_their_places() {
    judge(["mp4", "mkv", "ts", "mpg", "avi", "mxf"].map(|extension| {
        let codec = match extension {
            "mpg" | "mxf" => "mpeg2video -bf 2",
            _ => "libx264 -preset veryfast -bf 3",
        };
        Case::new(format!("reordered.{extension}"), format!("{} -c:v {codec}", moving("24", 3))).passes("24")
    }));
}
