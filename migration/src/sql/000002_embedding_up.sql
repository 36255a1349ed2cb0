-- Vectors, partitioned by kind and below that by space: dropping a space is dropping partitions.
-- Leaves are made by the program when a space begins to hold a kind. Each carries its own
-- dimension check and, past a row threshold, its own HNSW index.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE embedding_space (
    id uuid NOT NULL,
    name text NOT NULL,
    backend text NOT NULL,
    model text NOT NULL,
    dimensions integer NOT NULL,
    template_version integer NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT embedding_space_pkey PRIMARY KEY (id),
    CONSTRAINT embedding_space_name_key UNIQUE (name),
    CONSTRAINT embedding_space_state_check CHECK (state IN ('building', 'active', 'retired')),
    CONSTRAINT embedding_space_dimensions_check CHECK (dimensions BETWEEN 1 AND 4000)
);

-- Which space answers for a kind: exactly one row per kind, so promotion is one update.
CREATE TABLE active_space (
    kind text NOT NULL,
    space_id uuid NOT NULL,
    promoted_at timestamptz NOT NULL,
    CONSTRAINT active_space_pkey PRIMARY KEY (kind),
    CONSTRAINT active_space_space_id_fkey
        FOREIGN KEY (space_id) REFERENCES embedding_space (id) ON DELETE RESTRICT
);

CREATE INDEX active_space_space_id_idx ON active_space (space_id);

CREATE TABLE embedding (
    kind text NOT NULL,
    space_id uuid NOT NULL,
    content_id uuid NOT NULL,
    embedding vector NOT NULL,
    source_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- No foreign key to embedding_space: a row needs a leaf, and a leaf belongs to a space.
    CONSTRAINT embedding_pkey PRIMARY KEY (content_id, space_id, kind),
    CONSTRAINT embedding_content_id_fkey FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE,
    -- A zero vector has no direction: its cosine is NaN, and HNSW leaves the row out.
    CONSTRAINT embedding_not_zero_check CHECK (vector_norm(embedding) > 0)
) PARTITION BY LIST (kind);

CREATE TABLE song_embedding PARTITION OF embedding FOR VALUES IN ('song') PARTITION BY LIST (space_id);
CREATE TABLE document_embedding PARTITION OF embedding FOR VALUES IN ('document') PARTITION BY LIST (space_id);
CREATE TABLE chunk_embedding PARTITION OF embedding FOR VALUES IN ('chunk') PARTITION BY LIST (space_id);
CREATE TABLE sample_embedding PARTITION OF embedding FOR VALUES IN ('sample') PARTITION BY LIST (space_id);
CREATE TABLE entry_embedding PARTITION OF embedding FOR VALUES IN ('entry') PARTITION BY LIST (space_id);
CREATE TABLE job_embedding PARTITION OF embedding FOR VALUES IN ('job') PARTITION BY LIST (space_id);

-- The transactional outbox of texts to embed: written in the transaction that writes the content,
-- deleted in the transaction that writes the vector.
CREATE TABLE embedding_task (
    id uuid NOT NULL,
    content_id uuid NOT NULL,
    space_id uuid NOT NULL,
    kind text NOT NULL,
    source_hash bytea NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL,
    lease_token uuid,
    lease_until timestamptz,
    message text,
    created_at timestamptz NOT NULL,
    CONSTRAINT embedding_task_pkey PRIMARY KEY (id),
    CONSTRAINT embedding_task_content_id_space_id_key UNIQUE (content_id, space_id),
    CONSTRAINT embedding_task_content_id_fkey
        FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE,
    CONSTRAINT embedding_task_space_id_fkey
        FOREIGN KEY (space_id) REFERENCES embedding_space (id) ON DELETE CASCADE,
    CONSTRAINT embedding_task_state_check CHECK (state IN ('pending', 'failed'))
);

-- Due tasks in the order they are claimed.
CREATE INDEX embedding_task_run_at_idx ON embedding_task (run_at, id) WHERE state = 'pending';
CREATE INDEX embedding_task_space_id_idx ON embedding_task (space_id, state);
CREATE INDEX embedding_task_lease_token_idx ON embedding_task (lease_token) WHERE lease_token IS NOT NULL;
