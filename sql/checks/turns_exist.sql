-- Every call of the turns that a row came from is in the ledger.
SELECT row_id, call_id FROM called ANTI JOIN held USING (call_id) ORDER BY ALL
