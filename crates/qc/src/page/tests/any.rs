//! Any text and any numbers in every place of report and measurements.

use proptest::prelude::*;
use reelfarm_model::Code;
use reelfarm_model::measurement::picture::{Flashes, PictureMeasurement};
use reelfarm_model::measurement::sampled::{
    BlockinessMeasurement, DetailLoss, DetailMeasurement, FieldMeasurement, ScalingTrace,
};
use reelfarm_model::measurement::sound::{
    ChannelMeasurement, PairMeasurement, Position, ProgrammeLoudness, SoundMeasurement,
};
use reelfarm_model::measurement::{
    AudioMeasurement, Colour, CombinedTracks, Curve, GridFit, IntervalCount, Measurements, Ratio, Span,
    Spans, SubtitleMeasurement, VideoMeasurement,
};
use reelfarm_model::qc::{
    AudioProgramme, AudioSource, Check, Conclusion, DecodingStarts, Place, QcReport, Verdict, VideoConclusion,
};

use super::read::{Element, elements};
use super::{Extras, Moment, PlacePicture, page, wanted};
use crate::sample;

/// Gives one after the other of some numbers and texts, over and over.
struct Source {
    numbers: Vec<f64>,
    texts: Vec<String>,
    given: usize,
}

impl Source {
    fn number(&mut self) -> f64 {
        self.given += 1;
        self.numbers[self.given % self.numbers.len()]
    }

    fn text(&mut self) -> String {
        self.given += 1;
        self.texts[self.given % self.texts.len()].clone()
    }

    fn spans(&mut self) -> Spans {
        let first = (0..3).map(|_| Span { start: self.number(), end: self.number() }).collect();
        Spans { count: self.number() as u64, seconds: self.number(), first }
    }

    fn curve(&mut self) -> Curve {
        let values = (0..7).map(|_| Some(self.number() as f32)).collect();
        Curve { start: self.number(), step: self.number(), values }
    }

    fn flashes(&mut self) -> Flashes {
        Flashes { count: 1, most_in_a_second: 9, worst_second: Some(self.number()), too_many: self.spans() }
    }

    fn picture(&mut self) -> PictureMeasurement {
        let mut picture = PictureMeasurement {
            start: self.number(),
            end: self.number(),
            black: self.spans(),
            leading_black: self.number(),
            trailing_black: self.number(),
            freeze: self.spans(),
            general_flashes: self.flashes(),
            red_flashes: self.flashes(),
            ..PictureMeasurement::default()
        };
        picture.luma.mean = self.curve();
        picture.luma.darkest = self.number();
        picture.luma.below_range.share = self.number();
        picture.cadence.moving_seconds = self.number();
        picture
    }

    fn video(&mut self) -> VideoMeasurement {
        VideoMeasurement {
            codec: self.text(),
            pixel_format: self.text(),
            first_time: self.number(),
            last_time: self.number(),
            average_frame_rate: Ratio::new(self.number() as i64, self.number() as i64),
            time_base: Ratio::new(self.number() as i64, self.number() as i64),
            grid: vec![GridFit { rate: Ratio::new(1, 0), largest_deviation: self.number() }],
            intervals: vec![IntervalCount { ticks: self.number() as i64, count: 1 }],
            first_decode_error: Some(self.number()),
            decode_errors: self.number() as u64,
            longest_key_frame_distance: self.number(),
            key_frame_times: vec![self.number(), self.number()],
            key_frames: 2,
            colour: Colour {
                range: self.text(),
                primaries: self.text(),
                transfer: self.text(),
                matrix: self.text(),
            },
            bitrate: self.curve(),
            gaps: self.spans(),
            picture: Some(self.picture()),
            fields: Some(FieldMeasurement { interlaced: self.spans(), ..FieldMeasurement::default() }),
            detail: Some(DetailMeasurement {
                pictures: 1,
                losses: vec![DetailLoss { height: 720, loss_db: Some(self.number()) }],
                traces: vec![ScalingTrace { height: 480, strength: self.number() }],
                spatial_information: Some(self.number()),
            }),
            blockiness: Some(BlockinessMeasurement {
                pictures: 1,
                median: self.number(),
                high: self.number(),
                worst_time: self.number(),
            }),
            ..sample::clean().video.remove(0)
        }
    }

    fn loudness(&mut self) -> ProgrammeLoudness {
        ProgrammeLoudness {
            integrated_lufs: Some(self.number()),
            range_lu: Some(self.number()),
            maximum_momentary_lufs: Some(self.number()),
            maximum_short_term_lufs: Some(self.number()),
            true_peak_dbtp: Some(self.number()),
        }
    }

    fn channel(&mut self) -> ChannelMeasurement {
        ChannelMeasurement {
            position: Position::Other,
            peak_dbfs: Some(self.number()),
            true_peak_dbtp: Some(self.number()),
            rms_dbfs: Some(self.number()),
            dc_offset: self.number(),
            clipped: self.spans(),
            longest_clipped_run: 4,
            silence: self.spans(),
            not_finite: 0,
        }
    }

    fn audio(&mut self, index: u32) -> AudioMeasurement {
        let sound = SoundMeasurement {
            samples: 1,
            ignored_channels: 0,
            loudness: self.loudness(),
            true_peak_exceeded: Some(self.number()),
            momentary: self.curve(),
            short_term: self.curve(),
            silence: self.spans(),
            channels: vec![self.channel(), self.channel()],
            pair: Some(PairMeasurement {
                left: 0,
                right: 1,
                correlation: Some(self.number()),
                out_of_phase: self.spans(),
                equal: Some(self.number()),
                difference_db: Some(self.number()),
                only: None,
            }),
        };
        AudioMeasurement {
            codec: self.text(),
            layout: self.text(),
            language: Some(self.text()),
            first_time: self.number(),
            end_time: self.number(),
            peak_dbfs: Some(self.number()),
            first_decode_error: Some(self.number()),
            sound: Some(sound),
            ..sample::audio(index, 2)
        }
    }

    fn measurements(&mut self) -> Measurements {
        Measurements {
            container: self.text(),
            header_duration: Some(self.number()),
            video: vec![self.video()],
            audio: vec![self.audio(1), self.audio(2)],
            combined: vec![CombinedTracks {
                tracks: vec![(1, Position::Mono), (2, Position::LowFrequency)],
                loudness: self.loudness(),
                pair: None,
            }],
            subtitles: vec![SubtitleMeasurement {
                index: 3,
                codec: self.text(),
                language: Some(self.text()),
                events: 1,
                overlaps: self.spans(),
                end_time: self.number(),
            }],
            other: vec![(4, self.text())],
            error_lines: vec![self.text()],
            ..sample::clean()
        }
    }

    fn check(&mut self, code: Code, verdict: Verdict) -> Check {
        let place = |source: &mut Self| {
            let (start_ms, end_ms) = (source.number() as i64, source.number() as i64);
            Place { start_ms, end_ms, time_code: source.text() }
        };
        Check {
            code,
            name: self.text(),
            verdict,
            value: self.text(),
            limit: self.text(),
            remedy: format!("x{}", self.text()),
            places: vec![place(self), place(self)],
        }
    }

    fn report(&mut self) -> QcReport {
        let video = VideoConclusion {
            stream: 0,
            frame_rate: 25,
            frame_count: self.number() as u64,
            width: 1920,
            height: 1080,
            rotation: 90,
            deinterlace: true,
            field_order: None,
            matrix: self.text(),
            full_range: false,
        };
        let stereo = AudioSource::Track { stream: 1 };
        QcReport {
            schema: 1,
            source_sha256: None,
            external: false,
            policy: self.text(),
            ladder: self.text(),
            verdict: Verdict::Human,
            checks: vec![
                self.check(Code::QcFreeze, Verdict::Human),
                self.check(Code::QcBars, Verdict::Warn),
                self.check(Code::QcContainer, Verdict::Pass),
            ],
            conclusion: Some(Conclusion {
                video,
                rungs: vec![self.text()],
                audio: vec![AudioProgramme { language: self.text(), stereo, surround: None }],
                decoding: DecodingStarts::default(),
                complexity: None,
                fitted: None,
            }),
        }
    }
}

fn picture(moment: &Moment) -> PlacePicture {
    PlacePicture { time_ms: moment.time_ms, width: 320, height: 180, jpeg: vec![9] }
}

/// A page of these numbers and texts.
fn made_of(numbers: &[f64], texts: &[String]) -> String {
    let mut source = Source { numbers: numbers.to_vec(), texts: texts.to_vec(), given: 0 };
    let (report, measurements) = (source.report(), source.measurements());
    let name = source.text();
    let pictures: Vec<_> =
        wanted(&report, &measurements).iter().flat_map(|wanted| &wanted.moments).map(picture).collect();
    let extras = Extras { pictures: &pictures, target_lufs: Some(source.number()) };
    page(&report, Some(&measurements), &name, extras)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => 0.0..20.0f64,
        1 => any::<f64>(),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(0.0)],
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just("<script>alert(1)</script>".to_owned()),
        Just("\"><img src=\"https://example.org/x\" onerror='x'/>".to_owned()),
        Just("]]> --> &lt; &amp; </style></title></svg>".to_owned()),
        Just("\u{0}\u{1b}[31m\u{202e}\u{fffe}\u{ffff}".to_owned()),
    ]
}

/// The elements with the names of their attributes.
fn structure(page: &str) -> Vec<(String, Vec<String>)> {
    let names = |element: Element| {
        (element.name, element.attributes.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
    };
    elements(page).unwrap().into_iter().map(names).collect()
}

proptest! {
    /// Markup is the same whatever the texts are: none of theirs is in it.
    #[test]
    fn no_text_becomes_markup(numbers in prop::collection::vec(number(), 5..90), text in text()) {
        let hostile = made_of(&numbers, std::slice::from_ref(&text));
        let harmless = made_of(&numbers, &["word".to_owned()]);
        prop_assert_eq!(structure(&hostile), structure(&harmless));
        for element in elements(&hostile).unwrap() {
            prop_assert!(!["script", "iframe", "object", "link", "base"].contains(&element.name.as_str()));
            for (name, value) in &element.attributes {
                prop_assert!(!name.starts_with("on"), "{name}");
                let is_inside = value.starts_with('#') || value.starts_with("data:image/jpeg;base64,");
                prop_assert!(!["href", "src"].contains(&name.as_str()) || is_inside, "{value}");
            }
        }
        prop_assert!(hostile.chars().all(|character| character == '\n' || !character.is_control()));
    }

    /// What is no number is a dash, a gap or `an unknown time`.
    #[test]
    fn what_is_no_number_is_never_drawn(numbers in prop::collection::vec(number(), 5..90)) {
        let page = made_of(&numbers, &["word".to_owned()]);
        let words = page.split(|character: char| !character.is_ascii_alphabetic());
        for word in words {
            prop_assert!(!["NaN", "inf"].contains(&word), "{page}");
        }
        prop_assert!(page.len() < 1_000_000);
    }
}

/// A film of two hours with eight tracks of sound and the most of everything that is kept.
pub(super) fn crowded() -> Measurements {
    let spans = || {
        let first = (0..1000).map(|number| f64::from(number) * 7.2);
        let first = first.map(|start| Span { start, end: start + 2.2 }).collect();
        Spans { count: 5000, seconds: 11_000.0, first }
    };
    let curve = |low: f32| {
        let value = |number: u16| Some(low + f32::from(number % 100 * 37 % 100) / 5.0);
        Curve { start: 0.0, step: 1.8, values: (0..4000).map(value).collect() }
    };
    let mut source = Source { numbers: vec![7200.0], texts: vec!["word".to_owned()], given: 0 };
    let mut film = sample::clean();
    let video = &mut film.video[0];
    video.last_time = 7199.96;
    video.gaps = spans();
    video.bitrate = curve(1e6);
    video.fields = Some(FieldMeasurement { interlaced: spans(), ..FieldMeasurement::default() });
    let mut picture = PictureMeasurement {
        end: 7200.0,
        black: spans(),
        freeze: spans(),
        general_flashes: Flashes { too_many: spans(), ..Flashes::default() },
        red_flashes: Flashes { too_many: spans(), ..Flashes::default() },
        ..PictureMeasurement::default()
    };
    picture.luma.mean = curve(0.0);
    video.picture = Some(picture);
    film.audio = (1..=8).map(|index| source.audio(index)).collect();
    for track in &mut film.audio {
        track.first_time = 0.0;
        if let Some(sound) = &mut track.sound {
            sound.silence = spans();
            sound.momentary = curve(-40.0);
            sound.short_term = curve(-35.0);
            sound.channels.iter_mut().for_each(|channel| channel.clipped = spans());
            sound.pair.iter_mut().for_each(|pair| pair.out_of_phase = spans());
        }
    }
    film
}
