-- What every check sees, for one partition of one asset. Filled in by checks/gates.py with quoted names and paths.
CREATE OR REPLACE VIEW rows AS SELECT *, $key AS row_id FROM $source;
CREATE OR REPLACE VIEW rejected_rows AS SELECT * FROM $rejected_source;
CREATE OR REPLACE VIEW links(row_id, "column", parent_id) AS $links;
CREATE OR REPLACE VIEW parent_ids("column", parent_id) AS $parent_ids;
CREATE OR REPLACE VIEW given(row_id) AS $given;
CREATE OR REPLACE VIEW kept(row_id) AS $kept;
CREATE OR REPLACE VIEW verdicts(persona_id, dump, kept, survivor_id) AS $verdicts;
CREATE OR REPLACE VIEW called(row_id, template, call_id) AS $called;
