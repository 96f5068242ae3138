-- Set check: no value of a column has more rows in the partition than a number that the task file gives.
SELECT value, count(*) AS rows, getvariable('at_most_rows') AS allowed FROM (
    SELECT COLUMNS(lambda c: c = getvariable('at_most_of'))::VARCHAR AS value FROM rows
)
GROUP BY value HAVING count(*) > getvariable('at_most_rows')
ORDER BY ALL
