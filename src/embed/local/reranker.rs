//! A cross-encoder on this machine, through ONNX Runtime.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use async_trait::async_trait;
use fastembed::{
    RerankInitOptions, RerankInitOptionsUserDefined, RerankerModel, TextRerank, TokenizerFiles,
    UserDefinedRerankingModel,
};
use tokio::sync::oneshot;

use super::runtime;
use super::session::{Arena, chain, providers};
use crate::embed::{Error, LocalSettings, RerankSettings, Reranker};

/// Tokens of a question and a text together that are read; the rest of the text is cut off.
const MAX_TOKENS: usize = 512;
/// Texts that are computed together.
const BATCH: usize = 8;
const GRAPH: &str = "model.onnx";
const TOKENIZER_FILES: [&str; 4] =
    ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"];

/// A cross-encoder that runs on this machine. It is loaded with the first question, in a thread of its own,
/// and leaves memory after a rest if the settings say so.
pub struct LocalReranker {
    engine: Arc<Engine>,
    line: Mutex<Option<Sender<Question>>>,
}

/// What a thread needs to load the model.
struct Engine {
    source: Source,
    settings: LocalSettings,
}

enum Source {
    Folder(PathBuf),
    /// The Hugging Face hub, or what the cache has kept of it.
    Hub(RerankerModel),
}

struct Question {
    query: String,
    texts: Vec<String>,
    answer: oneshot::Sender<Result<Vec<f64>, Error>>,
}

impl LocalReranker {
    /// Describes the model; it is loaded when it is first used.
    ///
    /// # Errors
    /// [`Error::Load`] for a name that is not known, and for a folder that lacks a file; both say which.
    pub fn new(settings: &LocalSettings, rerank: &RerankSettings) -> Result<Self, Error> {
        let source = match (&rerank.model_dir, &rerank.model) {
            (Some(folder), _) => Source::Folder(checked(folder)?),
            (None, Some(name)) => Source::Hub(named(name)?),
            (None, None) => return Err(Error::Load("no cross-encoder is named".into())),
        };
        let engine = Arc::new(Engine { source, settings: settings.clone() });
        Ok(Self { engine, line: Mutex::new(None) })
    }

    /// Gives a question to the thread, and starts one where there is none: it ends after a rest, and where
    /// the model broke down.
    fn ask(&self, question: Question) -> Result<(), Error> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let question = match line.as_ref() {
            Some(sender) => match sender.send(question) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(question)) => question,
            },
            None => question,
        };
        let (sender, receiver) = mpsc::channel();
        let engine = self.engine.clone();
        let thread = thread::Builder::new().name("reranker".to_owned());
        let started = thread.spawn(move || engine.answer_all(&receiver));
        started.map_err(|error| Error::Load(error.into()))?;
        // The thread holds the other end.
        let _unsent = sender.send(question);
        *line = Some(sender);
        Ok(())
    }
}

#[async_trait]
impl Reranker for LocalReranker {
    async fn scores(&self, query: &str, texts: Vec<String>) -> Result<Vec<f64>, Error> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        self.ask(Question { query: query.to_owned(), texts, answer })?;
        answered.await.map_err(|_| Error::Panicked)?
    }
}

impl Engine {
    /// Answers questions in their order, until nobody asks for a while or can ask any more. A model that
    /// cannot be loaded is tried again with the next question.
    fn answer_all(&self, questions: &Receiver<Question>) {
        let mut model = None;
        while let Some(question) = self.next(questions) {
            // Whoever asked has gone away.
            if question.answer.is_closed() {
                continue;
            }
            let answer = match &mut model {
                Some(model) => scores(model, &question),
                None => self.load().and_then(|loaded| scores(model.insert(loaded), &question)),
            };
            let _gone = question.answer.send(answer);
        }
    }

    fn next(&self, questions: &Receiver<Question>) -> Option<Question> {
        let rest = self.settings.unload_after;
        if rest.is_zero() {
            return questions.recv().ok();
        }
        questions.recv_timeout(rest).ok()
    }

    fn load(&self) -> Result<TextRerank, Error> {
        let environment = runtime::environment(self.settings.onnx_runtime.as_deref())?;
        match &self.source {
            Source::Folder(folder) => {
                let options = RerankInitOptionsUserDefined::new()
                    .with_environment(environment)
                    .with_execution_providers(providers(Arena::Off))
                    .with_max_length(MAX_TOKENS)
                    .with_intra_threads(self.settings.threads);
                let model = UserDefinedRerankingModel::new(folder.join(GRAPH), tokenizer(folder)?);
                TextRerank::try_new_from_user_defined(model, options)
                    .map_err(|error| bad(&folder.display().to_string(), &error))
            }
            Source::Hub(model) => {
                let options = RerankInitOptions::new(model.clone())
                    .with_environment(environment)
                    .with_execution_providers(providers(Arena::Off))
                    .with_max_length(MAX_TOKENS)
                    .with_intra_threads(self.settings.threads)
                    .with_cache_dir(self.settings.cache_dir.clone())
                    .with_show_download_progress(std::io::stderr().is_terminal());
                TextRerank::try_new(options).map_err(|error| bad(&model.to_string(), &error))
            }
        }
    }
}

fn scores(model: &mut TextRerank, question: &Question) -> Result<Vec<f64>, Error> {
    let texts: Vec<&str> = question.texts.iter().map(String::as_str).collect();
    let results = model
        .rerank(question.query.as_str(), &texts, false, Some(BATCH))
        .map_err(|error| Error::Refused(chain(&error)))?;
    let mut scores = vec![f64::NEG_INFINITY; question.texts.len()];
    for result in results {
        if let Some(score) = scores.get_mut(result.index) {
            *score = f64::from(result.score);
        }
    }
    match scores.iter().all(|score| score.is_finite()) {
        true => Ok(scores),
        false => Err(Error::NotFinite),
    }
}

/// A folder with everything that a cross-encoder needs.
fn checked(folder: &Path) -> Result<PathBuf, Error> {
    if !folder.is_dir() {
        let message = format!("`RERANK_MODEL_DIR` is `{}`, which is no folder", folder.display());
        return Err(Error::Load(message.into()));
    }
    for file in [GRAPH].into_iter().chain(TOKENIZER_FILES) {
        if !folder.join(file).is_file() {
            let message =
                format!("`{file}` is missing in `{}` (`RERANK_MODEL_DIR`)", folder.display());
            return Err(Error::Load(message.into()));
        }
    }
    Ok(folder.to_path_buf())
}

/// A model of the hub by its name, with or without its owner, in any case.
fn named(name: &str) -> Result<RerankerModel, Error> {
    let known = TextRerank::list_supported_models();
    let short = |code: &str| code.rsplit('/').next().unwrap_or(code).to_lowercase();
    let found = known.iter().find(|info| short(&info.model_code) == short(name));
    found.map(|info| info.model.clone()).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|info| info.model_code.as_str()).collect();
        let message = format!(
            "`{name}` is not a cross-encoder that can be fetched; those are {}; for another one, set \
             `RERANK_MODEL_DIR` to a folder with its files",
            names.join(", ")
        );
        Error::Load(message.into())
    })
}

fn tokenizer(folder: &Path) -> Result<TokenizerFiles, Error> {
    let bytes = |file: &str| {
        let path = folder.join(file);
        fs::read(&path).map_err(|error| {
            Error::Load(format!("`{}` cannot be read: {error}", path.display()).into())
        })
    };
    let [tokenizer_file, config_file, special_tokens_map_file, tokenizer_config_file] =
        TOKENIZER_FILES.map(bytes);
    Ok(TokenizerFiles {
        tokenizer_file: tokenizer_file?,
        config_file: config_file?,
        special_tokens_map_file: special_tokens_map_file?,
        tokenizer_config_file: tokenizer_config_file?,
    })
}

fn bad(name: &str, error: &fastembed::Error) -> Error {
    let message = format!("the cross-encoder `{name}` cannot be loaded: {}", chain(error));
    Error::Load(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_and_without_their_owner() {
        for name in ["Jina-Reranker-V1-turbo-en", "jinaai/jina-reranker-v1-turbo-en"] {
            assert!(matches!(named(name), Ok(RerankerModel::JINARerankerV1TurboEn)), "{name}");
        }
        let unknown = named("gpt-2").map(drop).unwrap_err().to_string();
        assert!(unknown.contains("`gpt-2`") && unknown.contains("bge-reranker-base"), "{unknown}");
    }

    #[test]
    fn a_folder_that_lacks_a_file_is_said() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let missing = checked(&folder).map(drop).unwrap_err().to_string();
        assert!(missing.contains("`model.onnx` is missing"), "{missing}");
        let nowhere = checked(&folder.join("nowhere")).map(drop).unwrap_err().to_string();
        assert!(nowhere.contains("`RERANK_MODEL_DIR`"), "{nowhere}");
    }
}
