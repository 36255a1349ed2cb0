-- The extension stays: other schemas of the database may use it.
DROP TABLE embedding_task, embedding, active_space, embedding_space;
