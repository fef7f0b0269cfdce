//! Whether pictures hold one moment or two, by FFmpeg's filter `idet`.
//!
//! It looks at a strip down the middle, a quarter of the width and more of small pictures: both fields are in it at full
//! height, and what moves in a film mostly moves there. Every picture is looked at, because telecine shows in which of them
//! repeat a field.

use std::collections::VecDeque;
use std::ffi::CStr;

use ffmpeg_next::Frame;
use reelfarm_model::measurement::sampled::FieldMeasurement;
use reelfarm_model::measurement::{Span, Spans};

use super::readable::{Picture, Shape};
use super::spans;
use crate::MediaError;
use crate::ffmpeg::filter::{FilterGraph, Pulled};
use crate::ffmpeg::frame::{blank, metadata};

/// What `idet` takes a picture for by itself, and with regard to those before it.
const SINGLE: &CStr = c"lavfi.idet.single.current_frame";
const MULTIPLE: &CStr = c"lavfi.idet.multiple.current_frame";
/// Strips begin at and are as wide as a multiple of this: `idet` reads 16 samples at a time, of chroma as well, of which
/// there may be a quarter.
const ALIGNMENT: u32 = 64;
/// The narrowest strip, of pictures that are as wide. Less is too little to go by: of 64 samples noise and slanted lines are
/// taken for fields.
const NARROWEST: u32 = 384;
/// Pictures with fewer lines or columns have too few.
const LEAST_SIDE: u32 = 16;
/// By how much one order of fields must suit better than the other. By 4 %, which is `idet`'s own, noise in a dark scene and
/// slanted lines that pass do.
const BETTER: f64 = 1.1;
/// Graphs that are made for one film. A film of more shapes is none that anybody made.
const MOST_GRAPHS: u32 = 1_000;
/// Shorter stretches are not kept, in seconds.
const SHORTEST: f64 = 1.0;
/// How many pictures `idet` is late with a change: it waits until three in a row agree.
const LATE: usize = 3;

/// Gathers a [`FieldMeasurement`].
pub(super) struct FieldMeter {
    graph: Option<(Shape, Option<FilterGraph>)>,
    graphs: u32,
    output: Frame,
    /// When the pictures in the graph are shown.
    waiting: VecDeque<f64>,
    /// How long a picture is shown whose end is not known, in seconds.
    interval: f64,
    stretches: Stretches,
    found: FieldMeasurement,
}

/// Gathers stretches of pictures of two moments.
#[derive(Default)]
struct Stretches {
    open: Option<Span>,
    /// When the last few pictures were shown.
    recent: VecDeque<f64>,
    found: Spans,
}

impl FieldMeter {
    /// For pictures that are shown for `interval` seconds each.
    pub(super) fn new(interval: f64) -> Self {
        Self {
            graph: None,
            graphs: 0,
            output: blank(),
            waiting: VecDeque::new(),
            interval,
            stretches: Stretches::default(),
            found: FieldMeasurement::default(),
        }
    }

    /// Takes in a picture that is shown from `time` on, in seconds.
    pub(super) fn picture(&mut self, time: f64, picture: &Picture) {
        if self.graph.as_ref().is_none_or(|(shape, _)| *shape != picture.shape) {
            self.flush();
            self.graphs += 1;
            let graph = if self.graphs > MOST_GRAPHS { None } else { graph(&picture.shape) };
            self.graph = Some((picture.shape, graph));
        }
        if self.filter(Some((time, picture))).is_err() {
            self.forsake();
        }
    }

    fn flush(&mut self) {
        if self.filter(None).is_err() {
            self.forsake();
        }
    }

    /// Does without a graph that failed.
    fn forsake(&mut self) {
        if let Some((_, graph)) = &mut self.graph {
            *graph = None;
        }
        self.waiting.clear();
    }

    fn filter(&mut self, picture: Option<(f64, &Picture)>) -> Result<(), MediaError> {
        let Some((_, Some(graph))) = &mut self.graph else { return Ok(()) };
        graph.push(0, picture.map(|(_, picture)| &*picture.frame))?;
        self.waiting.extend(picture.map(|(time, _)| time));
        while graph.pull(&mut self.output)? == Pulled::Frame {
            let Some(time) = self.waiting.pop_front() else { continue };
            let end =
                self.waiting.front().copied().filter(|next| *next > time).unwrap_or(time + self.interval);
            let [single, multiple] = [SINGLE, MULTIPLE].map(|key| metadata(&self.output, key));
            let kind = Kind::of(single, multiple);
            record(&mut self.found, kind);
            self.stretches.push(kind, Span { start: time, end });
        }
        Ok(())
    }

    /// What was found; none where no picture could be looked at.
    pub(super) fn finish(mut self) -> Option<FieldMeasurement> {
        self.flush();
        let found = FieldMeasurement { interlaced: self.stretches.finish(), ..self.found };
        let FieldMeasurement { progressive, top_field_first, bottom_field_first, undetermined, .. } = found;
        (progressive + top_field_first + bottom_field_first + undetermined > 0).then_some(found)
    }
}

/// The graph for pictures of a shape; none where they are too small, or `idet` cannot take them.
fn graph(shape: &Shape) -> Option<FilterGraph> {
    let (width, height) = shape.size();
    if width < LEAST_SIDE || height < LEAST_SIDE {
        return None;
    }
    let strip = (width / 4).max(NARROWEST).next_multiple_of(ALIGNMENT).min(width);
    let left = (width - strip) / 2 / ALIGNMENT * ALIGNMENT;
    let text =
        format!("{},crop={strip}:{height}:{left}:0,idet=intl_thres={BETTER},buffersink@out", shape.buffer());
    FilterGraph::new(&text, "looking at fields".to_owned()).ok()
}

/// What a picture holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OneMoment,
    TopFirst,
    BottomFirst,
    CannotTell,
}

impl Kind {
    /// By the neighbours, unless the picture itself does not tell: then neither do they.
    fn of(single: Option<&str>, multiple: Option<&str>) -> Self {
        match (single, multiple) {
            (Some("undetermined") | None, _) => Self::CannotTell,
            (_, Some("progressive")) => Self::OneMoment,
            (_, Some("tff")) => Self::TopFirst,
            (_, Some("bff")) => Self::BottomFirst,
            _ => Self::CannotTell,
        }
    }
}

fn record(found: &mut FieldMeasurement, kind: Kind) {
    *match kind {
        Kind::OneMoment => &mut found.progressive,
        Kind::TopFirst => &mut found.top_field_first,
        Kind::BottomFirst => &mut found.bottom_field_first,
        Kind::CannotTell => &mut found.undetermined,
    } += 1;
}

impl Stretches {
    /// Goes on with a stretch, begins or ends one. Pictures that cannot tell leave it as it is.
    fn push(&mut self, kind: Kind, shown: Span) {
        self.recent.push_back(shown.start);
        while self.recent.len() > LATE + 1 {
            self.recent.pop_front();
        }
        let changed = self.recent.front().copied().unwrap_or(shown.start);
        match kind {
            Kind::TopFirst | Kind::BottomFirst => {
                self.open.get_or_insert(Span { start: changed, end: shown.end }).end = shown.end;
            }
            Kind::OneMoment => self.close(changed),
            Kind::CannotTell => {}
        }
    }

    fn close(&mut self, end: f64) {
        let Some(open) = self.open.take() else { return };
        let span = Span { end: open.end.min(end), ..open };
        // Half a microsecond of rounding is no reason to leave one out.
        if span.end - span.start >= SHORTEST - 5e-7 {
            spans::add(&mut self.found, span);
        }
    }

    fn finish(mut self) -> Spans {
        self.close(f64::INFINITY);
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_go_on_over_pictures_that_cannot_tell() {
        use Kind::{BottomFirst, CannotTell, OneMoment, TopFirst};
        let mut found = FieldMeasurement::default();
        let mut stretches = Stretches::default();
        let pictures = [
            (OneMoment, 10),
            (TopFirst, 20),
            (CannotTell, 5),
            (BottomFirst, 5),
            (CannotTell, 8),
            (OneMoment, 1),
        ];
        let more = [(TopFirst, 20), (OneMoment, 1), (CannotTell, 30), (TopFirst, 25)];
        let kinds =
            pictures.into_iter().chain(more).flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
        for (frame, kind) in kinds.enumerate() {
            let start = frame as f64 * 0.04;
            record(&mut found, kind);
            stretches.push(kind, Span { start, end: start + 0.04 });
        }
        let spans = stretches.finish().first;
        let spans: Vec<_> =
            spans.iter().map(|span| ((span.start * 25.0).round(), (span.end * 25.0).round())).collect();
        // The second stretch is too short. Those that are told were so three pictures before.
        assert_eq!(spans, [(7.0, 40.0), (97.0, 125.0)]);
        assert_eq!(
            (found.progressive, found.top_field_first, found.bottom_field_first, found.undetermined),
            (12, 65, 5, 43)
        );
    }

    #[test]
    fn neighbours_decide_unless_the_picture_does_not_tell() {
        for (single, multiple, expected) in [
            (Some("tff"), Some("progressive"), Kind::OneMoment),
            (Some("progressive"), Some("tff"), Kind::TopFirst),
            (Some("bff"), Some("bff"), Kind::BottomFirst),
            (Some("undetermined"), Some("tff"), Kind::CannotTell),
            (Some("tff"), Some("undetermined"), Kind::CannotTell),
            (None, None, Kind::CannotTell),
        ] {
            assert_eq!(Kind::of(single, multiple), expected, "{single:?} {multiple:?}");
        }
    }
}
