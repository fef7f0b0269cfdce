use proptest::prelude::*;
use reelfarm_model::qc::KeyFrameRun;

use super::*;

fn per_title() -> PerTitle {
    PerTitle {
        least_ssim: 0.97,
        lowest_crf: 18,
        highest_crf: 34,
        stretches: 4,
        stretch_seconds: 4,
        least_step: 1.3,
    }
}

fn rung(name: &str, codec: VideoCodec, height: u32) -> Rung {
    Rung {
        name: name.to_owned(),
        codec,
        width: height * 16 / 9,
        height,
        min_source_kbps: 0,
        crf: 22,
        maxrate_kbps: 1000,
        bufsize_kbps: 2000,
        preset: "medium".to_owned(),
        profile: "high".to_owned(),
    }
}

/// A rung whose quality at CRF 18 is so many decibels, at its own size and as it is shown, and falls by half a decibel for each
/// CRF; its rate at CRF 18 halves with every six.
fn tried<'a>(rung: &'a Rung, kbps: f64, own: f64, shown: f64) -> Tried<'a> {
    let point = |crf: &u8| {
        let above = f64::from(crf - 18);
        TrialPoint {
            crf: *crf,
            bits: (kbps * 4000.0 * 2_f64.powf(-above / 6.0)) as u64,
            ssim: from_decibels(own - above / 2.0),
            shown_ssim: from_decibels(shown - above / 2.0),
        }
    };
    let trial = Trial { points: per_title().tried_crfs().iter().map(point).collect() };
    Tried { rung, stretches: vec![(4.0, trial)] }
}

fn outcome(tried: &[Tried<'_>]) -> Vec<(String, Result<u8, LeftOut>)> {
    let fitted = fitted(&per_title(), tried);
    let of = |rung: FittedRung| match (rung.fitted, rung.left_out) {
        (Some(expected), None) => (rung.rung, Ok(expected.crf)),
        (None, Some(left_out)) => (rung.rung, Err(left_out)),
        other => panic!("{other:?}"),
    };
    fitted.rungs.into_iter().map(of).collect()
}

#[test]
fn the_highest_crf_is_taken_that_holds_the_quality() {
    // 0.97 is 15.23 decibels.
    let (large, small) = (rung("1080p", VideoCodec::H264, 1080), rung("360p", VideoCodec::H264, 360));
    let both = [tried(&large, 4000.0, 19.3, 19.3), tried(&small, 800.0, 17.3, 12.0)];
    assert_eq!(outcome(&both), [("1080p".to_owned(), Ok(26)), ("360p".to_owned(), Ok(22))]);
    let found = fitted(&per_title(), &both);
    let [first, _] = &found.rungs[..] else { panic!("{found:?}") };
    assert_eq!((first.fixed.crf, first.fitted.unwrap().crf), (22, 26));
    assert!((first.fixed.kbps - 4000.0 / 2_f64.powf(4.0 / 6.0)).abs() < 1.0, "{first:?}");
    assert!((first.fitted.unwrap().ssim - from_decibels(15.3)).abs() < 1e-6);
    assert!(found.saved() > 0.3, "{}", found.saved());
}

#[test]
fn a_quality_that_no_rate_reaches_is_come_near_to() {
    let large = rung("1080p", VideoCodec::H264, 1080);
    assert_eq!(outcome(&[tried(&large, 4000.0, 12.0, 12.0)]), [("1080p".to_owned(), Ok(18))]);
    // The cap holds all at the same: the cheapest to encode.
    let mut capped = tried(&large, 4000.0, 12.0, 12.0);
    for point in &mut capped.stretches[0].1.points {
        point.ssim = from_decibels(12.0);
        point.shown_ssim = point.ssim;
    }
    assert_eq!(outcome(&[capped]), [("1080p".to_owned(), Ok(34))]);
}

#[test]
fn a_larger_picture_is_left_out_where_a_smaller_one_does_with_fewer_bits() {
    let (large, middle, small) = (
        rung("1080p", VideoCodec::H264, 1080),
        rung("720p", VideoCodec::H264, 720),
        rung("360p", VideoCodec::H264, 360),
    );
    let three = [
        tried(&large, 4000.0, 18.0, 18.0),
        tried(&middle, 1500.0, 18.0, 16.8),
        tried(&small, 500.0, 17.0, 12.0),
    ];
    assert_eq!(
        outcome(&three),
        [
            ("1080p".to_owned(), Err(LeftOut::SmallerDoes)),
            // As it is shown at 1080p, not as it is.
            ("720p".to_owned(), Ok(21)),
            ("360p".to_owned(), Ok(21)),
        ]
    );
    // It does, and takes more bits for it.
    let dear = [tried(&large, 1200.0, 18.0, 18.0), tried(&middle, 1500.0, 18.0, 16.8)];
    assert_eq!(outcome(&dear)[0], ("1080p".to_owned(), Ok(23)));
}

#[test]
fn a_rung_with_hardly_fewer_bits_than_the_one_above_is_left_out() {
    let rungs = ["1080p", "720p", "480p"].map(|name| rung(name, VideoCodec::H264, 480));
    let three = [
        tried(&rungs[0], 1000.0, 19.3, 19.3),
        tried(&rungs[1], 800.0, 19.3, 12.0),
        tried(&rungs[2], 700.0, 19.3, 12.0),
    ];
    let made = outcome(&three);
    assert_eq!(made[1].1, Err(LeftOut::TooClose));
    assert_eq!(made[2].1, Ok(26), "it is held against the one above that is made");
}

#[test]
fn the_smallest_gives_up_quality_before_it_is_left_out() {
    let rungs = ["1080p", "480p", "240p"].map(|name| rung(name, VideoCodec::H264, 480));
    // At CRF 26, 22 and 18: 397, 630 and 900 kb/s.
    let three = [
        tried(&rungs[0], 1000.0, 19.3, 19.3),
        tried(&rungs[1], 1000.0, 17.3, 12.0),
        tried(&rungs[2], 900.0, 15.3, 10.0),
    ];
    let found = fitted(&per_title(), &three);
    assert_eq!(found.rungs[1].left_out, Some(LeftOut::TooClose));
    let made = found.rungs[2].fitted.unwrap();
    assert!(made.crf == 28 && made.kbps * 1.3 <= 397.0 && found.rungs[2].falls_short, "{made:?}");
    // No CRF of the range has so few.
    let dear = [tried(&rungs[0], 1000.0, 19.3, 19.3), tried(&rungs[2], 9000.0, 15.3, 10.0)];
    assert_eq!(outcome(&dear)[1].1, Err(LeftOut::TooClose));
}

#[test]
fn codecs_do_not_take_each_others_places() {
    let (avc, hevc) = (rung("1080p", VideoCodec::H264, 1080), rung("1080p-hevc", VideoCodec::Hevc, 1080));
    let both = [tried(&hevc, 500.0, 19.3, 19.3), tried(&avc, 1000.0, 19.3, 19.3)];
    assert_eq!(outcome(&both), [("1080p-hevc".to_owned(), Ok(26)), ("1080p".to_owned(), Ok(26))]);
}

#[test]
fn the_worst_stretch_holds_the_quality_and_all_count_for_the_rate() {
    let large = rung("1080p", VideoCodec::H264, 1080);
    let mut both = tried(&large, 4000.0, 25.0, 25.0);
    both.stretches.extend(tried(&large, 2000.0, 17.3, 17.3).stretches);
    let found = fitted(&per_title(), &[both]).rungs.remove(0).fitted.unwrap();
    assert_eq!(found.crf, 22);
    assert!((found.kbps - 3000.0 / 2_f64.powf(4.0 / 6.0)).abs() < 1.0, "{found:?}");
}

fn film(frame_rate: u32, frame_count: u64) -> VideoConclusion {
    VideoConclusion {
        stream: 0,
        frame_rate,
        frame_count,
        width: 1920,
        height: 1080,
        rotation: 0,
        deinterlace: false,
        field_order: None,
        matrix: "bt709".into(),
        full_range: false,
    }
}

fn key_frames(distance: u64, count: u64) -> DecodingStarts {
    let key_frames = vec![KeyFrameRun { first: 0, distance, count }];
    DecodingStarts { key_frames, open_groups: false, film_start_us: Some(0) }
}

fn seconds(frames: u64, decoding: &DecodingStarts) -> Vec<(u64, u64)> {
    let chunks = stretches(&per_title(), &film(25, frames), decoding);
    chunks.iter().map(|chunk| (chunk.first_frame / 25, chunk.frame_count)).collect()
}

#[test]
fn stretches_lie_apart_and_where_decoding_comes_to_them_soon() {
    let often = key_frames(25, 100_000);
    assert_eq!(seconds(7200 * 25, &often), [(898, 100), (2698, 100), (4498, 100), (6298, 100)]);
    assert_eq!(seconds(16 * 25, &often), [(0, 100), (4, 100), (8, 100), (12, 100)]);
    assert_eq!(seconds(10 * 25, &often), [(0, 100), (4, 100)]);
    assert_eq!(seconds(33, &often), [(0, 33)]);
    assert_eq!(seconds(7200 * 25, &DecodingStarts::default()), []);
    // One key frame, at the start: there is one place to begin.
    assert_eq!(seconds(7200 * 25, &key_frames(0, 1)), [(0, 100)]);
    // Where the deinterlacer looks back, decoding begins a key frame earlier.
    let interlaced = VideoConclusion { deinterlace: true, ..film(25, 400) };
    let starts = |video: &VideoConclusion| -> Vec<u64> {
        stretches(&per_title(), video, &often).iter().map(|chunk| chunk.decoding.key_frame).collect()
    };
    assert_eq!(starts(&film(25, 400)), [0, 100, 200, 300]);
    assert_eq!(starts(&interlaced), [0, 75, 175, 275]);
    // One every ten minutes: that at 600 s is far before 898 s.
    assert_eq!(seconds(7200 * 25, &key_frames(15_000, 12))[0], (600, 100));
}

proptest! {
    #[test]
    fn stretches_are_of_the_film_and_on_the_grid(
        frame_rate in prop::sample::select(vec![24_u32, 25, 50, 60]),
        frame_count in 1_u64..200_000,
        distance in 1_u64..5_000,
    ) {
        let chunks = stretches(&per_title(), &film(frame_rate, frame_count), &key_frames(distance, frame_count / distance + 1));
        prop_assert!(!chunks.is_empty());
        for (chunk, next) in chunks.iter().zip(chunks.iter().skip(1).map(Some).chain([None])) {
            prop_assert_eq!(chunk.first_frame % (u64::from(frame_rate) * 2), 0);
            prop_assert!(chunk.frame_count > 0 && chunk.decoding.key_frame <= chunk.first_frame);
            let end = chunk.first_frame + chunk.frame_count;
            prop_assert!(end <= next.map_or(frame_count, |next| next.first_frame));
        }
    }

    #[test]
    fn what_is_made_falls_in_rate_and_something_is_made(
        rungs in prop::collection::vec((100.0_f64..5000.0, 8.0_f64..30.0, 0.0_f64..8.0), 1..6),
    ) {
        let names: Vec<Rung> = (0..rungs.len()).map(|number| rung(&number.to_string(), VideoCodec::H264, 720)).collect();
        let tried: Vec<Tried<'_>> = rungs
            .iter()
            .zip(&names)
            .enumerate()
            .map(|(place, ((kbps, own, loss), rung))| {
                tried(rung, *kbps, *own, if place == 0 { *own } else { own - loss })
            })
            .collect();
        let fitted = fitted(&per_title(), &tried);
        prop_assert_eq!(fitted.rungs.len(), rungs.len());
        let rates: Vec<f64> = fitted.rungs.iter().filter_map(|rung| Some(rung.fitted?.kbps)).collect();
        prop_assert!(!rates.is_empty());
        prop_assert!(rates.windows(2).all(|pair| pair[0] >= pair[1] * 1.3 - 1e-6), "{:?}", rates);
        for rung in &fitted.rungs {
            prop_assert_eq!(rung.fitted.is_none(), rung.left_out.is_some());
        }
    }
}
