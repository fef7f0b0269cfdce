//! File work off the asynchronous runtime.

use std::io;

/// Runs `work` where it may block. A panic in it goes on in the caller.
///
/// # Errors
/// `work`'s own, or that the runtime is shutting down.
pub(crate) async fn blocking<T, E, F>(work: F) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
    F: FnOnce() -> Result<T, E> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(io::Error::other("the program is ending").into()),
        },
    }
}
