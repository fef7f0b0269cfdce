//! The report as a page for people: one file of HTML with its style and its drawings in it.
//!
//! Promises: it loads nothing, runs nothing, and is understood without colour; no text of a film, of FFmpeg or of a policy
//! becomes markup; it can be read as XML; it stays below a megabyte, pictures left aside, however much was found; the same
//! report and measurements give the same page.

mod axis;
mod curves;
mod film;
mod findings;
mod head;
mod lanes;
mod markup;
mod numbers;
mod pictures;
mod strips;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;
mod tracks;
mod verdict;

use reelfarm_model::measurement::Measurements;
use reelfarm_model::qc::QcReport;

use self::film::Film;
use self::markup::Markup;
pub use self::pictures::{Moment, PlacePicture, Wanted, wanted};

/// The style sheet. It has no `<` and no `&`, which XML would read.
const STYLE: &str = include_str!("page/style.css");
/// The page's content security policy (CSP Level 3), for a server to say as well: nothing may be loaded or run, whatever a
/// text in the page should turn out to be.
pub const SECURITY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// What a page shows beside report and measurements.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// The pictures that are [`wanted`], as far as they could be had.
    pub pictures: &'a [PlacePicture],
    /// The policy's programme loudness, in LUFS: a line across the curves of loudness.
    pub target_lufs: Option<f64>,
}

/// The page of a report on the source of this name. `measurements` are those that the report was drawn from; without them
/// there is no time line, and nothing of tracks and numbers.
pub fn page(
    report: &QcReport,
    measurements: Option<&Measurements>,
    source_name: &str,
    extras: Extras<'_>,
) -> String {
    let nothing = Measurements::default();
    let film = Film::of(report, measurements.unwrap_or(&nothing));
    let mut markup = Markup::default();
    markup.verbatim("<!DOCTYPE html>\n");
    markup.within("html", &[("xmlns", "http://www.w3.org/1999/xhtml"), ("lang", "en")], |markup| {
        markup.within("head", &[], |markup| {
            markup.void("meta", &[("charset", "utf-8")]);
            markup.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", SECURITY)]);
            markup.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
            markup.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
            let title = format!("{}: {source_name}", verdict::sentence(report.verdict));
            markup.element("title", &[], &title);
            markup.within("style", &[], |markup| markup.verbatim(STYLE));
        });
        markup.within("body", &[], |markup| {
            markup.within("main", &[], |markup| {
                head::head(&film, source_name, markup);
                findings::findings(&film, extras.pictures, markup);
                head::conclusion(&film, markup);
                let rows = measurements.map(|_| lanes::rows(&film)).unwrap_or_default();
                drawing(&film, &rows, extras.target_lufs, markup);
                checks(&film, markup);
                if measurements.is_some() {
                    tracks::tracks(&film, markup);
                    tracks::loudness(&film, markup);
                    numbers::numbers(&film, &rows, markup);
                }
                findings::codes(&film, markup);
            });
        });
    });
    markup.into_text()
}

/// Writes the time line and what its lines mean; nothing of a film whose length is not known.
fn drawing(film: &Film<'_>, rows: &[lanes::Row], target_lufs: Option<f64>, markup: &mut Markup) {
    if film.length() <= 0.0 {
        return;
    }
    let panels = curves::panels(film, target_lufs);
    markup.within("section", &[("aria-labelledby", "timeline")], |markup| {
        markup.element("h2", &[("id", "timeline")], "Time line");
        let point = "Point at a mark to see from when to when it is.";
        markup.element("p", &[("class", "note")], point);
        timeline::timeline(film, rows, &panels, markup);
        if panels.iter().any(curves::Panel::is_loudness) {
            let legend = "Loudness: the thin line is momentary (400 ms), the thick one short-term (3 s), the dashed one \
                          what the programme is to have as a whole.";
            markup.element("p", &[("class", "note")], legend);
        }
        if curves::are_tracks_left_out(film) {
            markup.element("p", &[("class", "note")], "Of further tracks the loudness is in the table below.");
        }
    });
}

/// Writes all checks, the worst first.
fn checks(film: &Film<'_>, markup: &mut Markup) {
    markup.within("section", &[("aria-labelledby", "checks")], |markup| {
        markup.element("h2", &[("id", "checks")], "All checks");
        markup.within("div", &[("class", "wide")], |markup| {
            markup.within("table", &[], |markup| {
                markup.element("caption", &[], "The worst first");
                markup.within("thead", &[], |markup| {
                    markup.within("tr", &[], |markup| {
                        for column in ["Check", "Verdict", "Found", "Limit", "Code"] {
                            markup.element("th", &[("scope", "col")], column);
                        }
                    });
                });
                markup.within("tbody", &[], |markup| {
                    for check in findings::worst_first(film) {
                        markup.within("tr", &[], |markup| {
                            markup.element("th", &[("scope", "row")], &check.name);
                            let word = verdict::word(check.verdict);
                            markup.within("td", &[], |markup| verdict::badge(markup, check.verdict, word));
                            markup.element("td", &[], &check.value);
                            markup.element("td", &[], &check.limit);
                            markup.within("td", &[("class", "code")], |markup| findings::code(check, markup));
                        });
                    }
                });
            });
        });
    });
}
