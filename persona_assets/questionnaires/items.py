"""The items of a questionnaire as rows, one for each language."""

from typing import Any

import polars as pl

from persona_assets.questionnaires.questionnaire import Questionnaire

COLUMNS: dict[str, Any] = {
    "title": pl.String,
    "item": pl.String,
    "language": pl.String,
    "text": pl.String,
    "labels": pl.List(pl.String),
    "least": pl.Int64,
    "most": pl.Int64,
    "dimension": pl.String,
    "place": pl.Int64,
    "first_pole": pl.String,
    "second_pole": pl.String,
    "toward": pl.Int64,
}
NULLABLE = ("dimension", "place", "first_pole", "second_pole", "toward")  # of fillers


def items_of(found: Questionnaire) -> pl.DataFrame:
    """A row for each item and language, with the columns of `COLUMNS`.

    `labels` run from the least agreement to the most, `least` and `most` are the ends of the scale. `place` is that of
    the dimension among the others, from 0; `toward` is 1 where agreement speaks for `second_pole`, else -1.
    """
    scale, of = found.scale, {one.id: (place, one.poles) for place, one in enumerate(found.dimensions)}
    rows = []
    for language in found.languages:
        for item in found.items:
            place, poles = of.get(item.dimension, (None, (None, None)))
            scored = not item.filler
            rows.append(
                {
                    "title": found.title,
                    "item": item.id,
                    "language": language,
                    "text": item.text[language],
                    "labels": [*scale.labels[language]],
                    "least": scale.min,
                    "most": scale.max,
                    "dimension": item.dimension if scored else None,
                    "place": place,
                    "first_pole": poles[0],
                    "second_pole": poles[1],
                    "toward": (1 if item.pole == poles[1] else -1) if scored else None,
                }
            )
    return pl.DataFrame(rows, schema=COLUMNS)
