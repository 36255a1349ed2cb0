-- Documents with the text they were made from, their parts, and judgements of what a search should find.

-- The language is that of the content row.
ALTER TABLE document DROP COLUMN language;
ALTER TABLE document
    ADD COLUMN format text NOT NULL DEFAULT 'plain',
    ADD CONSTRAINT document_format_check CHECK (format IN ('plain', 'markdown', 'html'));

-- Headings are a column of the content row, where full text reads them.
ALTER TABLE chunk DROP COLUMN headings;
-- Parts change places while a document is updated: places are compared when that is done.
ALTER TABLE chunk DROP CONSTRAINT chunk_document_id_position_key;
ALTER TABLE chunk
    ADD CONSTRAINT chunk_document_id_position_key UNIQUE (document_id, position) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT chunk_position_check CHECK (position >= 0);

-- How a space fuses words and meaning, and how long the parts of documents are; NULL is the default.
ALTER TABLE embedding_space
    ADD COLUMN fusion text,
    ADD COLUMN semantic_ratio double precision,
    ADD COLUMN chunk_tokens integer,
    ADD COLUMN chunk_overlap integer,
    ADD CONSTRAINT embedding_space_fusion_check CHECK (fusion IN ('reciprocal_rank', 'weighted', 'relative_score')),
    ADD CONSTRAINT embedding_space_semantic_ratio_check CHECK (semantic_ratio BETWEEN 0 AND 1),
    ADD CONSTRAINT embedding_space_chunk_tokens_check CHECK (chunk_tokens BETWEEN 16 AND 8192),
    ADD CONSTRAINT embedding_space_chunk_overlap_check CHECK (chunk_overlap >= 0 AND chunk_overlap <= chunk_tokens / 2);

-- How well a row answers a query, as somebody judged it.
CREATE TABLE judgment (
    query text NOT NULL,
    content_id uuid NOT NULL,
    -- From 0 (no answer) to 10; measures of gain use it as it is.
    grade integer NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT judgment_pkey PRIMARY KEY (query, content_id),
    CONSTRAINT judgment_content_id_fkey FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE,
    CONSTRAINT judgment_query_check CHECK (char_length(query) BETWEEN 1 AND 2000),
    CONSTRAINT judgment_grade_check CHECK (grade BETWEEN 0 AND 10)
);

CREATE INDEX judgment_content_id_idx ON judgment (content_id);
