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
