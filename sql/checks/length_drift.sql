-- Advisory: a partition's mean text length is within half and twice the median of at least three earlier ones.
WITH lengths AS (SELECT partition_key, avg(characters) AS mean_characters FROM history GROUP BY ALL),
typical AS (SELECT c.partition_key, c.mean_characters, median(o.mean_characters) AS usual
            FROM lengths c JOIN lengths o ON o.partition_key < c.partition_key
            GROUP BY ALL HAVING count(*) >= 3)
SELECT * FROM typical WHERE mean_characters > 2 * usual OR 2 * mean_characters < usual ORDER BY partition_key
