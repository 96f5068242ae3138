-- No text column of the row's content is an empty string.
SELECT row_id, language FROM rows
WHERE len(trim(text)) = 0
ORDER BY row_id
