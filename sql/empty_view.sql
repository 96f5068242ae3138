-- A table without partitions yet: an empty view of the declared types (read_parquet refuses an empty glob).
CREATE OR REPLACE VIEW $name AS
$no_rows;
