-- The share of rows set aside is not above PERSONA_MAX_REJECT_RATE; what a task had no need of, or was not to ask about, does not count.
SELECT rejected, kept, round(rejected / (kept + rejected), 4) AS rate, getvariable('max_reject_rate') AS allowed
FROM (SELECT (SELECT count(*) FROM rejected_rows WHERE reason NOT IN ('target_reached', 'not_selected')) AS rejected, (SELECT count(*) FROM rows) AS kept)
WHERE rejected > getvariable('max_reject_rate') * (kept + rejected)
