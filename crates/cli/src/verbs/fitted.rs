//! How a ladder was fitted to a title, as people read it.

use reelfarm_model::per_title::{Expected, Fitted, FittedRung, LeftOut};

/// A line for the whole, and one for each rung.
pub fn lines(fitted: &Fitted) -> Vec<String> {
    let (fixed, made) = fitted.kbps();
    let saved = fitted.saved() * 100.0;
    let than = if saved < 0.0 { "more" } else { "fewer" };
    let whole = format!(
        "{:.0} % {than} bits than the ladder as it is, {fixed:.0} → {made:.0} kb/s, for an SSIM of {}",
        saved.abs(),
        fitted.least_ssim
    );
    std::iter::once(whole).chain(fitted.rungs.iter().map(line)).collect()
}

fn line(FittedRung { rung, fixed, fitted, left_out, falls_short }: &FittedRung) -> String {
    let Some(made) = fitted else {
        return format!("{rung}: left out: {}", left_out.map_or("not needed", LeftOut::reason));
    };
    let Expected { crf, kbps, ssim, .. } = made;
    let short = if *falls_short { ", short of it" } else { "" };
    format!(
        "{rung}: crf {} → {crf}, {:.0} → {kbps:.0} kb/s, SSIM {:.4} → {ssim:.4}{short}",
        fixed.crf, fixed.kbps, fixed.ssim
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_stands_first_and_each_rung_has_its_line() {
        let expected = |crf, kbps, ssim| Expected { crf, kbps, ssim, shown_ssim: ssim };
        let rung = |name: &str, fixed, fitted: Option<Expected>, left_out| FittedRung {
            rung: name.to_owned(),
            fixed,
            fitted,
            left_out,
            falls_short: fitted.is_some_and(|fitted| fitted.ssim < 0.97),
        };
        let fitted = Fitted {
            least_ssim: 0.97,
            rungs: vec![
                rung("1080p", expected(21, 3100.0, 0.985), None, Some(LeftOut::SmallerDoes)),
                rung("720p", expected(21, 1800.4, 0.984), Some(expected(25, 1210.6, 0.9712)), None),
                rung("360p", expected(23, 600.0, 0.96), Some(expected(18, 800.0, 0.965)), None),
            ],
        };
        insta::assert_snapshot!(lines(&fitted).join("\n"), @"
        63 % fewer bits than the ladder as it is, 5500 → 2011 kb/s, for an SSIM of 0.97
        1080p: left out: a smaller picture does, with fewer bits
        720p: crf 21 → 25, 1800 → 1211 kb/s, SSIM 0.9840 → 0.9712
        360p: crf 23 → 18, 600 → 800 kb/s, SSIM 0.9600 → 0.9650, short of it
        ");
    }
}
