//! A loaded model: the graph in ONNX Runtime and its tokenizer, through fastembed.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::path::PathBuf;

use fastembed::{
    EmbeddingModel, ExecutionProviderDispatch, InitOptionsUserDefined, OutputKey, Pooling,
    SingleBatchOutput, TextEmbedding, TextInitOptions,
};
use tokenizers_onnx::{PaddingParams, Tokenizer, TruncationParams};

use super::catalogue::{Card, Prefixes};
use super::engine::{Model, Reading, Role};
use super::files::{self, ModelFolder};
use super::runtime;
use crate::embed::{BoxError, Error, LocalSettings, normalized};

/// Where a model's files come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Folder(ModelFolder),
    /// The Hugging Face hub, or what the folder has kept of it.
    Hub(EmbeddingModel, PathBuf),
}

/// The outputs that a graph is asked for, the first that it has; fastembed's own order.
const OUTPUTS: [OutputKey; 4] = [
    OutputKey::OnlyOne,
    OutputKey::ByName("text_embeds"),
    OutputKey::ByName("last_hidden_state"),
    OutputKey::ByName("sentence_embedding"),
];
/// A beginning of a text, in bytes, that tells of nearly every text that the model knows some of it.
const BEGINNING: usize = 48;

/// A loaded model.
pub(super) struct Session {
    model: TextEmbedding,
    outputs: Vec<OutputKey>,
    pooling: Option<Pooling>,
    prefixes: Prefixes,
    dimensions: usize,
    /// What is read of a text: the card's number, or less where the tokenizer's files say so.
    max_tokens: usize,
    truncation: Option<TruncationParams>,
    padding: Option<PaddingParams>,
    /// The token of whatever is not in the vocabulary.
    unknown: Option<u32>,
    known_in_prefix: KnownInPrefix,
}

#[derive(Debug, Clone, Copy, Default)]
struct KnownInPrefix {
    query: usize,
    document: usize,
}

impl Session {
    /// Loads the model, from the hub with a bar on a terminal if its files are not here yet.
    pub(super) fn load(
        card: &Card,
        source: &Source,
        settings: &LocalSettings,
    ) -> Result<Self, Error> {
        let environment = runtime::environment(settings.onnx_runtime.as_deref())?;
        let arena = if card.is_alone() { Arena::On } else { Arena::Off };
        let model = match source {
            Source::Folder(folder) => {
                let options = InitOptionsUserDefined::new()
                    .with_environment(environment)
                    .with_execution_providers(providers(arena))
                    .with_max_length(card.max_tokens)
                    .with_intra_threads(settings.threads);
                TextEmbedding::try_new_from_user_defined(folder.read(card)?, options)
                    .map_err(|error| bad_model(&card.name, &error))?
            }
            Source::Hub(model, cache) => {
                let options = TextInitOptions::new(model.clone())
                    .with_environment(environment)
                    .with_execution_providers(providers(arena))
                    .with_max_length(card.max_tokens)
                    .with_intra_threads(settings.threads)
                    .with_cache_dir(cache.clone())
                    .with_show_download_progress(std::io::stderr().is_terminal());
                TextEmbedding::try_new(options).map_err(|error| bad_fetch(&card.name, &error))?
            }
        };
        Self::of(model, card)
    }

    fn of(model: TextEmbedding, card: &Card) -> Result<Self, Error> {
        let truncation = model.tokenizer.get_truncation().cloned();
        let padding = model.tokenizer.get_padding().cloned();
        let max_tokens = truncation.as_ref().map_or(card.max_tokens, |cut| cut.max_length);
        let unknown =
            ["[UNK]", "<unk>"].into_iter().find_map(|token| model.tokenizer.token_to_id(token));
        let mut session = Self {
            model,
            outputs: files::output_key(card).map_or_else(|| OUTPUTS.to_vec(), |key| vec![key]),
            pooling: card.pooling.clone(),
            prefixes: card.prefixes,
            dimensions: card.dimensions,
            max_tokens,
            truncation,
            padding,
            unknown,
            known_in_prefix: KnownInPrefix::default(),
        };
        let known_in =
            |session: &mut Self, text: &str| session.tokens(text).map(|(_, known)| known);
        session.known_in_prefix = KnownInPrefix {
            query: known_in(&mut session, card.prefixes.query.trim_end())?,
            document: known_in(&mut session, card.prefixes.document.trim_end())?,
        };
        Ok(session)
    }

    /// All tokens of a text with its markers, and how many of them say something.
    fn tokens(&mut self, text: &str) -> Result<(usize, usize), Error> {
        // A second tokenizer without limits would take as much memory again, 100 MB in multilingual models.
        let tokenizer: &mut Tokenizer = &mut self.model.tokenizer;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| refused(&error))?;
        let encoding = tokenizer.encode_fast(text, true);
        tokenizer.with_padding(self.padding.clone());
        tokenizer.with_truncation(self.truncation.clone()).map_err(|error| refused(&error))?;
        let encoding = encoding.map_err(|error| refused(&error))?;
        let marked = encoding.get_ids().iter().zip(encoding.get_special_tokens_mask());
        let known =
            marked.filter(|(id, is_marker)| **is_marker == 0 && Some(**id) != self.unknown).count();
        Ok((encoding.len(), known))
    }

    fn prefixed<'a>(&self, text: &'a str, role: Role) -> Cow<'a, str> {
        let prefix = match role {
            Role::Query => self.prefixes.query,
            Role::Document => self.prefixes.document,
        };
        match prefix.is_empty() {
            true => Cow::Borrowed(text),
            false => Cow::Owned(format!("{prefix}{text}")),
        }
    }

    fn known_in_prefix(&self, role: Role) -> usize {
        match role {
            Role::Query => self.known_in_prefix.query,
            Role::Document => self.known_in_prefix.document,
        }
    }

    /// What the graph makes of some texts in one run.
    fn run(&mut self, texts: &[Cow<'_, str>]) -> Result<SingleBatchOutput, Error> {
        let output = self.model.transform(texts, Some(texts.len()));
        let mut batches = output.map_err(|error| failed(&error))?.into_raw();
        match (batches.pop(), batches.len()) {
            (Some(output), 0) => Ok(output),
            (_, others) => Err(Error::Count { expected: 1, actual: others }),
        }
    }

    fn vectors(&self, output: &SingleBatchOutput) -> Result<Vec<Option<Vec<f32>>>, Error> {
        let outputs = self.outputs.as_slice();
        let states = output.select_output(&outputs).map_err(|error| failed(&error))?;
        let vectors: Vec<Vec<f32>> = match (&self.pooling, states.shape(), states.as_slice()) {
            (Some(Pooling::Mean), &[_, tokens, width], Some(states)) => {
                let masks = output.attention_mask_array.rows();
                let texts = states.chunks_exact((tokens * width).max(1)).zip(masks);
                texts.map(|(states, mask)| sum_of_tokens(states, mask.iter(), width)).collect()
            }
            _ => {
                let pooled = output.select_and_pool_output(&outputs, self.pooling.clone());
                let pooled = pooled.map_err(|error| failed(&error))?;
                pooled.rows().into_iter().map(|row| row.to_vec()).collect()
            }
        };
        let texts = output.attention_mask_array.nrows();
        if vectors.len() != texts {
            return Err(Error::Count { expected: texts, actual: vectors.len() });
        }
        vectors.into_iter().map(|vector| normalized(vector, self.dimensions)).collect()
    }

    /// Whether the model knows anything of a text, by its beginning where that tells.
    fn is_known(&mut self, text: &str, role: Role) -> Result<bool, Error> {
        let end =
            text.char_indices().find(|(at, letter)| *at >= BEGINNING && letter.is_whitespace());
        let Some((end, _)) = end else { return Ok(self.read(text, role)?.is_known) };
        let is_known = self.read(&text[..end], role)?.is_known;
        Ok(is_known || self.read(text, role)?.is_known)
    }
}

impl Model for Session {
    fn read(&mut self, text: &str, role: Role) -> Result<Reading, Error> {
        let prefixed = self.prefixed(text, role);
        let (tokens, known) = self.tokens(&prefixed)?;
        Ok(Reading {
            tokens,
            read: tokens.min(self.max_tokens),
            is_known: known > self.known_in_prefix(role) && !text.trim().is_empty(),
        })
    }

    fn embed(&mut self, texts: &[&str], role: Role) -> Result<Vec<Option<Vec<f32>>>, Error> {
        let prefixed: Vec<Cow<str>> = texts.iter().map(|text| self.prefixed(text, role)).collect();
        let output = self.run(&prefixed)?;
        self.vectors(&output)
    }

    /// The run says how many tokens it read: as long as those are not all that it can read, nothing was cut
    /// off, and the text need not be cut into tokens a second time to count them.
    fn embed_alone(
        &mut self,
        text: &str,
        role: Role,
    ) -> Result<(Reading, Option<Vec<f32>>), Error> {
        let prefixed = self.prefixed(text, role);
        let output = self.run(std::slice::from_ref(&prefixed))?;
        let read = usize::try_from(output.attention_mask_array.sum()).unwrap_or(self.max_tokens);
        let reading = match read < self.max_tokens {
            true => Reading { tokens: read, read, is_known: self.is_known(text, role)? },
            false => self.read(text, role)?,
        };
        let vector = self.vectors(&output)?.pop().flatten();
        Ok((reading, vector.filter(|_| reading.is_known)))
    }
}

/// The sum of what a model makes of each token of a text, which points where their mean points. fastembed's
/// mean copies everything twice, which took a twenty-fifth of all time.
fn sum_of_tokens<'a>(
    states: &[f32],
    mask: impl Iterator<Item = &'a i64>,
    width: usize,
) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    let tokens = states.chunks_exact(width.max(1)).zip(mask);
    for (state, _) in tokens.filter(|(_, is_read)| **is_read != 0) {
        for (sum, value) in sum.iter_mut().zip(state) {
            *sum += value;
        }
    }
    sum
}

/// Whether a session keeps the memory of what it computes on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arena {
    /// It goes back after each call, which may have been a large one.
    Off,
    /// It stays at what the longest text took. For texts that are computed alone that is less than what the
    /// allocator of the system keeps of it in pieces.
    On,
}

pub(super) fn providers(arena: Arena) -> Vec<ExecutionProviderDispatch> {
    vec![ort::ep::CPU::default().with_arena_allocator(arena == Arena::On).build()]
}

fn refused(error: &BoxError) -> Error {
    Error::Refused(format!("it cannot be cut into tokens: {error}"))
}

fn failed(error: &fastembed::Error) -> Error {
    Error::Refused(chain(error))
}

fn bad_model(name: &str, error: &fastembed::Error) -> Error {
    Error::Load(format!("the files of `{name}` are not good: {}", chain(error)).into())
}

fn bad_fetch(name: &str, error: &fastembed::Error) -> Error {
    use fastembed::Error as E;
    if !matches!(error, E::ModelRetrieval { .. } | E::Other(_) | E::Io(_)) {
        return bad_model(name, error);
    }
    let message = format!(
        "`{name}` cannot be fetched from the hub: {}; without a way to it, set `LOCAL_MODEL_DIR` to a folder \
         with the model's files",
        chain(error),
    );
    Error::Load(message.into())
}

/// An error with what caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_message = cause.to_string();
        if !message.contains(&cause_message) {
            message = format!("{message}: {cause_message}");
        }
        source = cause.source();
    }
    message
}
