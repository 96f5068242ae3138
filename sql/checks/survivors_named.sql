-- Every removed persona names a survivor that is itself kept, with method and similarity.
SELECT r.row_id, r.survivor_id, r.method, r.similarity
FROM rows r
LEFT JOIN (
    SELECT persona_id, dump, kept FROM verdicts SEMI JOIN (FROM rows WHERE NOT kept) named
        ON verdicts.persona_id = named.survivor_id AND verdicts.dump = named.survivor_dump
) s ON s.persona_id = r.survivor_id AND s.dump = r.survivor_dump
WHERE (r.kept AND r.survivor_id != r.row_id)
   OR (NOT r.kept AND (r.method IS NULL OR r.similarity IS NULL OR NOT coalesce(s.kept, false)))
ORDER BY ALL
