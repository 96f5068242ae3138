-- The share of rows set aside is not above PERSONA_MAX_REJECT_RATE; personas that a task had no need of do not count.
SELECT rejected, kept, round(rejected / (kept + rejected), 4) AS rate, getvariable('max_reject_rate') AS allowed
FROM (SELECT (SELECT count(*) FROM rejected_rows WHERE reason != 'target_reached') AS rejected, (SELECT count(*) FROM rows) AS kept)
WHERE rejected > getvariable('max_reject_rate') * (kept + rejected)
