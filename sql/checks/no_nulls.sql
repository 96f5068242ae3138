-- Columns that the schema declares as never null hold no null.
SELECT row_id, rows.* EXCLUDE (row_id) FROM rows
ANTI JOIN (
    SELECT row_id FROM rows WHERE COLUMNS(lambda c: list_contains(getvariable('required'), c)) IS NOT NULL
) AS whole USING (row_id)
