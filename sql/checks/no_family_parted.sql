-- All that comes from one page is on one side, training or held out, in this and every other partition.
SELECT document_id, count(DISTINCT split) AS sides FROM families
WHERE document_id IN (SELECT document_id FROM rows)
GROUP BY document_id HAVING sides > 1
ORDER BY document_id
