//! `reelfarm list`: all titles of a state folder.

use reelfarm_model::{Code, Failure, Title};
use reelfarm_store::{SqliteStore, Store};

use crate::arguments::{List, State};
use crate::config::Project;
use crate::exit::Exit;
use crate::farm::DATABASE_FILE;
use crate::printer::Printer;

/// Lists the titles.
pub async fn run(verb: List, printer: &Printer) -> Result<Exit, Failure> {
    let Some(store) = open(&verb.state).await? else {
        if verb.json.json {
            printer.json::<[Title; 0]>(&[]);
        } else {
            printer.line("no title has been submitted here yet; `reelfarm run FILE` submits one");
        }
        return Ok(Exit::Done);
    };
    let titles = store.titles().await?;
    if verb.json.json {
        printer.json(&titles);
        return Ok(Exit::Done);
    }
    for title in &titles {
        let reason = title.failure.as_ref().map(|failure| failure.code.to_string()).unwrap_or_default();
        let line = format!(
            "{:<32} {:<12} {:<12} {}",
            title.submission.title.as_str(),
            title.state.as_str(),
            reason,
            title.submission.source.path.display()
        );
        printer.data(line.trim_end());
    }
    Ok(Exit::Done)
}

/// The store of a state folder for reading, `None` where nothing has been run there.
pub async fn open(state: &State) -> Result<Option<SqliteStore>, Failure> {
    let project = Project::load()?;
    let path = project.state(state.state.as_ref()).join(DATABASE_FILE);
    match fs_err::tokio::metadata(&path).await {
        Ok(_) => Ok(Some(SqliteStore::open_read_only(&path).await?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(Code::StateUnreachable, error.to_string())),
    }
}
