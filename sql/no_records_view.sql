-- The same views in a lake without any record.
CREATE OR REPLACE VIEW partitions AS
SELECT NULL::VARCHAR AS asset, NULL::VARCHAR AS partition, NULL::INTEGER AS generation, NULL::BIGINT AS rows,
       NULL::BIGINT AS rejected, NULL::BIGINT AS bytes, NULL::VARCHAR AS content,
       NULL::MAP(VARCHAR, VARCHAR) AS made_from, NULL::JSON AS recipe, NULL::BOOLEAN AS passed,
       NULL::STRUCT("name" VARCHAR, failing BIGINT, head JSON)[] AS gates, NULL::VARCHAR AS file,
       NULL::VARCHAR AS rejects_file, NULL::VARCHAR AS run_id, NULL::TIMESTAMPTZ AS committed_at
WHERE false;
CREATE OR REPLACE VIEW gates AS
SELECT NULL::VARCHAR AS asset, NULL::VARCHAR AS partition, NULL::VARCHAR AS gate, NULL::BOOLEAN AS passed,
       NULL::BIGINT AS failing, NULL::JSON AS head, NULL::VARCHAR AS run_id, NULL::TIMESTAMPTZ AS committed_at
WHERE false;
CREATE OR REPLACE VIEW files AS SELECT NULL::VARCHAR AS name WHERE false;
