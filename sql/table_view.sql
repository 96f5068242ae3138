-- A table that has partitions: one view over all of them. Filled in by lake/catalog.py with quoted names and paths.
-- `nulls` gives each declared column its type, so that files may lack columns which were declared after they were
-- written; `counting` leaves out files that no record names.
CREATE OR REPLACE VIEW $name AS
SELECT $columns FROM (
    FROM read_parquet($files, hive_partitioning = false, union_by_name = true, filename = true) $counting
    UNION ALL BY NAME SELECT $nulls WHERE false
);
