//! A model's files in a folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fastembed::{OutputKey, Pooling, QuantizationMode, TokenizerFiles, UserDefinedEmbeddingModel};
use serde_json::Value;

use super::catalogue::{self, Card, Prefixes};
use crate::embed::Error;

const GRAPH: &str = "model.onnx";
/// What a model of an unknown name reads, unless its files say something lower.
const USUAL_TOKENS: u64 = 512;
/// From 32 MiB on glibc takes each block from the system and gives it back when it is freed. After a smaller
/// one it keeps blocks of that size for later, which in the thread of a second session is the whole file
/// once more. The part that nothing is written to takes no memory.
const GIVEN_BACK: usize = 33 * 1024 * 1024;
const TOKENIZER: &str = "tokenizer.json";
const CONFIG: &str = "config.json";
const SPECIAL_TOKENS: &str = "special_tokens_map.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// A folder that has what a model needs.
#[derive(Debug, Clone)]
pub(super) struct ModelFolder(PathBuf);

impl ModelFolder {
    /// The model's own folder in `folder`, or `folder` itself. Nothing large is read.
    ///
    /// # Errors
    /// [`Error::Load`] that names the folder and the file that is missing.
    pub(super) fn find(folder: &Path, name: &str) -> Result<Self, Error> {
        if !folder.is_dir() {
            let message =
                format!("`LOCAL_MODEL_DIR` is `{}`, which is no folder", folder.display());
            return Err(Error::Load(message.into()));
        }
        let own = folder.join(name);
        let found = if own.is_dir() { own } else { folder.to_path_buf() };
        if !found.join(GRAPH).is_file() {
            let (folder, own) = (folder.display(), folder.join(name));
            let own = own.display();
            let message = format!("`{GRAPH}` is missing: neither `{own}` nor `{folder}` has it");
            return Err(Error::Load(message.into()));
        }
        for file in [TOKENIZER, CONFIG, SPECIAL_TOKENS, TOKENIZER_CONFIG] {
            if !found.join(file).is_file() {
                let message = format!("`{file}` is missing in `{}`", found.display());
                return Err(Error::Load(message.into()));
            }
        }
        Ok(Self(found))
    }

    /// What the files say of a model that is not in the catalogue.
    pub(super) fn card(&self, name: &str) -> Result<Card, Error> {
        let config = self.json(CONFIG)?;
        let dimensions = config["hidden_size"].as_u64().and_then(|size| usize::try_from(size).ok());
        let dimensions = dimensions.filter(|size| *size > 0).ok_or_else(|| {
            self.bad(CONFIG, "has no `hidden_size`, which is the length of a vector")
        })?;
        let quantization = match name.ends_with("-int8") {
            true => QuantizationMode::Dynamic,
            false => QuantizationMode::None,
        };
        Ok(Card {
            name: name.to_owned(),
            dimensions,
            max_tokens: self.max_tokens()?,
            prefixes: Prefixes::NONE,
            pooling: Some(self.pooling()?),
            quantization,
            known: None,
        })
    }

    fn max_tokens(&self) -> Result<usize, Error> {
        let own = "sentence_bert_config.json";
        let limit = match self.0.join(own).is_file() {
            true => self.json(own)?["max_seq_length"].as_u64(),
            false => None,
        };
        let limit = limit.filter(|limit| *limit > 0).unwrap_or(USUAL_TOKENS);
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    fn pooling(&self) -> Result<Pooling, Error> {
        let own = "1_Pooling/config.json";
        if !self.0.join(own).is_file() {
            return Ok(Pooling::Mean);
        }
        let config = self.json(own)?;
        let is_set = |mode: &str| config[mode].as_bool() == Some(true);
        match (is_set("pooling_mode_cls_token"), is_set("pooling_mode_mean_tokens")) {
            (true, false) => Ok(Pooling::Cls),
            (false, true) => Ok(Pooling::Mean),
            (true, true) | (false, false) => {
                Err(self.bad(own, "asks for a pooling other than `cls` or `mean`"))
            }
        }
    }

    /// Reads everything: as many bytes as the model has.
    pub(super) fn read(&self, card: &Card) -> Result<UserDefinedEmbeddingModel, Error> {
        let tokenizer = TokenizerFiles {
            tokenizer_file: self.bytes(TOKENIZER)?,
            config_file: self.bytes(CONFIG)?,
            special_tokens_map_file: self.bytes(SPECIAL_TOKENS)?,
            tokenizer_config_file: self.bytes(TOKENIZER_CONFIG)?,
        };
        let mut model = UserDefinedEmbeddingModel::new(self.large(GRAPH)?, tokenizer)
            .with_quantization(card.quantization);
        model.pooling.clone_from(&card.pooling);
        model.output_key = output_key(card);
        for name in self.weights(card) {
            let bytes = self.large(&name)?;
            model = model.with_external_initializer(name, bytes);
        }
        Ok(model)
    }

    /// Files beside the graph that hold weights: what the hub's copy has, as far as it is here.
    fn weights(&self, card: &Card) -> Vec<String> {
        let mut names = vec![format!("{GRAPH}_data"), format!("{GRAPH}.data")];
        let listed = card.known.as_ref().map(|model| catalogue::graph_of(model).1);
        for path in listed.unwrap_or_default() {
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.retain(|name| self.0.join(name).is_file());
        names
    }

    fn json(&self, file: &str) -> Result<Value, Error> {
        let bytes = self.bytes(file)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.bad(file, &format!("is no JSON: {error}")))
    }

    fn bytes(&self, file: &str) -> Result<Vec<u8>, Error> {
        let read = fs::read(self.0.join(file));
        read.map_err(|error| self.bad(file, &format!("cannot be read: {error}")))
    }

    /// A file that is needed for a moment only.
    fn large(&self, file: &str) -> Result<Vec<u8>, Error> {
        let read = || -> io::Result<Vec<u8>> {
            let mut opened = File::open(self.0.join(file))?;
            let length = usize::try_from(opened.metadata()?.len()).unwrap_or(0);
            let mut bytes = Vec::with_capacity(length.max(GIVEN_BACK));
            opened.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| self.bad(file, &format!("cannot be read: {error}")))
    }

    fn bad(&self, file: &str, what: &str) -> Error {
        Error::Load(format!("`{}` {what}", self.0.join(file).display()).into())
    }
}

/// Which of a graph's outputs is meant, where there are several.
pub(super) fn output_key(card: &Card) -> Option<OutputKey> {
    card.known.as_ref().and_then(|model| catalogue::graph_of(model).0)
}
