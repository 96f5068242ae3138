-- Ids are unique within the partition.
SELECT row_id, count(*) AS copies FROM rows GROUP BY row_id HAVING count(*) > 1 ORDER BY row_id
