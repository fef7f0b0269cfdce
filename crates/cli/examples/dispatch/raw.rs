//! What PostgreSQL does by itself: clients that claim one task after the other and finish it, and nothing else.

use std::time::Instant;

use futures::future::try_join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::Fault;

/// As few columns and indices as claiming needs, over the specifications of the very tasks that the loop works off.
const TABLE: &str = "DROP TABLE IF EXISTS raw; CREATE TABLE raw AS SELECT place AS id, 'ready' AS state, specification, \
     CAST(NULL AS BIGINT) AS started_ms, CAST(NULL AS BIGINT) AS finished_ms FROM tasks; \
     ALTER TABLE raw ADD PRIMARY KEY (id); CREATE INDEX raw_ready ON raw (id) WHERE state = 'ready'";

/// Makes a table of as many tasks as the database holds.
async fn prepare(database: &str) -> Result<(), Fault> {
    let mut connection = PgConnection::connect(database).await?;
    sqlx::raw_sql(TABLE).execute(&mut connection).await?;
    connection.execute("VACUUM ANALYZE").await?;
    Ok(())
}

/// Works all of it off with so many clients; answers tasks a second.
pub(crate) async fn rate(database: &str, clients: usize) -> Result<f64, Fault> {
    prepare(database).await?;
    let mut connections = Vec::with_capacity(clients);
    for _ in 0..clients {
        connections.push(PgConnection::connect(database).await?);
    }
    let started = Instant::now();
    let finished: usize = try_join_all(connections.into_iter().map(work)).await?.into_iter().sum();
    Ok(finished as f64 / started.elapsed().as_secs_f64())
}

async fn work(mut connection: PgConnection) -> Result<usize, sqlx::Error> {
    let mut finished = 0;
    loop {
        let claimed: Option<(i64, String)> = sqlx::query_as(
            "UPDATE raw SET state = 'running', started_ms = 1 WHERE id = (SELECT id FROM raw WHERE state = 'ready' \
             ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, specification",
        )
        .fetch_optional(&mut connection)
        .await?;
        let Some((id, _)) = claimed else { return Ok(finished) };
        sqlx::query("UPDATE raw SET state = 'done', finished_ms = 2 WHERE id = $1 AND state = 'running'")
            .bind(id)
            .execute(&mut connection)
            .await?;
        finished += 1;
    }
}
