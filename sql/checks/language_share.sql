-- Enough of what was read is in the languages of PERSONA_LANGUAGES.
SELECT wanted, other, round(wanted / (wanted + other), 4) AS share, getvariable('min_language_share') AS needed
FROM (
    SELECT (SELECT count(*) FROM rows) AS wanted,
           (SELECT count(*) FROM rejected_rows WHERE reason = 'language') AS other
)
WHERE wanted < getvariable('min_language_share') * (wanted + other)
