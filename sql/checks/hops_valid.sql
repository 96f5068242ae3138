-- Hop 0 has no parent persona, every other hop has one, and no persona is more than six hops away.
SELECT row_id, hop, parent_persona_id FROM rows
WHERE hop NOT BETWEEN 0 AND 6 OR (hop = 0) != (parent_persona_id IS NULL)
ORDER BY row_id
