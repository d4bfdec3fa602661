//! What the tests of several services ask of an answer.

use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};

/// The code of an error that has to have one.
pub(crate) fn code<E: ProvideErrorMetadata, T: std::fmt::Debug>(
    answer: Result<T, SdkError<E>>,
) -> String
where
    SdkError<E>: std::fmt::Debug,
{
    let error = answer.expect_err("an error was expected");
    match error.code() {
        Some(code) => code.to_owned(),
        None => panic!("no code: {error:?}"),
    }
}
