//! Headers that name another rate than the time stamps show: of the container, and of the codec.

use super::{Case, judge, moving};

const X264: &str = "-c:v libx264 -preset ultrafast";
const MPEG2: &str = "-c:v mpeg2video -bf 0";

/// A film that is coded at one rate and shown at another: at a tick of the container that is told from its number `N`.
fn coded_at(name: &str, rate: &str, codec: &str, tick: &str) -> Case {
    Case::new(name, format!("{} {codec} -bsf:v setts=ts={tick}", moving(rate, 4)))
}

#[test]
fn matroska_states_a_duration_of_frames_that_is_another() {
    let lossless = "-c:v ffv1";
    judge([
        coded_at("24-not-25.mkv", "25", lossless, "round(N*125/3)").warns("24; the header says 25"),
        coded_at("24-not-23.976.mkv", "24000/1001", lossless, "round(N*125/3)")
            .warns("24; the header says 23.976 (24000/1001)"),
        coded_at("23.976-not-24.mkv", "24", lossless, "round(N*1001/24)")
            .rejects("23.976 (24000/1001); the header says 24"),
        coded_at("29.97-not-25.mkv", "25", lossless, "round(N*1001/30)")
            .rejects("29.97 (30000/1001); the header says 25"),
        coded_at("25-not-24.mkv", "24", MPEG2, "N*40").warns("25; the header says 24"),
        coded_at("50-not-25.mkv", "25", lossless, "N*20").warns("50; the header says 25"),
        coded_at("119.88-not-120.mkv", "120", lossless, "round(N*1001/120)")
            .rejects("119.88 (120000/1001); the header says 120"),
        coded_at("varies-not-25.mkv", "25", lossless, r"N*40+mod(N*N*3\,17)")
            .varies("31 ms to 49 ms between frames, mostly 33 ms"),
    ]);
}

#[test]
fn a_field_rate_is_no_lie_of_interlaced_pictures() {
    let interlaced = "-c:v mpeg2video -bf 0 -flags +ildct+ilme";
    judge([
        coded_at("fields.mkv", "50", interlaced, "N*40").passes("25"),
        coded_at("frames.mkv", "50", "-c:v ffv1", "N*40").warns("25; the header says 50"),
    ]);
}

#[test]
fn h_264_states_another_rate_than_its_container() {
    let mp4 = format!("{X264} -video_track_timescale 24000");
    judge([
        coded_at("24-not-25.mp4", "25", &mp4, "N*1000").warns("24; the codec's own header says 25"),
        coded_at("23.976-not-24.mp4", "24", &mp4, "N*1001")
            .rejects("23.976 (24000/1001); the codec's own header says 24"),
        coded_at("24-not-25.ts", "25", X264, "N*3750").warns("24; the codec's own header says 25"),
        coded_at("25-not-50.ts", "50", X264, "N*3600").warns("25; the codec's own header says 50"),
        // Only a unit of time: it says nothing of frames.
        Case::new(
            "25-in-ticks.ts",
            format!("{} -enc_time_base 1:90000 -fps_mode passthrough {X264}", moving("25", 4)),
        )
        .passes("25"),
    ]);
}

#[test]
fn mpeg_2_states_another_rate_than_its_container() {
    judge([
        coded_at("24-not-25.ts", "25", MPEG2, "N*3750").warns("24; the codec's own header says 25"),
        coded_at("29.97-not-30.ts", "30", MPEG2, "N*3003")
            .rejects("29.97 (30000/1001); the codec's own header says 30"),
        Case::changed("25-not-24.ts", &format!("{} {MPEG2}", moving("25", 4)), sequence_header_says_24)
            .warns("25; the codec's own header says 24"),
    ]);
}

#[test]
fn avi_counts_frames_at_the_rate_of_its_stream_header() {
    let film = format!("{} {X264}", moving("25", 4));
    judge([
        Case::changed("main-header.avi", &film, main_header_says_30).passes("25"),
        Case::changed("stream-header.avi", &film, stream_header_says_24)
            .warns("24; the codec's own header says 25"),
    ]);
}

#[test]
fn mxf_counts_frames_at_its_edit_rate() {
    let film = format!("{} {MPEG2}", moving("25", 4));
    judge([
        Case::changed("edit-rate.mxf", &film, edit_rate_says_24).warns("24; the codec's own header says 25")
    ]);
}

#[test]
fn mp4_states_a_mean_that_the_last_frame_bends() {
    // It is shown for two seconds: 100 frames in 5.96 s.
    let last = r"N*512:duration=if(eq(N\,99)\,25600\,512)";
    judge([coded_at("long-end.mp4", "25", X264, last).passes("25")]);
}

/// `frame_rate_code` of each sequence header (ISO/IEC 13818-2, 6.2.2.1 and table 6-4).
fn sequence_header_says_24(mut bytes: Vec<u8>) -> Vec<u8> {
    let headers: Vec<usize> = places(&bytes, &[0, 0, 1, 0xb3]).collect();
    for place in headers {
        bytes[place + 7] = bytes[place + 7] & 0xf0 | 2;
    }
    bytes
}

/// `dwMicroSecPerFrame` of the main header.
fn main_header_says_30(mut bytes: Vec<u8>) -> Vec<u8> {
    let place = places(&bytes, b"avih").next().unwrap() + 8;
    bytes[place..place + 4].copy_from_slice(&33_333_u32.to_le_bytes());
    bytes
}

/// `dwScale` and `dwRate` of the stream header.
fn stream_header_says_24(mut bytes: Vec<u8>) -> Vec<u8> {
    let place = places(&bytes, b"strh").next().unwrap() + 28;
    bytes[place..place + 8].copy_from_slice(&[1, 0, 0, 0, 24, 0, 0, 0]);
    bytes
}

/// Every rational of 25 (SMPTE ST 377-1): edit rates of tracks and index, sample rates of descriptors.
fn edit_rate_says_24(mut bytes: Vec<u8>) -> Vec<u8> {
    let rates: Vec<usize> = places(&bytes, &[0, 0, 0, 25, 0, 0, 0, 1]).collect();
    for place in rates {
        bytes[place + 3] = 24;
    }
    bytes
}

fn places<'a>(bytes: &'a [u8], pattern: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes
        .windows(pattern.len())
        .enumerate()
        .filter(move |(_, window)| *window == pattern)
        .map(|(place, _)| place)
}
