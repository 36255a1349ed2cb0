DROP TABLE judgment;
ALTER TABLE embedding_space
    DROP COLUMN fusion, DROP COLUMN semantic_ratio, DROP COLUMN chunk_tokens, DROP COLUMN chunk_overlap;
ALTER TABLE chunk DROP CONSTRAINT chunk_position_check;
ALTER TABLE chunk DROP CONSTRAINT chunk_document_id_position_key;
ALTER TABLE chunk ADD CONSTRAINT chunk_document_id_position_key UNIQUE (document_id, position);
ALTER TABLE chunk ADD COLUMN headings text[] NOT NULL DEFAULT '{}';
ALTER TABLE document DROP COLUMN format;
ALTER TABLE document ADD COLUMN language text;
