-- Set check: every value that was asked with has a row in the partition, unless the partition has none.
SELECT value FROM (SELECT unnest(getvariable('expected_values')) AS value WHERE EXISTS (FROM rows))
ANTI JOIN (SELECT COLUMNS(lambda c: c = getvariable('expected_of'))::VARCHAR AS value FROM rows) USING (value)
ORDER BY ALL
