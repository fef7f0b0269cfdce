//! The pictures of a report's page, taken from the film by a media process.

use std::path::Path;

use reelfarm_media::Thumbnail;
use reelfarm_media::child::Request;
use reelfarm_model::qc::QcReport;
use reelfarm_model::{Code, Failure, Measurements};
use reelfarm_qc::page::{PlacePicture, wanted};

use crate::printer::Printer;
use crate::tools;

/// What the film shows where its report found something. That there are none is said, and is no failure.
pub async fn thumbnails(
    film: &Path,
    report: &QcReport,
    measurements: &Measurements,
    printer: &Printer,
) -> Vec<PlacePicture> {
    taken(film, report, measurements).await.unwrap_or_else(|failure| {
        printer.line(&format!("the page has no pictures: {failure}"));
        Vec::new()
    })
}

async fn taken(
    film: &Path,
    report: &QcReport,
    measurements: &Measurements,
) -> Result<Vec<PlacePicture>, Failure> {
    let Some(wanted) = wanted(report, measurements) else { return Ok(Vec::new()) };
    let times = wanted.moments.iter().map(|moment| moment.container_s).collect();
    let request = Request::Thumbnails { path: film.to_owned(), stream: wanted.stream, times };
    let answer = tools::media_process().run(&request, |_| {}).await?;
    let thumbnails: Vec<Option<Thumbnail>> = serde_json::from_value(answer)
        .map_err(|error| Failure::new(Code::Internal, format!("the thumbnails cannot be read: {error}")))?;
    let of_moments = wanted.moments.iter().zip(thumbnails);
    Ok(of_moments
        .filter_map(|(moment, thumbnail)| {
            let Thumbnail { width, height, jpeg } = thumbnail?;
            Some(PlacePicture { time_ms: moment.time_ms, width, height, jpeg })
        })
        .collect())
}
