-- What each space holds and how far it is filled, what answered before, and what models cost.

-- A space holds a kind: every text of the kind that is written from now on is embedded in it too.
CREATE TABLE space_kind (
    space_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    -- While filling: rows up to this id have been queued.
    filled_to uuid,
    -- How fast it may be filled; NULL is as fast as the model works.
    texts_per_second integer,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT space_kind_pkey PRIMARY KEY (space_id, kind),
    CONSTRAINT space_kind_space_id_fkey
        FOREIGN KEY (space_id) REFERENCES embedding_space (id) ON DELETE CASCADE,
    CONSTRAINT space_kind_kind_check CHECK (kind IN ('song', 'document', 'chunk', 'sample', 'entry', 'job')),
    CONSTRAINT space_kind_state_check CHECK (state IN ('empty', 'filling', 'current', 'canceled')),
    CONSTRAINT space_kind_texts_per_second_check CHECK (texts_per_second BETWEEN 1 AND 1000000)
);

CREATE INDEX space_kind_kind_idx ON space_kind (kind);

INSERT INTO space_kind (space_id, kind, state, started_at, finished_at)
    SELECT space_id, kind, 'current', promoted_at, promoted_at FROM active_space;

-- What answered before the last promotion, for the way back.
ALTER TABLE active_space ADD COLUMN previous_space_id uuid;
ALTER TABLE active_space ADD CONSTRAINT active_space_previous_space_id_fkey
    FOREIGN KEY (previous_space_id) REFERENCES embedding_space (id) ON DELETE SET NULL;
CREATE INDEX active_space_previous_space_id_idx ON active_space (previous_space_id);

-- What models cost, by day. The name stays when the space is dropped.
CREATE TABLE usage (
    day date NOT NULL,
    space text NOT NULL,
    backend text NOT NULL,
    model text NOT NULL,
    requests bigint NOT NULL,
    texts bigint NOT NULL,
    tokens bigint NOT NULL,
    truncated bigint NOT NULL,
    -- US dollars.
    cost double precision NOT NULL,
    CONSTRAINT usage_pkey PRIMARY KEY (day, space)
);

-- Workers claim from one space and kind at a time, so that none waits for another.
DROP INDEX embedding_task_run_at_idx;
CREATE INDEX embedding_task_space_id_kind_run_at_idx
    ON embedding_task (space_id, kind, run_at, id) WHERE state = 'pending';
