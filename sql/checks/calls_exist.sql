-- Every row that a model was asked for has its call in the ledger.
SELECT row_id, call_id FROM rows ANTI JOIN held USING (call_id) WHERE call_id IS NOT NULL ORDER BY ALL
