"""Answers to items, in numbers of the scale or as log-probabilities, as the rows that are scored."""

import polars as pl

from persona_assets.questionnaires.scores import ANSWERS, ITEMS, RISING, agreement


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
        .sort("sample_id")
        .group_by("system", "language", "run", "scale", "item", maintain_order=True)
        .agg(
            value=(weight * pl.col("agrees")).sum() / weight.sum(),
            answer_ids=pl.col("sample_id").sort(),
            whole=pl.len() == (pl.col("most") - pl.col("least") + 1).first(),
        )
    )
    return _told(found.filter("whole"))


def who_answered(answers: pl.DataFrame) -> pl.DataFrame:
    """Answers with the row that each is about as `item_id`, the `system` that answered, and the `run`."""
    return answers.with_columns(
        item_id=pl.col("parent_ids").list.first(),
        run="attempt" if "attempt" in answers.columns else pl.lit(0),
        system="system" if "system" in answers.columns else "model",
    )


def _about(answers: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    return who_answered(answers).join(items.select("item", "least", "most", item_id="sample_id"), on="item_id")


def _agreement(answer: pl.Expr) -> pl.Expr:
    return agreement(answer, pl.col("least"), pl.col("most"), pl.col("scale") == RISING)


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(dtype) for name, dtype in ANSWERS.items())


def scored_items(items: pl.DataFrame) -> pl.DataFrame:
    """The items that are not fillers, as `scored` takes them."""
    return items.filter(pl.col("dimension").is_not_null()).select(*ITEMS)
