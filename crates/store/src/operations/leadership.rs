//! The leadership's row, and the look at it that every writing transaction begins with.

use std::time::Duration;

use super::dialect::{Connection, now};
use super::{known_schema, later};
use crate::error::StoreError;
use crate::fault::Fault;
use crate::leadership::{Candidate, Election, Leader, Term};
use crate::rows::undecodable;

/// Reads the clock, and sees that whoever writes still may: the schema is the one that this program was made for, also
/// where a newer program has come along since the database was opened, and `term` is the current one and has not run out.
pub(super) async fn look(connection: &mut Connection, term: Option<Term>) -> Result<i64, Fault> {
    let (now, schema, current, expires): (i64, i64, Option<i64>, Option<i64>) = sqlx::query_as(concat!(
        "SELECT ",
        now!(),
        ", (SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations), (SELECT term FROM leadership), \
         (SELECT expires_ms FROM leadership)"
    ))
    .fetch_one(connection)
    .await?;
    if schema > known_schema() {
        return Err(Fault::NewerSchema { found: schema, known: known_schema() });
    }
    if let Some(term) = term {
        let leads = current == Some(to_number(term)) && expires.is_some_and(|expires| now < expires);
        if !leads {
            return Err(Fault::TermOver(term));
        }
    }
    Ok(now)
}

/// See [`Leadership::acquire`](crate::Leadership::acquire).
pub(super) async fn acquire(
    connection: &mut Connection,
    now: i64,
    candidate: &Candidate,
    fit: bool,
    lease: Duration,
) -> Result<Election, Fault> {
    let current = current(connection).await?;
    if let Some(row) = current.as_ref().filter(|row| row.holder != candidate.holder || row.expires_ms <= now)
    {
        if now < row.expires_ms {
            if fit || row.is_rival(candidate) {
                sqlx::query("UPDATE leadership SET rival = $1, rival_ms = $2")
                    .bind(&candidate.holder)
                    .bind(if fit { later(now, lease) } else { 0 })
                    .execute(connection)
                    .await?;
            }
            return Ok(Election::Lost(row.leader(now)?));
        }
        if !fit && now < row.rival_ms && !row.is_rival(candidate) {
            return Ok(Election::Left);
        }
    }
    let term = current.map_or(1, |row| row.term + 1);
    sqlx::query(
        "INSERT INTO leadership (one, term, holder, address, expires_ms) VALUES (1, $1, $2, $3, $4) \
         ON CONFLICT (one) DO UPDATE SET term = excluded.term, holder = excluded.holder, \
         address = excluded.address, expires_ms = excluded.expires_ms, rival_ms = 0",
    )
    .bind(term)
    .bind(&candidate.holder)
    .bind(&candidate.address)
    .bind(later(now, lease))
    .execute(connection)
    .await?;
    Ok(Election::Won(from_number(term)?))
}

/// Has the lease end `lease` from now; the transaction is bound to the current term. Answers whether there is a rival.
pub(super) async fn extend(connection: &mut Connection, now: i64, lease: Duration) -> Result<bool, Fault> {
    let rival: Option<i64> = sqlx::query_scalar("UPDATE leadership SET expires_ms = $1 RETURNING rival_ms")
        .bind(later(now, lease))
        .fetch_optional(connection)
        .await?;
    Ok(rival.is_some_and(|rival| now < rival))
}

/// See [`Leadership::leader`](crate::Leadership::leader).
pub(super) async fn leader(connection: &mut Connection) -> Result<Option<Leader>, Fault> {
    let now: i64 = sqlx::query_scalar(concat!("SELECT ", now!())).fetch_one(&mut *connection).await?;
    let row = current(connection).await?.filter(|row| now < row.expires_ms);
    Ok(row.map(|row| row.leader(now)).transpose()?)
}

#[derive(sqlx::FromRow)]
struct Row {
    term: i64,
    holder: String,
    address: String,
    expires_ms: i64,
    rival: Option<String>,
    rival_ms: i64,
}

impl Row {
    fn is_rival(&self, candidate: &Candidate) -> bool {
        self.rival.as_ref() == Some(&candidate.holder)
    }

    fn leader(&self, now: i64) -> Result<Leader, StoreError> {
        let remaining = u64::try_from(self.expires_ms.saturating_sub(now)).unwrap_or(0);
        Ok(Leader {
            candidate: Candidate { holder: self.holder.clone(), address: self.address.clone() },
            term: from_number(self.term)?,
            remaining: Duration::from_millis(remaining),
        })
    }
}

async fn current(connection: &mut Connection) -> Result<Option<Row>, Fault> {
    let row = sqlx::query_as("SELECT term, holder, address, expires_ms, rival, rival_ms FROM leadership");
    Ok(row.fetch_optional(connection).await?)
}

fn from_number(term: i64) -> Result<Term, StoreError> {
    u64::try_from(term).map(Term).map_err(|error| undecodable("a term", &error))
}

/// For a bind. No farm sees so many terms that this does anything but change the type.
fn to_number(term: Term) -> i64 {
    i64::try_from(term.0).unwrap_or(i64::MAX)
}
