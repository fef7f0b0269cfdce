//! What SQLite says in words of its own: the fragments that the shared operations are put together with.

pub(super) use sqlx::SqliteConnection as Connection;

/// The database's clock: milliseconds since 1970 UTC.
macro_rules! now {
    () => {
        "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)"
    };
}
pub(super) use now;

/// Whether what stands before it is an element of a JSON array of texts.
macro_rules! one_of {
    ($array:literal) => {
        concat!("IN (SELECT value FROM json_each(", $array, "))")
    };
}
pub(super) use one_of;

/// The elements of a JSON array of arrays, as a table with the column `value`.
macro_rules! rows {
    ($array:literal) => {
        concat!("json_each(", $array, ")")
    };
}
pub(super) use rows;

/// The texts of a column as one JSON array.
macro_rules! json_array {
    ($column:literal) => {
        concat!("json_group_array(", $column, ")")
    };
}
pub(super) use json_array;

/// Where a text has another in it, counted in letters from 1; 0 where it has not.
macro_rules! position {
    ($part:literal, $text:literal) => {
        concat!("instr(", $text, ", ", $part, ")")
    };
}
pub(super) use position;

/// The transaction reads more than others, which SQLite does not limit.
pub(super) async fn may_take_long(_connection: &mut Connection) -> Result<(), sqlx::Error> {
    Ok(())
}

/// The transaction's commit need not wait for the disk: none does here, with `synchronous = NORMAL`.
pub(super) async fn may_be_lost(_connection: &mut Connection) -> Result<(), sqlx::Error> {
    Ok(())
}
