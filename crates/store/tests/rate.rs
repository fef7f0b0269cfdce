use std::time::{Duration, Instant};
use reelfarm_store::*;
use reelfarm_store::conformance::fixtures::*;
use reelfarm_test_servers::postgres::Postgres;
use sqlx::postgres::PgPoolOptions;

const N: u32 = 20_000;

async fn raw(url: &str, clients: usize) -> f64 {
    let pool = PgPoolOptions::new().max_connections(clients as u32).test_before_acquire(false).connect(url).await.unwrap();
    sqlx::query("CREATE TABLE raw (id bigint primary key, state text not null, payload text not null, lease text)").execute(&pool).await.unwrap();
    sqlx::query("INSERT INTO raw SELECT g, 'ready', repeat('x', 300), null FROM generate_series(1, 20000) g").execute(&pool).await.unwrap();
    sqlx::query("CREATE INDEX raw_ready ON raw (id) WHERE state = 'ready'").execute(&pool).await.unwrap();
    let t = Instant::now();
    let mut hs = vec![];
    for _ in 0..clients { let pool = pool.clone(); hs.push(tokio::spawn(async move {
        let mut n = 0u32; let mut c = pool.acquire().await.unwrap();
        while t.elapsed() < Duration::from_secs(6) {
            let r: Option<(i64,String)> = sqlx::query_as("UPDATE raw SET state='running', lease='abc' WHERE id = (SELECT id FROM raw WHERE state='ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, payload").fetch_optional(&mut *c).await.unwrap();
            let Some((id,_)) = r else { break };
            sqlx::query("UPDATE raw SET state='done' WHERE id=$1 AND lease='abc'").bind(id).execute(&mut *c).await.unwrap();
            n += 1;
        } n })); }
    let mut n = 0; for h in hs { n += h.await.unwrap(); }
    f64::from(n) / t.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate() {
    let server = Postgres::start().await.unwrap();
    for clients in [1, 8] { let u = server.create_database().await.unwrap(); println!("raw claim+finish {clients} clients: {:.0}/s", raw(&u, clients).await); }
    for (batch, kind) in [(1usize,"pg"), (20,"pg"), (100,"pg"), (500,"pg"), (100,"sqlite")] {
        let folder = tempfile::tempdir().unwrap();
        let store: std::sync::Arc<dyn Store> = if kind == "pg" { std::sync::Arc::new(PostgresStore::open(&server.create_database().await.unwrap()).await.unwrap()) } else { std::sync::Arc::new(SqliteStore::open(&folder.path().join("a.db")).await.unwrap()) };
        store.submit(&submission("film", 0)).await.unwrap();
        let t = Instant::now();
        let plan: Vec<_> = (0..N).map(|n| planned(n, &[])).collect();
        store.plan(&title("film"), 1, &plan).await.unwrap();
        println!("{kind} plan of {N}: {:?}", t.elapsed());
        let t = Instant::now(); let mut n = 0;
        let mut parts = [Duration::ZERO; 4];
        while t.elapsed() < Duration::from_secs(6) {
            let a = Instant::now();
            let ready = store.ready(reelfarm_model::Pool::Cpu, batch).await.unwrap();
            if ready.is_empty() { break }
            parts[0] += a.elapsed(); let a = Instant::now();
            let keys: Vec<_> = ready.iter().map(|r| r.task).collect();
            let m = store.dispatch_all(&keys, LONG).await.unwrap();
            parts[1] += a.elapsed(); let a = Instant::now();
            let fences: Vec<_> = m.iter().map(|m| m.fence).collect();
            store.mark_sent(&fences).await.unwrap();
            parts[2] += a.elapsed(); let a = Instant::now();
            let reports: Vec<_> = fences.iter().map(|f| AttemptReport { fence: *f, report: Report::Started { worker: worker("w") } }).chain(fences.iter().map(|f| AttemptReport { fence: *f, report: Report::Completed { artifacts: vec![], result: None } })).collect();
            let r = store.record(&reports).await.unwrap();
            parts[3] += a.elapsed();
            n += r.len() / 2;
        }
        println!("{kind} batch {batch}: {:.0} tasks/s; ready, dispatch, sent, record: {parts:?} for {n}", n as f64 / t.elapsed().as_secs_f64());
    }
}
