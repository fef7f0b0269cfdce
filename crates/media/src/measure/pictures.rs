//! What the decoded pictures of a video track show.

use ffmpeg_next::frame;
use reelfarm_analysis::picture::{PictureFormat, PictureMeter};
use reelfarm_model::measurement::{Ratio, VideoMeasurement};

use super::fields::FieldMeter;
use super::readable::{Converter, Picture};
use super::spots::SpotMeter;

/// Stated rates beyond are no film's, in frames per second.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=480.0;
/// The rate that is assumed where none is stated, in frames per second.
const ASSUMED_RATE: f64 = 25.0;

/// Looks at pictures.
pub(super) struct PicturesMeter {
    stated_rate: Option<f64>,
    converter: Converter,
    /// From the first picture that can be read.
    picture: Option<PictureMeter>,
    fields: FieldMeter,
    spots: SpotMeter,
    /// When the next picture is shown if it does not say, and how long each is shown, in seconds.
    next_time: f64,
    interval: f64,
}

impl PicturesMeter {
    /// For a track whose header states these rates, of which the first that can be true counts.
    pub(super) fn new(stated_rates: [Ratio; 2]) -> Self {
        let stated_rate = stated_rates.into_iter().filter_map(Ratio::value).find(|rate| RATES.contains(rate));
        let rate = stated_rate.unwrap_or(ASSUMED_RATE);
        Self {
            stated_rate,
            converter: Converter::default(),
            picture: None,
            fields: FieldMeter::new(1.0 / rate),
            spots: SpotMeter::new(rate),
            next_time: 0.0,
            interval: 1.0 / rate,
        }
    }

    /// Takes in the next picture in the order of display, with its time in seconds if it has one.
    pub(super) fn frame(&mut self, time: Option<f64>, frame: frame::Video) {
        let time = time.unwrap_or(self.next_time);
        self.next_time = time + self.interval;
        let is_due = self.spots.is_due();
        let Some(picture) = self.converter.readable(frame) else { return };
        self.look(time, &picture);
        self.fields.picture(time, &picture);
        if is_due {
            self.spots.look(time, &picture);
        }
    }

    fn look(&mut self, time: f64, picture: &Picture) {
        let Some(luma) = picture.luma() else { return };
        let chroma = picture.chroma();
        let format = PictureFormat {
            full_range: picture.full_range,
            matrix: picture.matrix,
            frame_rate: self.stated_rate,
        };
        let meter = self.picture.get_or_insert_with(|| PictureMeter::new(format));
        meter.frame(time, &luma, chroma.as_ref().map(|(blue, red)| (blue, red)));
    }

    /// The measurement with what the pictures showed.
    pub(super) fn finish(self, measurement: VideoMeasurement) -> VideoMeasurement {
        let (detail, blockiness) = self.spots.finish();
        VideoMeasurement {
            picture: self.picture.map(PictureMeter::finish),
            fields: self.fields.finish(),
            detail,
            blockiness,
            ..measurement
        }
    }
}
