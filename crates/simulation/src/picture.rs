//! A day as a picture (SVG): how many titles of each kind were on time under each policy, and what the slots were at work on.

use plotters::coord::Shift;
use plotters::prelude::*;
use reelfarm_model::Pool;
use reelfarm_model::facts::ContentKind;

use crate::engine::{BUCKET_MS, Outcome};
use crate::orders::Contender;
use crate::report::Report;

const WIDTH: u32 = 1000;
const HEAD: u32 = 44;
const BARS: u32 = 230;
const TIMELINE: u32 = 150;
const LEGEND: u32 = 34;
/// Where a time line is longer than this, in hours, what follows is left out: a backlog of days says nothing new.
const MOST_HOURS: f64 = 36.0;

/// The picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be drawn: {0}")]
pub struct PictureError(String);

/// Draws a report and the days that it is of.
///
/// # Errors
/// The drawing library refuses.
pub fn picture(report: &Report, outcomes: &[(Contender, Outcome)]) -> Result<String, PictureError> {
    let mut svg = String::new();
    let height = HEAD + BARS + TIMELINE * outcomes.len() as u32 + LEGEND;
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&root, report, outcomes).map_err(|error| PictureError(error.to_string()))?;
    }
    Ok(svg)
}

type Drawing<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Refused<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

fn draw<'a>(
    root: &Drawing<'a>,
    report: &Report,
    outcomes: &[(Contender, Outcome)],
) -> Result<(), Refused<'a>> {
    root.fill(&WHITE)?;
    root.draw_text(&report.name, &("sans-serif", 20).into_text_style(root), (12, 12))?;
    let (_, below) = root.split_vertically(HEAD);
    let (bars, below) = below.split_vertically(BARS);
    on_time(&bars, report)?;
    let (timelines, legend) = below.split_vertically(TIMELINE * outcomes.len() as u32);
    let slots = f64::from(report.slots.get(&Pool::Cpu).copied().unwrap_or(0));
    for (area, (policy, outcome)) in timelines.split_evenly((outcomes.len().max(1), 1)).iter().zip(outcomes) {
        timeline(area, *policy, outcome, slots)?;
    }
    for (place, kind) in (0..).zip(report.titles.keys()) {
        let left = 70 + place * 140;
        legend.draw(&Rectangle::new([(left, 8), (left + 14, 22)], colour(*kind).filled()))?;
        legend.draw_text(kind.as_str(), &("sans-serif", 13).into_text_style(&legend), (left + 20, 9))?;
    }
    root.present()
}

/// For each policy, a bar for each kind of title with a deadline.
fn on_time<'a>(area: &Drawing<'a>, report: &Report) -> Result<(), Refused<'a>> {
    let kinds: Vec<ContentKind> = report.could_be_on_time_percent.keys().copied().collect();
    let names: Vec<&str> = report.policies.iter().map(|policy| policy.policy.as_str()).collect();
    let mut chart = ChartBuilder::on(area)
        .caption("on time, % of the titles with a deadline", ("sans-serif", 14))
        .margin_right(12)
        .x_label_area_size(24)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..names.len() as f64, 0.0..108.0)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_labels(6)
        .light_line_style(TRANSPARENT)
        .draw()?;
    let style = ("sans-serif", 11).into_text_style(area);
    for (place, policy) in (0..).zip(&report.policies) {
        let width = 0.8 / kinds.len().max(1) as f64;
        for (bar, kind) in (0..).zip(&kinds) {
            let left = f64::from(place) + 0.1 + f64::from(bar) * width;
            let Some(percent) = policy.kinds.get(kind).and_then(|kind| kind.on_time_percent) else {
                continue;
            };
            let corners = [(left, 0.0), (left + width * 0.9, percent)];
            chart.draw_series([Rectangle::new(corners, colour(*kind).filled())])?;
            chart.draw_series([Text::new(format!("{percent:.1}"), (left, percent + 6.0), style.clone())])?;
        }
        let name = ("sans-serif", 13).into_text_style(area);
        let at = chart.backend_coord(&(f64::from(place) + 0.12, 0.0));
        let (_, base) = area.get_base_pixel();
        area.draw_text(names[place as usize], &name, (at.0, at.1 - base + 6))?;
    }
    Ok(())
}

/// Slots at work, by kind, one upon the other; the line is the slots that there are.
fn timeline<'a>(
    area: &Drawing<'a>,
    policy: Contender,
    outcome: &Outcome,
    slots: f64,
) -> Result<(), Refused<'a>> {
    let hours = |step: usize| step as f64 * BUCKET_MS as f64 / 3_600_000.0;
    let steps = outcome.usage.slots.len();
    let end = hours(steps).clamp(1.0, MOST_HOURS);
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{}: slots of cpu at work", policy.as_str()), ("sans-serif", 13))
        .margin_right(12)
        .x_label_area_size(22)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..end, 0.0..slots * 1.05)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(19)
        .y_labels(4)
        .x_label_formatter(&|hour| format!("{hour:.0} h"))
        .draw()?;
    let mut under = vec![0.0; steps];
    for (kind, of_kind) in &outcome.usage.timeline {
        let over: Vec<f64> = under
            .iter()
            .enumerate()
            .map(|(step, under)| under + of_kind.get(step).copied().unwrap_or(0.0))
            .collect();
        let shown = || (0..steps).filter(|step| hours(*step) < end);
        // Upper edge from left to right, lower edge back, each step flat.
        let edge = |values: &[f64], step: usize| {
            [(hours(step), values[step]), (hours(step + 1).min(end), values[step])]
        };
        let mut outline: Vec<(f64, f64)> = shown().flat_map(|step| edge(&over, step)).collect();
        let mut back: Vec<(f64, f64)> = shown().flat_map(|step| edge(&under, step)).collect();
        back.reverse();
        outline.extend(back);
        chart.draw_series([Polygon::new(outline, colour(*kind).filled())])?;
        under = over;
    }
    // The last step is not whole.
    let there = (0..steps.saturating_sub(1))
        .filter(|step| hours(*step) < end)
        .map(|step| (hours(step), outcome.usage.slots[step]));
    chart.draw_series([PathElement::new(there.collect::<Vec<_>>(), BLACK)])?;
    Ok(())
}

/// Colours that people who see fewer of them tell apart as well (Okabe and Ito, "Color Universal Design").
const fn colour(kind: ContentKind) -> RGBColor {
    match kind {
        ContentKind::CatchForward => RGBColor(213, 94, 0),
        ContentKind::CatchUp => RGBColor(0, 114, 178),
        ContentKind::Premiere => RGBColor(204, 121, 167),
        ContentKind::Advertisement => RGBColor(240, 228, 66),
        ContentKind::Library => RGBColor(0, 158, 115),
        ContentKind::Recode => RGBColor(160, 160, 160),
    }
}
