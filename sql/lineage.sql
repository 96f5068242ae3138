-- Lineage over the table views of the catalogue. Loaded after sql/views.sql by lineage/descendants.py.

-- One row per link: a row of `asset` and the row it came from. A persona that a later asset passed on unchanged stands
-- there as its own child, as does a row that a later asset rejected. Calls are no links: one call can answer for several
-- rows that ask the same.
CREATE OR REPLACE VIEW lineage_links AS
SELECT 'extracted_personas' AS asset, persona_id AS id, document_id AS parent_id, call_id FROM extracted_personas
UNION ALL SELECT 'expanded_personas', persona_id, parent_persona_id, call_id FROM expanded_personas
UNION ALL SELECT 'filtered_personas', persona_id, persona_id, NULL FROM filtered_personas
UNION ALL SELECT 'persona_survivors', persona_id, persona_id, NULL FROM persona_survivors
UNION ALL SELECT 'deduped_personas', persona_id, persona_id, NULL FROM deduped_personas
UNION ALL SELECT task, sample_id, unnest(persona_ids), call_id FROM samples
UNION ALL SELECT 'rejected', row_id, parent_id, call_id FROM rejected WHERE parent_id IS NOT NULL
UNION ALL SELECT 'rejected', row_id, row_id, call_id FROM rejected
WHERE row_id IN (SELECT persona_id FROM personas UNION ALL SELECT document_id FROM raw_documents);

-- Everything that came from `root`, at any depth: rows, rejected rows, and the calls made for them.
CREATE OR REPLACE MACRO lineage_descendants(root) AS TABLE
WITH RECURSIVE reached(id) AS (
    SELECT root
    UNION
    SELECT links.id FROM lineage_links links JOIN reached ON links.parent_id = reached.id
),
made AS (
    SELECT asset, id, parent_id, call_id FROM lineage_links WHERE parent_id IN (SELECT id FROM reached)
)
SELECT DISTINCT asset, id, parent_id FROM made
UNION
SELECT DISTINCT 'calls', call_id, parent_id FROM made WHERE call_id IS NOT NULL
ORDER BY ALL;

-- Everything that was parsed out of one call, with what came from that.
CREATE OR REPLACE MACRO lineage_of_call(call) AS TABLE
WITH RECURSIVE answered AS (
    SELECT asset, id, call_id AS parent_id FROM lineage_links WHERE call_id = call
),
reached(id) AS (
    SELECT id FROM answered WHERE asset <> 'rejected'
    UNION
    SELECT links.id FROM lineage_links links JOIN reached ON links.parent_id = reached.id
)
SELECT * FROM answered
UNION
SELECT asset, id, parent_id FROM lineage_links WHERE parent_id IN (SELECT id FROM reached)
ORDER BY ALL;
