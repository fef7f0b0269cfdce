//! Measurements of pictures, sound and subtitles of any kind.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use reelfarm_model::measurement::picture::{
    ActiveArea, Bars, Cadence, CadencePattern, Flashes, LumaMeasurement, Margins, OutOfRange,
    PictureMeasurement,
};
use reelfarm_model::measurement::sampled::{
    BlockinessMeasurement, DetailLoss, DetailMeasurement, FieldMeasurement, HdrMetadata, ScalingTrace,
};
use reelfarm_model::measurement::sound::{
    ChannelMeasurement, ContinuityMeasurement, PairMeasurement, Position, ProgrammeLoudness, Side,
    SoundMeasurement,
};
use reelfarm_model::measurement::{CombinedTracks, Curve, Span, Spans, SubtitleMeasurement};

use super::{number, side, whole, word};

fn spans() -> BoxedStrategy<Spans> {
    let span = (number(), number()).prop_map(|(start, end)| Span { start, end });
    (whole(), number(), vec(span, 0..4))
        .prop_map(|(count, seconds, first)| Spans { count, seconds, first })
        .boxed()
}

fn margins() -> impl Strategy<Value = Margins> {
    (side(), side(), side(), side()).prop_map(|(top, bottom, left, right)| Margins {
        top,
        bottom,
        left,
        right,
    })
}

fn bars() -> BoxedStrategy<Bars> {
    let area = (margins(), number()).prop_map(|(margins, seconds)| ActiveArea { margins, seconds });
    (side(), side(), number(), margins(), vec(area, 0..4))
        .prop_map(|(width, height, judged_seconds, margins, areas)| Bars {
            width,
            height,
            judged_seconds,
            margins,
            areas,
        })
        .boxed()
}

fn cadence() -> BoxedStrategy<Cadence> {
    let pattern = (side(), side(), number(), number(), number()).prop_map(
        |(period, pictures, seconds, longest, regularity)| CadencePattern {
            period,
            pictures,
            seconds,
            longest,
            regularity,
        },
    );
    (whole(), number(), whole(), number(), vec(pattern, 0..3))
        .prop_map(|(moving_frames, moving_seconds, repeats, judged_seconds, patterns)| Cadence {
            moving_frames,
            moving_seconds,
            repeats,
            judged_seconds,
            patterns,
        })
        .boxed()
}

fn flashes() -> impl Strategy<Value = Flashes> {
    (whole(), side(), option::of(number()), spans()).prop_map(
        |(count, most_in_a_second, worst_second, too_many)| Flashes {
            count,
            most_in_a_second,
            worst_second,
            too_many,
        },
    )
}

fn luma() -> impl Strategy<Value = LumaMeasurement> {
    let outside = || (number(), whole()).prop_map(|(share, frames)| OutOfRange { share, frames });
    (number(), number(), outside(), outside(), spans()).prop_map(
        |(darkest, brightest, below_range, above_range, outside)| LumaMeasurement {
            mean: Curve::default(),
            darkest,
            brightest,
            below_range,
            above_range,
            outside,
        },
    )
}

pub(super) fn picture() -> BoxedStrategy<PictureMeasurement> {
    let times = (whole(), number(), number(), spans(), number(), number(), spans());
    (times, cadence(), cadence(), bars(), flashes(), flashes(), luma(), number())
        .prop_map(|(times, cadence, field_cadence, bars, general_flashes, red_flashes, luma, motion)| {
            let (frames, start, end, black, leading_black, trailing_black, freeze) = times;
            PictureMeasurement {
                frames,
                start,
                end,
                black,
                leading_black,
                trailing_black,
                freeze,
                cadence,
                field_cadence,
                bars,
                general_flashes,
                red_flashes,
                luma,
                motion,
            }
        })
        .boxed()
}

pub(super) fn fields() -> BoxedStrategy<FieldMeasurement> {
    (whole(), whole(), whole(), whole(), spans())
        .prop_map(|(progressive, top_field_first, bottom_field_first, undetermined, interlaced)| {
            FieldMeasurement { progressive, top_field_first, bottom_field_first, undetermined, interlaced }
        })
        .boxed()
}

pub(super) fn detail() -> BoxedStrategy<DetailMeasurement> {
    let loss = (side(), option::of(number())).prop_map(|(height, loss_db)| DetailLoss { height, loss_db });
    let trace = (side(), number()).prop_map(|(height, strength)| ScalingTrace { height, strength });
    (side(), vec(loss, 0..4), vec(trace, 0..4), option::of(number()))
        .prop_map(|(pictures, losses, traces, spatial_information)| DetailMeasurement {
            pictures,
            losses,
            traces,
            spatial_information,
        })
        .boxed()
}

pub(super) fn blockiness() -> BoxedStrategy<BlockinessMeasurement> {
    (side(), number(), number(), number())
        .prop_map(|(pictures, median, high, worst_time)| BlockinessMeasurement {
            pictures,
            median,
            high,
            worst_time,
        })
        .boxed()
}

pub(super) fn hdr() -> impl Strategy<Value = HdrMetadata> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(mastering_display, content_light_level, dolby_vision)| HdrMetadata {
            mastering_display,
            content_light_level,
            dolby_vision,
        },
    )
}

pub(super) fn gaps() -> BoxedStrategy<Spans> {
    prop_oneof![Just(Spans::default()), spans()].boxed()
}

fn position() -> impl Strategy<Value = Position> {
    prop_oneof![
        Just(Position::Mono),
        Just(Position::FrontLeft),
        Just(Position::LowFrequency),
        Just(Position::BackRight),
        Just(Position::Other),
    ]
}

fn loudness() -> impl Strategy<Value = ProgrammeLoudness> {
    let level = || option::of(number());
    (level(), level(), level(), level(), level()).prop_map(
        |(integrated_lufs, range_lu, maximum_momentary_lufs, maximum_short_term_lufs, true_peak_dbtp)| {
            ProgrammeLoudness {
                integrated_lufs,
                range_lu,
                maximum_momentary_lufs,
                maximum_short_term_lufs,
                true_peak_dbtp,
            }
        },
    )
}

fn channel() -> impl Strategy<Value = ChannelMeasurement> {
    (position(), option::of(number()), number(), spans(), whole(), prop_oneof![Just(0), whole()]).prop_map(
        |(position, peak_dbfs, dc_offset, clipped, longest_clipped_run, not_finite)| ChannelMeasurement {
            position,
            peak_dbfs,
            true_peak_dbtp: peak_dbfs,
            rms_dbfs: peak_dbfs,
            dc_offset,
            clipped,
            longest_clipped_run,
            silence: Spans::default(),
            not_finite,
        },
    )
}

fn pair() -> impl Strategy<Value = PairMeasurement> {
    let side_of_pair = prop_oneof![Just(Side::Left), Just(Side::Right)];
    let numbers = (option::of(number()), option::of(number()), option::of(number()));
    (side(), side(), numbers, spans(), option::of(side_of_pair)).prop_map(
        |(left, right, (correlation, equal, difference_db), out_of_phase, only)| PairMeasurement {
            left,
            right,
            correlation,
            out_of_phase,
            equal,
            difference_db,
            only,
        },
    )
}

pub(super) fn sound() -> BoxedStrategy<SoundMeasurement> {
    (whole(), loudness(), option::of(number()), spans(), vec(channel(), 0..3), option::of(pair()))
        .prop_map(|(samples, loudness, true_peak_exceeded, silence, channels, pair)| SoundMeasurement {
            samples,
            ignored_channels: 0,
            loudness,
            true_peak_exceeded,
            momentary: Curve::default(),
            short_term: Curve::default(),
            silence,
            channels,
            pair,
        })
        .boxed()
}

pub(super) fn continuity() -> BoxedStrategy<ContinuityMeasurement> {
    (spans(), spans(), number(), number())
        .prop_map(|(gaps, overlaps, drift, drift_time)| ContinuityMeasurement {
            gaps,
            overlaps,
            drift,
            drift_time,
        })
        .boxed()
}

pub(super) fn combined() -> BoxedStrategy<CombinedTracks> {
    (vec((0..9u32, position()), 0..7), loudness(), option::of(pair()))
        .prop_map(|(tracks, loudness, pair)| CombinedTracks { tracks, loudness, pair })
        .boxed()
}

pub(super) fn subtitles() -> BoxedStrategy<SubtitleMeasurement> {
    (any::<u32>(), word(), option::of(word()), whole(), spans(), number())
        .prop_map(|(index, codec, language, events, overlaps, end_time)| SubtitleMeasurement {
            index,
            codec,
            language,
            events,
            overlaps,
            end_time,
        })
        .boxed()
}
