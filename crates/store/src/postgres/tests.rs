//! The conformance suite, and what is PostgreSQL's alone: connections that are lost, locks and the schema.

use std::time::Duration;

use reelfarm_model::{Code, Failure, TaskState, TitleState};
use reelfarm_test_servers::postgres::Postgres;
use sqlx::Connection as _;
use tokio::sync::OnceCell;

use super::open::{MIGRATIONS, known_schema};
use super::*;
use crate::conformance::fixtures::{
    LONG, dispatch, finish, key, of_newer_kinds, planned, start, state, submission, submit, submit_and_plan,
    title, to,
};
use crate::conformance::reviews;
use crate::leadership::{Candidate, Election, Leadership as _};
use crate::store::Store as _;

/// A server for all tests of this process that do not need it to go down. It ends with the process.
static SERVER: OnceCell<Postgres> = OnceCell::const_new();

async fn database() -> String {
    let server = SERVER.get_or_init(async || Postgres::start_fast().await.unwrap()).await;
    server.create_database().await.unwrap()
}

/// An empty store.
async fn store() -> (PostgresStore, ()) {
    (PostgresStore::open(&database().await).await.unwrap(), ())
}

crate::store_conformance!(store, 24);

/// Limits that a test need not wait long for.
fn short() -> Limits {
    Limits {
        connect: Duration::from_millis(500),
        operation: Duration::from_secs(1),
        long: Duration::from_secs(1),
        idle: Duration::from_millis(200),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_database_that_is_down_is_unreachable_and_the_store_goes_on_once_it_is_back() {
    let mut server = Postgres::start().await.unwrap();
    let url = server.create_database().await.unwrap();
    // Waited for in full while the server is down; once it is back, long enough for a busy machine.
    let limits = Limits { connect: Duration::from_secs(3), ..Limits::default() };
    let store = PostgresStore::open_with(&url, limits).await.unwrap();
    let film = submit_and_plan(&store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    finish(&store, 1).await;
    let before = store.tasks_of(&film).await.unwrap();

    server.kill().await.unwrap();
    for unreachable in [store.titles().await.map(drop), store.submit(&submission("other", 0)).await.map(drop)]
    {
        let unreachable = unreachable.unwrap_err();
        assert!(matches!(&unreachable, StoreError::Unreachable { .. }), "{unreachable}");
        assert!(unreachable.is_transient());
        assert!(unreachable.to_string().contains(&server.port().to_string()), "{unreachable}");
        assert_eq!(Failure::from(unreachable).code, Code::StateUnreachable);
    }
    let refused = PostgresStore::open_with(&url, limits).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unreachable { .. }), "{refused}");

    server.start_again().await.unwrap();
    assert_eq!(store.tasks_of(&film).await.unwrap(), before, "what was confirmed is there");
    submit(&store, "other").await;
    server.restart().await.unwrap();
    submit(&store, "third").await;
    assert_eq!(store.titles().await.unwrap().len(), 3);
}

/// They were used a moment ago, and so are not asked whether they are there.
#[tokio::test]
async fn connections_that_the_server_has_just_ended_are_replaced() {
    let url = database().await;
    let store = PostgresStore::open(&url).await.unwrap();
    let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
    for number in 0..20 {
        submit(&store, &format!("film-{number}")).await;
        let ended: Vec<bool> = sqlx::query_scalar(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .fetch_all(&mut other)
        .await
        .unwrap();
        assert!(!ended.is_empty());
    }
    assert_eq!(store.titles().await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_unreachable_within_the_limit() {
    let server = Postgres::start_fast().await.unwrap();
    let url = server.create_database().await.unwrap();
    let store = PostgresStore::open_with(&url, short()).await.unwrap();
    let film = submit(&store, "film").await;
    server.pause().unwrap();
    for unreachable in
        [store.title(&film).await.map(drop), store.submit(&submission("other", 0)).await.map(drop)]
    {
        let unreachable = unreachable.unwrap_err();
        assert!(matches!(&unreachable, StoreError::Unreachable { .. }), "{unreachable}");
    }
    server.resume().unwrap();
    let patient = PostgresStore::open(&url).await.unwrap();
    assert!(patient.title(&film).await.unwrap().is_some());
    patient.submit(&submission("other", 0)).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_is_paused_in_the_midst_of_a_transaction_does_not_keep_the_lock() {
    let url = database().await;
    let paused = PostgresStore::open_with(&url, short()).await.unwrap();
    let store = PostgresStore::open(&url).await.unwrap();
    let mut transaction = paused.begin().await.unwrap();
    sqlx::query("DELETE FROM _sqlx_migrations").execute(&mut *transaction).await.unwrap();
    // It waits until the server has ended the other transaction, and none of that is left.
    submit(&store, "film").await;
    assert!(transaction.commit().await.is_err());
    assert!(store.title(&title("film")).await.unwrap().is_some());
    let found = paused.titles().await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn no_term_begins_while_the_last_leader_is_still_writing() {
    let url = database().await;
    let store = PostgresStore::open(&url).await.unwrap();
    let candidate = |name: &str| Candidate { holder: name.to_owned(), address: String::new() };
    let won = store.acquire(&candidate("one"), true, LONG).await.unwrap();
    let Election::Won(term) = won else { panic!("{won:?}") };
    store.renew(term, Duration::ZERO).await.unwrap();
    let mut writing = store.begin().await.unwrap();
    sqlx::query("INSERT INTO readings VALUES ('path', 'source')").execute(&mut *writing).await.unwrap();
    let other = PostgresStore::open(&url).await.unwrap();
    let mut following = tokio::spawn(async move { other.acquire(&candidate("two"), true, LONG).await });
    // The lock's queue tells that it waits.
    loop {
        let waiting: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                .fetch_one(&store.reader)
                .await
                .unwrap();
        if waiting == 1 {
            break;
        }
        assert!(!following.is_finished(), "{:?}", (&mut following).await);
    }
    writing.commit().await.unwrap();
    assert!(matches!(following.await.unwrap().unwrap(), Election::Won(_)));
}

#[tokio::test]
async fn a_database_that_stays_locked_is_an_error_that_says_so() {
    let url = database().await;
    let store = PostgresStore::open(&url).await.unwrap();
    let hasty = Limits { lock: Duration::from_millis(50), ..Limits::default() };
    let hasty = PostgresStore::open_with(&url, hasty).await.unwrap();
    let lock = store.begin().await.unwrap();
    let refused = hasty.submit(&submission("film", 0)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Locked { .. }), "{refused}");
    assert!(refused.is_transient());
    assert_eq!(hasty.title(&title("film")).await.unwrap(), None, "reading goes on");
    lock.rollback().await.unwrap();
    submit(&hasty, "film").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn schedulers_that_start_together_make_the_schema_once_and_wait_for_each_other() {
    const WRITERS: u32 = 4;
    const EACH: u32 = 10;
    let url = database().await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let url = url.clone();
        writers.push(tokio::spawn(async move {
            let store = PostgresStore::open(&url).await.unwrap();
            for number in 0..EACH {
                let task = writer * EACH + number;
                submit_and_plan(&store, &format!("film-{task}"), &[planned(task, &[])]).await;
                finish(&store, task).await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let store = PostgresStore::open(&url).await.unwrap();
    assert_eq!(store.titles().await.unwrap().len(), (WRITERS * EACH) as usize);
}

#[tokio::test]
async fn a_reader_does_not_write_and_does_not_make_a_schema() {
    let url = database().await;
    let refused = PostgresStore::open_read_only(&url).await.unwrap_err();
    assert!(matches!(&refused, StoreError::OlderSchema { found: 0, .. }), "{refused}");
    let store = PostgresStore::open(&url).await.unwrap();
    submit(&store, "film").await;
    let reader = PostgresStore::open_read_only(&url).await.unwrap();
    assert_eq!(reader.titles().await.unwrap().len(), 1);
    let refused = reader.submit(&submission("other", 0)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Query { .. }), "{refused}");
    assert!(!refused.is_transient());
    assert_eq!(store.titles().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_database_that_is_not_there_and_a_url_that_is_none_are_named_without_secrets() {
    let url = database().await;
    let (server, _) = url.rsplit_once('/').unwrap();
    let nowhere = format!("{}/nowhere", server.replace("reelfarm@", "reelfarm:secret@"));
    let missing = PostgresStore::open(&nowhere).await.unwrap_err();
    assert!(matches!(&missing, StoreError::Missing { .. }), "{missing}");
    assert!(missing.to_string().contains("/nowhere"), "{missing}");
    assert!(!missing.to_string().contains("secret"), "{missing}");
    for none in ["", "nonsense", "postgres://user:secret@host:port/"] {
        let refused = PostgresStore::open(none).await.unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_also_by_a_program_that_is_running() {
    let url = database().await;
    let running = PostgresStore::open(&url).await.unwrap();
    submit(&running, "film").await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'the future', true, '', 0)",
    )
    .execute(&running.writer)
    .await
    .unwrap();
    let refused = [
        running.submit(&submission("other", 0)).await.map(drop),
        PostgresStore::open(&url).await.map(drop),
        PostgresStore::open_read_only(&url).await.map(drop),
    ];
    for refused in refused {
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, StoreError::NewerSchema { found: 9999, .. }), "{refused}");
        assert!(refused.to_string().contains("use the newer reelfarm"), "{refused}");
    }
    assert_eq!(running.titles().await.unwrap().len(), 1);
}

#[tokio::test]
async fn migrations_go_down_step_by_step_and_up_again_with_what_is_in_the_tables() {
    let url = database().await;
    let store = PostgresStore::open(&url).await.unwrap();
    let film = submit_and_plan(&store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    start(&store, 1).await;
    let before = (store.titles().await.unwrap(), store.tasks_of(&film).await.unwrap());
    let objects = "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
                   WHERE nspname = 'public' AND relname NOT LIKE '_sqlx%' ORDER BY relname";
    let up: Vec<String> = sqlx::query_scalar(objects).fetch_all(&store.writer).await.unwrap();

    MIGRATIONS.undo(&store.writer, 1).await.unwrap();
    let reader = PostgresStore::open_read_only(&url).await.unwrap_err();
    assert!(matches!(reader, StoreError::OlderSchema { found: 1, .. }), "{reader}");
    let store = PostgresStore::open(&url).await.unwrap();
    assert_eq!((store.titles().await.unwrap(), store.tasks_of(&film).await.unwrap()), before);
    assert_eq!(state(&store, 1).await, TaskState::Running);

    for step in (0..known_schema()).rev() {
        MIGRATIONS.undo(&store.writer, step).await.unwrap();
    }
    let down: Vec<String> = sqlx::query_scalar(objects).fetch_all(&store.writer).await.unwrap();
    assert_eq!(down, [""; 0]);
    let store = PostgresStore::open(&url).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, String>(objects).fetch_all(&store.writer).await.unwrap(), up);
    submit(&store, "film").await;
}

#[tokio::test]
async fn attempts_under_way_and_their_messages_survive_the_way_down_and_up() {
    let (store, ()) = store().await;
    let film = submit_and_plan(&store, "film", &[planned(1, &[]), planned(2, &[]), planned(3, &[])]).await;
    let unsent = dispatch(&store, 1, LONG).await;
    let sent = dispatch(&store, 2, LONG).await.fence;
    store.mark_sent(&[sent]).await.unwrap();
    start(&store, 3).await;
    let before = store.tasks_of(&film).await.unwrap();
    MIGRATIONS.undo(&store.writer, 5).await.unwrap();
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

/// What is read of titles whose program has become an older one: no code, verdict or state that it does not know.
#[tokio::test]
async fn an_older_program_reads_what_people_decided_about() {
    let (store, ()) = store().await;
    reviews::what_an_older_program_knows_nothing_of(&store).await;
    MIGRATIONS.undo(&store.writer, 7).await.unwrap();
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

/// What a program of before does with what it cannot read would be anybody's guess.
#[tokio::test]
async fn an_older_program_finds_no_task_of_a_kind_that_it_does_not_know() {
    let (store, ()) = store().await;
    let film = submit_and_plan(&store, "film", &of_newer_kinds()).await;
    store.advance(&film, 1, TitleState::Checking, to(TitleState::Preparing)).await.unwrap().unwrap();
    assert_eq!(store.tasks_of(&film).await.unwrap().len(), 3);
    MIGRATIONS.undo(&store.writer, 8).await.unwrap();
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
async fn an_operation_that_is_given_up_leaves_no_lock_and_no_trace() {
    let (store, ()) = store().await;
    let many: Vec<_> = (0..50).map(|number| planned(number, &[])).collect();
    submit(&store, "film").await;
    for _ in 0..20 {
        tokio::select! {
            biased;
            _ = async {
                store.plan(&title("film"), 1, &many).await.unwrap();
                panic!("a plan takes longer than one turn of the runtime");
            } => {}
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(store.tasks_of(&title("film")).await.unwrap(), []);
    assert!(store.plan(&title("film"), 1, &many).await.unwrap().is_some());
}
