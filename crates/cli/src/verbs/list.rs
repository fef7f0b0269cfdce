//! `reelfarm list`: the titles of a farm, or of a state folder.

use reelfarm_api::{ListQuery, TitlePage};
use reelfarm_model::{Code, Failure, Title, TitleState};
use reelfarm_store::{SqliteStore, Store as _};

use crate::arguments::{List, State};
use crate::client::Client;
use crate::config::Project;
use crate::exit::Exit;
use crate::farm::DATABASE_FILE;
use crate::printer::Printer;

/// Titles that are asked for at once.
const PAGE: u32 = 1000;

/// Lists the titles.
pub async fn run(verb: List, printer: &Printer) -> Result<Exit, Failure> {
    let titles = match verb.farm.connect(&Project::load()?)? {
        Some(client) => at_farm(&client, &verb).await?,
        None => match open(&verb.state).await? {
            Some(store) => here(&store, &verb).await?,
            None => {
                if !verb.json.json {
                    printer.line("no title has been submitted here yet; `reelfarm run FILE` submits one");
                }
                Vec::new()
            }
        },
    };
    if verb.json.json {
        printer.json(&titles);
        return Ok(Exit::Done);
    }
    for title in &titles {
        let reason = title.failure.as_ref().map(|failure| failure.code.to_string()).unwrap_or_default();
        let line = format!(
            "{:<32} {:<12} {:<12} {}",
            title.submission.title.as_str(),
            // Who decides about it need not release it.
            if title.held && title.state != TitleState::Review { "held" } else { title.state.as_str() },
            reason,
            title.submission.source.path.display()
        );
        printer.data(line.trim_end());
    }
    Ok(Exit::Done)
}

/// All pages, in the order of the names.
async fn at_farm(client: &Client, verb: &List) -> Result<Vec<Title>, Failure> {
    let states: Vec<_> = verb.states.iter().map(|state| state.as_str()).collect();
    let mut query = ListQuery {
        state: (!states.is_empty()).then(|| states.join(",")),
        prefix: verb.prefix.clone(),
        contains: verb.contains.clone(),
        limit: Some(PAGE),
        cursor: None,
    };
    let mut titles = Vec::new();
    loop {
        let mut page: TitlePage = client.get(&["titles"], &query).await?;
        titles.append(&mut page.titles);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(titles),
        }
    }
}

/// In the order of submission.
async fn here(store: &SqliteStore, verb: &List) -> Result<Vec<Title>, Failure> {
    let mut titles = store.titles().await?;
    titles.retain(|title| {
        let name = title.submission.title.as_str();
        let has_state = |state: &TitleState| *state == title.state;
        (verb.states.is_empty() || verb.states.iter().any(has_state))
            && verb.prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
            && verb.contains.as_ref().is_none_or(|part| name.contains(part))
    });
    Ok(titles)
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
