//! The models that can be chosen by name: every text model that fastembed lists.

use fastembed::{EmbeddingModel as Model, ModelTrait, Pooling, QuantizationMode, TextEmbedding};

/// What most models read of a text.
const USUAL_TOKENS: usize = 512;

/// What a model needs to be used as its makers used it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Card {
    pub(super) name: String,
    pub(super) dimensions: usize,
    /// Tokens of one text that are read, markers and prefix included.
    pub(super) max_tokens: usize,
    pub(super) prefixes: Prefixes,
    pub(super) pooling: Option<Pooling>,
    pub(super) quantization: QuantizationMode,
    /// Where the hub has the model; `None` for a model that only a folder has.
    pub(super) known: Option<Model>,
}

impl Card {
    /// Whether texts are computed one by one, because a vector would depend on the texts beside its own.
    pub(super) fn is_alone(&self) -> bool {
        self.quantization == QuantizationMode::Dynamic
    }
}

/// What stands before a text, because the model was trained so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefixes {
    pub(super) query: &'static str,
    pub(super) document: &'static str,
}

impl Prefixes {
    pub(super) const NONE: Self = Self { query: "", document: "" };
    const E5: Self = Self { query: "query: ", document: "passage: " };
    const NOMIC: Self = Self { query: "search_query: ", document: "search_document: " };
    const GEMMA: Self =
        Self { query: "task: search result | query: ", document: "title: none | text: " };
    /// English BGE, mxbai and the first Snowflake Arctic models share one instruction.
    const INSTRUCTION: Self =
        Self { query: "Represent this sentence for searching relevant passages: ", document: "" };
    const CHINESE: Self =
        Self { query: "为这个句子生成表示以用于检索相关文章：", document: "" };
}

/// The card of a model by its name, with or without its owner, in any case.
pub(super) fn find(name: &str) -> Option<Card> {
    let wanted = name.rsplit_once('/').map_or(name, |(_, name)| name);
    let infos = TextEmbedding::list_supported_models();
    let info = infos.into_iter().find(|info| named(&info.model).0.eq_ignore_ascii_case(wanted))?;
    let (name, prefixes, max_tokens) = named(&info.model);
    Some(Card {
        name: name.to_owned(),
        dimensions: info.dim,
        max_tokens,
        prefixes,
        pooling: TextEmbedding::get_default_pooling_method(&info.model),
        quantization: TextEmbedding::get_quantization_mode(&info.model),
        known: Some(info.model),
    })
}

/// The names of all models, in alphabetical order.
pub(super) fn names() -> Vec<&'static str> {
    let models = TextEmbedding::list_supported_models();
    let mut names: Vec<&str> = models.iter().map(|info| named(&info.model).0).collect();
    names.sort_unstable_by_key(|name| name.to_lowercase());
    names
}

/// Which of a graph's outputs is meant, and the files beside it that hold its weights.
pub(super) fn graph_of(model: &Model) -> (Option<fastembed::OutputKey>, Vec<String>) {
    let info = Model::get_model_info(model);
    info.map_or_else(Default::default, |info| {
        (info.output_key.clone(), info.additional_files.clone())
    })
}

/// The one list: usual name, prefixes, and how many tokens sentence-transformers reads.
fn named(model: &Model) -> (&'static str, Prefixes, usize) {
    let plain = |name, max_tokens| (name, Prefixes::NONE, max_tokens);
    let with = |name, prefixes| (name, prefixes, USUAL_TOKENS);
    match model {
        Model::AllMiniLML6V2 => plain("all-MiniLM-L6-v2", 256),
        Model::AllMiniLML6V2Q => plain("all-MiniLM-L6-v2-int8", 256),
        Model::AllMiniLML12V2 => plain("all-MiniLM-L12-v2", 128),
        Model::AllMiniLML12V2Q => plain("all-MiniLM-L12-v2-int8", 128),
        Model::AllMpnetBaseV2 => plain("all-mpnet-base-v2", 384),
        Model::BGEBaseENV15 => with("bge-base-en-v1.5", Prefixes::INSTRUCTION),
        Model::BGEBaseENV15Q => with("bge-base-en-v1.5-int8", Prefixes::INSTRUCTION),
        Model::BGELargeENV15 => with("bge-large-en-v1.5", Prefixes::INSTRUCTION),
        Model::BGELargeENV15Q => with("bge-large-en-v1.5-int8", Prefixes::INSTRUCTION),
        Model::BGESmallENV15 => with("bge-small-en-v1.5", Prefixes::INSTRUCTION),
        Model::BGESmallENV15Q => with("bge-small-en-v1.5-int8", Prefixes::INSTRUCTION),
        Model::NomicEmbedTextV1 => with("nomic-embed-text-v1", Prefixes::NOMIC),
        Model::NomicEmbedTextV15 => with("nomic-embed-text-v1.5", Prefixes::NOMIC),
        Model::NomicEmbedTextV15Q => with("nomic-embed-text-v1.5-int8", Prefixes::NOMIC),
        Model::ParaphraseMLMiniLML12V2 => plain("paraphrase-multilingual-MiniLM-L12-v2", 128),
        Model::ParaphraseMLMiniLML12V2Q => plain("paraphrase-multilingual-MiniLM-L12-v2-int8", 128),
        Model::ParaphraseMLMpnetBaseV2 => plain("paraphrase-multilingual-mpnet-base-v2", 128),
        Model::BGESmallZHV15 => with("bge-small-zh-v1.5", Prefixes::CHINESE),
        Model::BGELargeZHV15 => with("bge-large-zh-v1.5", Prefixes::CHINESE),
        Model::BGEM3 => plain("bge-m3", USUAL_TOKENS),
        Model::ModernBertEmbedLarge => with("modernbert-embed-large", Prefixes::NOMIC),
        Model::MultilingualE5Small => with("multilingual-e5-small", Prefixes::E5),
        Model::MultilingualE5Base => with("multilingual-e5-base", Prefixes::E5),
        Model::MultilingualE5Large => with("multilingual-e5-large", Prefixes::E5),
        Model::MxbaiEmbedLargeV1 => with("mxbai-embed-large-v1", Prefixes::INSTRUCTION),
        Model::MxbaiEmbedLargeV1Q => with("mxbai-embed-large-v1-int8", Prefixes::INSTRUCTION),
        Model::GTEBaseENV15 => plain("gte-base-en-v1.5", USUAL_TOKENS),
        Model::GTEBaseENV15Q => plain("gte-base-en-v1.5-int8", USUAL_TOKENS),
        Model::GTELargeENV15 => plain("gte-large-en-v1.5", USUAL_TOKENS),
        Model::GTELargeENV15Q => plain("gte-large-en-v1.5-int8", USUAL_TOKENS),
        Model::ClipVitB32 => plain("clip-ViT-B-32-text", 77),
        Model::JinaEmbeddingsV2BaseCode => plain("jina-embeddings-v2-base-code", USUAL_TOKENS),
        Model::JinaEmbeddingsV2BaseEN => plain("jina-embeddings-v2-base-en", USUAL_TOKENS),
        Model::EmbeddingGemma300M => with("embeddinggemma-300m", Prefixes::GEMMA),
        Model::EmbeddingGemma300MQ4 => with("embeddinggemma-300m-int4", Prefixes::GEMMA),
        Model::EmbeddingGemma300MQ => with("embeddinggemma-300m-int8", Prefixes::GEMMA),
        Model::SnowflakeArcticEmbedXS => with("snowflake-arctic-embed-xs", Prefixes::INSTRUCTION),
        Model::SnowflakeArcticEmbedXSQ => {
            with("snowflake-arctic-embed-xs-int8", Prefixes::INSTRUCTION)
        }
        Model::SnowflakeArcticEmbedS => with("snowflake-arctic-embed-s", Prefixes::INSTRUCTION),
        Model::SnowflakeArcticEmbedSQ => {
            with("snowflake-arctic-embed-s-int8", Prefixes::INSTRUCTION)
        }
        Model::SnowflakeArcticEmbedM => with("snowflake-arctic-embed-m", Prefixes::INSTRUCTION),
        Model::SnowflakeArcticEmbedMQ => {
            with("snowflake-arctic-embed-m-int8", Prefixes::INSTRUCTION)
        }
        Model::SnowflakeArcticEmbedMLong => {
            with("snowflake-arctic-embed-m-long", Prefixes::INSTRUCTION)
        }
        Model::SnowflakeArcticEmbedMLongQ => {
            with("snowflake-arctic-embed-m-long-int8", Prefixes::INSTRUCTION)
        }
        Model::SnowflakeArcticEmbedL => with("snowflake-arctic-embed-l", Prefixes::INSTRUCTION),
        Model::SnowflakeArcticEmbedLQ => {
            with("snowflake-arctic-embed-l-int8", Prefixes::INSTRUCTION)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_model_that_fastembed_lists_is_found_by_a_name_of_its_own() {
        let names = names();
        assert_eq!(names.len(), TextEmbedding::list_supported_models().len());
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for name in names {
            let card = find(name).expect("a listed name is found");
            assert_eq!(card.name, name);
            assert!((1..=8_192).contains(&card.dimensions), "{name}: {}", card.dimensions);
        }
    }

    #[test]
    fn a_name_is_that_of_the_hub_but_for_the_precision() {
        for info in TextEmbedding::list_supported_models() {
            let name = named(&info.model).0.trim_end_matches("-int8").trim_end_matches("-int4");
            let code = info.model_code.to_lowercase();
            assert!(code.contains(&name.to_lowercase()), "{name} is not in {code}");
        }
    }

    #[test]
    fn a_quantized_model_says_so_in_its_name() {
        for info in TextEmbedding::list_supported_models() {
            let name = named(&info.model).0;
            let is_quantized =
                TextEmbedding::get_quantization_mode(&info.model) != QuantizationMode::None;
            assert_eq!(name.ends_with("-int8"), is_quantized, "{name}");
        }
    }

    #[test]
    fn a_name_may_have_its_owner_before_it_and_any_case() {
        let card = find("sentence-transformers/All-MiniLM-L6-V2").expect("the model is known");
        assert_eq!(card.name, "all-MiniLM-L6-v2");
        assert_eq!((card.dimensions, card.max_tokens), (384, 256));
        assert_eq!(find("all-MiniLM"), None);
    }

    #[test]
    fn prefixes_are_those_of_the_model_cards() {
        let prefixes = |name| find(name).expect("the model is known").prefixes;
        assert_eq!(prefixes("multilingual-e5-small").query, "query: ");
        assert_eq!(prefixes("multilingual-e5-large").document, "passage: ");
        assert_eq!(prefixes("nomic-embed-text-v1.5").document, "search_document: ");
        assert_eq!(prefixes("modernbert-embed-large").query, "search_query: ");
        assert!(prefixes("bge-small-en-v1.5").query.starts_with("Represent this sentence"));
        assert_eq!(prefixes("bge-small-en-v1.5").document, "");
        assert_eq!(prefixes("bge-m3"), Prefixes::NONE);
        assert_eq!(prefixes("all-mpnet-base-v2"), Prefixes::NONE);
        assert_eq!(prefixes("embeddinggemma-300m").document, "title: none | text: ");
    }
}
