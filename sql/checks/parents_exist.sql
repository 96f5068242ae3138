-- Every row that is referred to exists.
SELECT row_id, "column", parent_id FROM links ANTI JOIN parent_ids USING ("column", parent_id) ORDER BY ALL
