//! The progressive file.

use std::path::Path;

use reelfarm_media::{encode_audio, mux_progressive};
use reelfarm_model::ladder::ChannelLayout::Stereo;
use reelfarm_model::qc::AudioSource;

use crate::support::{Workspace, audio_spec, conclusion, decode, encode_one, probe, rendition, rung};

fn packets(path: &Path, track: &str) -> Vec<u8> {
    decode(path, &format!("-map 0:{track} -c copy -f framemd5"))
}

#[test]
fn renditions_are_copied_whole_with_their_languages_and_the_index_first() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "source.mp4",
        "-f lavfi -i testsrc2=s=160x96:r=25:d=4 -f lavfi -i sine=r=48000:d=4 -f lavfi -i sine=f=900:r=48000:d=4 \
         -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -c:a aac",
    );
    let video = encode_one(&workspace, &source, conclusion(25, 100), rung(25, 160, 96));
    let audio = [workspace.path("first.mp4"), workspace.path("second.mp4")];
    let renditions = (1..=2).map(|stream| rendition(Stereo, AudioSource::Track { stream })).collect();
    encode_audio(&source, &audio_spec(25, 100, renditions), &audio, &mut |_| ()).unwrap();
    let [first, second] = &audio;
    let output = workspace.path("progressive.mp4");
    let tagged = [(first.clone(), "de-AT".to_owned()), (second.clone(), "fr".to_owned())];
    let mut fractions = Vec::new();
    mux_progressive(&video, &tagged, &output, &mut |progress| fractions.push(progress.fraction)).unwrap();
    assert!(fractions.is_sorted() && fractions.last() == Some(&1.0), "{fractions:?}");

    assert_eq!(
        probe(
            &output,
            "-show_entries stream=codec_type,start_time:stream_disposition=default:stream_tags=language"
        ),
        ["video,0.000000,1,und", "audio,0.000000,1,deu", "audio,0.000000,0,fra"]
    );
    for (copied, original) in [("v:0", &video), ("a:0", first), ("a:1", second)] {
        assert!(packets(&output, copied) == packets(original, "0"), "{copied} differs from its rendition");
    }
    let bytes = fs_err::read(&output).unwrap();
    let place = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
    assert!(place(b"moov") < place(b"mdat"));
    assert!(!bytes.windows(4).any(|window| window == b"Lavf"));
    let again = workspace.path("again.mp4");
    mux_progressive(&video, &tagged, &again, &mut |_| ()).unwrap();
    assert!(bytes == fs_err::read(again).unwrap(), "a second run gives other bytes");
}

#[test]
fn what_is_no_rendition_is_refused() {
    let workspace = Workspace::new();
    let both = workspace.make(
        "both.mp4",
        "-f lavfi -i testsrc2=s=160x96:r=25:d=1 -f lavfi -i sine=d=1 -c:v libx264 -preset ultrafast -c:a aac",
    );
    let error = mux_progressive(&both, &[], &workspace.path("output.mp4"), &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("both.mp4 is no rendition: it has 2 tracks"), "{error}");
}
