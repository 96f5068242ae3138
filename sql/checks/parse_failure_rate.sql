-- The share of answers that could not be read is not above PERSONA_MAX_PARSE_FAILURE_RATE.
SELECT failed, answers, round(failed / answers, 4) AS rate, getvariable('max_parse_failure_rate') AS allowed
FROM (
    SELECT count(*) FILTER (WHERE reason IN ('parse_failure', 'truncated', 'truncated_thought')) AS failed,
           count(*) + (SELECT count(call_id) FROM rows) AS answers
    FROM rejected_rows
)
WHERE failed > getvariable('max_parse_failure_rate') * answers
