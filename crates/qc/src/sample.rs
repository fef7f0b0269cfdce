//! Measurements for tests: a clean film, and ways to bend it.

use reelfarm_model::ladder::Ladder;
use reelfarm_model::measurement::picture::{
    ActiveArea, Bars, Cadence, LumaMeasurement, Margins, PictureMeasurement,
};
use reelfarm_model::measurement::sampled::{
    BlockinessMeasurement, DetailLoss, DetailMeasurement, FieldMeasurement, HdrMetadata, ScalingTrace,
};
use reelfarm_model::measurement::sound::{
    ChannelMeasurement, ContinuityMeasurement, PairMeasurement, Position, ProgrammeLoudness, SoundMeasurement,
};
use reelfarm_model::measurement::{
    AudioMeasurement, Colour, Curve, GridFit, IntervalCount, Measurements, Ratio, Span, Spans,
    SubtitleMeasurement, VideoMeasurement,
};
use reelfarm_model::qc::{Check, QcReport, Verdict};

use crate::policy::{BUILT_IN, Policy};

pub(crate) const NTSC_FILM: Ratio = Ratio::new(24000, 1001);

/// The rates that a measurement compares times with.
pub(crate) const CANDIDATES: [Ratio; 11] = [
    Ratio::new(24, 1),
    Ratio::new(25, 1),
    Ratio::new(30, 1),
    Ratio::new(48, 1),
    Ratio::new(50, 1),
    Ratio::new(60, 1),
    NTSC_FILM,
    Ratio::new(30000, 1001),
    Ratio::new(60000, 1001),
    Ratio::new(15, 1),
    Ratio::new(120, 1),
];

pub(crate) fn policy() -> Policy {
    Policy::parse("qc.toml", BUILT_IN).unwrap()
}

pub(crate) fn ladder() -> Ladder {
    Ladder::parse("default.toml", include_str!("../../../ladders/default.toml")).unwrap()
}

pub(crate) fn fast_ladder() -> Ladder {
    Ladder::parse("fast.toml", include_str!("../../../ladders/fast.toml")).unwrap()
}

/// The report by the shipped policy and ladder, nothing said about the language.
pub(crate) fn report(measurements: &Measurements) -> QcReport {
    crate::evaluate(&policy(), measurements, &ladder(), None)
}

pub(crate) fn check<'a>(report: &'a QcReport, name: &str) -> &'a Check {
    let found = report.checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no check {name:?} in {:#?}", report.checks))
}

/// The time codes of the places that a check names.
pub(crate) fn places(measurements: &Measurements, name: &str) -> Vec<String> {
    check(&report(measurements), name).places.iter().map(|place| place.time_code.clone()).collect()
}

/// A stretch of time, in seconds.
pub(crate) fn span(start: f64, end: f64) -> Span {
    Span { start, end }
}

/// One case of a check: the verdict, a part of its value, and how a clean film is bent to get there.
pub(crate) type Case<'a> = (Verdict, &'a str, &'a dyn Fn(&mut Measurements));

/// Judges each case and compares the check of this name.
pub(crate) fn table(name: &str, cases: &[Case<'_>]) {
    for (verdict, value, bend) in cases {
        let mut measurements = clean();
        bend(&mut measurements);
        let report = report(&measurements);
        let check = check(&report, name);
        assert_eq!(check.verdict, *verdict, "{name} of {:?}", check.value);
        assert!(check.value.contains(value), "{name}: {:?} does not hold {value:?}", check.value);
        assert_eq!(check.remedy.is_empty(), *verdict == Verdict::Pass, "{name}: remedy {:?}", check.remedy);
        assert!(*verdict != Verdict::Pass || check.places.is_empty(), "{name}: places {:?}", check.places);
        assert!(report.verdict >= *verdict);
    }
}

/// Ten seconds of 1080p25 at 8 Mb/s with English stereo: passes everything.
pub(crate) fn clean() -> Measurements {
    at_rate(Ratio::new(25, 1), 10.0)
}

pub(crate) fn size(measurements: &mut Measurements, width: u32, height: u32) {
    measurements.video[0].width = width;
    measurements.video[0].height = height;
}

/// A clean film of this rate and length whose clock shows every time exactly.
pub(crate) fn at_rate(rate: Ratio, seconds: f64) -> Measurements {
    let per_second = rate.value().unwrap();
    let frames = (seconds * per_second).round() as u64;
    let last = (frames - 1) as f64 / per_second;
    let grid = CANDIDATES
        .iter()
        .chain((!CANDIDATES.contains(&rate)).then_some(&rate))
        .map(|candidate| GridFit {
            rate: *candidate,
            largest_deviation: (last - (frames - 1) as f64 / candidate.value().unwrap()).abs(),
        })
        .collect();
    let intervals = vec![IntervalCount { ticks: rate.denominator * 512, count: frames - 1 }];
    film(rate, frames, last, Ratio::new(1, rate.numerator * 512), grid, intervals)
}

/// A clean film whose times are rounded to 1 ms, as in Matroska.
pub(crate) fn rounded_to_milliseconds(rate: Ratio, seconds: f64) -> Measurements {
    let per_second = rate.value().unwrap();
    let frames = (seconds * per_second).round() as u64;
    let ticks: Vec<i64> =
        (0..frames).map(|index| (index as f64 * 1000.0 / per_second).round() as i64).collect();
    let grid = CANDIDATES
        .iter()
        .map(|candidate| GridFit {
            rate: *candidate,
            largest_deviation: ticks
                .iter()
                .enumerate()
                .map(|(index, tick)| {
                    (*tick as f64 / 1000.0 - index as f64 / candidate.value().unwrap()).abs()
                })
                .fold(0.0, f64::max),
        })
        .collect();
    let mut intervals: Vec<IntervalCount> = Vec::new();
    for pair in ticks.windows(2) {
        let distance = pair[1] - pair[0];
        match intervals.iter_mut().find(|interval| interval.ticks == distance) {
            Some(interval) => interval.count += 1,
            None => intervals.push(IntervalCount { ticks: distance, count: 1 }),
        }
    }
    intervals.sort_by_key(|interval| std::cmp::Reverse(interval.count));
    let last = *ticks.last().unwrap() as f64 / 1000.0;
    let mut film = film(rate, frames, last, Ratio::new(1, 1000), grid, intervals);
    film.container = "matroska,webm".to_owned();
    film
}

fn film(
    rate: Ratio,
    frames: u64,
    last_time: f64,
    time_base: Ratio,
    grid: Vec<GridFit>,
    intervals: Vec<IntervalCount>,
) -> Measurements {
    let seconds = frames as f64 / rate.value().unwrap();
    let key_frame_times: Vec<f64> = (0_u32..)
        .map(|number| f64::from(number) * 2.0)
        .take_while(|time| *time < seconds)
        .take(20_000)
        .collect();
    let video = VideoMeasurement {
        index: 0,
        codec: "h264".to_owned(),
        width: 1920,
        height: 1080,
        sample_aspect: Ratio::new(1, 1),
        codec_sample_aspect: None,
        header_size: None,
        rotation: 0,
        pixel_format: "yuv420p".to_owned(),
        bit_depth: 8,
        header_frame_rate: rate,
        average_frame_rate: rate,
        codec_frame_rate: Some(rate),
        time_base,
        header_frames: Some(frames),
        frames,
        first_time: 0.0,
        last_time,
        missing_times: 0,
        backward_times: 0,
        first_backward_time: None,
        grid,
        mean_deviation: Some(0.0),
        intervals,
        interlaced_frames: 0,
        top_field_first_frames: 0,
        format_changes: 0,
        first_format_change: None,
        decode_errors: 0,
        first_decode_error: None,
        bytes: (seconds * 1e6) as u64,
        key_frames: key_frame_times.len() as u64,
        longest_key_frame_distance: if key_frame_times.len() > 1 { 2.0 } else { 0.0 },
        colour: Colour {
            range: "tv".to_owned(),
            primaries: "bt709".to_owned(),
            transfer: "bt709".to_owned(),
            matrix: "bt709".to_owned(),
        },
        hdr: HdrMetadata::default(),
        key_frame_times,
        leading_pictures: 0,
        first_packet_time: None,
        edit_list: None,
        bitrate: Curve { start: 0.0, step: 0.5, values: vec![Some(8e6)] },
        gaps: Spans::default(),
        picture: Some(picture(frames, seconds)),
        fields: Some(FieldMeasurement { progressive: frames, ..FieldMeasurement::default() }),
        detail: Some(detail()),
        blockiness: Some(BlockinessMeasurement { pictures: 10, median: 1.02, high: 1.1, worst_time: 1.0 }),
    };
    let mut sound = audio(1, 2);
    sound.samples = (seconds * 48_000.0) as u64;
    sound.end_time = seconds;
    Measurements {
        size: (seconds * 1.02e6) as u64,
        open_error: None,
        container: "mov,mp4,m4a,3gp,3g2,mj2".to_owned(),
        header_duration: Some(seconds),
        header_end: None,
        video: vec![video],
        audio: vec![sound],
        combined: Vec::new(),
        subtitles: Vec::new(),
        other: Vec::new(),
        read_errors: 0,
        error_lines: Vec::new(),
    }
}

/// Pictures that are lit, move and fill the frame throughout.
fn picture(frames: u64, seconds: f64) -> PictureMeasurement {
    let whole = ActiveArea { margins: Margins::default(), seconds };
    PictureMeasurement {
        frames,
        start: 0.0,
        end: seconds,
        cadence: Cadence {
            moving_frames: frames,
            moving_seconds: seconds,
            judged_seconds: seconds,
            ..Cadence::default()
        },
        field_cadence: Cadence {
            moving_frames: 2 * frames,
            moving_seconds: seconds,
            judged_seconds: seconds,
            ..Cadence::default()
        },
        bars: Bars {
            width: 1920,
            height: 1080,
            judged_seconds: seconds,
            margins: Margins::default(),
            areas: vec![whole],
        },
        luma: LumaMeasurement { darkest: 0.0, brightest: 0.98, ..LumaMeasurement::default() },
        motion: 0.021,
        ..PictureMeasurement::default()
    }
}

/// What smaller heights take away of a picture that needs all of its lines.
fn detail() -> DetailMeasurement {
    let losses = [(900, -44.0), (720, -41.0), (576, -38.0), (480, -36.0), (360, -33.0)];
    let losses = losses.map(|(height, lost)| DetailLoss { height, loss_db: Some(lost) }).to_vec();
    let traces =
        [(720, 2.1), (576, 1.4), (480, 0.8)].map(|(height, strength)| ScalingTrace { height, strength });
    DetailMeasurement { pictures: 10, losses, traces: traces.to_vec(), spatial_information: Some(61.4) }
}

/// Ten seconds of English sound.
pub(crate) fn audio(index: u32, channels: u32) -> AudioMeasurement {
    let layout = match channels {
        1 => "mono",
        2 => "stereo",
        6 => "5.1",
        _ => "",
    };
    AudioMeasurement {
        index,
        codec: "aac".to_owned(),
        sample_rate: 48_000,
        channels,
        layout: layout.to_owned(),
        language: Some("eng".to_owned()),
        samples: 480_000,
        first_time: 0.0,
        end_time: 10.0,
        peak_dbfs: Some(-3.0),
        decode_errors: 0,
        first_decode_error: None,
        bytes: 160_000,
        sound: Some(sound(channels)),
        header_sample_rate: None,
        header_channels: None,
        continuity: Some(ContinuityMeasurement::default()),
    }
}

/// Sound that is as it should be in each of its channels.
fn sound(channels: u32) -> SoundMeasurement {
    use Position::{BackLeft, BackRight, FrontCentre, FrontLeft, FrontRight, LowFrequency, Mono, Other};
    let positions = match channels {
        1 => vec![Mono],
        2 => vec![FrontLeft, FrontRight],
        6 => vec![FrontLeft, FrontRight, FrontCentre, LowFrequency, BackLeft, BackRight],
        other => vec![Other; other.min(64) as usize],
    };
    let channel = |position| ChannelMeasurement {
        position,
        peak_dbfs: Some(-3.0),
        true_peak_dbtp: Some(-3.0),
        rms_dbfs: Some(-23.0),
        dc_offset: 0.0,
        clipped: Spans::default(),
        longest_clipped_run: 0,
        silence: Spans::default(),
        not_finite: 0,
    };
    let pair = PairMeasurement {
        left: 0,
        right: 1,
        correlation: Some(0.6),
        out_of_phase: Spans::default(),
        equal: Some(0.1),
        difference_db: Some(-1.0),
        only: None,
    };
    let curve = Curve { start: 0.0, step: 0.5, values: vec![Some(-23.0)] };
    SoundMeasurement {
        samples: 480_000,
        ignored_channels: channels.saturating_sub(64),
        loudness: ProgrammeLoudness {
            integrated_lufs: Some(-23.0),
            range_lu: Some(7.0),
            maximum_momentary_lufs: Some(-18.0),
            maximum_short_term_lufs: Some(-20.0),
            true_peak_dbtp: Some(-3.0),
        },
        true_peak_exceeded: None,
        momentary: curve.clone(),
        short_term: curve,
        silence: Spans::default(),
        channels: positions.into_iter().map(channel).collect(),
        pair: (channels == 2 || channels == 6).then_some(pair),
    }
}

/// A track of English subtitles that ends with the picture.
pub(crate) fn subtitles(index: u32) -> SubtitleMeasurement {
    SubtitleMeasurement {
        index,
        codec: "mov_text".to_owned(),
        language: Some("eng".to_owned()),
        events: 120,
        overlaps: Spans::default(),
        end_time: 10.0,
    }
}
