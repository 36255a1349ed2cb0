-- Users, and the supertype `content` with one detail table per kind that shares its primary key.
-- Owner scope, soft delete and full-text search live in `content` for every kind.

-- English stems, and no stop words: how much a word says is known from how rare it is, names made
-- of small words ("The Who", "Let It Be") stay findable, and no dictionary file is needed.
CREATE TEXT SEARCH DICTIONARY kindred_english_stem (TEMPLATE = snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION kindred_english (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_english
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part
    WITH kindred_english_stem;

CREATE TABLE "user" (
    id uuid NOT NULL,
    email text,
    display_name text,
    password_hash text,
    role text NOT NULL DEFAULT 'user',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT user_pkey PRIMARY KEY (id),
    CONSTRAINT user_email_key UNIQUE (email),
    CONSTRAINT user_role_check CHECK (role IN ('user', 'admin'))
);

CREATE TABLE content (
    id uuid NOT NULL,
    kind text NOT NULL,
    owner_id uuid,
    external_id text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    search tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('kindred_english', title), 'A')
        || setweight(to_tsvector('kindred_english', body), 'B')
    ) STORED,
    source_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT content_pkey PRIMARY KEY (id),
    CONSTRAINT content_kind_check
        CHECK (kind IN ('song', 'document', 'chunk', 'sample', 'entry', 'job')),
    CONSTRAINT content_title_check CHECK (char_length(title) BETWEEN 1 AND 500),
    CONSTRAINT content_external_id_check CHECK (char_length(external_id) BETWEEN 1 AND 500),
    CONSTRAINT content_source_hash_check CHECK (octet_length(source_hash) = 32),
    CONSTRAINT content_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES "user" (id) ON DELETE CASCADE,
    CONSTRAINT content_external_id_key UNIQUE NULLS NOT DISTINCT (kind, owner_id, external_id)
);

-- Live rows of a kind in id order, with their owner: who sees a row is known without reading it.
CREATE INDEX content_kind_id_idx ON content (kind, id) INCLUDE (owner_id) WHERE deleted_at IS NULL;
-- Live rows of one owner.
CREATE INDEX content_owner_id_idx ON content (owner_id, kind);
CREATE INDEX content_search_idx ON content USING gin (search) WITH (fastupdate = off);

CREATE TABLE song (
    content_id uuid NOT NULL,
    band text,
    album text,
    genre text,
    subgenre text,
    year integer,
    tempo double precision,
    key text,
    mode text,
    energy double precision,
    danceability double precision,
    valence double precision,
    acousticness double precision,
    instrumentalness double precision,
    liveness double precision,
    speechiness double precision,
    loudness double precision,
    popularity integer,
    duration_ms integer,
    moods text[] NOT NULL DEFAULT '{}',
    description text,
    CONSTRAINT song_pkey PRIMARY KEY (content_id),
    CONSTRAINT song_content_id_fkey FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE,
    CONSTRAINT song_key_check
        CHECK (key IN ('C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#', 'A', 'A#', 'B')),
    CONSTRAINT song_mode_check CHECK (mode IN ('major', 'minor')),
    CONSTRAINT song_tempo_check CHECK (tempo > 0 AND tempo <= 1000),
    CONSTRAINT song_duration_ms_check CHECK (duration_ms >= 0)
);

CREATE INDEX song_genre_idx ON song (lower(genre));
CREATE INDEX song_year_idx ON song (year);

CREATE TABLE document (
    content_id uuid NOT NULL,
    url text,
    language text,
    tags text[] NOT NULL DEFAULT '{}',
    summary text,
    CONSTRAINT document_pkey PRIMARY KEY (content_id),
    CONSTRAINT document_content_id_fkey FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE
);

CREATE TABLE chunk (
    content_id uuid NOT NULL,
    document_id uuid NOT NULL,
    position integer NOT NULL,
    headings text[] NOT NULL DEFAULT '{}',
    CONSTRAINT chunk_pkey PRIMARY KEY (content_id),
    CONSTRAINT chunk_content_id_fkey FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE,
    CONSTRAINT chunk_document_id_fkey FOREIGN KEY (document_id) REFERENCES document (content_id) ON DELETE CASCADE,
    CONSTRAINT chunk_document_id_position_key UNIQUE (document_id, position)
);

CREATE TABLE sample (
    content_id uuid NOT NULL,
    bpm double precision,
    key text,
    duration_ms integer,
    tags text[] NOT NULL DEFAULT '{}',
    vibe text,
    CONSTRAINT sample_pkey PRIMARY KEY (content_id),
    CONSTRAINT sample_content_id_fkey FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE
);

CREATE INDEX sample_bpm_idx ON sample (bpm);

CREATE TABLE entry (
    content_id uuid NOT NULL,
    written_at timestamptz NOT NULL,
    mood text,
    sentiment double precision,
    is_shared boolean NOT NULL DEFAULT false,
    CONSTRAINT entry_pkey PRIMARY KEY (content_id),
    CONSTRAINT entry_content_id_fkey FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE
);

CREATE TABLE job (
    content_id uuid NOT NULL,
    company text,
    location text,
    skills text[] NOT NULL DEFAULT '{}',
    CONSTRAINT job_pkey PRIMARY KEY (content_id),
    CONSTRAINT job_content_id_fkey FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE
);
