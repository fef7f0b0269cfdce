//! Ladders that are fitted to each title: what a ladder asks of that, and what came of it.

use serde::{Deserialize, Serialize};

/// How a ladder is fitted to a title: by short trial encodes of each rung at several CRFs, of which the fewest bits are taken
/// that hold a quality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerTitle {
    /// The least SSIM of luma, from 0 to 1, as the mean of a stretch: of a rung beside the source's picture at the rung's size,
    /// and of the best rung of a codec also at the size of the codec's largest.
    pub least_ssim: f64,
    /// The lowest CRF, of the best quality.
    pub lowest_crf: u8,
    /// The highest CRF.
    pub highest_crf: u8,
    /// How many stretches of the film are tried.
    pub stretches: u32,
    /// How long each is, in seconds.
    pub stretch_seconds: u32,
    /// By what factor the mean rate of a rung lies below that of the next better one, at least: otherwise it is left out.
    pub least_step: f64,
}

/// What may be encoded of each rung to fit a ladder, in seconds.
const MOST_SECONDS: u32 = 1000;
/// CRFs between which quality and rate are told from their neighbours.
const CRF_STEP: u8 = 4;

impl PerTitle {
    /// The CRFs that are tried, from low to high.
    pub fn tried_crfs(&self) -> Vec<u8> {
        let between = (self.lowest_crf..self.highest_crf).step_by(usize::from(CRF_STEP));
        between.chain([self.highest_crf]).collect()
    }

    /// What is wrong with it, where rungs have these names and CRFs.
    pub(crate) fn fault<'a>(&self, rungs: impl IntoIterator<Item = (&'a str, u8)>) -> Option<String> {
        let Self { least_ssim, lowest_crf, highest_crf, stretches, stretch_seconds, least_step } = self;
        if !(0.5..1.0).contains(least_ssim) {
            return Some(format!("least_ssim is from 0.5 to below 1, not {least_ssim}"));
        }
        if lowest_crf >= highest_crf || *highest_crf > 51 {
            return Some(format!(
                "lowest_crf ({lowest_crf}) is below highest_crf ({highest_crf}), which is 51 at most"
            ));
        }
        if let Some((name, crf)) =
            rungs.into_iter().find(|(_, crf)| !(*lowest_crf..=*highest_crf).contains(crf))
        {
            return Some(format!(
                "rung {name} has a crf of {crf}, outside {lowest_crf} to {highest_crf}: what is saved is told against it"
            ));
        }
        if !(1..=32).contains(stretches) {
            return Some(format!("stretches is 1 to 32, not {stretches}"));
        }
        if !(2..=20).contains(stretch_seconds) || !stretch_seconds.is_multiple_of(2) {
            return Some(format!("stretch_seconds is an even number from 2 to 20, not {stretch_seconds}"));
        }
        let seconds = stretches * stretch_seconds * self.tried_crfs().len() as u32;
        if seconds > MOST_SECONDS {
            return Some(format!(
                "stretches, stretch_seconds and the CRFs between lowest_crf and highest_crf come to {seconds} s of encodes for \
                 each rung, and {MOST_SECONDS} are the most"
            ));
        }
        if !(1.0..=4.0).contains(least_step) {
            return Some(format!("least_step is from 1 to 4, not {least_step}"));
        }
        None
    }
}

/// A ladder as it was fitted to a title.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Fitted {
    /// The least SSIM that was asked for.
    pub least_ssim: f64,
    /// Every rung that the film is large enough for, in the ladder's order.
    pub rungs: Vec<FittedRung>,
}

/// What came of a rung.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FittedRung {
    /// Its name.
    pub rung: String,
    /// What is expected of it as the ladder has it.
    pub fixed: Expected,
    /// What is expected of it as it is made; absent where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Expected>,
    /// Why it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// Whether it is made though it does not hold the quality: neither the lowest CRF nor the rate's cap allow more, or it is the
    /// smallest, for those on slow lines.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub falls_short: bool,
}

/// What trial encodes let expect of a rung.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Expected {
    /// At this CRF.
    pub crf: u8,
    /// The mean rate in kb/s.
    pub kbps: f64,
    /// SSIM of luma, at the rung's size, of the worst stretch.
    pub ssim: f64,
    /// The same at the size of the largest rung of its codec.
    pub shown_ssim: f64,
}

/// Why a rung is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum LeftOut {
    /// A smaller picture holds the quality at this one's size with fewer bits.
    SmallerDoes,
    /// It would have hardly fewer bits than the next better one.
    TooClose,
}

impl LeftOut {
    /// Why, in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SmallerDoes => "a smaller picture does, with fewer bits",
            Self::TooClose => "hardly fewer bits than the rung above",
        }
    }
}

impl Fitted {
    /// The CRF of a rung that is made.
    pub fn crf(&self, rung: &str) -> Option<u8> {
        let fitted = self.rungs.iter().find(|fitted| fitted.rung == rung)?;
        fitted.fitted.map(|expected| expected.crf)
    }

    /// The mean rate of all rungs together in kb/s: as the ladder has them, and as they are made.
    pub fn kbps(&self) -> (f64, f64) {
        let fixed = self.rungs.iter().map(|rung| rung.fixed.kbps).sum();
        let fitted = self.rungs.iter().filter_map(|rung| rung.fitted).map(|expected| expected.kbps).sum();
        (fixed, fitted)
    }

    /// The share of bits that is saved against the fixed ladder; negative where it takes more.
    pub fn saved(&self) -> f64 {
        let (fixed, fitted) = self.kbps();
        if fixed > 0.0 { 1.0 - fitted / fixed } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_ends_of_the_range_are_tried_and_what_lies_between_by_steps() {
        assert_eq!(per_title().tried_crfs(), [18, 22, 26, 30, 34]);
        assert_eq!(PerTitle { highest_crf: 35, ..per_title() }.tried_crfs(), [18, 22, 26, 30, 34, 35]);
        assert_eq!(PerTitle { highest_crf: 19, ..per_title() }.tried_crfs(), [18, 19]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_field() {
        let rungs = [("720p", 21)];
        assert_eq!(per_title().fault(rungs), None);
        for (per_title, reason) in [
            (PerTitle { least_ssim: 1.0, ..per_title() }, "least_ssim"),
            (PerTitle { least_ssim: f64::NAN, ..per_title() }, "least_ssim"),
            (PerTitle { lowest_crf: 34, ..per_title() }, "below highest_crf"),
            (PerTitle { highest_crf: 52, ..per_title() }, "51 at most"),
            (PerTitle { lowest_crf: 22, ..per_title() }, "rung 720p has a crf of 21"),
            (PerTitle { stretches: 0, ..per_title() }, "stretches"),
            (PerTitle { stretch_seconds: 3, ..per_title() }, "stretch_seconds"),
            (PerTitle { least_step: 0.9, ..per_title() }, "least_step"),
            (PerTitle { stretches: 16, stretch_seconds: 14, ..per_title() }, "come to 1120 s"),
        ] {
            let fault = per_title.fault(rungs).unwrap();
            assert!(fault.contains(reason), "{fault}");
        }
    }

    #[test]
    fn what_is_left_out_is_saved_whole() {
        let expected = |crf, kbps| Expected { crf, kbps, ssim: 0.98, shown_ssim: 0.98 };
        let rung = |name: &str, kbps, fitted| FittedRung {
            rung: name.to_owned(),
            fixed: expected(21, kbps),
            fitted,
            left_out: None,
            falls_short: false,
        };
        let fitted = Fitted {
            least_ssim: 0.97,
            rungs: vec![rung("1080p", 3000.0, Some(expected(25, 1500.0))), rung("720p", 1000.0, None)],
        };
        assert_eq!(fitted.kbps(), (4000.0, 1500.0));
        assert!((fitted.saved() - 0.625).abs() < 1e-9);
        assert_eq!((fitted.crf("1080p"), fitted.crf("720p")), (Some(25), None));
    }
}
