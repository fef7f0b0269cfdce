//! The conformance suite, and what is SQLite's alone: the file, its locks and its schema.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reelfarm_model::title::Submission;
use reelfarm_model::{
    Code, Digest, Failure, KeyDivision, KeySource, KeyUris, Protection, Standing, TaskState, TitleState,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::open::MIGRATIONS;
use super::*;
use crate::changes::SubmitOutcome;
use crate::conformance::fixtures::{
    LONG, dispatch, finish, key, of_newer_kinds, planned, start, state, submission, submit, submit_and_plan,
    title, to,
};
use crate::conformance::{publications, reviews};
use crate::store::Store as _;

async fn store() -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&path(&folder)).await.unwrap();
    (store, folder)
}

fn path(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("state/reelfarm.db")
}

async fn connection(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

crate::store_conformance!(store, 64);

#[tokio::test]
async fn what_is_written_is_there_after_a_restart() {
    let (store, folder) = store().await;
    let film = submit_and_plan(&store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    finish(&store, 1).await;
    start(&store, 2).await;
    let before = store.titles().await.unwrap();
    // Without closing it: as after a crash.
    drop(store);
    let again = SqliteStore::open(&path(&folder)).await.unwrap();
    assert_eq!(again.titles().await.unwrap(), before);
    assert_eq!(again.recover().await.unwrap(), 1);
    assert_eq!(state(&again, 1).await, TaskState::Done);
    assert_eq!(state(&again, 2).await, TaskState::Ready);
    assert_eq!(again.tasks_of(&film).await.unwrap().len(), 2);
}

#[tokio::test]
async fn another_process_reads_while_the_scheduler_writes() {
    let (store, folder) = store().await;
    let reader = SqliteStore::open_read_only(&path(&folder)).await.unwrap();
    assert_eq!(reader.titles().await.unwrap(), []);
    submit(&store, "film").await;
    assert_eq!(reader.titles().await.unwrap().len(), 1);
    // A reader does not wait for a writer in the middle of its transaction, and sees nothing of it.
    let mut writing = store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("DELETE FROM titles").execute(&mut *writing).await.unwrap();
    assert_eq!(reader.titles().await.unwrap().len(), 1);
    assert_eq!(store.titles().await.unwrap().len(), 1);
    writing.rollback().await.unwrap();

    let refused = reader.submit(&submission("other", 0)).await.unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
    assert_eq!(store.titles().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_database_that_was_closed_can_be_read() {
    let (store, folder) = store().await;
    submit(&store, "film").await;
    store.close().await;
    let files: Vec<_> = fs_err::read_dir(folder.path().join("state")).unwrap().collect();
    assert_eq!(files.len(), 1, "closing leaves no log behind: {files:?}");
    let reader = SqliteStore::open_read_only(&path(&folder)).await.unwrap();
    assert_eq!(reader.titles().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_several_processes_wait_for_each_other() {
    const WRITERS: usize = 4;
    const EACH: usize = 25;
    let (first, folder) = store().await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        // A store of its own has connections of its own, as another process would.
        let store = SqliteStore::open(&path(&folder)).await.unwrap();
        writers.push(tokio::spawn(async move {
            for number in 0..EACH {
                let name = format!("film-{writer}-{number}");
                let task = u32::try_from(writer * EACH + number).unwrap();
                submit_and_plan(&store, &name, &[planned(task, &[])]).await;
                finish(&store, task).await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(first.titles().await.unwrap().len(), WRITERS * EACH);
    assert_eq!(first.counts().await.unwrap().tasks.into_values().sum::<u64>(), (WRITERS * EACH) as u64);
}

#[tokio::test]
async fn a_database_that_stays_locked_is_an_error_that_says_so() {
    let (_store, folder) = store().await;
    let store = SqliteStore::open_waiting(&path(&folder), Duration::ZERO).await.unwrap();
    let mut other = connection(&path(&folder)).await;
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = store.submit(&submission("film", 0)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Locked { .. }), "{refused}");
    let failure = Failure::from(refused);
    assert_eq!(failure.code, Code::StateUnreachable);
    assert!(failure.message.contains("another process"), "{failure}");
    assert_eq!(store.title(&title("film")).await.unwrap(), None, "reading goes on");
    lock.rollback().await.unwrap();
    assert_eq!(store.submit(&submission("film", 0)).await.unwrap().outcome, SubmitOutcome::Created);
}

#[tokio::test]
async fn a_full_disk_undoes_the_operation_and_is_named() {
    let (store, _folder) = store().await;
    submit(&store, "film").await;
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.writer).await.unwrap();
    // The limit of a connection: once reached, SQLite says what it says of a full disk.
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(limit).execute(&store.writer).await.unwrap();
    let mut accepted = 1;
    let refused = loop {
        let one = submission(&format!("film-{accepted}"), 0);
        match store.submit(&one).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 1000, "the limit is not reached");
    };
    assert!(matches!(&refused, StoreError::Full { .. }), "{refused}");
    assert_eq!(Failure::from(refused).code, Code::DiskFull);
    assert_eq!(store.titles().await.unwrap().len(), accepted);

    // The limit went with the connection, which sqlx cannot use again: the store goes on by itself once there is room.
    submit(&store, &format!("film-{accepted}")).await;
    let many: Vec<_> = (0..200).map(|number| planned(number, &[])).collect();
    assert!(store.plan(&title("film"), 1, &many).await.unwrap().is_some());
    assert_eq!(store.tasks_of(&title("film")).await.unwrap().len(), 200);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = SqliteStore::open_read_only(&path(&folder)).await.unwrap_err();
    assert!(matches!(&missing, StoreError::Missing { .. }), "{missing}");
    assert!(missing.to_string().contains(path(&folder).to_str().unwrap()), "{missing}");
    assert!(!path(&folder).exists());
    // Nor does a path that leads nowhere do harm.
    let file = folder.path().join("file");
    fs_err::write(&file, "").unwrap();
    let unusable = SqliteStore::open(&file.join("reelfarm.db")).await.unwrap_err();
    assert!(matches!(&unusable, StoreError::Unreachable { .. }), "{unusable}");
    assert!(unusable.to_string().contains(file.to_str().unwrap()), "{unusable}");
    assert_eq!(Failure::from(unusable).code, Code::StateUnreachable);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reelfarm.db");
    let text = "this is a text file, and longer than the header of a database would be\n".repeat(20);
    fs_err::write(&file, &text).unwrap();
    for refused in [SqliteStore::open(&file).await, SqliteStore::open_read_only(&file).await] {
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, StoreError::Corrupt { .. }), "{refused}");
        assert_eq!(Failure::from(refused).code, Code::StateUnreachable);
    }
    assert_eq!(fs_err::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_database_is_an_error_that_says_so() {
    let (store, folder) = store().await;
    let many: Vec<_> = (0..100).map(|number| planned(number, &[])).collect();
    submit_and_plan(&store, "film", &many).await;
    store.close().await;
    let mut bytes = fs_err::read(path(&folder)).unwrap();
    // Everything but the first page, which holds the schema.
    bytes[4096..].fill(0xa5);
    fs_err::write(path(&folder), bytes).unwrap();
    let reader = SqliteStore::open_read_only(&path(&folder)).await;
    let damaged = match reader {
        Ok(reader) => reader.tasks_of(&title("film")).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(&damaged, StoreError::Corrupt { .. }), "{damaged}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_and_left_alone() {
    let (store, folder) = store().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'the future', 1, x'00', 0)",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    store.close().await;
    for refused in
        [SqliteStore::open(&path(&folder)).await, SqliteStore::open_read_only(&path(&folder)).await]
    {
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, StoreError::NewerSchema { found: 9999, .. }), "{refused}");
        assert!(refused.to_string().contains("use the newer reelfarm"), "{refused}");
    }
}

#[tokio::test]
async fn a_reader_does_not_bring_an_old_database_up_to_date() {
    let (store, folder) = store().await;
    MIGRATIONS.undo(&store.writer, 0).await.unwrap();
    store.close().await;
    let refused = SqliteStore::open_read_only(&path(&folder)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::OlderSchema { found: 0, .. }), "{refused}");
    SqliteStore::open(&path(&folder)).await.unwrap();
    SqliteStore::open_read_only(&path(&folder)).await.unwrap();
}

#[tokio::test]
async fn migrations_go_down_as_well_as_up() {
    let (store, _folder) = store().await;
    submit_and_plan(&store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    start(&store, 1).await;
    let objects = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations' ORDER BY name";
    let up: Vec<String> = sqlx::query_scalar(objects).fetch_all(&store.writer).await.unwrap();
    MIGRATIONS.undo(&store.writer, 0).await.unwrap();
    let down: Vec<String> = sqlx::query_scalar(objects).fetch_all(&store.writer).await.unwrap();
    assert_eq!(down, [""; 0]);
    MIGRATIONS.run(&store.writer).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, String>(objects).fetch_all(&store.writer).await.unwrap(), up);
    submit(&store, "film").await;
}

#[tokio::test]
async fn attempts_under_way_and_their_messages_survive_the_way_down_and_up() {
    let (store, _folder) = store().await;
    let film = submit_and_plan(&store, "film", &[planned(1, &[]), planned(2, &[]), planned(3, &[])]).await;
    let unsent = dispatch(&store, 1, LONG).await;
    let sent = dispatch(&store, 2, LONG).await.fence;
    store.mark_sent(&[sent]).await.unwrap();
    start(&store, 3).await;
    let before = store.tasks_of(&film).await.unwrap();
    MIGRATIONS.undo(&store.writer, 8).await.unwrap();
    let outbox: Vec<String> =
        sqlx::query_scalar("SELECT task FROM outbox").fetch_all(&store.writer).await.unwrap();
    assert_eq!(outbox, [key(1).to_string()]);
    let attempts = "SELECT attempts.task, attempt, attempts.worker FROM attempts JOIN tasks USING (task, attempt) ORDER BY place";
    let attempts: Vec<(String, i64, Option<String>)> =
        sqlx::query_as(attempts).fetch_all(&store.writer).await.unwrap();
    let of = |number, worker: Option<&str>| (key(number).to_string(), 1, worker.map(str::to_owned));
    assert_eq!(attempts, [of(1, None), of(2, None), of(3, Some("w"))]);
    MIGRATIONS.run(&store.writer).await.unwrap();
    assert_eq!(store.unsent(usize::MAX).await.unwrap(), [unsent]);
    assert_eq!(store.tasks_of(&film).await.unwrap(), before);
    // How long its lease runs from its start is known of a message that was sent before as well.
    let length: Option<i64> = sqlx::query_scalar("SELECT lease_ms FROM tasks WHERE task = $1")
        .bind(key(2).to_string())
        .fetch_one(&store.writer)
        .await
        .unwrap();
    assert_eq!(length, Some(3_600_000));
}

#[tokio::test]
async fn a_database_of_an_older_program_keeps_its_plans() {
    let (store, folder) = store().await;
    let film = submit_and_plan(&store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    let before = store.tasks_of(&film).await.unwrap();
    MIGRATIONS.undo(&store.writer, 1).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(&path(&folder)).await.unwrap();
    assert_eq!(store.tasks_of(&film).await.unwrap(), before);
    // Whatever was wanted before counts as planned: a later plan does not take it away.
    assert!(store.plan(&film, 1, &[planned(2, &[])]).await.unwrap().is_some());
    assert_eq!(store.tasks_of(&film).await.unwrap().len(), 2);
}

/// What a program of before does with what it cannot read would be anybody's guess.
#[tokio::test]
async fn an_older_program_finds_no_task_of_a_kind_that_it_does_not_know() {
    let (store, _folder) = store().await;
    let film = submit_and_plan(&store, "film", &of_newer_kinds()).await;
    store.advance(&film, 1, TitleState::Checking, to(TitleState::Preparing)).await.unwrap().unwrap();
    assert_eq!(store.tasks_of(&film).await.unwrap().len(), 3);
    MIGRATIONS.undo(&store.writer, 11).await.unwrap();
    let kinds: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM tasks").fetch_all(&store.writer).await.unwrap();
    assert_eq!(kinds, ["qc"]);
    let state: String =
        sqlx::query_scalar("SELECT state FROM titles").fetch_one(&store.writer).await.unwrap();
    assert_eq!(state, "checking", "it plans it anew");
    MIGRATIONS.run(&store.writer).await.unwrap();
    let left = store.tasks_of(&film).await.unwrap();
    assert!(left.len() == 1 && left[0].needs.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_an_older_program_put_online_is_known() {
    let (store, folder) = store().await;
    publications::what_was_put_online_from_a_path_is_known_for_ever(&store).await;
    let film = Path::new("/sources/\"the\" Ünder film.mov");
    let before = store.publications(&title("film"), "/origin", film).await.unwrap();
    assert!(!before.is_empty());
    MIGRATIONS.undo(&store.writer, 3).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(&path(&folder)).await.unwrap();
    assert_eq!(store.publications(&title("film"), "/origin", film).await.unwrap(), before);
}

#[tokio::test]
async fn titles_of_an_older_program_keep_their_keys() {
    let (store, folder) = store().await;
    let uris =
        KeyUris { fairplay: "skd://{kid}".to_owned(), clearkey: "k".to_owned(), verimatrix: "v".to_owned() };
    let of = |key: &[u8]| Protection {
        source: KeySource::Given { key: Digest::of(key) },
        division: KeyDivision::Quality,
        uris: uris.clone(),
    };
    let encrypted = |name: &str, key: &[u8]| Submission { protection: Some(of(key)), ..submission(name, 0) };
    for name in ["online", "failed"] {
        store.submit(&encrypted(name, b"a")).await.unwrap();
    }
    store.submit(&submission("clear", 0)).await.unwrap();
    for (name, from, next) in [
        ("online", TitleState::Checking, TitleState::Preparing),
        ("online", TitleState::Preparing, TitleState::Published),
        ("failed", TitleState::Checking, TitleState::Failed),
    ] {
        store.advance(&title(name), 1, from, to(next)).await.unwrap().unwrap();
    }
    MIGRATIONS.undo(&store.writer, 3).await.unwrap();
    store.close().await;

    let store = SqliteStore::open(&path(&folder)).await.unwrap();
    assert_eq!(store.standing(&title("clear")).await.unwrap(), Standing::default());
    // Other keys that come to nothing replace those that were to be, and not those that are online.
    for (name, expected) in [("online", b"a"), ("failed", b"b")] {
        assert_eq!(store.standing(&title(name)).await.unwrap().protection(), Some(&of(b"a")), "{name}");
        store.submit(&encrypted(name, b"b")).await.unwrap();
        assert_eq!(store.standing(&title(name)).await.unwrap().protection(), Some(&of(expected)), "{name}");
    }
}

/// What is read of titles whose program has become an older one: no code, verdict or state that it does not know.
#[tokio::test]
async fn an_older_program_reads_what_people_decided_about() {
    let (store, _folder) = store().await;
    reviews::what_an_older_program_knows_nothing_of(&store).await;
    MIGRATIONS.undo(&store.writer, 10).await.unwrap();
    let titles: Vec<reviews::TitleRow> =
        sqlx::query_as("SELECT title, state, report, failure FROM titles ORDER BY title")
            .fetch_all(&store.writer)
            .await
            .unwrap();
    let failures = |query: &'static str| sqlx::query_scalar::<_, String>(query).fetch_all(&store.writer);
    let of_tasks = failures("SELECT last_failure FROM tasks").await.unwrap();
    let of_attempts = failures("SELECT failure FROM attempts").await.unwrap();
    reviews::are_read_by_an_older_program(&titles, [of_tasks, of_attempts]);
    MIGRATIONS.run(&store.writer).await.unwrap();
    assert_eq!(store.titles().await.unwrap().len(), titles.len());
}

#[tokio::test]
async fn an_operation_that_is_given_up_leaves_no_lock_and_no_trace() {
    let (store, _folder) = store().await;
    let many: Vec<_> = (0..50).map(|number| planned(number, &[])).collect();
    submit(&store, "film").await;
    for _ in 0..20 {
        tokio::select! {
            biased;
            _ = async {
                store.plan(&title("film"), 1, &many).await.unwrap();
                panic!("a plan of this size takes longer than one turn of the runtime");
            } => {}
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(store.tasks_of(&title("film")).await.unwrap(), []);
    assert!(store.plan(&title("film"), 1, &many).await.unwrap().is_some());
}
