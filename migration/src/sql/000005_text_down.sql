DROP TRIGGER content_added ON content;
DROP TRIGGER content_removed ON content;
DROP TRIGGER content_changed ON content;
DROP TRIGGER content_emptied ON content;
DROP FUNCTION kindred_count_added(), kindred_count_removed(), kindred_count_changed(), kindred_count_none();
DROP TABLE analysis, lexeme_total, lexeme_change, lexeme;
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
ALTER TABLE content DROP COLUMN search;
ALTER TABLE content RESET (toast_tuple_target);
ALTER TABLE content DROP CONSTRAINT content_language_check;
ALTER TABLE content DROP COLUMN headings, DROP COLUMN language;
ALTER TABLE content ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(to_tsvector('kindred_english', title), 'A')
    || setweight(to_tsvector('kindred_english', body), 'B')
) STORED;
CREATE INDEX content_search_idx ON content USING gin (search) WITH (fastupdate = off);
DROP FUNCTION kindred_config(text);
DROP TEXT SEARCH CONFIGURATION kindred_simple;
DROP TEXT SEARCH CONFIGURATION kindred_arabic;
DROP TEXT SEARCH DICTIONARY kindred_arabic_stem;
DROP TEXT SEARCH CONFIGURATION kindred_armenian;
DROP TEXT SEARCH DICTIONARY kindred_armenian_stem;
DROP TEXT SEARCH CONFIGURATION kindred_basque;
DROP TEXT SEARCH DICTIONARY kindred_basque_stem;
DROP TEXT SEARCH CONFIGURATION kindred_catalan;
DROP TEXT SEARCH DICTIONARY kindred_catalan_stem;
DROP TEXT SEARCH CONFIGURATION kindred_danish;
DROP TEXT SEARCH DICTIONARY kindred_danish_stem;
DROP TEXT SEARCH CONFIGURATION kindred_dutch;
DROP TEXT SEARCH DICTIONARY kindred_dutch_stem;
DROP TEXT SEARCH CONFIGURATION kindred_finnish;
DROP TEXT SEARCH DICTIONARY kindred_finnish_stem;
DROP TEXT SEARCH CONFIGURATION kindred_french;
DROP TEXT SEARCH DICTIONARY kindred_french_stem;
DROP TEXT SEARCH CONFIGURATION kindred_german;
DROP TEXT SEARCH DICTIONARY kindred_german_stem;
DROP TEXT SEARCH CONFIGURATION kindred_greek;
DROP TEXT SEARCH DICTIONARY kindred_greek_stem;
DROP TEXT SEARCH CONFIGURATION kindred_hindi;
DROP TEXT SEARCH DICTIONARY kindred_hindi_stem;
DROP TEXT SEARCH CONFIGURATION kindred_hungarian;
DROP TEXT SEARCH DICTIONARY kindred_hungarian_stem;
DROP TEXT SEARCH CONFIGURATION kindred_indonesian;
DROP TEXT SEARCH DICTIONARY kindred_indonesian_stem;
DROP TEXT SEARCH CONFIGURATION kindred_irish;
DROP TEXT SEARCH DICTIONARY kindred_irish_stem;
DROP TEXT SEARCH CONFIGURATION kindred_italian;
DROP TEXT SEARCH DICTIONARY kindred_italian_stem;
DROP TEXT SEARCH CONFIGURATION kindred_lithuanian;
DROP TEXT SEARCH DICTIONARY kindred_lithuanian_stem;
DROP TEXT SEARCH CONFIGURATION kindred_nepali;
DROP TEXT SEARCH DICTIONARY kindred_nepali_stem;
DROP TEXT SEARCH CONFIGURATION kindred_norwegian;
DROP TEXT SEARCH DICTIONARY kindred_norwegian_stem;
DROP TEXT SEARCH CONFIGURATION kindred_portuguese;
DROP TEXT SEARCH DICTIONARY kindred_portuguese_stem;
DROP TEXT SEARCH CONFIGURATION kindred_romanian;
DROP TEXT SEARCH DICTIONARY kindred_romanian_stem;
DROP TEXT SEARCH CONFIGURATION kindred_russian;
DROP TEXT SEARCH DICTIONARY kindred_russian_stem;
DROP TEXT SEARCH CONFIGURATION kindred_serbian;
DROP TEXT SEARCH DICTIONARY kindred_serbian_stem;
DROP TEXT SEARCH CONFIGURATION kindred_spanish;
DROP TEXT SEARCH DICTIONARY kindred_spanish_stem;
DROP TEXT SEARCH CONFIGURATION kindred_swedish;
DROP TEXT SEARCH DICTIONARY kindred_swedish_stem;
DROP TEXT SEARCH CONFIGURATION kindred_tamil;
DROP TEXT SEARCH DICTIONARY kindred_tamil_stem;
DROP TEXT SEARCH CONFIGURATION kindred_turkish;
DROP TEXT SEARCH DICTIONARY kindred_turkish_stem;
DROP TEXT SEARCH CONFIGURATION kindred_yiddish;
DROP TEXT SEARCH DICTIONARY kindred_yiddish_stem;
