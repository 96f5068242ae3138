-- A persona that no model was asked for says so in every column, and is the text of a document that came as a persona.
SELECT row_id, call_id, relation, document_id FROM rows
WHERE len(list_distinct([call_id IS NULL, template IS NULL, template_version IS NULL, model IS NULL, relation = 'given'])) > 1
   OR (call_id IS NULL AND (document_id, text) NOT IN (SELECT (document_id, text) FROM given_documents))
ORDER BY ALL
