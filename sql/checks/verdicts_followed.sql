-- Every persona of the shard is published or set aside as its dump's survivors say.
SELECT v.persona_id AS row_id, v.kept, v.survivor_id
FROM verdicts v
LEFT JOIN (SELECT DISTINCT row_id FROM kept) published ON published.row_id = v.persona_id
LEFT JOIN rejected_rows r ON r.row_id = v.persona_id
WHERE v.kept != (published.row_id IS NOT NULL)
   OR (NOT v.kept AND NOT coalesce(contains(r.detail, v.survivor_id), false))
ORDER BY ALL
