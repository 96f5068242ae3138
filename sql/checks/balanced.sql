-- Set check: no value of a column has more rows in the partition than a number of times those of another value.
WITH counts AS (
    SELECT value, count(*) AS rows FROM (
        SELECT COLUMNS(lambda c: c = getvariable('balanced_of'))::VARCHAR AS value FROM rows
    ) GROUP BY value
)
SELECT value, rows, (SELECT min(rows) FROM counts) AS fewest, getvariable('balanced_most') AS allowed
FROM counts WHERE rows > getvariable('balanced_most') * fewest
ORDER BY ALL
