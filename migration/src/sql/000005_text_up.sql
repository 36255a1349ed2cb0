-- Full text in more languages and fields: which language a row is in, and the headings above it.

-- Stems of each language, and no stop words: how much a word says is known from how rare it is. With
-- `simple` words are taken as they are.
CREATE TEXT SEARCH CONFIGURATION kindred_simple (COPY = simple);
CREATE TEXT SEARCH DICTIONARY kindred_arabic_stem (TEMPLATE = snowball, LANGUAGE = arabic);
CREATE TEXT SEARCH CONFIGURATION kindred_arabic (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_arabic
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_arabic_stem;
CREATE TEXT SEARCH DICTIONARY kindred_armenian_stem (TEMPLATE = snowball, LANGUAGE = armenian);
CREATE TEXT SEARCH CONFIGURATION kindred_armenian (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_armenian
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_armenian_stem;
CREATE TEXT SEARCH DICTIONARY kindred_basque_stem (TEMPLATE = snowball, LANGUAGE = basque);
CREATE TEXT SEARCH CONFIGURATION kindred_basque (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_basque
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_basque_stem;
CREATE TEXT SEARCH DICTIONARY kindred_catalan_stem (TEMPLATE = snowball, LANGUAGE = catalan);
CREATE TEXT SEARCH CONFIGURATION kindred_catalan (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_catalan
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_catalan_stem;
CREATE TEXT SEARCH DICTIONARY kindred_danish_stem (TEMPLATE = snowball, LANGUAGE = danish);
CREATE TEXT SEARCH CONFIGURATION kindred_danish (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_danish
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_danish_stem;
CREATE TEXT SEARCH DICTIONARY kindred_dutch_stem (TEMPLATE = snowball, LANGUAGE = dutch);
CREATE TEXT SEARCH CONFIGURATION kindred_dutch (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_dutch
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_dutch_stem;
CREATE TEXT SEARCH DICTIONARY kindred_finnish_stem (TEMPLATE = snowball, LANGUAGE = finnish);
CREATE TEXT SEARCH CONFIGURATION kindred_finnish (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_finnish
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_finnish_stem;
CREATE TEXT SEARCH DICTIONARY kindred_french_stem (TEMPLATE = snowball, LANGUAGE = french);
CREATE TEXT SEARCH CONFIGURATION kindred_french (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_french
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_french_stem;
CREATE TEXT SEARCH DICTIONARY kindred_german_stem (TEMPLATE = snowball, LANGUAGE = german);
CREATE TEXT SEARCH CONFIGURATION kindred_german (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_german
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_german_stem;
CREATE TEXT SEARCH DICTIONARY kindred_greek_stem (TEMPLATE = snowball, LANGUAGE = greek);
CREATE TEXT SEARCH CONFIGURATION kindred_greek (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_greek
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_greek_stem;
CREATE TEXT SEARCH DICTIONARY kindred_hindi_stem (TEMPLATE = snowball, LANGUAGE = hindi);
CREATE TEXT SEARCH CONFIGURATION kindred_hindi (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_hindi
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_hindi_stem;
CREATE TEXT SEARCH DICTIONARY kindred_hungarian_stem (TEMPLATE = snowball, LANGUAGE = hungarian);
CREATE TEXT SEARCH CONFIGURATION kindred_hungarian (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_hungarian
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_hungarian_stem;
CREATE TEXT SEARCH DICTIONARY kindred_indonesian_stem (TEMPLATE = snowball, LANGUAGE = indonesian);
CREATE TEXT SEARCH CONFIGURATION kindred_indonesian (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_indonesian
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_indonesian_stem;
CREATE TEXT SEARCH DICTIONARY kindred_irish_stem (TEMPLATE = snowball, LANGUAGE = irish);
CREATE TEXT SEARCH CONFIGURATION kindred_irish (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_irish
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_irish_stem;
CREATE TEXT SEARCH DICTIONARY kindred_italian_stem (TEMPLATE = snowball, LANGUAGE = italian);
CREATE TEXT SEARCH CONFIGURATION kindred_italian (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_italian
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_italian_stem;
CREATE TEXT SEARCH DICTIONARY kindred_lithuanian_stem (TEMPLATE = snowball, LANGUAGE = lithuanian);
CREATE TEXT SEARCH CONFIGURATION kindred_lithuanian (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_lithuanian
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_lithuanian_stem;
CREATE TEXT SEARCH DICTIONARY kindred_nepali_stem (TEMPLATE = snowball, LANGUAGE = nepali);
CREATE TEXT SEARCH CONFIGURATION kindred_nepali (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_nepali
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_nepali_stem;
CREATE TEXT SEARCH DICTIONARY kindred_norwegian_stem (TEMPLATE = snowball, LANGUAGE = norwegian);
CREATE TEXT SEARCH CONFIGURATION kindred_norwegian (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_norwegian
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_norwegian_stem;
CREATE TEXT SEARCH DICTIONARY kindred_portuguese_stem (TEMPLATE = snowball, LANGUAGE = portuguese);
CREATE TEXT SEARCH CONFIGURATION kindred_portuguese (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_portuguese
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_portuguese_stem;
CREATE TEXT SEARCH DICTIONARY kindred_romanian_stem (TEMPLATE = snowball, LANGUAGE = romanian);
CREATE TEXT SEARCH CONFIGURATION kindred_romanian (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_romanian
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_romanian_stem;
CREATE TEXT SEARCH DICTIONARY kindred_russian_stem (TEMPLATE = snowball, LANGUAGE = russian);
CREATE TEXT SEARCH CONFIGURATION kindred_russian (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_russian
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_russian_stem;
CREATE TEXT SEARCH DICTIONARY kindred_serbian_stem (TEMPLATE = snowball, LANGUAGE = serbian);
CREATE TEXT SEARCH CONFIGURATION kindred_serbian (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_serbian
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_serbian_stem;
CREATE TEXT SEARCH DICTIONARY kindred_spanish_stem (TEMPLATE = snowball, LANGUAGE = spanish);
CREATE TEXT SEARCH CONFIGURATION kindred_spanish (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_spanish
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_spanish_stem;
CREATE TEXT SEARCH DICTIONARY kindred_swedish_stem (TEMPLATE = snowball, LANGUAGE = swedish);
CREATE TEXT SEARCH CONFIGURATION kindred_swedish (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_swedish
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_swedish_stem;
CREATE TEXT SEARCH DICTIONARY kindred_tamil_stem (TEMPLATE = snowball, LANGUAGE = tamil);
CREATE TEXT SEARCH CONFIGURATION kindred_tamil (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_tamil
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_tamil_stem;
CREATE TEXT SEARCH DICTIONARY kindred_turkish_stem (TEMPLATE = snowball, LANGUAGE = turkish);
CREATE TEXT SEARCH CONFIGURATION kindred_turkish (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_turkish
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_turkish_stem;
CREATE TEXT SEARCH DICTIONARY kindred_yiddish_stem (TEMPLATE = snowball, LANGUAGE = yiddish);
CREATE TEXT SEARCH CONFIGURATION kindred_yiddish (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION kindred_yiddish
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH kindred_yiddish_stem;

-- The configuration of a language. The names are bound when the function is made, so it never changes.
CREATE FUNCTION kindred_config(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE language
    WHEN 'english' THEN 'kindred_english'::regconfig
    WHEN 'simple' THEN 'kindred_simple'::regconfig
    WHEN 'arabic' THEN 'kindred_arabic'::regconfig
    WHEN 'armenian' THEN 'kindred_armenian'::regconfig
    WHEN 'basque' THEN 'kindred_basque'::regconfig
    WHEN 'catalan' THEN 'kindred_catalan'::regconfig
    WHEN 'danish' THEN 'kindred_danish'::regconfig
    WHEN 'dutch' THEN 'kindred_dutch'::regconfig
    WHEN 'finnish' THEN 'kindred_finnish'::regconfig
    WHEN 'french' THEN 'kindred_french'::regconfig
    WHEN 'german' THEN 'kindred_german'::regconfig
    WHEN 'greek' THEN 'kindred_greek'::regconfig
    WHEN 'hindi' THEN 'kindred_hindi'::regconfig
    WHEN 'hungarian' THEN 'kindred_hungarian'::regconfig
    WHEN 'indonesian' THEN 'kindred_indonesian'::regconfig
    WHEN 'irish' THEN 'kindred_irish'::regconfig
    WHEN 'italian' THEN 'kindred_italian'::regconfig
    WHEN 'lithuanian' THEN 'kindred_lithuanian'::regconfig
    WHEN 'nepali' THEN 'kindred_nepali'::regconfig
    WHEN 'norwegian' THEN 'kindred_norwegian'::regconfig
    WHEN 'portuguese' THEN 'kindred_portuguese'::regconfig
    WHEN 'romanian' THEN 'kindred_romanian'::regconfig
    WHEN 'russian' THEN 'kindred_russian'::regconfig
    WHEN 'serbian' THEN 'kindred_serbian'::regconfig
    WHEN 'spanish' THEN 'kindred_spanish'::regconfig
    WHEN 'swedish' THEN 'kindred_swedish'::regconfig
    WHEN 'tamil' THEN 'kindred_tamil'::regconfig
    WHEN 'turkish' THEN 'kindred_turkish'::regconfig
    WHEN 'yiddish' THEN 'kindred_yiddish'::regconfig
END;

ALTER TABLE content DROP COLUMN search;
-- The score of a row reads `search` once per word of a query: rows of up to a page keep it unpacked.
ALTER TABLE content SET (toast_tuple_target = 8160);
ALTER TABLE content
    ADD COLUMN language text NOT NULL DEFAULT 'english',
    -- Headings above a part of a document, outermost first.
    ADD COLUMN headings text NOT NULL DEFAULT '',
    ADD CONSTRAINT content_language_check CHECK (kindred_config(language) IS NOT NULL);
-- Title A, headings B, body C. A `tsvector` holds 1 MB at most, which this much text never fills.
ALTER TABLE content ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(to_tsvector(kindred_config(language), title), 'A')
    || setweight(to_tsvector(kindred_config(language), headings), 'B')
    || setweight(to_tsvector(kindred_config(language), left(body, 100000)), 'C')
) STORED;
CREATE INDEX content_search_idx ON content USING gin (search) WITH (fastupdate = off);

-- In how many live rows of the shared catalogue a lexeme stands, kept by triggers in the transaction that
-- writes the rows. Rows with an owner are not counted, so no score tells a person anything about another
-- person's words. Writers only add changes and so never wait for each other; a reader adds `lexeme` and
-- `lexeme_change` up, and now and then the worker folds the second into the first.
DROP TABLE lexeme_total, lexeme;
CREATE TABLE lexeme (
    kind text NOT NULL,
    word text COLLATE "C" NOT NULL,
    rows integer NOT NULL,
    CONSTRAINT lexeme_pkey PRIMARY KEY (word, kind)
);

CREATE TABLE lexeme_change (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    word text COLLATE "C" NOT NULL,
    rows integer NOT NULL,
    CONSTRAINT lexeme_change_pkey PRIMARY KEY (word, id)
);

-- Live rows of each owner and language, and their lengths together: the distinct lexemes of each. What a person
-- owns tells which languages that person's queries are read in, and nothing else. Sums over any number of rows.
CREATE TABLE lexeme_total (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    language text NOT NULL,
    owner_id uuid,
    rows bigint NOT NULL,
    length bigint NOT NULL,
    CONSTRAINT lexeme_total_pkey PRIMARY KEY (kind, id)
);

-- How many rows of a kind were counted when the planner was last told about them.
CREATE TABLE analysis (
    kind text NOT NULL,
    rows bigint NOT NULL,
    analyzed_at timestamptz NOT NULL,
    CONSTRAINT analysis_pkey PRIMARY KEY (kind)
);

CREATE FUNCTION kindred_count_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lexeme_change (kind, word, rows)
    SELECT kind, word, count(*) FROM added, unnest(tsvector_to_array(search)) AS word
    WHERE owner_id IS NULL AND deleted_at IS NULL GROUP BY kind, word ORDER BY word;
    INSERT INTO lexeme_total (kind, language, owner_id, rows, length)
    SELECT kind, language, owner_id, count(*), sum(length(search)) FROM added
    WHERE deleted_at IS NULL GROUP BY kind, language, owner_id;
    RETURN NULL;
END $$;

CREATE FUNCTION kindred_count_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lexeme_change (kind, word, rows)
    SELECT kind, word, -count(*) FROM removed, unnest(tsvector_to_array(search)) AS word
    WHERE owner_id IS NULL AND deleted_at IS NULL GROUP BY kind, word ORDER BY word;
    INSERT INTO lexeme_total (kind, language, owner_id, rows, length)
    SELECT kind, language, owner_id, -count(*), -sum(length(search)) FROM removed
    WHERE deleted_at IS NULL GROUP BY kind, language, owner_id;
    RETURN NULL;
END $$;

CREATE FUNCTION kindred_count_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lexeme_change (kind, word, rows)
    SELECT kind, word, sum(rows) FROM (
        SELECT kind, unnest(tsvector_to_array(search)) AS word, 1 AS rows FROM added
        WHERE owner_id IS NULL AND deleted_at IS NULL
        UNION ALL SELECT kind, unnest(tsvector_to_array(search)), -1 FROM removed
        WHERE owner_id IS NULL AND deleted_at IS NULL
    ) AS counted GROUP BY kind, word HAVING sum(rows) <> 0 ORDER BY word;
    INSERT INTO lexeme_total (kind, language, owner_id, rows, length)
    SELECT kind, language, owner_id, sum(rows), sum(rows * length) FROM (
        SELECT kind, language, owner_id, 1 AS rows, length(search) AS length FROM added
        WHERE deleted_at IS NULL
        UNION ALL SELECT kind, language, owner_id, -1, length(search) FROM removed
        WHERE deleted_at IS NULL
    ) AS counted GROUP BY kind, language, owner_id HAVING sum(rows) <> 0 OR sum(rows * length) <> 0;
    RETURN NULL;
END $$;

CREATE FUNCTION kindred_count_none() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE lexeme, lexeme_change, lexeme_total;
    RETURN NULL;
END $$;

CREATE TRIGGER content_added AFTER INSERT ON content REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION kindred_count_added();
CREATE TRIGGER content_removed AFTER DELETE ON content REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION kindred_count_removed();
CREATE TRIGGER content_changed AFTER UPDATE ON content REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION kindred_count_changed();
CREATE TRIGGER content_emptied AFTER TRUNCATE ON content
    FOR EACH STATEMENT EXECUTE FUNCTION kindred_count_none();

INSERT INTO lexeme (kind, word, rows)
SELECT kind, word, count(*) FROM content, unnest(tsvector_to_array(search)) AS word
WHERE owner_id IS NULL AND deleted_at IS NULL GROUP BY kind, word;
INSERT INTO lexeme_total (kind, language, owner_id, rows, length)
SELECT kind, language, owner_id, count(*), sum(length(search)) FROM content
WHERE deleted_at IS NULL GROUP BY kind, language, owner_id;

-- Near words are found by trigrams where the server has them and lets us. The embedded engine has not, and
-- cannot catch the error.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm')
        AND has_database_privilege(current_database(), 'CREATE') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX lexeme_word_trgm_idx ON lexeme USING gin (word gin_trgm_ops);
    END IF;
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    NULL;
END $$;
