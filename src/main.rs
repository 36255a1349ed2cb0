//! Parses the command line and runs one command.

use std::process::ExitCode;

/// Validating a query recurses as deep as its selections nest; the guard bounds that, and this is
/// insurance.
const STACK_BYTES: usize = 8 * 1024 * 1024;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(kindred::cli::run()),
        Err(_) => ExitCode::FAILURE,
    }
}
