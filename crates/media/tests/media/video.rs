//! Video renditions.

use std::path::Path;

use reelfarm_media::{MediaError, encode_video};
use reelfarm_model::ladder::VideoCodec;
use reelfarm_model::qc::{FieldOrder, VideoConclusion};
use reelfarm_model::task::{Chunk, DecodingStart, EncodeVideoSpec};

use crate::support::{
    THREADS, Workspace, conclusion, decode, encode_one, measured, probe, real_clip, rung, video_spec,
};

const X264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

fn frames(path: &Path) -> usize {
    probe(path, "-count_frames -show_entries stream=nb_read_frames")[0].parse().unwrap()
}

/// The mean of each plane of the first frame, in 8-bit 4:2:0.
fn mean_colour(path: &Path, width: usize, height: usize) -> [f64; 3] {
    let bytes = decode(path, "-frames:v 1 -f rawvideo -pix_fmt yuv420p");
    let luma = width * height;
    assert_eq!(bytes.len(), luma * 3 / 2);
    let mean = |plane: &[u8]| plane.iter().map(|sample| f64::from(*sample)).sum::<f64>() / plane.len() as f64;
    [mean(&bytes[..luma]), mean(&bytes[luma..luma * 5 / 4]), mean(&bytes[luma * 5 / 4..])]
}

fn assert_near(found: [f64; 3], expected: [f64; 3], what: &str) {
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() <= 2.0, "{what}: {found:?}, not {expected:?}");
    }
}

#[test]
fn an_idr_starts_a_closed_group_exactly_every_two_seconds() {
    for frame_rate in [24, 25, 50, 60] {
        let workspace = Workspace::new();
        // Cuts between the marks tempt an encoder to place key frames of its own.
        let source = workspace.make(
            "cuts.mp4",
            &format!(
                "-f lavfi -i testsrc2=s=160x90:r={frame_rate}:d=3 -f lavfi -i mandelbrot=s=160x90:r={frame_rate} \
                 -filter_complex [1:v]trim=duration=2.3[m];[0:v][m]concat {X264}"
            ),
        );
        let count: u64 =
            probe(&source, "-count_packets -show_entries stream=nb_read_packets")[0].parse().unwrap();
        let output =
            encode_one(&workspace, &source, conclusion(frame_rate, count), rung(frame_rate, 160, 90));
        let types = nal_types(&output);
        assert_eq!(types.len() as u64, count);
        let idrs: Vec<_> = types
            .iter()
            .enumerate()
            .filter(|(_, types)| types.contains(&5))
            .map(|(index, _)| index)
            .collect();
        // Packets are in the order of decoding; an IDR closes what came before, so its place there is its number.
        assert_eq!(idrs, (0..count as usize).step_by(2 * frame_rate as usize).collect::<Vec<_>>());
        let times: Vec<f64> = probe(&output, "-show_entries packet=pts_time,flags")
            .iter()
            .filter(|line| line.contains('K'))
            .map(|line| line.split(',').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(times, [0.0, 2.0, 4.0], "{frame_rate} fps");
        for (index, line) in probe(&output, "-show_entries frame=pts_time,pict_type").iter().enumerate() {
            let time: f64 = line.split(',').next().unwrap().parse().unwrap();
            assert!((time - index as f64 / f64::from(frame_rate)).abs() < 1e-5, "frame {index} at {time}");
            let starts_group = index % (2 * frame_rate as usize) == 0;
            assert_eq!(line.ends_with('I'), starts_group, "frame {index}: {line}");
        }
    }
}

/// The types of the NAL units of each packet.
fn nal_types(path: &Path) -> Vec<Vec<u8>> {
    let stream = decode(path, "-c copy -bsf:v h264_mp4toannexb,h264_metadata=aud=insert -f h264");
    let mut packets: Vec<Vec<u8>> = Vec::new();
    for (index, window) in stream.windows(3).enumerate() {
        if window == [0, 0, 1] {
            let kind = stream[index + 3] & 0x1f;
            // An access unit delimiter starts each packet.
            if kind == 9 {
                packets.push(Vec::new());
            }
            packets.last_mut().unwrap().push(kind);
        }
    }
    packets
}

#[test]
fn every_frame_is_kept_whatever_their_number() {
    for count in [1, 2, 49, 50, 51, 77] {
        let workspace = Workspace::new();
        let source = workspace
            .make("odd.mp4", &format!("-f lavfi -i testsrc2=s=160x90:r=25 -frames:v {count} {X264} -bf 3"));
        let output = encode_one(&workspace, &source, conclusion(25, count), rung(25, 160, 90));
        assert_eq!(frames(&output) as u64, count);
        let duration: f64 = probe(&output, "-show_entries format=duration")[0].parse().unwrap();
        assert!((duration - count as f64 / 25.0).abs() < 0.001, "{count} frames last {duration}");
    }
}

#[test]
fn a_rungs_bytes_are_the_same_each_time_and_whatever_is_made_beside_it() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "noise.mp4",
        &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=5,noise=alls=20:allf=t {X264} -bf 2"),
    );
    let mut hevc = rung(25, 192, 108);
    (hevc.rung.codec, hevc.rung.profile) = (VideoCodec::Hevc, "main".to_owned());
    let rungs = vec![rung(25, 320, 180), rung(25, 256, 144), hevc, rung(25, 128, 72)];
    let all: Vec<_> = ["a1.mp4", "a2.mp4", "a3.mp4", "a4.mp4"].map(|name| workspace.path(name)).into();
    let again: Vec<_> = ["b1.mp4", "b2.mp4", "b3.mp4", "b4.mp4"].map(|name| workspace.path(name)).into();
    let video = conclusion(25, 125);
    encode_video(&source, &video_spec(video.clone(), rungs.clone()), &all, THREADS, &mut |_| ()).unwrap();
    encode_video(&source, &video_spec(video.clone(), rungs.clone()), &again, 1, &mut |_| ()).unwrap();
    for (index, rung) in rungs.into_iter().enumerate() {
        let bytes = fs_err::read(&all[index]).unwrap();
        assert!(
            bytes == fs_err::read(&again[index]).unwrap(),
            "rung {index} differs on a second run, in one thread"
        );
        let alone = encode_one(&workspace, &source, video.clone(), rung);
        assert!(bytes == fs_err::read(alone).unwrap(), "rung {index} differs when it is made alone");
    }
    // Nor does the file tell who wrote it, or when.
    let file = fs_err::read(&all[0]).unwrap();
    assert!(!file.windows(4).any(|window| window == b"Lavf"));
}

#[test]
fn small_pictures_are_encoded_by_both_codecs() {
    let workspace = Workspace::new();
    let source = workspace.make("film.mp4", &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=1 {X264}"));
    for (width, height) in [(96, 40), (64, 26), (64, 64)] {
        let mut hevc = rung(25, width, height);
        (hevc.rung.codec, hevc.rung.profile, hevc.rung.preset) =
            (VideoCodec::Hevc, "main".into(), "medium".into());
        for rung in [rung(25, width, height), hevc] {
            let made = encode_one(&workspace, &source, conclusion(25, 25), rung);
            assert_eq!(frames(&made), 25, "{width}x{height}");
        }
    }
}

#[test]
fn damage_comes_out_the_same_in_one_thread_and_in_several() {
    let workspace = Workspace::new();
    let noise = "-f lavfi -i testsrc2=s=320x180:r=25:d=4,noise=alls=20:allf=t";
    let whole = workspace.make("whole.mp4", &format!("{noise} -c:v libx264 -preset veryfast -bf 2 -g 25"));
    let mut bytes = fs_err::read(&whole).unwrap();
    let (from, to) = (bytes.len() / 2, bytes.len() / 2 + 6000);
    bytes[from..to].iter_mut().step_by(5).for_each(|byte| *byte ^= 0x5a);
    let damaged = workspace.path("damaged.mp4");
    fs_err::write(&damaged, bytes).unwrap();
    let measured = measured(&damaged);
    assert!(measured.video[0].decode_errors > 0);
    let video = conclusion(25, measured.video[0].frames);
    let made = |threads: usize| {
        let output = workspace.path(&format!("{threads}.mp4"));
        let spec = video_spec(video.clone(), vec![rung(25, 256, 144)]);
        encode_video(&damaged, &spec, std::slice::from_ref(&output), threads, &mut |_| ()).unwrap();
        fs_err::read(output).unwrap()
    };
    let alone = made(1);
    assert!(alone == made(2) && alone == made(THREADS));
}

#[test]
fn every_source_becomes_upright_square_8_bit_limited_bt709() {
    let described = "-show_entries stream=profile,width,height,sample_aspect_ratio,pix_fmt,color_range,color_space,\
                     color_transfer,color_primaries,field_order";
    for (name, make, video, size) in [
        (
            "10-bit 4:2:2 intra.mov",
            "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v prores_ks -profile:v 3",
            conclusion(25, 25),
            (320, 180),
        ),
        (
            "anamorphic.mp4",
            "-f lavfi -i testsrc2=s=240x180:r=25:d=1 -vf setsar=4/3 -c:v libx264 -preset ultrafast",
            conclusion(25, 25),
            (320, 180),
        ),
        (
            "full-range.mp4",
            "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -pix_fmt yuvj420p -c:v libx264 -preset ultrafast",
            VideoConclusion { full_range: true, ..conclusion(25, 25) },
            (320, 180),
        ),
        (
            "4:4:4.mkv",
            "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -pix_fmt yuv444p -c:v ffv1",
            VideoConclusion { matrix: "smpte170m".into(), ..conclusion(25, 25) },
            (160, 90),
        ),
        (
            "interlaced.mpg",
            "-f lavfi -i testsrc2=s=320x192:r=50:d=1 -vf tinterlace=interleave_top,setfield=tff -c:v mpeg2video \
             -flags +ilme+ildct -q:v 2",
            VideoConclusion { deinterlace: true, ..conclusion(25, 25) },
            (320, 180),
        ),
    ] {
        let workspace = Workspace::new();
        let source = workspace.make(name, make);
        let output = encode_one(&workspace, &source, video, rung(25, size.0, size.1));
        let described = probe(&output, described);
        assert_eq!(
            described,
            [format!("High,{},{},1:1,yuv420p,tv,bt709,bt709,bt709,progressive", size.0, size.1)],
            "{name}"
        );
        assert_eq!(frames(&output), 25, "{name}");
    }
}

#[test]
fn colours_survive_range_matrix_and_depth() {
    // One colour in each form that sources come in, and what it is by the definition of BT.709 (3.2 to 3.5).
    let (red, green, blue) = (200.0, 100.0, 60.0);
    let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    let bt709 = [
        16.0 + 219.0 * luma / 255.0,
        128.0 + 224.0 * (blue - luma) / 1.8556 / 255.0,
        128.0 + 224.0 * (red - luma) / 1.5748 / 255.0,
    ];
    for (name, filters, codec, video) in [
        ("plain.mkv", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p", "ffv1", conclusion(25, 2)),
        (
            "full.mkv",
            "scale=out_color_matrix=bt709:out_range=pc,format=yuv420p",
            "ffv1",
            VideoConclusion { full_range: true, ..conclusion(25, 2) },
        ),
        (
            "sd.mkv",
            "scale=out_color_matrix=bt601:out_range=tv,format=yuv422p",
            "ffv1",
            VideoConclusion { matrix: "smpte170m".into(), ..conclusion(25, 2) },
        ),
        (
            "pal.mkv",
            "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p",
            "ffv1",
            VideoConclusion { matrix: "bt470bg".into(), ..conclusion(25, 2) },
        ),
        (
            "deep.mkv",
            "scale=out_color_matrix=bt709:out_range=tv,format=yuv422p10le",
            "ffv1",
            conclusion(25, 2),
        ),
        (
            "rgb.mkv",
            "format=gbrp",
            "ffv1",
            VideoConclusion { matrix: "gbr".into(), full_range: true, ..conclusion(25, 2) },
        ),
    ] {
        let workspace = Workspace::new();
        let source = workspace.make(
            name,
            &format!(
                "-f lavfi -i color=0xC8643C:s=160x90:r=25,format=gbrp -frames:v 2 -vf {filters} -c:v {codec}"
            ),
        );
        let output = encode_one(&workspace, &source, video, rung(25, 128, 72));
        assert_near(mean_colour(&output, 128, 72), bt709, name);
    }
}

#[test]
fn a_picture_on_its_side_is_turned_the_right_way() {
    // The upper half of the stored picture is white, the lower black.
    for (rotation, size, white) in [
        (0, (160, 96), "top"),
        (90, (96, 160), "right"),
        (180, (160, 96), "bottom"),
        (270, (96, 160), "left"),
    ] {
        let workspace = Workspace::new();
        let source = workspace.make(
            "half.mp4",
            &format!("-f lavfi -i color=black:s=160x96:r=25:d=0.2,drawbox=w=160:h=48:c=white:t=fill {X264}"),
        );
        let video = VideoConclusion { rotation, ..conclusion(25, 5) };
        let output = encode_one(&workspace, &source, video, rung(25, size.0, size.1));
        let luma = decode(&output, "-frames:v 1 -f rawvideo -pix_fmt gray");
        let (width, height) = (size.0 as usize, size.1 as usize);
        let bright = |x: usize, y: usize| luma[y * width + x] > 128;
        let found = (
            bright(width / 2, height / 8),
            bright(width * 7 / 8, height / 2),
            bright(width / 2, height * 7 / 8),
            bright(width / 8, height / 2),
        );
        let (top, right, bottom, left) = found;
        let whole = match white {
            "top" => top && !bottom,
            "right" => right && !left,
            "bottom" => bottom && !top,
            _ => left && !right,
        };
        assert!(whole, "{rotation} degrees: white should be at the {white}, found {found:?}");
    }
}

#[test]
fn interlaced_fields_are_blended_only_where_deinterlacing_is_asked_for() {
    // A bar that jumps between the two fields of a frame makes a comb, which deinterlacing takes away.
    let comb = |path: &Path| {
        let luma = decode(path, "-ss 0.4 -frames:v 1 -f rawvideo -pix_fmt gray");
        luma.chunks(160)
            .collect::<Vec<_>>()
            .windows(3)
            .flat_map(|rows| {
                (0..160).map(|x| {
                    (i32::from(rows[0][x]) + i32::from(rows[2][x]) - 2 * i32::from(rows[1][x])).abs()
                })
            })
            .filter(|step| *step > 200)
            .count()
    };
    let workspace = Workspace::new();
    let source = workspace.make(
        "comb.mpg",
        "-f lavfi -i color=black:s=160x96:r=50:d=1,format=yuv420p,geq=lum='if(between(mod(X-8*N,160),0,30),235,16)':cb=128:cr=128 \
         -vf tinterlace=interleave_top,setfield=tff -c:v mpeg2video -flags +ilme+ildct -q:v 1",
    );
    let woven = comb(&encode_one(&workspace, &source, conclusion(25, 25), rung(25, 160, 96)));
    let video = VideoConclusion { deinterlace: true, ..conclusion(25, 25) };
    let blended = comb(&encode_one(&workspace, &source, video, rung(25, 160, 96)));
    assert!(woven > 200 && blended * 10 < woven, "{woven} comb samples woven, {blended} deinterlaced");

    let unflagged = workspace.make(
        "unflagged.mp4",
        &format!(
            "-f lavfi -i color=black:s=160x96:r=50:d=1,format=yuv420p,geq=lum='if(between(mod(X-8*N,160),0,30),235,16)':cb=128:cr=128 \
             -vf tinterlace=interleave_top,setfield=prog {X264} -qp 4"
        ),
    );
    let by_flags = VideoConclusion { deinterlace: true, ..conclusion(25, 25) };
    let woven = comb(&encode_one(&workspace, &unflagged, by_flags.clone(), rung(25, 160, 96)));
    let by_sight = VideoConclusion { field_order: Some(FieldOrder::TopFirst), ..by_flags };
    let blended = comb(&encode_one(&workspace, &unflagged, by_sight, rung(25, 160, 96)));
    assert!(woven > 200 && blended * 10 < woven, "{woven} comb samples by flags, {blended} by sight");
}

#[test]
fn rate_control_keeps_within_the_buffer() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "hard.mp4",
        &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=6,noise=alls=60:allf=t {X264} -qp 10"),
    );
    let output = encode_one(&workspace, &source, conclusion(25, 150), rung(25, 320, 180));
    // A leaky bucket that fills at maxrate (400 kb/s) and holds bufsize (800 kb), full at the start.
    let mut bucket = 800_000.0f64;
    for size in probe(&output, "-show_entries packet=size") {
        bucket -= 8.0 * size.parse::<f64>().unwrap();
        assert!(bucket >= 0.0, "the decoder's buffer runs dry");
        bucket = (bucket + 400_000.0 / 25.0).min(800_000.0);
    }
    let bits: f64 = probe(&output, "-show_entries format=bit_rate")[0].parse().unwrap();
    assert!(bits > 200_000.0, "the clip is too easy to tell: {bits} b/s");
}

#[test]
fn a_transport_stream_that_starts_late_is_numbered_from_zero() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "late.ts",
        &format!("-f lavfi -i testsrc2=s=160x90:r=25:d=2 {X264} -bf 2 -output_ts_offset 100"),
    );
    let output = encode_one(&workspace, &source, conclusion(25, 50), rung(25, 160, 90));
    let times = probe(&output, "-show_entries frame=pts_time");
    assert_eq!((times[0].as_str(), times.len()), ("0.000000", 50));
}

#[test]
fn frames_that_an_edit_list_hides_stay_hidden() {
    let workspace = Workspace::new();
    let long =
        workspace.make("long.mp4", &format!("-f lavfi -i testsrc2=s=160x90:r=25:d=4 {X264} -g 50 -bf 0"));
    // Copied from within the first group: the frames before the cut are in the file, but not on its timeline.
    let source = workspace.make("cut.mp4", &format!("-ss 1 -i {} -c copy", long.display()));
    let packets: u64 =
        probe(&source, "-count_packets -show_entries stream=nb_read_packets")[0].parse().unwrap();
    let shown = frames(&source) as u64;
    assert!(shown < packets, "{shown} of {packets} frames are shown");
    let output = encode_one(&workspace, &source, conclusion(25, shown), rung(25, 160, 90));
    assert_eq!(frames(&output) as u64, shown);
}

#[test]
fn a_wrong_frame_count_is_told_with_both_numbers() {
    let workspace = Workspace::new();
    let source = workspace.make("short.mp4", &format!("-f lavfi -i testsrc2=s=160x90:r=25:d=1 {X264}"));
    for (expected, threads) in [(24, 1), (26, 1), (24, 2), (26, 2)] {
        let spec = video_spec(conclusion(25, expected), vec![rung(25, 160, 90), rung(25, 128, 72)]);
        let outputs = [workspace.path("a.mp4"), workspace.path("b.mp4")];
        let error = encode_video(&source, &spec, &outputs, threads, &mut |_| ()).unwrap_err();
        assert!(
            matches!(error, MediaError::Count { expected: e, found: 25, .. } if e == expected && e != 25),
            "{error}"
        );
    }
}

#[test]
fn a_picture_that_changes_size_on_the_way_is_refused() {
    let workspace = Workspace::new();
    let part = |name: &str, size: &str, from: u32| {
        let parts =
            format!("-f lavfi -i testsrc2=s={size}:r=25:d=1 {X264} -output_ts_offset {from} -f mpegts");
        workspace.make(name, &parts)
    };
    let (small, large) = (part("small.ts", "160x90", 0), part("large.ts", "192x108", 1));
    let joined = workspace.path("joined.ts");
    fs_err::write(&joined, [fs_err::read(small).unwrap(), fs_err::read(large).unwrap()].concat()).unwrap();
    let film_start_us = (measured(&joined).video[0].first_time * 1e6).round() as i64;
    let decoding = DecodingStart { key_frame: 0, film_start_us };
    let chunk = Chunk { first_frame: 0, frame_count: 50, decoding };
    for (chunk, threads) in [(None, 1), (None, 2), (Some(chunk), 1), (Some(chunk), 2)] {
        let spec = EncodeVideoSpec { chunk, ..video_spec(conclusion(25, 50), vec![rung(25, 128, 72)]) };
        let output = [workspace.path("a.mp4")];
        let error = encode_video(&joined, &spec, &output, threads, &mut |_| ()).unwrap_err();
        assert!(matches!(error, MediaError::FormatChanged { stream: 0, .. }), "{error}");
    }
}

#[test]
fn a_rung_that_cannot_be_written_names_its_file() {
    let workspace = Workspace::new();
    let source = workspace.make("short.mp4", &format!("-f lavfi -i testsrc2=s=160x90:r=25:d=1 {X264}"));
    let spec = video_spec(conclusion(25, 25), vec![rung(25, 160, 90)]);
    let nowhere = workspace.path("missing/rung.mp4");
    let error =
        encode_video(&source, &spec, std::slice::from_ref(&nowhere), THREADS, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("missing/rung.mp4"), "{error}");
    // A device that is always full stands for a full disk.
    let full = encode_video(&source, &spec, &["/dev/full".into()], THREADS, &mut |_| ()).unwrap_err();
    assert_eq!(full.failure().code, reelfarm_model::Code::DiskFull, "{full}");
}

/// Set for the process that may write no large file: the folder it works in.
const LIMITED: &str = "REELFARM_TEST_LIMITED_FOLDER";

/// The first rung gets no further frames then: that it has too few is the consequence, not the cause.
#[test]
fn a_rung_that_cannot_grow_hides_behind_no_other() {
    // Two lanes: together the rungs are more work than the larger alone. The first rung's file stays below the limit.
    let (mut first, second) = (rung(25, 128, 72), rung(25, 160, 90));
    (first.rung.crf, first.rung.maxrate_kbps, first.rung.bufsize_kbps) = (45, 20, 40);
    if let Some(folder) = std::env::var_os(LIMITED).map(std::path::PathBuf::from) {
        let spec = video_spec(conclusion(25, 250), vec![first, second]);
        let outputs = ["first.mp4", "second.mp4"].map(|name| folder.join(name));
        let error =
            encode_video(&folder.join("hard.mp4"), &spec, &outputs, THREADS, &mut |_| ()).unwrap_err();
        assert!(matches!(&error, MediaError::Write { path, .. } if *path == outputs[1]), "{error}");
        assert_eq!(error.failure().class, reelfarm_model::FailureClass::Environment, "{error}");
        return;
    }
    let workspace = Workspace::new();
    let noise = "-f lavfi -i testsrc2=s=160x90:r=25:d=10,noise=alls=60:allf=t";
    let source = workspace.make("hard.mp4", &format!("{noise} {X264} -qp 10"));
    // A limit that is the process's own, and no signal that ends it at the limit.
    let limited = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 64; trap '' XFSZ; exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg("video::a_rung_that_cannot_grow_hides_behind_no_other")
        .env(LIMITED, source.parent().unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&limited.stdout);
    assert!(limited.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
fn a_source_that_is_not_what_the_report_says_is_refused() {
    let workspace = Workspace::new();
    let source = workspace.make("film.mp4", &format!("-f lavfi -i testsrc2=s=160x90:r=25:d=2 {X264}"));
    let output = workspace.path("rung.mp4");
    for (video, words) in [
        (conclusion(50, 50), "and not after 0.260 s, at 50 frames a second, as the QC report says"),
        (
            VideoConclusion { width: 320, height: 180, ..conclusion(25, 50) },
            "has 160x90 pixels, and not 320x180",
        ),
    ] {
        let spec = video_spec(video, vec![rung(25, 160, 90)]);
        let error =
            encode_video(&source, &spec, std::slice::from_ref(&output), THREADS, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.failure().code, reelfarm_model::Code::EncodeNotAsReported);
        assert_eq!(error.failure().class, reelfarm_model::FailureClass::Permanent);
    }
}

#[test]
fn a_real_film_keeps_its_picture() {
    let workspace = Workspace::new();
    let source = real_clip("bigbuckbunny.mp4");
    let output = encode_one(&workspace, &source, conclusion(25, 132), rung(25, 320, 180));
    // Frame by frame against the source, scaled by FFmpeg's own command.
    let result = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "info", "-i"])
        .arg(&output)
        .arg("-i")
        .arg(&source)
        .args(["-lavfi", "[1:v]scale=320:180[s];[0:v][s]psnr", "-f", "null", "-"])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&result.stderr).into_owned();
    let lowest: f64 = log.split("min:").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(lowest > 25.0, "the worst frame has a PSNR of {lowest} dB\n{log}");
}
