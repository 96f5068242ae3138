-- What every check sees, for one partition of one asset. Filled in by checks/gates.py with quoted names and paths.
CREATE OR REPLACE TEMP VIEW rows AS SELECT *, $key AS row_id FROM $source;
CREATE OR REPLACE TEMP VIEW rejected_rows AS SELECT * FROM $rejected_source;
CREATE OR REPLACE TEMP VIEW links(row_id, "column", parent_id) AS $links;
CREATE OR REPLACE TEMP VIEW parent_ids("column", parent_id) AS $parent_ids;
CREATE OR REPLACE TEMP VIEW given(row_id) AS $given;
CREATE OR REPLACE TEMP VIEW kept(row_id) AS $kept;
CREATE OR REPLACE TEMP VIEW verdicts(persona_id, dump, kept, survivor_id) AS $verdicts;
CREATE OR REPLACE TEMP VIEW called(row_id, template, call_id) AS $called;
CREATE OR REPLACE TEMP VIEW given_documents(document_id, text) AS $given_documents;
