-- Of a sample of 200 personas of the partition, none is within the lexical threshold of another one in it.
-- Words are cut a little differently here than in text/tokens.py (no NFKC), hence the margin of 0.03.
WITH tokens AS (
    SELECT row_id, list_distinct(regexp_extract_all(lower(nfc_normalize(text)), '[\p{Han}]|[\p{L}\p{N}_]+')) AS words
    FROM rows
),
probe AS (SELECT * FROM tokens ORDER BY md5(row_id) LIMIT 200)
SELECT probe.row_id, tokens.row_id AS near,
       len(list_intersect(probe.words, tokens.words))
           / (len(probe.words) + len(tokens.words) - len(list_intersect(probe.words, tokens.words))) AS jaccard
FROM probe, tokens
WHERE probe.row_id != tokens.row_id
  AND len(probe.words) >= getvariable('lexical_threshold') * len(tokens.words)
  AND len(tokens.words) >= getvariable('lexical_threshold') * len(probe.words)
  AND jaccard >= least(1, getvariable('lexical_threshold') + 0.03)
ORDER BY ALL
