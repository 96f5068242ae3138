-- Every row given to the hop is in exactly one place: kept, or rejected with a reason.
SELECT given.row_id,
       (SELECT count(DISTINCT kept.row_id) FROM kept WHERE kept.row_id = given.row_id) AS times_kept,
       (SELECT count(*) FROM rejected_rows r WHERE r.row_id = given.row_id) AS times_rejected
FROM (SELECT DISTINCT row_id FROM given) AS given
WHERE times_kept + times_rejected != 1
ORDER BY ALL
