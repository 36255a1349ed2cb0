//! ONNX Runtime, which is loaded when the first model is.
//!
//! Nothing may touch `ort` before [`environment`] has succeeded: on its own it looks for the library where
//! nobody told it to, and panics if it is not there.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::{LogLevel, LoggerFunction};
use tokenizers_onnx::utils::parallelism::set_parallelism;

use crate::embed::Error;

/// The ONNX Runtime of this process, loaded on the first call. Without a path the library is looked for
/// where the system keeps libraries; once it is loaded, the path does not matter any more.
///
/// # Errors
/// [`Error::Load`], which says what to install, where the library is missing, is another file, or is too old.
pub fn environment(library: Option<&Path>) -> Result<Environment, Error> {
    static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);
    let mut environment = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = environment.as_ref() {
        return Ok(environment.clone());
    }
    let path = library.map_or_else(usual_library, Path::to_path_buf);
    let builder = ort::init_from(&path).map_err(|error| missing(&path, &error))?;
    let builder = builder.with_name("kindred").with_telemetry(false).with_logger(logger());
    let loaded = builder.build().map_err(|error| missing(&path, &error))?;
    // Texts are cut into tokens a few at a time, by threads that compute at all times: sharing them out among
    // yet other threads would only make them wait.
    set_parallelism(false);
    // A logger of one's own hears everything, and the words of every run would have to be made first.
    loaded.set_log_level(LogLevel::Warning);
    Ok(environment.insert(loaded).clone())
}

fn usual_library() -> PathBuf {
    PathBuf::from(format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}"))
}

fn missing(path: &Path, error: &dyn std::fmt::Display) -> Error {
    let message = format!(
        "ONNX Runtime cannot be used from `{}`: {error}; install version 1.{} or newer, for example with \
         `pip install onnxruntime`, and set `ORT_DYLIB_PATH` to the shared library \
         `{DLL_PREFIX}onnxruntime` in it",
        path.display(),
        ort::MINOR_VERSION,
    );
    Error::Load(message.into())
}

/// Passes on what ONNX Runtime has to say; nothing there is an error of ours that would not be answered.
fn logger() -> LoggerFunction {
    Arc::new(|level, _category, _id, _place, message| match level {
        LogLevel::Verbose | LogLevel::Info => tracing::trace!("ONNX Runtime: {message}"),
        LogLevel::Warning => tracing::debug!("ONNX Runtime: {message}"),
        LogLevel::Error | LogLevel::Fatal => tracing::warn!("ONNX Runtime: {message}"),
    })
}
