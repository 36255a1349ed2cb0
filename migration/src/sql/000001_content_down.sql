DROP TABLE job, entry, sample, chunk, document, song, content, "user";
DROP TEXT SEARCH CONFIGURATION kindred_english;
DROP TEXT SEARCH DICTIONARY kindred_english_stem;
