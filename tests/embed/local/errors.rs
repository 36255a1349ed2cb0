//! What is wrong is said with what to do about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kindred::embed::{Embedder, LocalEmbedder};

use super::{WHOLE, prepared, settings};

const FILES: [&str; 5] = [
    "model.onnx",
    "tokenizer.json",
    "config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
];

/// A folder of this test's own, which goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("kindred-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Writes each file with `{}` in it.
    fn fill(&self, files: &[&str]) {
        for file in files {
            let path = self.0.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn refusal(folder: Option<&Path>, model: &str) -> String {
    match LocalEmbedder::new(&settings(folder, None), Some(model)) {
        Ok(_) => panic!("`{model}` was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_model_that_is_not_known_gets_the_names_of_those_that_are() {
    let message = refusal(None, "all-MiniLM-L7");
    assert!(message.contains("`all-MiniLM-L7`"), "{message}");
    for name in [WHOLE, "all-mpnet-base-v2", "bge-small-en-v1.5", "multilingual-e5-small"] {
        assert!(message.contains(name), "{message}");
    }
    assert!(message.contains("LOCAL_MODEL_DIR"), "{message}");
}

#[test]
fn a_file_that_is_missing_is_named_with_its_folder() {
    for missing in FILES {
        let folder = Folder::new(&format!("missing-{missing}"));
        folder.fill(&FILES.into_iter().filter(|file| *file != missing).collect::<Vec<_>>());
        let message = refusal(Some(&folder.0), WHOLE);
        assert!(message.contains(&format!("`{missing}` is missing")), "{message}");
        assert!(message.contains(&folder.0.display().to_string()), "{message}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let message = refusal(Some(Path::new("no/such/folder")), WHOLE);
    assert!(message.contains("`no/such/folder`"), "{message}");
}

#[test]
fn a_models_own_folder_goes_before_the_folder_around_it() {
    let folder = Folder::new("both");
    folder.fill(&FILES);
    assert!(LocalEmbedder::new(&settings(Some(&folder.0), None), Some(WHOLE)).is_ok());
    folder.fill(&[&format!("{WHOLE}/model.onnx")]);
    let message = refusal(Some(&folder.0), WHOLE);
    assert!(message.contains(&format!("{WHOLE}`")), "{message}");
}

#[test]
fn a_model_of_an_unknown_name_is_what_its_files_say() {
    let folder = Folder::new("unknown");
    folder.fill(&FILES);
    let message = refusal(Some(&folder.0), "my-model");
    assert!(message.contains("config.json` has no `hidden_size`"), "{message}");
    fs::write(folder.0.join("config.json"), r#"{"hidden_size": 312}"#).unwrap();
    fs::write(folder.0.join("sentence_bert_config.json"), r#"{"max_seq_length": 99}"#).unwrap();
    let embedder = LocalEmbedder::new(&settings(Some(&folder.0), None), Some("my-model")).unwrap();
    let description = embedder.description();
    assert_eq!((description.model.as_str(), description.dimensions), ("my-model", 312));
    assert_eq!(description.max_tokens, 99);
    folder.fill(&["1_Pooling/config.json"]);
    let message = refusal(Some(&folder.0), "my-model");
    assert!(message.contains("1_Pooling/config.json"), "{message}");
}

#[test]
fn a_name_cannot_lead_out_of_the_folder() {
    let folder = Folder::new("inside");
    folder.fill(&FILES);
    for name in ["../inside", "/etc", "..", "a b", ""] {
        let message = refusal(Some(&folder.0), name);
        assert!(message.contains("is not the name of a model"), "{name}: {message}");
    }
}

#[tokio::test]
async fn files_that_are_no_model_are_an_error_and_no_panic() {
    let Some((_, library)) = prepared() else { return };
    let folder = Folder::new("broken");
    folder.fill(&FILES);
    let embedder = LocalEmbedder::new(&settings(Some(&folder.0), Some(&library)), None).unwrap();
    let error = embedder.embed_query("text").await.unwrap_err();
    assert!(error.is_of_the_model(), "{error}");
    assert!(error.to_string().contains(WHOLE), "{error}");
}

/// ONNX Runtime is loaded once for a process, so what happens without it is tried in processes of their own:
/// this test starts itself again with `KINDRED_TEST_LIBRARY`.
#[tokio::test]
async fn a_missing_runtime_says_what_to_install() {
    let name = "local::errors::a_missing_runtime_says_what_to_install";
    if let Some(library) = std::env::var_os("KINDRED_TEST_LIBRARY") {
        return without_runtime(Path::new(&library)).await;
    }
    // One that is not there, and one that is no library.
    for library in ["/nowhere/libonnxruntime.so", file!()] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture"]).env("KINDRED_TEST_LIBRARY", library);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

async fn without_runtime(library: &Path) {
    let folder = Folder::new("runtime");
    folder.fill(&FILES);
    let embedder = LocalEmbedder::new(&settings(Some(&folder.0), Some(library)), None).unwrap();
    for _ in 0..2 {
        let error = embedder.embed_query("text").await.unwrap_err();
        assert!(error.is_of_the_model(), "{error}");
        let message = error.to_string();
        assert!(message.contains(&library.display().to_string()), "{message}");
        assert!(message.contains("pip install onnxruntime"), "{message}");
        assert!(message.contains("ORT_DYLIB_PATH"), "{message}");
    }
}
