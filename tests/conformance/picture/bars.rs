//! Letter- and pillar-boxes, and pictures that are dark at their edges.

use reelfarm_model::Code;

use super::{Film, clean, table, warned};

/// So many black lines at the top and the bottom, and columns at the left and the right.
fn boxed(name: &str, (top, bottom, left, right): (u32, u32, u32, u32)) -> Film {
    boxed_while(name, (top, bottom, left, right), "1")
}

fn boxed_while(name: &str, (top, bottom, left, right): (u32, u32, u32, u32), when: &str) -> Film {
    let bar = |x: u32, y: u32, width: u32, height: u32| {
        format!("drawbox=x={x}:y={y}:w={width}:h={height}:color=black:thickness=fill:enable='{when}'")
    };
    let bars =
        [(0, 0, 640, top), (0, 360 - bottom, 640, bottom), (0, 0, left, 360), (640 - right, 0, right, 360)];
    let bars: Vec<_> = bars
        .into_iter()
        .filter(|(.., width, height)| *width > 0 && *height > 0)
        .map(|(x, y, width, height)| bar(x, y, width, height))
        .collect();
    // No part of the picture itself is black.
    Film::new(name, 5.0).size(640, 360).filtered("lutyuv=y='max(val,60)'").filtered(bars.join(","))
}

#[test]
fn bars_of_more_than_three_percent_are_found() {
    table([
        (boxed("letterbox.mkv", (6, 6, 0, 0)), warned(Code::QcBars, &[])),
        (boxed("letterbox-2.8.mkv", (4, 6, 0, 0)), clean()),
        (boxed("pillarbox.mkv", (0, 0, 10, 10)), warned(Code::QcBars, &[])),
        (boxed("pillarbox-2.8.mkv", (0, 0, 8, 10)), clean()),
        (boxed("wide.mkv", (44, 44, 0, 0)), warned(Code::QcBars, &[])),
        (boxed("academy.mkv", (0, 0, 80, 80)), warned(Code::QcBars, &[])),
        (boxed("window.mkv", (40, 40, 80, 80)), warned(Code::QcBars, &[])),
        (boxed("blanking.mkv", (0, 0, 8, 8)), clean()),
    ]);
}

#[test]
fn bars_that_come_and_go_are_found_and_a_moment_is_let_pass() {
    table([
        (boxed_while("come-and-go.mkv", (44, 44, 0, 0), "gte(t,2.5)"), warned(Code::QcBars, &[])),
        (boxed_while("a-moment.mkv", (44, 44, 0, 0), "between(n,40,45)"), clean()),
    ]);
}

#[test]
fn pictures_with_dark_edges_have_no_bars() {
    let film = |name: &str, filters: &str| Film::new(name, 5.0).size(640, 360).filtered(filters);
    table([
        (film("vignette.mkv", "vignette=angle=PI/2.5,lutyuv=y='max(val,16)'"), clean()),
        // A night sky, and a skyline before it.
        (
            film(
                "skyline.mkv",
                "drawbox=h=120:color=black:thickness=fill,drawbox=x=90:y=60:w=40:h=80:color=gray:thickness=fill,\
                 drawbox=x=400:y=30:w=25:h=100:color=gray:thickness=fill",
            ),
            clean(),
        ),
    ]);
}
