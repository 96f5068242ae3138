"""What models answered, or how probable they found texts, as one grade for each item, system and seed.

| kind of suite | an item is | value |
| --- | --- | --- |
| `maths` | a problem with its right answer (`gold`) | 1 where the answer is right, else 0 |
| `constraints` | a request with constraints (`gold`: their JSON) that a program checks | 1 where all hold, else 0 |
| `loss` | a text that is scored | nats per token; `weight` is its tokens |
| `preference` | a `group` of scored texts, `role` `chosen`, `rejected` | 1 where the chosen one is likelier, by token |
"""

from collections.abc import Callable
from typing import get_args

import polars as pl

from persona_assets.constraints.checkers import failed
from persona_assets.constraints.constraint import from_json
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.evaluation.grading import Grade, Grader, Verdict
from persona_assets.evaluation.tables import (
    CHOSEN,
    CONSTRAINTS,
    GRADES,
    ITEMS,
    KINDS,
    LOSS,
    MATHS,
    PREFERENCE,
    REJECTED,
)

VERDICT_NAMES = get_args(Verdict)
_REQUIRED = ("item_id", "suite", "kind", "system")
_WHO = ("suite", "system", "seed")
_ORDER = ("suite", "kind", "item_id", "system", "seed")
_ANSWERED = pl.col("value").is_not_null()


def grades(rows: pl.DataFrame, grader: Grader | None = None) -> pl.DataFrame:
    """Grades with the columns of `tables.GRADES`, ordered by suite, kind, item, system and seed.

    `rows` has columns of `tables.ITEMS`, of which those of `_REQUIRED` are never null; one that is not there is null
    throughout. `answer`, or `logprob` and `tokens`, are null where a model could not be asked: the verdict is then
    `unanswered`, as it is where a score is no number, and the value 0 where 0 means wrong, else null. `margin` is by
    how many nats the chosen text of a preference is more probable as a whole. Of a group `item_id` is its name.

    Raises:
        UsageError: a column is missing, a kind unknown, an item twice there, without a right answer, or a group without
            its texts; the message names suite and item.
    """
    items = _checked(rows)
    kinds = items["kind"].unique()
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise UsageError(f"kind of suite {unknown[0]!r}: {did_you_mean(unknown[0], KINDS)}")
    found = [_BY_KIND[kind](items.filter(pl.col("kind") == kind), grader) for kind in KINDS if kind in kinds]
    empty = pl.DataFrame(schema=GRADES)
    return pl.concat([empty, *(one.select(pl.col(name).cast(dtype) for name, dtype in GRADES.items()) for one in found)]
    ).sort(*_ORDER, nulls_last=True)  # fmt: skip


def _checked(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with every column, each of its type."""
    for name in _REQUIRED:
        if name not in rows.columns:
            raise UsageError(f"evaluation items have no column {name!r}: add it (they need {', '.join(_REQUIRED)})")
        if rows[name].null_count():
            raise UsageError(f"evaluation items: column {name!r} is null in {rows[name].null_count():,} rows: fill it")
    items = rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in ITEMS.items()
    )
    group = pl.coalesce("group", "item_id")
    return items.with_columns(
        family=pl.coalesce("family", group),
        language=pl.col("language").fill_null("en"),
        group=group,
        logprob=pl.when(pl.col("logprob").is_finite()).then("logprob"),
    )


def _once(items: pl.DataFrame, *of: str) -> pl.DataFrame:
    """The items, each of which stands there once for a system and seed."""
    key = (*_WHO, "item_id", *of)
    twice = items.filter(pl.struct(key).is_duplicated())
    if twice.height:
        raise _fault(twice, "stands there more than once for one system and seed: give each item an id of its own")
    return items


def _fault(items: pl.DataFrame, said: str) -> UsageError:
    first = items.row(0, named=True)
    return UsageError(f"suite {first['suite']!r}, item {first['item_id']!r}: {said}")


def _maths(items: pl.DataFrame, grader: Grader | None) -> pl.DataFrame:
    missing = items.filter(pl.col("gold").fill_null("").str.strip_chars() == "")
    if missing.height:
        raise _fault(missing, "has no right answer (`gold`): add it, or take the item out")

    def of(asked: dict[str, str], own: Grader) -> Grade:
        return own.grade(asked["gold"], asked["answer"], asked["language"])

    if grader:
        return _judged(items, ("gold", "answer", "language"), lambda asked: of(asked, grader))
    with Grader() as own:
        return _judged(items, ("gold", "answer", "language"), lambda asked: of(asked, own))


def _constraints(items: pl.DataFrame, _: Grader | None) -> pl.DataFrame:
    def of(asked: dict[str, str]) -> Grade:
        if asked["answer"] is None:
            return Grade("unanswered", "")
        request = asked["request"] or asked["prompt"] or ""
        broken = failed(from_json(asked["gold"]), asked["answer"], asked["language"], request)
        return Grade("wrong" if broken else "correct", "; ".join(broken))

    if (missing := items.filter(pl.col("gold").is_null())).height:
        raise _fault(missing, "has no constraints (`gold`): add them, or take the item out")
    return _judged(items, ("gold", "answer", "language", "prompt", "request"), of)


def _judged(items: pl.DataFrame, by: tuple[str, ...], judge: Callable[[dict[str, str]], Grade]) -> pl.DataFrame:
    """The items with what `judge` says of each; those that are alike are judged once."""
    alike = items.select(by).unique(maintain_order=True)
    told = [judge(row) for row in alike.iter_rows(named=True)]
    said = alike.with_columns(
        value=pl.Series([one.value for one in told], dtype=pl.Float64),
        verdict=pl.Series([one.verdict for one in told], dtype=pl.String),
        found=pl.Series([one.found for one in told], dtype=pl.String),
    )
    return _of_one(_once(items).join(said, on=by, how="left", nulls_equal=True), weight=pl.lit(1.0))


def _loss(items: pl.DataFrame, _: Grader | None) -> pl.DataFrame:
    value = pl.when(pl.col("tokens") > 0).then(-pl.col("logprob") / pl.col("tokens"))
    scored = _once(items).with_columns(value=value, found=pl.lit(None, pl.String))
    weight = pl.when(_ANSWERED).then("tokens").otherwise(0)
    return _of_one(scored.with_columns(verdict=_unanswered()), weight=weight)


def _of_one(items: pl.DataFrame, weight: pl.Expr) -> pl.DataFrame:
    return items.with_columns(weight=weight, margin=pl.lit(None, pl.Float64), row_ids=_ids(pl.concat_list("row_id")))


def _unanswered() -> pl.Expr:
    return pl.when(~_ANSWERED).then(pl.lit("unanswered"))


def _ids(ids: pl.Expr) -> pl.Expr:
    return ids.list.drop_nulls().list.sort()


def _preference(items: pl.DataFrame, _: Grader | None) -> pl.DataFrame:
    each = pl.when(pl.col("tokens") > 0).then(pl.col("logprob") / pl.col("tokens"))
    chosen, rejected = (pl.col("role") == role for role in (CHOSEN, REJECTED))
    known = pl.col("logprob").is_not_null().all() & (pl.col("tokens") > 0).all()
    found = _grouped(
        items.with_columns(each=each),
        one=chosen.sum() == 1,
        others=rejected.sum() >= 1,
        known=known,
        gap=pl.col("each").filter(chosen).first() - pl.col("each").filter(rejected).max(),
        margin=pl.col("logprob").filter(chosen).first() - pl.col("logprob").filter(rejected).max(),
    )
    if (parted := found.filter(~(pl.col("one") & pl.col("others")))).height:
        raise _fault(parted, "a preference is one text with the role `chosen` and some with the role `rejected`")
    value = pl.when("known").then((pl.col("gap") > 0).cast(pl.Float64))
    told = pl.when(pl.col("value") == 1).then(pl.lit("correct")).when(_ANSWERED).then(pl.lit("wrong"))
    return found.with_columns(value=value, margin=pl.when("known").then("margin")).with_columns(
        verdict=told.otherwise(pl.lit("unanswered")), weight=pl.lit(1.0), found=pl.lit(None, pl.String)
    )


def _grouped(items: pl.DataFrame, **of: pl.Expr) -> pl.DataFrame:
    """One row for each group, system and seed, called by the group's name."""
    kept = ("kind", "stratum", "problem_kind", "family", "language", "gold", "rote")
    return (
        _once(items, "group", "role")
        .sort("item_id")  # sums of fractions hang on the order of rows
        .group_by(*_WHO, "group", maintain_order=True)
        .agg(pl.col(kept).first(), row_ids=pl.col("row_id").drop_nulls().sort(), **of)
        .rename({"group": "item_id"})
    )


_BY_KIND = {
    MATHS: _maths,
    CONSTRAINTS: _constraints,
    LOSS: _loss,
    PREFERENCE: _preference,
}
