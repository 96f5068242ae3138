"""The items of a questionnaire as rows, one for each language, and the answers to them as rows that can be scored."""

from typing import Any

import polars as pl

from persona_assets.questionnaires.questionnaire import Questionnaire
from persona_assets.questionnaires.scores import ANSWERS, ITEMS, RISING, agreement

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


def of_forms(answers: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Answers in numbers of the scale as `scored` takes them.

    `answers` has `answer`, null where the system would rather not say, `scale`, `attempt` where there are several runs,
    `model` and, where systems answer side by side, `system`; `items` are the rows that they are about.
    """
    value = _agreement(pl.col("answer"))
    return _told(_about(answers, items).with_columns(value=value, answer_ids=pl.concat_list("sample_id")))


def of_choices(choices: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Log-probabilities of the numbers of the scale as answers that `scored` takes: how far they agree on average.

    `choices` has a row for each item, `scale` and `number`, with its `logprob`; an item of whose numbers some have no
    score counts as not readable. The weights are the probabilities among these numbers alone.
    """
    weight = (pl.col("logprob") - pl.col("logprob").max()).exp()
    found = (
        _about(choices, items)
        .with_columns(agrees=_agreement(pl.col("number")))
        .group_by("system", "language", "run", "scale", "item", maintain_order=True)
        .agg(
            value=(weight * pl.col("agrees")).sum() / weight.sum(),
            answer_ids=pl.col("sample_id").sort(),
            whole=pl.len() == (pl.col("most") - pl.col("least") + 1).first(),
        )
    )
    return _told(found.filter("whole"))


def _about(answers: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Rows with what they are about, and who answered in which run."""
    told = answers.with_columns(
        item_id=pl.col("parent_ids").list.first(),
        run="attempt" if "attempt" in answers.columns else pl.lit(0),
        system="system" if "system" in answers.columns else "model",
    )
    return told.join(items.select("item", "least", "most", item_id="sample_id"), on="item_id")


def _agreement(answer: pl.Expr) -> pl.Expr:
    return agreement(answer, pl.col("least"), pl.col("most"), pl.col("scale") == RISING)


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(dtype) for name, dtype in ANSWERS.items())


def scored_items(items: pl.DataFrame) -> pl.DataFrame:
    """The items that are not fillers, as `scored` takes them."""
    return items.filter(pl.col("dimension").is_not_null()).select(*ITEMS)
