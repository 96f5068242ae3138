-- Of a sample of 200 personas of the partition, none is within the lexical threshold of another one in it.
-- Words are cut a little differently here than in text/tokens.py (no NFKC), hence the margin of 0.03.
WITH tokens AS MATERIALIZED (
    SELECT row_id, list_distinct(regexp_extract_all(lower(nfc_normalize(text)), '[\p{Han}]|[\p{L}\p{N}_]+')) AS words
    FROM rows
),
probe AS (SELECT row_id, words, unnest(words) AS word FROM (FROM tokens ORDER BY md5(row_id) LIMIT 200)),
other AS (SELECT row_id, words, unnest(words) AS word FROM tokens),
shared AS (
    SELECT probe.row_id, other.row_id AS near, len(probe.words) AS n, len(other.words) AS m, count(*) AS common
    FROM probe JOIN other USING (word)
    WHERE probe.row_id != other.row_id
      AND n >= getvariable('lexical_threshold') * m AND m >= getvariable('lexical_threshold') * n
    GROUP BY ALL
)
SELECT row_id, near, common / (n + m - common) AS jaccard
FROM shared
WHERE jaccard >= least(1, getvariable('lexical_threshold') + 0.03)
ORDER BY ALL
