-- What people did with content, and how rare each word is in the shared catalogue.

CREATE TABLE feedback (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    content_id uuid NOT NULL,
    action text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT feedback_pkey PRIMARY KEY (id),
    CONSTRAINT feedback_user_id_fkey FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE,
    CONSTRAINT feedback_content_id_fkey FOREIGN KEY (content_id) REFERENCES content (id) ON DELETE CASCADE,
    CONSTRAINT feedback_action_check CHECK (action IN ('like', 'dislike', 'play', 'view')),
    CONSTRAINT feedback_user_id_content_id_action_key UNIQUE (user_id, content_id, action)
);

CREATE INDEX feedback_content_id_idx ON feedback (content_id);
CREATE INDEX feedback_user_id_created_at_idx ON feedback (user_id, created_at DESC);

-- In how many live rows of the shared catalogue a lexeme stands. Rows with an owner are not
-- counted, so no score tells a person anything about another person's words.
CREATE TABLE lexeme (
    kind text NOT NULL,
    word text NOT NULL,
    rows integer NOT NULL,
    CONSTRAINT lexeme_pkey PRIMARY KEY (kind, word)
);

CREATE TABLE lexeme_total (
    kind text NOT NULL,
    rows integer NOT NULL,
    average_length double precision NOT NULL,
    counted_at timestamptz NOT NULL,
    CONSTRAINT lexeme_total_pkey PRIMARY KEY (kind)
);
