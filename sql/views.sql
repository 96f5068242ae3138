-- Views over the table views. Loaded after them by lake/catalog.py.

-- Every persona that was ever made, by the asset where it was made.
CREATE OR REPLACE VIEW personas AS
SELECT * FROM extracted_personas
UNION ALL BY NAME
SELECT * FROM expanded_personas;

-- Every removed near-duplicate with the persona that stands for it.
CREATE OR REPLACE VIEW duplicates AS
SELECT
    s.dump, s.method, s.similarity,
    s.persona_id, removed.text AS removed_text,
    s.survivor_id, kept.text AS survivor_text
FROM persona_survivors s
JOIN filtered_personas removed ON removed.persona_id = s.persona_id
JOIN filtered_personas kept ON kept.persona_id = s.survivor_id
WHERE NOT s.kept;

-- How much of each sealed dump dedup removed, in all and by each stage, in the sequence of the seals.
CREATE OR REPLACE VIEW duplicate_rates AS
SELECT
    dump, seal, count(*) AS rows, count(*) FILTER (WHERE kept) AS kept,
    count(*) FILTER (WHERE method = 'exact') AS exact,
    count(*) FILTER (WHERE method = 'lexical') AS lexical,
    count(*) FILTER (WHERE method = 'semantic') AS semantic,
    round(count(*) FILTER (WHERE NOT kept) / count(*), 4) AS rate
FROM persona_survivors GROUP BY dump, seal ORDER BY seal;

-- Where each row that an asset was given ended: kept and rejected are counts, and exactly one of them is 1. Only partitions
-- that the asset has run on are counted. (expanded_personas answers several questions about one persona, so that the
-- persona can be kept for one and rejected for another; its funnel counts questions.)
CREATE OR REPLACE VIEW fate AS
WITH rejected_once AS (
    SELECT asset, row_id, count(*) AS rejected FROM rejected GROUP BY ALL
),
kept AS (
    SELECT 'raw_documents' AS asset, document_id AS row_id FROM raw_documents
    UNION ALL SELECT DISTINCT 'extracted_personas', document_id FROM extracted_personas
    UNION ALL SELECT 'filtered_personas', persona_id FROM filtered_personas
    UNION ALL SELECT 'deduped_personas', persona_id FROM deduped_personas
    UNION ALL SELECT task, unnest(persona_ids) FROM samples
),
ran AS (SELECT asset, "partition" AS shard FROM partitions),
-- What goes into an asset. The first one reads files: all that it met is in one of its two outputs.
offered AS (
    SELECT 'raw_documents' AS asset, document_id AS row_id, shard FROM raw_documents
    UNION ALL SELECT asset, row_id, shard FROM rejected WHERE asset = 'raw_documents'
    UNION ALL SELECT 'extracted_personas', document_id, shard FROM raw_documents
    UNION ALL SELECT 'filtered_personas', persona_id, shard FROM personas
    UNION ALL SELECT 'deduped_personas', persona_id, shard FROM filtered_personas
    UNION ALL SELECT ran.asset, p.persona_id, p.shard FROM deduped_personas p JOIN ran USING (shard)
    WHERE ran.asset NOT IN
        ('shard_files', 'content_digests', 'raw_documents', 'extracted_personas', 'expanded_personas',
         'filtered_personas', 'deduped_personas')
),
given AS (SELECT DISTINCT asset, row_id FROM offered SEMI JOIN ran USING (asset, shard))
SELECT given.asset, given.row_id, count(DISTINCT kept.row_id) AS kept, coalesce(any_value(r.rejected), 0) AS rejected
FROM given
LEFT JOIN kept ON kept.asset = given.asset AND kept.row_id = given.row_id
LEFT JOIN rejected_once r ON r.asset = given.asset AND r.row_id = given.row_id
GROUP BY ALL;

-- Rows kept and rejected per asset, and why.
CREATE OR REPLACE VIEW rejects_by_reason AS
SELECT asset, reason, count(*) AS rejected FROM rejected GROUP BY ALL ORDER BY asset, rejected DESC;

-- What was paid for, per asset and model.
CREATE OR REPLACE VIEW spending AS
SELECT asset, model, count(*) AS calls, sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out, sum(cost) AS cost
FROM calls GROUP BY ALL ORDER BY asset, model;

-- Everything that came out of each document: personas kept and samples.
CREATE OR REPLACE VIEW document_yield AS
SELECT d.document_id, d.url, d.language,
       (SELECT count(*) FROM deduped_personas p WHERE p.document_id = d.document_id) AS personas,
       (SELECT count(*) FROM samples s WHERE s.document_id = d.document_id) AS samples
FROM raw_documents d;
