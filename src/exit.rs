//! How an error becomes a message and an exit code.

use std::process::ExitCode;

/// Arguments or configuration are wrong: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A threshold the user set was crossed: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Crossed(pub(crate) String);

/// Prints the error, if any, as one message, and chooses the code.
#[expect(clippy::print_stderr, reason = "the one place where a command's error reaches people")]
pub(crate) fn code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        // `marginlake sql … | head` is no failure.
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {}", chain(&error));
    if error.downcast_ref::<Usage>().is_some() {
        ExitCode::from(2)
    } else if error.downcast_ref::<Crossed>().is_some() {
        ExitCode::from(3)
    } else {
        ExitCode::FAILURE
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    error.chain().any(broken)
}

/// All causes in one line; a cause that repeats the one before it is left out.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}
