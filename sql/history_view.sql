-- All partitions of one asset with the length of their content, for the checks that compare partitions.
CREATE OR REPLACE TEMP VIEW partitions AS SELECT unnest($keys) AS partition_key;
CREATE OR REPLACE TEMP VIEW history AS
SELECT $partition AS partition_key, $characters AS characters FROM read_parquet($files, hive_partitioning = false);
