//! Settings: each is a flag, an environment variable, a default and a line of help.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::embed::Backend;
use crate::model::song::Template;

/// Where the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// Everybody may read the shared catalogue, GraphiQL and introspection are on.
    Development,
    /// Reading needs a token; GraphiQL and introspection are for administrators.
    Production,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// What is left of a vector in the indexes of large leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IndexQuantization {
    /// Every number.
    None,
    /// The sign of every number.
    Binary,
}

/// Every setting. `Debug` does not show secrets.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings")]
pub struct Config {
    /// Folder of the embedded database and of the generated secret [default: the platform's]
    #[arg(long, env = "KINDRED_DATA_DIR", global = true, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// URL of a PostgreSQL 15 or newer with pgvector 0.8 or newer [default: the embedded database]
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true, value_name = "URL")]
    pub database_url: Option<SecretString>,

    /// `development` or `production` [default: production with a database URL, else development]
    #[arg(long = "env", env = "KINDRED_ENV", global = true, value_name = "NAME")]
    pub environment: Option<Environment>,

    /// Secret that signs tokens, at least 32 bytes; needed in production [default: generated into the data folder]
    #[arg(long, env = "JWT_SECRET", global = true, hide_env_values = true, value_name = "SECRET")]
    pub jwt_secret: Option<SecretString>,

    /// Address to listen on
    #[arg(long, env = "HOST", global = true, default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "PORT", global = true, default_value_t = 8080)]
    pub port: u16,

    /// Embedding model
    #[arg(long, env = "EMBEDDER", global = true, value_enum, default_value_t = Backend::Static)]
    pub embedder: Backend,

    /// Model of the backend `local`, such as `all-MiniLM-L6-v2` or `multilingual-e5-small`
    #[arg(
        long,
        env = "LOCAL_MODEL",
        global = true,
        default_value = "all-MiniLM-L6-v2",
        value_name = "NAME"
    )]
    pub local_model: String,

    /// Folder with the files of a local model, or with a folder for each model [default: from the Hugging Face hub]
    #[arg(long, env = "LOCAL_MODEL_DIR", global = true, value_name = "FOLDER")]
    pub local_model_dir: Option<PathBuf>,

    /// Cross-encoder that `rerank` asks for, such as `jinaai/jina-reranker-v1-turbo-en` [default: none]
    #[arg(long, env = "RERANK_MODEL", global = true, value_name = "NAME")]
    pub rerank_model: Option<String>,

    /// Folder with the files of a cross-encoder, instead of the Hugging Face hub
    #[arg(long, env = "RERANK_MODEL_DIR", global = true, value_name = "FOLDER")]
    pub rerank_model_dir: Option<PathBuf>,

    /// Threads that compute a local model [default: the number of cores]
    #[arg(long, env = "LOCAL_THREADS", global = true, value_parser = clap::value_parser!(u32).range(1..=256), value_name = "COUNT")]
    pub local_threads: Option<u32>,

    /// Seconds of rest after which a local model leaves memory; 0 keeps it
    #[arg(long, env = "LOCAL_UNLOAD_AFTER", global = true, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=86_400), value_name = "SECONDS")]
    pub local_unload_after: u64,

    /// Shared library of ONNX Runtime 1.24 or newer [default: where the system keeps libraries]
    #[arg(long = "onnx-runtime", env = "ORT_DYLIB_PATH", global = true, value_name = "FILE")]
    pub onnx_runtime: Option<PathBuf>,

    /// Key of the backend `openai`; servers of your own may need none
    #[arg(long, env = "OPENAI_API_KEY", global = true, hide_env_values = true, value_name = "KEY")]
    pub openai_api_key: Option<SecretString>,

    /// Where the API of the backend `openai` answers
    #[arg(
        long,
        env = "OPENAI_BASE_URL",
        global = true,
        default_value = "https://api.openai.com/v1",
        value_name = "URL"
    )]
    pub openai_base_url: String,

    /// Model of the backend `openai`
    #[arg(
        long,
        env = "OPENAI_MODEL",
        global = true,
        default_value = "text-embedding-3-small",
        value_name = "NAME"
    )]
    pub openai_model: String,

    /// Numbers of one vector of `text-embedding-3-small` and `-large`; needed for models of other makers [default: the model's own]
    #[arg(long, env = "OPENAI_DIMENSIONS", global = true, value_parser = clap::value_parser!(u32).range(1..=4_000), value_name = "COUNT")]
    pub openai_dimensions: Option<u32>,

    /// Tokens of one text that are sent; the rest is cut off
    #[arg(long, env = "OPENAI_MAX_TOKENS", global = true, default_value_t = 8_191, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "COUNT")]
    pub openai_max_tokens: u32,

    /// Seconds after which a request to the backend `openai` has failed
    #[arg(long, env = "OPENAI_TIMEOUT", global = true, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "SECONDS")]
    pub openai_timeout: u64,

    /// Requests to the backend `openai` at a time
    #[arg(long, env = "OPENAI_CONCURRENCY", global = true, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64), value_name = "COUNT")]
    pub openai_concurrency: u32,

    /// US dollars for a million tokens [default: what is known of the model, else nothing]
    #[arg(long, env = "OPENAI_PRICE", global = true, value_parser = price, value_name = "DOLLARS")]
    pub openai_price: Option<f64>,

    /// Megabytes of remembered query vectors, for `local` and `openai`
    #[arg(long, env = "QUERY_CACHE_MB", global = true, default_value_t = 16, value_parser = clap::value_parser!(u32).range(0..=4_096), value_name = "MEGABYTES")]
    pub query_cache_mb: u32,

    /// Also give each row a vector of the bundled model when it is written, to be searched by until the slower model has embedded it
    #[arg(long, env = "SYNC_STATIC", global = true, default_value_t = false, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub sync_static: bool,

    /// Seconds after which what a worker has claimed goes to another one, unless it says that it is still at work
    #[arg(long, env = "TASK_LEASE", global = true, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600), value_name = "SECONDS")]
    pub task_lease: u64,

    /// Results of `recommend` when a query does not say how many
    #[arg(long, env = "DEFAULT_RECOMMENDATION_LIMIT", global = true, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "COUNT")]
    pub default_recommendation_limit: u32,

    /// Most results that `recommend` gives in one page
    #[arg(long, env = "MAX_RECOMMENDATION_LIMIT", global = true, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "COUNT")]
    pub max_recommendation_limit: u32,

    /// Text that describes a song to the model; each `[…{field}…]` vanishes where the field is missing
    #[arg(long, env = "SONG_TEMPLATE", global = true, default_value = Template::DEFAULT, value_name = "TEMPLATE")]
    pub song_template: String,

    /// Connections that are kept open
    #[arg(
        long,
        env = "DB_MIN_POOL_SIZE",
        global = true,
        default_value_t = 1,
        value_name = "COUNT"
    )]
    pub db_min_pool_size: u32,

    /// Most connections at a time
    #[arg(long, env = "DB_MAX_POOL_SIZE", global = true, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..), value_name = "COUNT")]
    pub db_max_pool_size: u32,

    /// Seconds after which a database statement is stopped
    #[arg(long, env = "DB_COMMAND_TIMEOUT", global = true, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS")]
    pub db_command_timeout: u64,

    /// Where a filter leaves at most this many rows, they are compared one by one
    #[arg(
        long,
        env = "EXACT_SEARCH_ROWS",
        global = true,
        default_value_t = 20_000,
        value_name = "ROWS"
    )]
    pub exact_search_rows: u32,

    /// A kind with more rows gets an HNSW index [default: 30000, with the embedded database 100000]
    #[arg(long, env = "INDEX_ROWS", global = true, value_name = "ROWS")]
    pub index_rows: Option<u32>,

    /// Megabytes of memory for building an index
    #[arg(long, env = "INDEX_MEMORY_MB", global = true, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536), value_name = "MEGABYTES")]
    pub index_memory_mb: u32,

    /// What an index of 1,000,000 rows or more keeps of a vector; `binary` is meant for 1,024 numbers and more
    ///
    /// `none` keeps every number, `binary` one bit for each: the index gets far smaller, proposes more
    /// rows, and those are compared in full precision. Short vectors lose too many of their nearest rows
    /// that way: with 256 numbers one in eleven. The embedded database ignores it; all processes of a
    /// database must agree.
    #[arg(long, env = "INDEX_QUANTIZATION", global = true, value_enum, default_value_t = IndexQuantization::None)]
    pub index_quantization: IndexQuantization,

    /// Seconds after which a request is answered with an error
    #[arg(long, env = "REQUEST_TIMEOUT", global = true, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS")]
    pub request_timeout: u64,

    /// Requests that are worked on at a time; more are turned away with 503
    #[arg(long, env = "MAX_CONCURRENT_REQUESTS", global = true, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "COUNT")]
    pub max_concurrent_requests: u32,

    /// Origins whose pages may call the API, separated by commas [default: none but its own]
    #[arg(
        long,
        env = "CORS_ORIGINS",
        global = true,
        value_delimiter = ',',
        value_name = "ORIGINS"
    )]
    pub cors_origins: Vec<String>,

    /// How log lines look
    #[arg(long, env = "LOG_FORMAT", global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What is logged, such as `info` or `kindred=debug` [default: info while serving, else warn]
    #[arg(long, env = "RUST_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,
}

impl Config {
    pub fn environment(&self) -> Environment {
        self.environment.unwrap_or(match self.database_url {
            Some(_) => Environment::Production,
            None => Environment::Development,
        })
    }

    pub fn is_development(&self) -> bool {
        self.environment() == Environment::Development
    }

    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout)
    }
}

/// A price in US dollars: finite, not negative.
fn price(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(price) if price.is_finite() && price >= 0.0 => Ok(price),
        Ok(_) | Err(_) => Err("is not a number of dollars, zero or more".to_owned()),
    }
}
