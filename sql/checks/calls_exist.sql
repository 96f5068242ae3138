-- Every generated row has its call in the ledger.
SELECT row_id, call_id FROM rows ANTI JOIN held USING (call_id) ORDER BY ALL
