-- Lineage over the view lineage_links of the catalogue. Loaded by lineage/descendants.py.

-- Everything that came from `root`, at any depth: rows, rejected rows, and the calls made for them.
CREATE OR REPLACE MACRO lineage_descendants(root) AS TABLE
WITH RECURSIVE reached(id) AS (
    SELECT root
    UNION
    SELECT links.id FROM lineage_links links JOIN reached ON links.parent_id = reached.id
),
made AS (
    SELECT asset, id, parent_id, call_ids FROM lineage_links WHERE parent_id IN (SELECT id FROM reached)
),
called AS (SELECT unnest(call_ids) AS call_id, parent_id FROM made)
SELECT DISTINCT asset, id, parent_id FROM made
UNION
SELECT DISTINCT 'calls', call_id, parent_id FROM called WHERE call_id IS NOT NULL
ORDER BY ALL;

-- Everything that was parsed out of one call, with what came from that.
CREATE OR REPLACE MACRO lineage_of_call(call) AS TABLE
WITH RECURSIVE answered AS (
    SELECT asset, id, call AS parent_id FROM lineage_links WHERE list_contains(call_ids, call)
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
