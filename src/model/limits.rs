//! The limits of what one request or one row may hold.

/// Characters of a search text.
pub const QUERY_CHARS: usize = 2_000;
/// Characters of a title.
pub const TITLE_CHARS: usize = 500;
/// Characters of a short text such as a band, an album or a genre.
pub const NAME_CHARS: usize = 500;
/// Characters of a free description.
pub const DESCRIPTION_CHARS: usize = 10_000;
/// Characters of the text that describes a song for embedding.
pub const SONG_TEXT_CHARS: usize = 500;
/// Results of one page of a search.
pub const SEARCH_FIRST: usize = 100;
/// Results of one page of a list.
pub const LIST_FIRST: usize = 100;
/// How many results deep a search can be paged.
pub const SEARCH_DEPTH: usize = 10_000;
/// Liked and avoided examples of one recommendation, together.
pub const EXAMPLES: usize = 50;
/// Boosts of one search.
pub const BOOSTS: usize = 5;
/// Large drops in score that `autocut` may let pass.
pub const AUTOCUT: usize = 20;
/// Results that a cross-encoder reads for one search.
pub const RERANKED: usize = 100;
/// Values of one facet.
pub const FACET_VALUES: usize = 100;
/// Chunks before or after a result.
pub const NEIGHBORS: i32 = 5;
/// Ids in one lookup or change.
pub const IDS: usize = 100;
/// Rows in one ingest request.
pub const INGEST_ROWS: usize = 250;
/// Moods of one song.
pub const MOODS: usize = 20;
/// Parts of a filter, counted through `and`, `or` and `not`.
pub const FILTER_PARTS: usize = 100;
/// Values in one `in` list of a filter.
pub const FILTER_VALUES: usize = 100;
/// Characters of the name of a space.
pub const SPACE_NAME_CHARS: usize = 100;
/// Numbers of one vector; an index over half precision holds no more.
pub const DIMENSIONS: usize = 4_000;
/// Queries of one comparison of spaces.
pub const COMPARED_QUERIES: usize = 20;
/// Vectors in one import request.
pub const IMPORT_ROWS: usize = 250;
/// Characters of the text of a document.
pub const DOCUMENT_CHARS: usize = 1_000_000;
/// Parts of one document.
pub const DOCUMENT_CHUNKS: usize = 10_000;
/// Documents in one ingest request.
pub const INGEST_DOCUMENTS: usize = 50;
/// Characters of the summary of a document.
pub const SUMMARY_CHARS: usize = 2_000;
/// Characters of an address on the web.
pub const URL_CHARS: usize = 2_000;
/// Tags of one document.
pub const TAGS: usize = 50;
/// Characters of one tag.
pub const TAG_CHARS: usize = 100;
/// Characters of the texts of documents that one answer may read whole.
pub const BODIES_CHARS: i64 = 4_000_000;
/// Tokens of a chunk unless its space says otherwise or its model reads fewer.
pub const DEFAULT_CHUNK_TOKENS: usize = 256;
/// Tokens that a chunk repeats of the one before unless its space says otherwise.
pub const DEFAULT_CHUNK_OVERLAP: usize = 32;
/// Judged queries of one evaluation.
pub const EVALUATED_QUERIES: usize = 200;
