//! What a media process makes, on other processors than this one, as an emulator shows them.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_media::child::{Request, Response, serve};
use reelfarm_model::ladder::{ChannelLayout, VideoCodec};
use reelfarm_model::qc::{AudioSource, FieldOrder, VideoConclusion};
use reelfarm_model::task::{Chunk, DecodingStart, EncodeVideoSpec, RungSpec};

use crate::support::{Workspace, audio_spec, conclusion, rendition, rung, video_spec};

/// Set for a process on another processor: the folder of the sources.
const SOURCES: &str = "REELFARM_TEST_SOURCES";
/// The folder for what it makes.
const MADE: &str = "REELFARM_TEST_MADE";
/// Of 2008 without AVX, and of 2013 with AVX2 and fused arithmetic.
#[cfg(target_arch = "x86_64")]
const PROCESSORS: [&str; 2] = ["Nehalem", "Haswell"];
#[cfg(target_arch = "aarch64")]
const PROCESSORS: [&str; 2] = ["cortex-a53", "max"];

/// With macroblock trees, and B frames, which is where x264 works in floating point.
fn demanding(width: u32, height: u32) -> RungSpec {
    let mut demanding = rung(25, width, height);
    demanding.rung.preset = "medium".to_owned();
    demanding
}

fn make(sources: &Path, made: &Path) {
    let done = |request: &Request| {
        let mut output = Vec::new();
        serve(Cursor::new(serde_json::to_vec(request).unwrap()), &mut output).unwrap();
        let last = String::from_utf8(output).unwrap().lines().last().map(str::to_owned).unwrap();
        assert_eq!(
            serde_json::from_str::<Response>(&last).unwrap(),
            Response::Result(serde_json::Value::Null)
        );
    };
    let plain = VideoConclusion { width: 320, height: 180, ..conclusion(25, 75) };
    let field_order = Some(FieldOrder::TopFirst);
    for (source, video) in [
        ("8-bit.mp4", plain.clone()),
        ("10-bit.mov", plain.clone()),
        // What zimg is not given, and fields.
        (
            "fields.mov",
            VideoConclusion { matrix: "smpte170m".into(), deinterlace: true, field_order, ..plain.clone() },
        ),
        ("full-range.mp4", VideoConclusion { full_range: true, ..plain }),
    ] {
        let mut hevc = demanding(160, 90);
        (hevc.rung.codec, hevc.rung.profile) = (VideoCodec::Hevc, "main".to_owned());
        // It takes an emulator long: one source tells.
        let hevc = (source == "8-bit.mp4").then_some(hevc);
        let whole =
            video_spec(video, [demanding(192, 108), demanding(128, 72)].into_iter().chain(hevc).collect());
        let decoding = DecodingStart { key_frame: 50, film_start_us: 0 };
        let chunk = Some(Chunk { first_frame: 50, frame_count: 25, decoding });
        let chunk = EncodeVideoSpec { chunk, ..whole.clone() };
        for (name, spec, threads) in [("whole", whole, 2), ("chunk", chunk, 1)] {
            let output = |rung: &RungSpec| made.join(format!("{source}-{name}-{}.mp4", rung.height));
            let outputs: Vec<PathBuf> = spec.rungs.iter().map(output).collect();
            done(&Request::EncodeVideo { path: sources.join(source), spec, outputs, threads });
        }
    }
    for (source, layout) in [
        ("pcm.mov", ChannelLayout::Stereo),
        ("aac.mp4", ChannelLayout::Stereo),
        // Six channels, and the same mixed down.
        ("surround.mov", ChannelLayout::Surround51),
        ("surround.mov", ChannelLayout::Stereo),
    ] {
        let track = rendition(layout, AudioSource::Track { stream: 1 });
        let spec = audio_spec(25, 75, vec![track]);
        let outputs = vec![made.join(format!("{source}-{}.mp4", layout.ffmpeg_name()))];
        done(&Request::EncodeAudio { path: sources.join(source), spec, outputs });
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files
        .map(|entry| (entry.file_name().into_string().unwrap(), fs_err::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn other_processors_make_the_same_bytes() {
    if let (Some(sources), Some(made)) = (std::env::var_os(SOURCES), std::env::var_os(MADE)) {
        return make(Path::new(&sources), Path::new(&made));
    }
    let workspace = Workspace::new();
    let picture = "-f lavfi -i testsrc2=s=320x180:r=25:d=3,noise=alls=12:allf=t";
    let sound = "-f lavfi -i anoisesrc=d=3:c=pink:a=0.4:seed=7:r=44100,aeval=val(0)|val(0)*0.7:c=stereo";
    let hd = "-color_range tv -colorspace bt709 -g 50";
    workspace.make("8-bit.mp4", &format!("{picture} -c:v libx264 -pix_fmt yuv420p {hd}"));
    workspace.make("10-bit.mov", &format!("{picture} -c:v prores_ks -pix_fmt yuv422p10le {hd}"));
    let small = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    workspace.make("pcm.mov", &format!("{picture} {sound} {small} -c:a pcm_s24le"));
    workspace.make("aac.mp4", &format!("{picture} {sound} {small} -c:a aac"));
    let six = "-f lavfi -i anoisesrc=d=3:c=pink:a=0.3:seed=3:r=48000,aeval=val(0)|val(0)*.7|val(0)*.5|val(0)*.2|val(0)*.6|val(0)*.4:c=5.1";
    workspace.make("surround.mov", &format!("{picture} {six} {small} -c:a pcm_s24le"));
    let fields =
        "-vf interlace=scan=tff,setfield=tff -flags +ildct+ilme -colorspace smpte170m -color_range tv";
    workspace.make(
        "fields.mov",
        &format!("-f lavfi -i testsrc2=s=320x180:r=50:d=3 {fields} -c:v prores_ks -pix_fmt yuv422p10le"),
    );
    let full = "-c:v libx264 -pix_fmt yuvj420p -color_range pc -colorspace bt709 -g 50";
    workspace.make("full-range.mp4", &format!("{picture} {full}"));
    let sources = workspace.path("8-bit.mp4");
    let sources = sources.parent().unwrap();
    let made = |processor: &str| {
        let folder = workspace.path(processor);
        fs_err::create_dir(&folder).unwrap();
        folder
    };
    let here = made("here");
    make(sources, &here);
    let expected = files(&here);
    assert_eq!(expected.len(), 22);
    for processor in PROCESSORS {
        let there = made(processor);
        let emulated = Command::new(format!("qemu-{}", std::env::consts::ARCH))
            .args(["-cpu", processor])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "hosts::other_processors_make_the_same_bytes"])
            .env(SOURCES, sources)
            .env(MADE, &there)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&emulated.stdout);
        let errors = String::from_utf8_lossy(&emulated.stderr);
        assert!(emulated.status.success() && told.contains("1 passed"), "{processor}: {told}{errors}");
        let made = files(&there);
        let other: Vec<&String> = expected
            .iter()
            .filter(|(name, bytes)| made.get(*name) != Some(bytes))
            .map(|(name, _)| name)
            .collect();
        assert!(other.is_empty(), "{processor} makes others: {other:?}");
    }
}
