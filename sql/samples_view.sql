-- All samples of all tasks, with the columns that they share.
CREATE OR REPLACE VIEW samples AS
$selects;
