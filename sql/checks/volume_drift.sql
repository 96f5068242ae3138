-- Advisory: a partition's row count is within a third and three times the median of at least three earlier ones.
WITH counts AS (
    SELECT partition_key, count(characters) AS rows FROM partitions LEFT JOIN history USING (partition_key) GROUP BY ALL
),
typical AS (SELECT c.partition_key, c.rows, median(o.rows) AS usual
            FROM counts c JOIN counts o ON o.partition_key < c.partition_key
            GROUP BY ALL HAVING count(*) >= 3)
SELECT * FROM typical WHERE rows > 3 * usual OR 3 * rows < usual ORDER BY partition_key
