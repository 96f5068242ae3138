-- One row per link: a row of `asset` and the row it came from. A persona that a later asset passed on unchanged stands
-- there as its own child, as does a row that a later asset rejected. Calls are no links: one call can answer for several
-- rows that ask the same. `call_ids` has the calls of all turns, `call_id` that of the last one. Filled in by
-- lake/catalog.py from the declared tables.
CREATE OR REPLACE VIEW lineage_links AS
$links
UNION ALL SELECT 'rejected', row_id, parent_id, call_id, [call_id] FROM rejected WHERE parent_id IS NOT NULL
UNION ALL SELECT 'rejected', row_id, row_id, call_id, [call_id] FROM rejected WHERE row_id IN ($ids);
