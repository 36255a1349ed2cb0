//! Models on this machine: the real all-MiniLM-L6-v2, whole and in int8.

#[path = "local/errors.rs"]
mod errors;
#[path = "local/hub.rs"]
mod hub;
#[path = "local/quality.rs"]
mod quality;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kindred::embed::{Embedder, LocalEmbedder, LocalSettings};

const WHOLE: &str = "all-MiniLM-L6-v2";
const INT8: &str = "all-MiniLM-L6-v2-int8";

/// The prepared folder and the library, or `None`, saying so.
fn prepared() -> Option<(PathBuf, PathBuf)> {
    let path = |name| env::var_os(name).map(PathBuf::from);
    let found = path("LOCAL_MODEL_DIR").zip(path("ORT_DYLIB_PATH"));
    if found.is_none() {
        eprintln!(
            "skipped: LOCAL_MODEL_DIR and ORT_DYLIB_PATH are not set; `scripts/local-model env` prints both"
        );
    }
    found
}

fn settings(folder: Option<&Path>, library: Option<&Path>) -> LocalSettings {
    LocalSettings {
        model: WHOLE.to_owned(),
        model_dir: folder.map(Path::to_path_buf),
        cache_dir: env::temp_dir().join(format!("kindred-embed-{}", std::process::id())),
        onnx_runtime: library.map(Path::to_path_buf),
        threads: 2,
        unload_after: Duration::ZERO,
    }
}

/// One of the prepared models; all tests of this process share it.
fn shared(cell: &'static OnceLock<Arc<dyn Embedder>>, name: &str) -> Option<Arc<dyn Embedder>> {
    let (folder, library) = prepared()?;
    let make = || -> Arc<dyn Embedder> {
        Arc::new(LocalEmbedder::new(&settings(Some(&folder), Some(&library)), Some(name)).unwrap())
    };
    Some(cell.get_or_init(make).clone())
}

pub(crate) fn whole() -> Option<Arc<dyn Embedder>> {
    static EMBEDDER: OnceLock<Arc<dyn Embedder>> = OnceLock::new();
    shared(&EMBEDDER, WHOLE)
}

fn int8() -> Option<Arc<dyn Embedder>> {
    static EMBEDDER: OnceLock<Arc<dyn Embedder>> = OnceLock::new();
    shared(&EMBEDDER, INT8)
}

mod whole_contract {
    contract!(super::whole, 1_000);
}

mod int8_contract {
    contract!(super::int8, 1_000);
}

/// Texts that are computed alone are counted by what the run read, others before it.
#[tokio::test]
async fn both_ways_to_read_a_text_agree_on_what_is_cut_off_and_what_is_known() {
    let (Some(whole), Some(int8)) = (whole(), int8()) else { return };
    let (unknown, fits) = ("🦀 ".repeat(40), vec!["word"; 254].join(" "));
    let cases = [
        (fits.clone(), true, false),
        (format!("{fits} word"), true, true),
        (unknown.clone(), false, false),
        (format!("{unknown} crab"), true, false),
        (unknown.repeat(10), false, true),
        ("🦀".to_owned(), false, false),
    ];
    let texts: Vec<String> = cases.iter().map(|(text, ..)| text.clone()).collect();
    for embedder in [whole, int8] {
        let embedded = embedder.embed_documents(&texts).await.unwrap();
        for ((text, is_known, is_truncated), document) in cases.iter().zip(embedded) {
            let query = embedder.embed_query(text).await.unwrap();
            for embedding in [document, query] {
                assert_eq!(embedding.vector.is_some(), *is_known, "{text}");
                assert_eq!(embedding.is_truncated, *is_truncated, "{text}");
            }
        }
    }
}
