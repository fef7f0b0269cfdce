//! What is said of colour: what the ladders cannot carry, and what cannot be true together.

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use super::{Film, clean, table};
use crate::judge::Fault;

/// Described so by its codec; each as FFmpeg names it.
fn described(name: &str, primaries: &str, transfer: &str, matrix: &str) -> Film {
    Film::new(name, 2.0).with(&format!(
        "-color_range tv -color_primaries {primaries} -color_trc {transfer} -colorspace {matrix}"
    ))
}

fn faults(all: &[(Code, Verdict)]) -> Vec<Fault> {
    all.iter().map(|(code, verdict)| Fault { code: *code, verdict: *verdict, places: &[] }).collect()
}

const REFUSED: (Code, Verdict) = (Code::QcColour, Verdict::Reject);
/// What is said cannot be true, or is not all that must be said.
const CONTRADICTED: (Code, Verdict) = (Code::QcColourDescription, Verdict::Warn);

#[test]
fn high_dynamic_range_and_wide_gamut_are_refused() {
    let hd = |film: Film| film.size(1_280, 720);
    table([
        (hd(described("pq.mp4", "bt2020", "smpte2084", "bt2020nc")), faults(&[REFUSED, CONTRADICTED])),
        (hd(described("hlg.mkv", "bt2020", "arib-std-b67", "bt2020nc")), faults(&[REFUSED])),
        (hd(described("wide.mov", "bt2020", "bt709", "bt2020nc")), faults(&[REFUSED])),
        // A name from BT.2020 for BT.709's own curve.
        (hd(described("bt2020-10.mp4", "bt709", "bt2020-10", "bt709")), clean()),
        (hd(described("bt709.mp4", "bt709", "bt709", "bt709")), clean()),
    ]);
}

#[test]
fn metadata_of_high_dynamic_range_belongs_to_it() {
    let metadata = "-x265-params log-level=error:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400";
    let film = |name: &str, primaries: &str, transfer: &str, matrix: &str| {
        Film::new(name, 2.0).size(1_280, 720).coded(format!(
            "-c:v libx265 -preset ultrafast -crf 20 -pix_fmt yuv420p10le -color_range tv -color_primaries {primaries} \
             -color_trc {transfer} -colorspace {matrix} {metadata}"
        ))
    };
    table([
        (film("hdr.mp4", "bt2020", "smpte2084", "bt2020nc"), faults(&[REFUSED])),
        (film("sdr.mp4", "bt709", "bt709", "bt709"), faults(&[CONTRADICTED])),
    ]);
}

#[test]
fn what_is_said_of_colour_can_be_true_together() {
    table([
        (described("mixed.mp4", "bt709", "bt709", "smpte170m"), faults(&[CONTRADICTED])),
        (
            described("sd-in-hd.mp4", "smpte170m", "smpte170m", "smpte170m").size(1_280, 720),
            faults(&[CONTRADICTED]),
        ),
        (described("camera.mp4", "bt709", "linear", "bt709"), faults(&[CONTRADICTED])),
        (described("525.mp4", "smpte170m", "smpte170m", "smpte170m").size(720, 480), clean()),
        (described("625.mp4", "bt470bg", "bt709", "bt470bg").size(720, 576), clean()),
        (Film::new("not-stated.mp4", 2.0), clean()),
    ]);
}
