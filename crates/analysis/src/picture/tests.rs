use proptest::prelude::*;
use reelfarm_model::measurement::Spans;
use reelfarm_model::measurement::picture::Margins;

use super::synthetic::{FILM, Film, Random, coded, of_candela, scene};
use super::*;

/// Stretches in frames.
fn frames_of(spans: &Spans, rate: f64) -> Vec<(i64, i64)> {
    let frame = |time: f64| (time * rate).round() as i64;
    spans.first.iter().map(|span| (frame(span.start), frame(span.end))).collect()
}

#[test]
fn a_moving_picture_has_no_faults() {
    let found = FILM.measure(300, scene);
    assert_eq!((found.frames, found.start, found.end), (300, 0.0, 12.0));
    assert_eq!((found.black.count, found.freeze.count), (0, 0));
    assert_eq!((found.leading_black, found.trailing_black), (0.0, 0.0));
    assert_eq!((found.cadence.moving_frames, found.cadence.repeats), (300, 0));
    assert_eq!(found.bars.margins, Margins::default());
    assert_eq!(found.general_flashes.count, 0);
    assert_eq!((found.luma.below_range.frames, found.luma.above_range.frames), (0, 0));
}

#[test]
fn nothing_is_measured_in_no_pictures() {
    assert_eq!(FILM.measure(0, scene), PictureMeasurement::default());
}

#[test]
fn black_is_found_where_it_is() {
    let is_black = |frame: usize| matches!(frame, 0..10 | 50..80 | 100 | 190..200);
    let found = FILM.measure(200, |frame, x, y| if is_black(frame) { 0.01 } else { scene(frame, x, y) });
    assert_eq!(frames_of(&found.black, 25.0), [(0, 10), (50, 80), (100, 101), (190, 200)]);
    assert!((found.leading_black - 0.4).abs() < 1e-9 && (found.trailing_black - 0.4).abs() < 1e-9);
    assert_eq!(found.freeze.count, 0, "black that stands still");
}

#[test]
fn what_is_nearly_black_is_not() {
    let rows = |share: f64| (FILM.height as f64 * share / 8.0).ceil() as usize * 8;
    let letters = |x: usize, y: usize| (120..200).contains(&x) && (84..92).contains(&y) && x % 8 < 4;
    let lamp = |x: usize, y: usize| x / 8 == 20 && y / 8 == 5;
    let black = |picture: &dyn Fn(usize, usize) -> f64| FILM.measure(50, |_, x, y| picture(x, y)).black.count;
    assert_eq!(black(&|_, y| if y < rows(0.03) { 0.15 } else { 0.02 }), 0, "97 % of the area");
    assert_eq!(black(&|x, y| if y < 8 && x < 100 { 0.15 } else { 0.02 }), 1, "98.6 % of the area");
    assert_eq!(black(&|x, y| if letters(x, y) { 0.9 } else { 0.0 }), 0, "a line of credits");
    assert_eq!(black(&|x, y| if lamp(x, y) { 0.8 } else { 0.03 }), 0, "a lamp at night");
    assert_eq!(black(&|_, _| 0.11), 0, "dark grey");
}

#[test]
fn a_freeze_is_found_where_it_is() {
    let held = |frame: usize| if (50..100).contains(&frame) { 50 } else { frame };
    let found = FILM.measure(200, |frame, x, y| scene(held(frame), x, y) + coded(frame, x, y));
    assert_eq!(frames_of(&found.freeze, 25.0), [(50, 100)]);
    assert_eq!(found.cadence.repeats, 0, "a freeze is no cadence");
}

#[test]
fn what_nearly_stands_still_is_no_freeze() {
    let freezes = |luma: &dyn Fn(usize, usize, usize) -> f64| FILM.measure(150, luma).freeze.count;
    // 0.173 of width and height are 3 % of the area.
    let object = |frame: usize, x: usize, y: usize| {
        if (100..155).contains(&x) && (60..91).contains(&y) {
            0.03 * ((x + frame) as f64 / 3.0).sin()
        } else {
            0.0
        }
    };
    assert_eq!(freezes(&|frame, x, y| scene(0, x, y) + object(frame, x, y)), 0, "a moving object");
    let grain = |frame: usize, x: usize, y: usize| 0.01 * (synthetic::noise(frame, x, y) - 0.5);
    assert_eq!(freezes(&|frame, x, y| scene(0, x, y) + grain(frame, x, y)), 0, "grain");
    assert_eq!(freezes(&|frame, x, y| scene(0, x, y) * (1.0 - frame as f64 / 1_500.0)), 0, "a slow fade");
    assert_eq!(freezes(&|frame, x, y| scene(frame / 12, x, y)), 0, "stills of 0.48 s");
    assert_eq!(freezes(&|frame, x, y| scene(frame / 13, x, y)), 11, "stills of 0.52 s");
    // A dark scene: 2 % of the range, and something in it moves by as much.
    let dark = |frame: usize, x: usize, y: usize| 0.06 * scene(0, x, y) + object(frame, x, y).max(0.0);
    assert_eq!(freezes(&dark), 0, "a dark scene");
}

#[test]
fn a_repeat_each_25_frames_is_a_pattern() {
    let picture = |frame: usize| frame - (frame + 10) / 25;
    let found = FILM.measure(750, |frame, x, y| scene(picture(frame), x, y) + coded(frame, x, y));
    let pattern = found.cadence.patterns[0];
    assert_eq!((pattern.period, pattern.pictures), (25, 24), "{:?}", found.cadence);
    assert_eq!((found.cadence.repeats, found.freeze.count), (30, 0));
    assert!(pattern.longest > 23.9 && pattern.regularity > 0.99, "{pattern:?}");
}

#[test]
fn animation_on_twos_is_less_regular() {
    let mut random = Random(3);
    let mut pictures = vec![0];
    while pictures.len() < 1_500 {
        let held = if random.below(10) == 0 { 1 + random.below(2) * 2 } else { 2 };
        let next = pictures.last().unwrap() + 1;
        pictures.extend(std::iter::repeat_n(next, held as usize));
    }
    let found = FILM.measure(1_500, |frame, x, y| scene(pictures[frame], x, y));
    assert!(found.cadence.repeats > 600, "{:?}", found.cadence);
    let longest = found.cadence.patterns.iter().map(|pattern| pattern.seconds).fold(0.0, f64::max);
    assert!(longest < 0.5 * found.cadence.judged_seconds, "{:?}", found.cadence);
}

#[test]
fn bars_are_found_and_changes_as_well() {
    let barred = |lines: usize, y: usize, luma: f64| {
        if (lines..FILM.height - lines).contains(&y) { luma } else { 0.0 }
    };
    let found = FILM.measure(250, |frame, x, y| barred(22, y, scene(frame, x, y)));
    assert_eq!(found.bars.margins, Margins { top: 22, bottom: 22, left: 0, right: 0 });
    assert_eq!(found.bars.areas.len(), 1);
    let found =
        FILM.measure(250, |frame, x, y| barred(if frame < 125 { 22 } else { 0 }, y, scene(frame, x, y)));
    assert_eq!(found.bars.margins, Margins::default());
    assert_eq!(found.bars.areas.len(), 2);
}

/// A strobe of so many flashes a second between two luminances over a share of the picture.
fn strobe(film: Film, frequency: f64, area: f64, low: f64, high: f64) -> PictureMeasurement {
    let columns = (area * film.width as f64) as usize;
    let (low, high) = (of_candela(low), of_candela(high));
    film.measure((film.rate * 4.0) as usize, |frame, x, _| {
        let is_on = (frame as f64 / film.rate * frequency + 1e-9).fract() >= 0.5;
        if x < columns && is_on { high } else { low }
    })
}

#[test]
fn strobes_are_found_and_near_misses_are_not() {
    for rate in [24.0, 25.0, 30.0, 50.0, 60.0] {
        let film = Film { rate, ..FILM };
        for (frequency, area, low, high, flashes) in [
            (4.0, 1.0, 10.0, 100.0, 4),
            (5.0, 0.3, 10.0, 100.0, 5),
            (4.0, 1.0, 10.0, 32.0, 4),
            (3.0, 1.0, 10.0, 100.0, 3),
            (4.0, 0.24, 10.0, 100.0, 0),
            (4.0, 1.0, 10.0, 28.0, 0),
            (4.0, 1.0, 163.0, 199.0, 0),
        ] {
            let found = strobe(film, frequency, area, low, high).general_flashes;
            let what = format!("{rate} {frequency} {area} {low} {high}: {found:?}");
            assert_eq!(found.most_in_a_second, flashes, "{what}");
            assert_eq!(found.too_many.count, u64::from(flashes > 3), "{what}");
            if flashes > 3 {
                // The first rise comes after half a period, the last edge is the fall before the end.
                let span = found.too_many.first[0];
                assert!((span.start - 0.5 / frequency).abs() < 1.5 / rate, "{what}");
                assert!(4.0 - span.end < 0.6 / frequency + 2.0 / rate, "{what}");
            }
        }
    }
}

#[test]
fn red_strobes_are_found() {
    let film = FILM;
    let (width, height) = (film.width / 2, film.height / 2);
    let mut meter = film.meter();
    for frame in 0..100 {
        let is_on = frame % 6 < 3;
        // Red and blue of the same luma.
        let luma = film.samples(|_, _| 0.2);
        let plane = |level: u8| vec![level; width * height];
        let (blue, red) = if is_on { (plane(104), plane(230)) } else { (plane(220), plane(110)) };
        let chroma = |samples| Plane::new(samples, width, width, height, 8).unwrap();
        meter.frame(f64::from(frame) * 0.04, &film.plane(&luma), Some((&chroma(&blue), &chroma(&red))));
    }
    let found = meter.finish();
    assert_eq!((found.general_flashes.count, found.red_flashes.too_many.count), (0, 1), "{found:?}");
    assert!(found.red_flashes.most_in_a_second >= 4);
}

#[test]
fn findings_do_not_depend_on_depth_range_and_stride() {
    let luma = |frame: usize, x: usize, y: usize| match (frame, y) {
        (_, 0..20) => 0.0,
        (0..20, _) => 0.005,
        (100..150, _) => scene(100, x, y),
        (200..250, _) => of_candela(if frame % 6 < 3 { 90.0 } else { 20.0 }),
        _ => scene(frame / 2, x, y),
    };
    let measure = |film: Film| film.measure(900, luma);
    let expected = measure(FILM);
    assert_eq!(expected.black.count, 1);
    assert_eq!(frames_of(&expected.freeze, 25.0), [(100, 150)]);
    assert_eq!(expected.general_flashes.too_many.count, 1);
    assert_eq!(expected.bars.margins.top, 20);
    assert_eq!(expected.cadence.patterns[0].period, 2);
    for (bit_depth, full_range, padding) in
        [(8, false, 64), (8, true, 0), (10, false, 0), (10, true, 128), (12, false, 2)]
    {
        let found = measure(Film { bit_depth, full_range, padding, ..FILM });
        assert_eq!(found.black, expected.black);
        assert_eq!(found.freeze, expected.freeze);
        assert_eq!(found.general_flashes, expected.general_flashes);
        assert_eq!(found.bars, expected.bars);
        assert_eq!(found.cadence.repeats, expected.cadence.repeats);
        assert_eq!(found.cadence.patterns[0].longest, expected.cadence.patterns[0].longest);
        for (ours, theirs) in found.luma.mean.values.iter().zip(&expected.luma.mean.values) {
            assert!((ours.unwrap() - theirs.unwrap()).abs() < 0.01);
        }
    }
}

#[test]
fn a_change_of_size_keeps_what_was_found() {
    let small = Film { width: 160, height: 90, ..FILM };
    let mut meter = FILM.meter();
    for frame in 0..200 {
        let film = if (100..150).contains(&frame) { small } else { FILM };
        let luma = |x: usize, y: usize| if frame < 50 { 0.0 } else { scene(frame, x, y) };
        film.push(&mut meter, frame as f64 / 25.0, luma);
    }
    let found = meter.finish();
    assert_eq!((found.frames, found.black.count, found.freeze.count), (200, 1, 0));
    assert_eq!((found.bars.width, found.bars.height), (320, 180));
    assert_eq!((found.cadence.moving_frames, found.cadence.repeats), (151, 0), "150 and the first");
}

#[test]
fn moments_are_told_while_they_last() {
    let mut meter = FILM.meter();
    let mut told = Vec::new();
    assert!(meter.last_luma_grid().is_none());
    for frame in 0..500 {
        let luma = |x: usize, y: usize| match frame {
            0..50 | 100..150 => 0.0,
            200..300 => scene(200, x, y),
            350..400 => of_candela(if frame % 6 < 3 { 90.0 } else { 20.0 }),
            _ => scene(frame, x, y),
        };
        FILM.push(&mut meter, frame as f64 / 25.0, luma);
        while let Some(moment) = meter.next_moment() {
            told.push((moment.kind, (moment.time * 25.0).round() as usize, frame));
        }
        let grid = meter.last_luma_grid().unwrap();
        assert_eq!((grid.width, grid.height, grid.samples.len()), (40, 23, 40 * 23));
    }
    let kinds: Vec<(MomentKind, usize)> = told.iter().map(|(kind, time, _)| (*kind, *time)).collect();
    assert_eq!(kinds[..2], [(MomentKind::Black, 100), (MomentKind::Freeze, 200)]);
    assert!(
        kinds.len() == 3 && kinds[2].0 == MomentKind::Flashes && (350..357).contains(&kinds[2].1),
        "{told:?}"
    );
    assert!((124..127).contains(&told[0].2) && (249..252).contains(&told[1].2), "{told:?}");
}

#[test]
fn times_that_do_not_advance_are_made_to() {
    let mut meter = FILM.meter();
    for (frame, time) in [5.0, 5.04, f64::NAN, 5.0, f64::INFINITY, 5.5].into_iter().enumerate() {
        FILM.push(&mut meter, time, |x, y| scene(frame, x, y));
    }
    let found = meter.finish();
    assert_eq!((found.frames, found.start), (6, 5.0));
    assert!((found.end - 5.54).abs() < 1e-9, "{}", found.end);
    let mut meter = FILM.meter();
    FILM.push(&mut meter, f64::NAN, |_, _| 0.0);
    assert_eq!(meter.finish().end, 0.04);
}

proptest! {
    /// Pictures of any size, depth and content, and times of any kind: no panic, and sums that agree.
    #[test]
    fn anything_is_measured(
        sizes in prop::collection::vec((1usize..70, 1usize..40, 1usize..12), 1..4),
        bit_depth in 8u32..=16,
        full_range in any::<bool>(),
        rate in prop::option::of(-1.0f64..300.0),
        seed in any::<u64>(),
    ) {
        let mut random = Random(seed);
        let mut meter = PictureMeter::new(PictureFormat { full_range, matrix: Matrix::Bt601, frame_rate: rate });
        let mut frames = 0;
        for (width, height, count) in sizes {
            for _ in 0..count {
                let mut bytes = || -> Vec<u8> { (0..width * height * 2).map(|_| random.next() as u8).collect() };
                let (luma, blue, red) = (bytes(), bytes(), bytes());
                let across = width.div_ceil(2);
                let plane = |samples, width: usize, height| {
                    Plane::new(samples, width * 2, width, height, bit_depth).unwrap()
                };
                let (blue, red) = (plane(&blue, across, height), plane(&red, across, height));
                let time = [0.04, 0.0, -1.0, 1e9, f64::NAN][random.below(5) as usize] * frames as f64;
                meter.frame(time, &plane(&luma, width, height), random.below(2).eq(&0).then_some((&blue, &red)));
                frames += 1;
            }
        }
        let found = meter.finish();
        prop_assert_eq!(found.frames, frames);
        prop_assert!(found.end > found.start);
        prop_assert!(found.cadence.moving_frames <= frames && found.cadence.repeats <= found.cadence.moving_frames);
        prop_assert!(found.leading_black >= 0.0 && found.trailing_black >= 0.0);
    }
}
