-- A table that has partitions: one view over all of them. Filled in by lake/catalog.py with quoted names and paths.
-- `later` names columns that files may lack which were written before these were added.
CREATE OR REPLACE VIEW $name AS
SELECT $columns FROM (FROM read_parquet($files, hive_partitioning = false, union_by_name = true) $later);
