//! `reelfarm cancel`, `retry`, `hold` and `release`: what is done with titles at a farm.

use clap::Args;
use reelfarm_api::{RetryAnswer, RetryRequest};
use reelfarm_model::{Failure, Title};

use crate::arguments::Json;
use crate::client::FarmArguments;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;

/// `reelfarm cancel`, `hold` and `release`.
#[derive(Debug, Args)]
pub struct Steer {
    /// The titles.
    #[arg(required = true, value_name = "TITLE")]
    pub titles: Vec<String>,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm retry`.
#[derive(Debug, Args)]
pub struct Retry {
    /// The title.
    #[arg(value_name = "TITLE")]
    pub title: String,
    /// Only this task, by its label or key as `reelfarm status` shows them, and what was made from it.
    #[arg(long, value_name = "LABEL|KEY", conflicts_with = "rendition")]
    pub task: Option<String>,
    /// Only this rendition, such as `720p`, and what was made from it.
    #[arg(long, value_name = "NAME")]
    pub rendition: Option<String>,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// Does with each title what the verb says; what cannot be done with one does not keep the others from it.
pub async fn run(verb: Steer, command: &str, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    let (mut done, mut exit) = (Vec::new(), Exit::Done);
    for title in &verb.titles {
        match client.post::<Title>(&["titles", title, command], &()).await {
            Ok(title) => done.push(title),
            Err(failure) => {
                printer.failure(Some(title), &failure);
                exit = exit.worst(Exit::of(&failure));
            }
        }
    }
    if verb.json.json {
        printer.json(&done);
    } else {
        for title in &done {
            let held = if title.held { ", held" } else { "" };
            printer.data(&format!("{}  {}{held}", title.submission.title, title.state.as_str()));
        }
    }
    Ok(exit)
}

/// Has a title, or a part of it, made again.
pub async fn retry(verb: Retry, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    let request = RetryRequest { task: verb.task, rendition: verb.rendition };
    let answer: RetryAnswer = client.post(&["titles", &verb.title, "retry"], &request).await?;
    if verb.json.json {
        printer.json(&answer);
    } else {
        printer.data(&format!("{}  {}", verb.title, answer.title.state.as_str()));
        for task in &answer.tasks {
            printer.line(&format!("  again: task {}", task.short()));
        }
    }
    Ok(Exit::Done)
}
