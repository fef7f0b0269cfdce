//! The conformance suite, and what is PostgreSQL's alone: connections that are lost, locks and the schema.

use reelfarm_test_servers::postgres::Postgres;
use tokio::sync::OnceCell;

use super::*;

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

crate::store_conformance!(store);
