//! What PostgreSQL says in words of its own: the fragments that the shared operations are put together with.

pub(super) use sqlx::PgConnection as Connection;

/// The database's clock, which goes on within a transaction: milliseconds since 1970 UTC.
macro_rules! now {
    () => {
        "CAST(ROUND(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)"
    };
}
pub(super) use now;

/// Whether what stands before it is an element of a JSON array of texts. As an array, because that is looked up in an
/// index whatever the planner believes about the sizes of the tables; a join was seen to read all of one instead.
macro_rules! one_of {
    ($array:literal) => {
        concat!("= ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(", $array, " AS json))))")
    };
}
pub(super) use one_of;

/// The elements of a JSON array of arrays, as a table with the column `value`.
macro_rules! rows {
    ($array:literal) => {
        concat!("json_array_elements(CAST(", $array, " AS json))")
    };
}
pub(super) use rows;

/// The texts of a column as one JSON array.
macro_rules! json_array {
    ($column:literal) => {
        concat!("CAST(COALESCE(json_agg(", $column, "), '[]') AS text)")
    };
}
pub(super) use json_array;

/// Where a text has another in it, counted in letters from 1; 0 where it has not.
macro_rules! position {
    ($part:literal, $text:literal) => {
        concat!("strpos(", $text, ", ", $part, ")")
    };
}
pub(super) use position;

/// The transaction reads more than others: its statements get as long as the operation as a whole does.
pub(super) async fn may_take_long(connection: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::query("SET LOCAL statement_timeout = 0").execute(connection).await?;
    Ok(())
}

/// The transaction's commit need not wait for the disk.
pub(super) async fn may_be_lost(connection: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::query("SET LOCAL synchronous_commit = off").execute(connection).await?;
    Ok(())
}
