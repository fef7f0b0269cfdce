//! The source as a task finds it: the bytes that it was planned for, before and after its work.

use std::path::PathBuf;

use reelfarm_model::{Code, Failure, SourceReference};

use super::{Execution, blocking};
use crate::source::source_reference;

impl Execution {
    /// The path of the source, which must lie there as it was submitted.
    pub(super) async fn source(&self) -> Result<PathBuf, Failure> {
        let source = self.expected_source()?;
        unchanged(source.clone()).await?;
        Ok(source.path.clone())
    }

    /// What was made of the source, if the source still lies there as it was submitted: one that is replaced, or
    /// still being delivered, while it is read gives outputs that belong to no version of it. That also explains
    /// most failures, so it goes before `made`'s own.
    pub(super) async fn of_unchanged_source<T>(&self, made: Result<T, Failure>) -> Result<T, Failure> {
        unchanged(self.expected_source()?.clone()).await?;
        made
    }

    fn expected_source(&self) -> Result<&SourceReference, Failure> {
        self.message.source.as_ref().ok_or_else(|| {
            let label = self.message.task.spec.label();
            Failure::new(Code::Internal, format!("{label} came without its source"))
        })
    }
}

async fn unchanged(expected: SourceReference) -> Result<(), Failure> {
    blocking(move || {
        let found = source_reference(&expected.path)?;
        if found == expected {
            return Ok(());
        }
        Err(Failure::new(
            Code::SourceChanged,
            format!(
                "{} changed while it was worked on ({} bytes when it was submitted, {} now); submit it again once its delivery is complete",
                expected.path.display(),
                expected.size,
                found.size
            ),
        ))
    })
    .await
}
