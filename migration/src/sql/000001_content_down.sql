DROP TABLE job, entry, sample, chunk, document, song, content, "user";
