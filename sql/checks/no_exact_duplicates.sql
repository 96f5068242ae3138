-- No two published personas have the same text, in this or any other partition.
WITH mine AS (SELECT row_id, lower(trim(text)) AS folded FROM rows),
everywhere AS (
    SELECT persona_id, lower(trim(text)) AS folded FROM deduped_personas
    WHERE lower(trim(text)) IN (SELECT folded FROM mine)
)
SELECT mine.row_id, everywhere.persona_id AS same_as
FROM mine JOIN everywhere USING (folded)
WHERE mine.row_id != everywhere.persona_id
ORDER BY ALL
