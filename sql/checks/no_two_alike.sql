-- Set check: no two rows of the partition have the same text in a column, but for case and white space at the ends.
SELECT row_id, content FROM (
    SELECT row_id, lower(trim(COLUMNS(lambda c: c = getvariable('alike_field'))::VARCHAR)) AS content FROM rows
)
QUALIFY count(*) OVER (PARTITION BY content) > 1
ORDER BY ALL
