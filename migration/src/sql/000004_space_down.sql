DROP INDEX embedding_task_space_id_kind_run_at_idx;
CREATE INDEX embedding_task_run_at_idx ON embedding_task (run_at, id) WHERE state = 'pending';
DROP TABLE usage;
ALTER TABLE active_space DROP COLUMN previous_space_id;
DROP TABLE space_kind;
