-- A table that has partitions: one view over all of them. Filled in by lake/catalog.py with quoted names and paths.
CREATE OR REPLACE VIEW $name AS
SELECT $columns FROM read_parquet($files, hive_partitioning = false, union_by_name = true);
