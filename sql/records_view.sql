-- The records of the lake, as views. Filled in by lake/catalog.py with a quoted glob.
-- Every partition that counts, by its record: what it holds, what it was made from, what shaped it, and its gates.
CREATE OR REPLACE VIEW partitions AS
SELECT asset, partition, generation, rows.rows AS rows, coalesce(rejects.rows, 0) AS rejected, rows.bytes AS bytes,
       rows.content AS content, made_from, recipe, len(list_filter(gates, lambda gate: gate.failing > 0)) = 0 AS passed,
       gates, rows.name AS file, rejects.name AS rejects_file, run_id, committed_at
FROM read_json($files, format = 'newline_delimited', ignore_errors = true, columns = {
    asset: 'VARCHAR', partition: 'VARCHAR', generation: 'INTEGER', void: 'BOOLEAN',
    rows: 'STRUCT("name" VARCHAR, bytes BIGINT, "rows" BIGINT, content VARCHAR)',
    rejects: 'STRUCT("name" VARCHAR, "rows" BIGINT)',
    made_from: 'MAP(VARCHAR, VARCHAR)', recipe: 'JSON', gates: 'STRUCT("name" VARCHAR, failing BIGINT, head JSON)[]',
    run_id: 'VARCHAR', committed_at: 'TIMESTAMPTZ'})
WHERE void IS NULL AND asset IS NOT NULL
QUALIFY generation = max(generation) OVER (PARTITION BY asset, partition);

-- The verdict of each gate on each partition; `head` is the first failing rows, as JSON.
CREATE OR REPLACE VIEW gates AS
SELECT asset, partition, gate.name AS gate, gate.failing = 0 AS passed, gate.failing AS failing, gate.head AS head,
       run_id, committed_at
FROM (SELECT *, unnest(gates) AS gate FROM partitions);

-- Names of the files that count.
CREATE OR REPLACE VIEW files AS
SELECT file AS name FROM partitions UNION ALL SELECT rejects_file FROM partitions WHERE rejects_file IS NOT NULL;
