-- Where each row that an asset was given, or each question about it, ended: kept and rejected are counts, and exactly one
-- of them is 1. Only partitions that the asset has run on are counted. Filled in by lake/catalog.py from the declared
-- tables. (expanded_personas answers several questions about one persona, which can be kept for one and rejected for
-- another; its funnel counts questions.)
CREATE OR REPLACE VIEW fate AS
WITH rejected_once AS (
    SELECT asset, row_id, count(*) AS rejected FROM rejected GROUP BY ALL
),
kept AS (
    $kept
),
ran AS (SELECT asset, "partition" AS shard FROM partitions),
offered AS (
    $offered
),
given AS (SELECT DISTINCT asset, row_id FROM offered SEMI JOIN ran USING (asset, shard))
SELECT given.asset, given.row_id, count(DISTINCT kept.row_id) AS kept, coalesce(any_value(r.rejected), 0) AS rejected
FROM given
LEFT JOIN kept ON kept.asset = given.asset AND kept.row_id = given.row_id
LEFT JOIN rejected_once r ON r.asset = given.asset AND r.row_id = given.row_id
GROUP BY ALL;
